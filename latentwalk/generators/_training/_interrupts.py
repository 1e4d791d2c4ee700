"""Interrupts that wait for the end of a step."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# what a terminal sends and what a scheduler sends, with the handlers of a process that has set none
HANDLED: dict[signal.Signals, Any] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: signal.SIG_DFL,
}


def stop(signum: int) -> None:
    """Raise what a signal stands for."""
    if signum == signal.SIGTERM:
        raise SystemExit(128 + signum)
    raise KeyboardInterrupt


@contextmanager
def deferred_interrupt() -> Iterator[Callable[[], int | None]]:
    """Hold back the first interrupt; the function that is given returns its signal, or None.

    A second one stops at once. Signals with another handler, and other threads than the main one,
    are left as they are.
    """
    came: int | None = None

    def note(signum: int, frame: Any) -> None:
        nonlocal came
        if came is not None:
            stop(signum)
        came = signum

    here = threading.current_thread() is threading.main_thread()
    ours = [s for s, default in HANDLED.items() if here and signal.getsignal(s) is default]
    for signum in ours:
        signal.signal(signum, note)
    try:
        yield lambda: came
    finally:
        for signum in ours:
            signal.signal(signum, HANDLED[signum])

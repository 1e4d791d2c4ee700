"""Warnings that the steps of a release would repeat in one fit."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def each_warning_once() -> Iterator[None]:
    """Show each text once in the block; filters that raise or ignore go first.

    Python's own "once" lasts for the whole process, and its "default" forgets what it has shown
    whenever a library changes a filter for a moment, as scikit-learn does in every fit.
    """
    shown: set[tuple[str, type[Warning]]] = set()
    with warnings.catch_warnings():
        show = warnings.showwarning

        def show_new(message: Any, category: type[Warning], *place: Any, **where: Any) -> None:
            if (str(message), category) not in shown:
                shown.add((str(message), category))
                show(message, category, *place, **where)

        warnings.showwarning = show_new
        yield

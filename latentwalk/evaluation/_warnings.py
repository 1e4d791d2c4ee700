"""Warnings that a search would repeat for every fit."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_shown: set[tuple[str, type[Warning]]] = set()


@contextmanager
def each_warning_once() -> Iterator[None]:
    """Show each text once in a process; filters that raise or ignore go first.

    Python's own "once" forgets what it has shown whenever a library changes a filter for a moment,
    as scikit-learn does in every fit.
    """
    with warnings.catch_warnings():
        show = warnings.showwarning

        def show_new(message: Any, category: type[Warning], *place: Any, **where: Any) -> None:
            if (str(message), category) not in _shown:
                _shown.add((str(message), category))
                show(message, category, *place, **where)

        warnings.showwarning = show_new
        yield

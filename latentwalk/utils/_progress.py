"""What long work shows: a progress bar, or a line for each step."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import TypeVar

from sklearn.utils._user_interface import _print_elapsed_time
from tqdm.auto import tqdm

T = TypeVar("T")


def progress(
    iterable: Iterable[T],
    *,
    desc: str,
    verbose: bool | int = False,
    total: int | None = None,
    initial: int = 0,
) -> Iterable[T]:
    """Iterate, with a progress bar if `verbose`; `initial` of the `total` were done before."""
    return tqdm(iterable, desc=desc, total=total, initial=initial) if verbose else iterable


def timed(source: str, step: str, *, verbose: bool | int = False) -> AbstractContextManager[None]:
    """Print a line with the time of a step if `verbose`, as scikit-learn's pipelines do."""
    line: AbstractContextManager[None] = _print_elapsed_time(source, step if verbose else None)
    return line

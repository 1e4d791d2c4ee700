"""The progress bar of long work."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from tqdm.auto import tqdm

T = TypeVar("T")


def progress(
    iterable: Iterable[T], *, desc: str, verbose: bool | int = False, total: int | None = None
) -> Iterable[T]:
    """Iterate, with a progress bar if `verbose`."""
    return tqdm(iterable, desc=desc, total=total) if verbose else iterable

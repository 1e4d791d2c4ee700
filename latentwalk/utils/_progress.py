"""The progress bar of long work."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

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

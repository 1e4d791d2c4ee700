"""Work in chunks of rows that fit into memory."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm.auto import tqdm

T = TypeVar("T")

AUTO_BATCH_SIZE = {"cpu": 64, "cuda": 512}


def map_batches(
    function: Callable[[slice], NDArray[Any]],
    n_samples: int,
    *,
    batch_size: int | str = "auto",
    device: torch.device | str = "cpu",
    desc: str = "rows",
    verbose: bool | int = False,
) -> NDArray[Any]:
    """Call `function` on consecutive slices of rows and concatenate what it returns.

    Parameters
    ----------
    function : callable(slice) -> ndarray
        Works on the rows of one slice.
    n_samples : int
        The number of rows, at least 1.
    batch_size : int or "auto", default="auto"
        Rows a call. "auto" starts from a size for the device and halves it, with a warning, when
        memory runs out; no row is done twice.
    device : torch.device or str, default="cpu"
        Where the work runs.
    desc, verbose
        The progress bar.

    Returns
    -------
    result : ndarray of shape (n_samples, ...)
        In the order of the rows.

    Raises
    ------
    torch.OutOfMemoryError
        When a given `batch_size` does not fit, or a single row does not.
    """
    parts = run_batches(
        function, n_samples, batch_size=batch_size, device=device, desc=desc, verbose=verbose
    )
    return np.concatenate(parts)


def run_batches(
    function: Callable[[slice], T],
    n_samples: int,
    *,
    batch_size: int | str = "auto",
    device: torch.device | str = "cpu",
    desc: str = "rows",
    verbose: bool | int = False,
) -> list[T]:
    """Call `function` as `map_batches` does, and return what it returns for each slice."""
    size = AUTO_BATCH_SIZE[torch.device(device).type] if batch_size == "auto" else int(batch_size)
    if size < 1:
        raise ValueError(f"batch_size={batch_size!r}; expected a positive integer or 'auto'")
    parts, start = [], 0
    bar = tqdm(total=n_samples, desc=desc, disable=not verbose)
    while start < n_samples:
        rows = slice(start, min(start + size, n_samples))
        try:
            parts.append(function(rows))
        except torch.OutOfMemoryError:
            if batch_size != "auto" or size == 1:
                raise
            size = max(size // 2, 1)
            warnings.warn(f"out of memory: batch_size halved to {size}", stacklevel=2)
            continue
        bar.update(rows.stop - rows.start)
        start = rows.stop
    bar.close()
    return parts

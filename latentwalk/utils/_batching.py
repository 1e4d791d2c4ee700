"""Work in chunks of rows that fit into memory."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm.auto import tqdm

T = TypeVar("T")

AUTO_BATCH_SIZE = {"cpu": 64, "cuda": 512}
FULL_BATCH_SIDE = 128  # up to this side a gradient of a whole batch fits into memory
CPU_OUT_OF_MEMORY = ("can't allocate memory", "not enough memory", "std::bad_alloc")


def batch_rows(image_shape: tuple[int, int, int], most: int = 64) -> int:
    """Return the rows of a batch: `most` up to 128x128 pixels, fewer in proportion above."""
    height, width = image_shape[1:]
    return max(min(most, most * FULL_BATCH_SIDE**2 // (height * width)), 1)


def map_batches(
    function: Callable[[slice], NDArray[Any]],
    n_samples: int,
    *,
    batch_size: int | str = "auto",
    device: torch.device | str = "cpu",
    desc: str = "rows",
    verbose: bool | int = False,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Call `function` on consecutive slices of rows and put together what it returns.

    The result is written where it stays, so that it is never in memory twice.

    Parameters
    ----------
    function : callable(slice) -> ndarray
        Works on the rows of one slice; returns a row for each of them.
    n_samples : int
        The number of rows, at least 1.
    batch_size : int or "auto", default="auto"
        Rows a call. "auto" starts from a size for the device and halves it, with a warning, when
        memory runs out; no row is done twice.
    device : torch.device or str, default="cpu"
        Where the work runs.
    desc, verbose
        The progress bar.
    out : ndarray of shape (n_samples, ...), default=None
        Where the result is written, such as a memory map. None makes an array.

    Returns
    -------
    result : ndarray of shape (n_samples, ...)
        In the order of the rows.

    Raises
    ------
    torch.OutOfMemoryError, RuntimeError or MemoryError
        When a given `batch_size` does not fit, or a single row does not. torch raises the first of
        them on a GPU and the second on a CPU.
    """
    parts = run_batches(
        function, n_samples, batch_size=batch_size, device=device, desc=desc, verbose=verbose
    )
    return assemble(parts, n_samples, out=out, desc=desc)


def assemble(
    parts: Iterable[NDArray[Any]], n_samples: int, *, out: NDArray[Any] | None, desc: str
) -> NDArray[Any]:
    """Put parts of rows, in order, into `out`, or into an array that the first part shapes."""
    start = 0
    for part in parts:
        if out is None:
            out = np.empty((n_samples, *part.shape[1:]), part.dtype)
        out[start : start + len(part)] = part
        start += len(part)
    if out is None:
        raise ValueError(f"n_samples={n_samples}; expected 1 or more rows of {desc}")
    return out


def run_batches(
    function: Callable[[slice], T],
    n_samples: int,
    *,
    batch_size: int | str = "auto",
    device: torch.device | str = "cpu",
    desc: str = "rows",
    verbose: bool | int = False,
) -> Iterator[T]:
    """Call `function` as `map_batches` does, and yield what it returns for each slice."""
    size = AUTO_BATCH_SIZE[torch.device(device).type] if batch_size == "auto" else int(batch_size)
    if size < 1:
        raise ValueError(f"batch_size={batch_size!r}; expected a positive integer or 'auto'")
    start = 0
    bar = tqdm(total=n_samples, desc=desc, disable=not verbose)
    while start < n_samples:
        rows = slice(start, min(start + size, n_samples))
        try:
            part = function(rows)
        except (MemoryError, RuntimeError) as error:
            if batch_size != "auto" or size == 1 or not is_out_of_memory(error):
                raise
            size = max(size // 2, 1)
            warnings.warn(f"out of memory: batch_size halved to {size}", stacklevel=2)
            continue
        n_rows = rows.stop - rows.start
        if isinstance(part, np.ndarray) and part.shape[:1] != (n_rows,):
            raise ValueError(f"{desc}: {n_rows} rows gave an array of shape {part.shape}")
        yield part
        bar.update(n_rows)
        start = rows.stop
    bar.close()


def is_out_of_memory(error: Exception) -> bool:
    """Whether it says that memory ran out: on a CPU torch has no error of its own for that."""
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or any(
        text in str(error) for text in CPU_OUT_OF_MEMORY
    )

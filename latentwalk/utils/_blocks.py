"""Rows of work on joblib's workers: results in order, and one more try when a worker dies.

What is done to a row does not depend on the number of workers: batches are the same for any.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from functools import partial
from typing import Any, TypeVar

import torch
from joblib import Parallel, delayed, effective_n_jobs
from joblib.parallel import get_active_backend
from numpy.typing import NDArray

from latentwalk.utils._batching import AUTO_BATCH_SIZE, assemble, run_batches
from latentwalk.utils._mapped import MappedRows, pack_rows, unpack_rows
from latentwalk.utils._progress import progress

BLOCKS_A_WORKER = 4  # enough that workers end together, few enough that `work` travels rarely

T = TypeVar("T")
Block = TypeVar("Block")
Part = TypeVar("Part")
Result = TypeVar("Result")


def map_rows(
    work: Callable[..., NDArray[Any]],
    arrays: Sequence[Any],
    *,
    n_jobs: int | None = None,
    batch_size: int | str = "auto",
    device: torch.device | str = "cpu",
    desc: str = "rows",
    verbose: bool | int = False,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Call `work` on batches of rows, here or in workers, and put together what it returns.

    Parameters
    ----------
    work : callable(*rows) -> ndarray
        Takes the same rows of each array and returns a row for each. It travels to the workers.
    arrays : sequence of array-like of shape (n_samples, ...)
        A memory map travels as the name of its file; of all others the rows of a block travel.
    n_jobs : int, default=None
        Blocks at a time, on joblib's active backend.
    batch_size, device, desc, verbose, out
        See `map_batches`.

    Returns
    -------
    result : ndarray of shape (n_samples, ...)
        In the order of the rows.
    """
    parts = run_rows(
        work,
        arrays,
        n_jobs=n_jobs,
        batch_size=batch_size,
        device=device,
        desc=desc,
        verbose=verbose,
    )
    return assemble(parts, len(arrays[0]), out=out, desc=desc)


def run_rows(
    work: Callable[..., T],
    arrays: Sequence[Any],
    *,
    n_jobs: int | None = None,
    batch_size: int | str = "auto",
    device: torch.device | str = "cpu",
    desc: str = "rows",
    verbose: bool | int = False,
) -> Iterator[T]:
    """Call `work` as `map_rows` does, and yield what it returns for each batch, in order."""
    n_samples, n_workers = len(arrays[0]), effective_n_jobs(n_jobs)
    size = AUTO_BATCH_SIZE[torch.device(device).type] if batch_size == "auto" else int(batch_size)
    if n_workers == 1 or n_samples <= size or size < 1:
        yield from run_batches(
            lambda rows: work(*(X[rows] for X in arrays)),
            n_samples,
            batch_size=batch_size,
            device=device,
            desc=desc,
            verbose=verbose,
        )
        return
    # whole batches, so that they are the same for any number of workers
    size *= max(n_samples // (size * n_workers * BLOCKS_A_WORKER), 1)
    blocks = [slice(i, min(i + size, n_samples)) for i in range(0, n_samples, size)]
    done = run_blocks(
        partial(_run_block, work, batch_size, device),
        blocks,
        take=lambda rows: [pack_rows(X, rows) for X in arrays],
        n_jobs=n_jobs,
    )
    for parts in progress(done, desc=desc, verbose=verbose, total=len(blocks)):
        yield from parts


def _run_block(
    work: Callable[..., T],
    batch_size: int | str,
    device: torch.device | str,
    packed: list[NDArray[Any] | MappedRows],
) -> list[T]:
    arrays = [unpack_rows(part) for part in packed]
    parts = run_batches(
        lambda rows: work(*(X[rows] for X in arrays)),
        len(arrays[0]),
        batch_size=batch_size,
        device=device,
    )
    return list(parts)


def run_blocks(
    function: Callable[[Part], Result],
    blocks: Sequence[Block],
    *,
    take: Callable[[Block], Part],
    n_jobs: int | None = None,
) -> Iterator[Result]:
    """Yield what `function` returns for each block, in order, as soon as it is known.

    Where the system kills a worker, as it does when memory runs out, what was yielded stays and
    the blocks from there on are run once more.

    Parameters
    ----------
    function : callable(part) -> result
        Runs in a worker, and travels there with each block.
    blocks : sequence
        Such as arrays of row numbers.
    take : callable(block) -> part
        Makes what `function` is called with, such as the rows themselves. It runs here, late, so
        that the parts of the blocks in work alone are in memory.
    n_jobs : int, default=None
        Blocks at a time, on joblib's active backend. A backend that cannot hand results over one
        by one, as Ray's, hands them over together at the end.

    Raises
    ------
    concurrent.futures.BrokenExecutor
        When a worker dies in the second try too.
    """
    done = 0
    try:
        for result in _run(function, blocks, take, n_jobs):
            done += 1
            yield result
    except BrokenExecutor:
        warnings.warn(
            f"a worker died: {len(blocks) - done} of {len(blocks)} blocks are run once more. When "
            "memory ran out, take a smaller n_jobs or batch_size",
            stacklevel=3,
        )
        yield from _run(function, blocks[done:], take, n_jobs)


def _run(
    function: Callable[[Part], Result],
    blocks: Sequence[Block],
    take: Callable[[Block], Part],
    n_jobs: int | None,
) -> Iterator[Result]:
    backend, _ = get_active_backend()
    one_by_one = getattr(backend, "supports_return_generator", False)
    parallel = Parallel(n_jobs=n_jobs, return_as="generator" if one_by_one else "list")
    # in a tuple: Dask's backend scatters a large argument, and it would die with its worker
    return iter(parallel(delayed(_call)(function, (take(block),)) for block in blocks))


def _call(function: Callable[[Part], Result], part: tuple[Part]) -> Result:
    return function(*part)

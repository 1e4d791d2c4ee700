"""Blocks of work on joblib's workers: results in order, and one more try when a worker dies."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from typing import TypeVar

from joblib import Parallel, delayed
from joblib.parallel import get_active_backend

Block = TypeVar("Block")
Part = TypeVar("Part")
Result = TypeVar("Result")


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
    return iter(parallel(delayed(function)(take(block)) for block in blocks))

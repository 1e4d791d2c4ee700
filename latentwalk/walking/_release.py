"""A checked point of its own for every row that asks for one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentwalk.walking._examine import Points
from latentwalk.walking._selection import select_points

N_REFINEMENTS = 6

Refine = Callable[[NDArray[np.intp]], Points]


def slot_paths(
    rows: NDArray[np.intp], pairs: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return a path for each row, and the end (0 or 1) at which it touches the row's prototype.

    Parameters
    ----------
    rows : ndarray of shape (n_rows,)
        The prototype of each row.
    pairs : ndarray of shape (n_paths, 2)
        The prototypes that each path joins.

    Returns
    -------
    paths, ends : ndarray of shape (n_rows,)
        A prototype's rows take turns over the paths that touch it.
    """
    paths, ends = np.empty(len(rows), np.intp), np.empty(len(rows), np.intp)
    for prototype in np.unique(rows):
        touching, end = np.nonzero(pairs == prototype)
        members = np.flatnonzero(rows == prototype)
        turn = np.arange(len(members)) % len(touching)
        paths[members], ends[members] = touching[turn], end[turn]
    return paths, ends


def allocate(
    points: Points,
    paths: NDArray[np.intp],
    order: NDArray[Any],
    path_classes: NDArray[np.intp],
    refine: Refine,
    selection: str,
) -> tuple[Points, NDArray[np.intp]]:
    """Return a distinct accepted point for every slot.

    A path that has too few is refined (points drawn between those it has, and checked); what is
    still missing comes from other paths of the class.

    Parameters
    ----------
    points : Points
        What may be drawn from; only accepted points are.
    paths : ndarray of shape (n_slots,)
        The path of each slot.
    order : ndarray of shape (n_slots,)
        Slots with smaller values get the earlier points of a path.
    path_classes : ndarray of shape (n_paths,)
        The class of each path.
    refine : callable
        Paths to newly drawn and checked points on them.
    selection : {"safest", "uniform"}
        See `select_points`.

    Returns
    -------
    points : Points
        With those that were drawn.
    chosen : ndarray of shape (n_slots,)
        Rows of `points`; -1 where the class has no point left.
    """
    counts = np.bincount(paths, minlength=len(path_classes))
    for _ in range(N_REFINEMENTS):
        found = np.bincount(points.path[points.accepted], minlength=len(counts))
        short = np.flatnonzero(found < counts)
        if len(short) == 0:
            break
        points = points.joined(refine(short))
    chosen = np.full(len(paths), -1, np.intp)
    for path in np.unique(paths):
        slots = np.flatnonzero(paths == path)
        slots = slots[np.argsort(order[slots], kind="stable")]
        free = np.flatnonzero(points.accepted & (points.path == path))
        n_taken = min(len(slots), len(free))
        taken = select_points(points.time[free], points.risk[free], n_taken, selection)
        chosen[slots[:n_taken]] = free[taken]
    _borrow(points, chosen, path_classes[paths], path_classes)
    return points, chosen


def _borrow(
    points: Points,
    chosen: NDArray[np.intp],
    slot_classes: NDArray[np.intp],
    path_classes: NDArray[np.intp],
) -> None:
    """Fill empty slots, in place, with the safest points left on any path of their class."""
    for code in np.unique(slot_classes[chosen < 0]):
        slots = np.flatnonzero((slot_classes == code) & (chosen < 0))
        free = np.setdiff1d(
            np.flatnonzero(points.accepted & (path_classes[points.path] == code)), chosen
        )
        free = free[np.argsort(points.risk[free], kind="stable")][: len(slots)]
        chosen[slots[: len(free)]] = free

"""The choice of released points: a distinct checked point for every row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentwalk.walking._examine import Bounds, Points
from latentwalk.walking._paths import Paths

N_REFINEMENTS = 6
MIN_GAP = 1e-3

Ints = NDArray[np.intp]
Redraw = Callable[[Ints], Points]


def slot_paths(rows: Ints, pairs: Ints) -> tuple[Ints, Ints]:
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
        The rows of a prototype are spread in turn over the paths that touch it.
    """
    paths, ends = np.empty(len(rows), np.intp), np.empty(len(rows), np.intp)
    for prototype in np.unique(rows):
        touching, end = np.nonzero(pairs == prototype)
        members = np.flatnonzero(rows == prototype)
        turn = np.arange(len(members)) % len(touching)
        paths[members], ends[members] = touching[turn], end[turn]
    return paths, ends


def even_paths(codes: Ints, counts: Ints) -> Ints:
    """Return paths for ``counts[code]`` slots of each class, each path of it equally often.

    `codes` are the classes of the paths, (n_paths,).
    """
    parts = []
    for code, count in enumerate(counts):
        paths = np.flatnonzero(codes == code)
        parts.append(paths[np.arange(count) * len(paths) // max(count, len(paths)) % len(paths)])
    return np.concatenate(parts)


def allocate(
    points: Points,
    paths: Ints,
    order: NDArray[Any],
    path_codes: Ints,
    redraw: Redraw,
    selection: str,
) -> tuple[Points, Ints]:
    """Return a distinct accepted point for every slot.

    If a path has too few accepted points, more are drawn between its points and checked. Points
    that are still missing come from other paths of the class.

    Parameters
    ----------
    points : Points
        Points to choose from. Only accepted ones are chosen.
    paths : ndarray of shape (n_slots,)
        The path of each slot.
    order : ndarray of shape (n_slots,)
        Slots with smaller values get the earlier points of a path.
    path_codes : ndarray of shape (n_paths,)
        The class of each path.
    redraw : callable
        Returns newly drawn and checked points of paths.
    selection : {"safest", "uniform"}
        See `select_points`.

    Returns
    -------
    points : Points
        With those that were drawn.
    chosen : ndarray of shape (n_slots,)
        Rows of `points`; -1 where the class has no point left.
    """
    wanted = np.bincount(paths, minlength=len(path_codes))
    for _ in range(N_REFINEMENTS):
        available = np.bincount(points.path[points.accepted], minlength=len(wanted))
        short = np.flatnonzero(available < wanted)
        if len(short) == 0:
            break
        points = points.joined(redraw(short))
    chosen = np.full(len(paths), -1, np.intp)
    for path in np.unique(paths):
        slots = np.flatnonzero(paths == path)
        slots = slots[np.argsort(order[slots], kind="stable")]
        free = np.flatnonzero(points.accepted & (points.path == path))
        n_taken = min(len(slots), len(free))
        taken = select_points(points.time[free], points.risk[free], n_taken, selection)
        chosen[slots[:n_taken]] = free[taken]
    _borrow(points, chosen, path_codes[paths], path_codes)
    return points, chosen


def _borrow(points: Points, chosen: Ints, slot_codes: Ints, path_codes: Ints) -> None:
    """Fill empty slots, in place, with the safest points left on any path of their class."""
    for code in np.unique(slot_codes[chosen < 0]):
        slots = np.flatnonzero((slot_codes == code) & (chosen < 0))
        free = np.setdiff1d(
            np.flatnonzero(points.accepted & (path_codes[points.path] == code)), chosen
        )
        free = free[np.argsort(points.risk[free], kind="stable")][: len(slots)]
        chosen[slots[: len(free)]] = free


def check_enough(missing: Ints, classes: NDArray[Any], bounds: Bounds) -> None:
    """Raise when slots of these class codes found no point.

    Raises
    ------
    ValueError
        With the number of points that each class lacks.
    """
    if len(missing) == 0:
        return
    counts = np.bincount(missing, minlength=len(classes))
    lacking = ", ".join(f"class {c!s}: {n}" for c, n in zip(classes, counts, strict=True) if n)
    raise ValueError(
        f"{len(missing)} points are missing ({lacking}): too few points of the paths are within "
        f"{bounds}. {bounds.remedy}"
    )


def safest_at(points: Points, paths: Paths, codes: Ints) -> Ints:
    """Return the safest accepted point at each prototype, or of its class if there is none.

    Parameters
    ----------
    points : Points
        Points of the paths.
    paths : Paths
        The paths.
    codes : ndarray of shape (n_prototypes,)
        The class of each prototype.

    Returns
    -------
    chosen : ndarray of shape (n_prototypes,)
        Rows of `points`; -1 where a class has none.
    """
    rows = np.flatnonzero(points.accepted)
    rows = rows[np.argsort(points.risk[rows], kind="stable")]  # the safest first
    path, rank = np.unique(points.path[rows], return_index=True)
    none = len(rows)
    at_prototype = np.full(len(codes), none)
    in_class = np.full(codes.max() + 1, none)
    for end in (0, 1):
        np.minimum.at(at_prototype, paths.pairs[path, end], rank)
    np.minimum.at(in_class, paths.codes[path], rank)
    best = np.where(at_prototype < none, at_prototype, in_class[codes])
    return np.append(rows, -1)[best]


def select_points(
    times: NDArray[np.floating],
    risks: NDArray[np.floating],
    n_selected: int,
    selection: str = "safest",
) -> Ints:
    """Return the indices of `n_selected` points of a path, in order of their times.

    Parameters
    ----------
    times : ndarray of shape (n_points,)
        In (0, 1).
    risks : ndarray of shape (n_points,)
        The highest identity posterior of each point. Do not pass a distance to real images: a
        release that is selected by distance has a hole around the members, which an attacker can
        find.
    n_selected : int
        At most ``n_points``.
    selection : {"safest", "uniform"}, default="safest"
        "safest" takes the points with the lowest risks that are at least half of an even spacing
        apart; if there are too few, the gap is made smaller. "uniform" spreads over the points.

    Returns
    -------
    chosen : ndarray of shape (n_selected,)
        Distinct.
    """
    order = np.argsort(times, kind="stable")
    if selection == "uniform":
        steps = np.linspace(0, len(times), n_selected, endpoint=False)
        return order[(steps + len(times) / (2 * max(n_selected, 1))).astype(int)]
    by_risk = order[np.argsort(risks[order], kind="stable")]
    gap = 0.5 / (n_selected + 1)
    chosen: list[int] = []
    while len(chosen) < n_selected:
        if gap < MIN_GAP:
            rest = [i for i in by_risk if i not in chosen]
            chosen += rest[: n_selected - len(chosen)]
        else:
            chosen = _greedy(times, by_risk, chosen, n_selected, gap)
            gap /= 2
    picked = np.array(chosen, dtype=np.intp)
    return picked[np.argsort(times[picked], kind="stable")]


def _greedy(
    times: NDArray[np.floating], by_risk: Ints, chosen: list[int], n_selected: int, gap: float
) -> list[int]:
    """Add the safest points that keep the gap to those chosen already."""
    chosen = list(chosen)
    for i in by_risk:
        if len(chosen) == n_selected:
            break
        if i not in chosen and all(abs(times[i] - times[j]) >= gap for j in chosen):
            chosen.append(int(i))
    return chosen

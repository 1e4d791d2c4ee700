"""Which points of a path are released."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def select_points(
    times: NDArray[np.floating],
    risks: NDArray[np.floating],
    n_selected: int,
    selection: str = "safest",
) -> NDArray[np.intp]:
    """Return the indices of `n_selected` points, in order of their times.

    Parameters
    ----------
    times : ndarray of shape (n_points,)
        In (0, 1).
    risks : ndarray of shape (n_points,)
        The highest identity posterior of each point. Never a distance to real images: a release
        selected by that has a hole around the members, which an attacker finds.
    n_selected : int
        At most ``n_points``.
    selection : {"safest", "uniform"}, default="safest"
        "safest" takes the lowest risks among points that are at least half of an even spacing
        apart, and less where that leaves too few; "uniform" spreads over the points.

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
        if gap < 1e-3:
            rest = [i for i in by_risk if i not in chosen]
            chosen += rest[: n_selected - len(chosen)]
        else:
            chosen = _greedy(times, by_risk, chosen, n_selected, gap)
            gap /= 2
    picked = np.array(chosen, dtype=np.intp)
    return picked[np.argsort(times[picked], kind="stable")]


def _greedy(
    times: NDArray[np.floating],
    by_risk: NDArray[np.intp],
    chosen: list[int],
    n_selected: int,
    gap: float,
) -> list[int]:
    """Add the safest points that keep the gap to those chosen already."""
    chosen = list(chosen)
    for i in by_risk:
        if len(chosen) == n_selected:
            break
        if i not in chosen and all(abs(times[i] - times[j]) >= gap for j in chosen):
            chosen.append(int(i))
    return chosen

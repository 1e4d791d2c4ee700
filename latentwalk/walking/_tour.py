"""Which prototypes a path joins."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def tour(
    points: NDArray[np.floating], pairing: str, rng: np.random.RandomState
) -> NDArray[np.intp]:
    """Return the pairs of a closed tour through all points, so that each is an end twice.

    Parameters
    ----------
    points : ndarray of shape (n_points, n_features)
        At least two; two give one pair.
    pairing : {"near", "random"}
        "near" goes on to the nearest point that was not visited, "random" to any.
    rng : RandomState
        Draws the start, or the order.

    Returns
    -------
    pairs : ndarray of shape (n_points, 2)
        Row numbers; (1, 2) for two points.
    """
    n = len(points)
    order = rng.permutation(n) if pairing == "random" else _nearest_first(points, rng.randint(n))
    pairs = np.column_stack([order, np.roll(order, -1)])
    return pairs[:1] if n == 2 else pairs


def _nearest_first(points: NDArray[np.floating], start: int) -> NDArray[np.intp]:
    """Order in which each point is the nearest unvisited one of the point before."""
    left = np.ones(len(points), dtype=bool)
    order = [start]
    left[start] = False
    while left.any():
        rest = np.flatnonzero(left)
        gaps = np.square(points[rest] - points[order[-1]]).sum(axis=1, dtype=np.float64)
        order.append(int(rest[gaps.argmin()]))
        left[order[-1]] = False
    return np.array(order)


def class_tours(
    prototypes: NDArray[np.floating],
    codes: NDArray[np.intp],
    pairing: str,
    rng: np.random.RandomState,
) -> NDArray[np.intp]:
    """Return the pairs of one tour in each class, as rows of `prototypes`, (n_paths, 2)."""
    parts = []
    for code in np.unique(codes):
        members = np.flatnonzero(codes == code)
        parts.append(members[tour(prototypes[members], pairing, rng)])
    return np.concatenate(parts)

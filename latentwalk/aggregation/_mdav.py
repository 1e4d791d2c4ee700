"""MDAV, the greedy microaggregation of statistical disclosure control."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def mdav(X: ArrayLike, k: int) -> NDArray[np.intp]:
    """Group points by maximum distance to the average vector.

    The point farthest from the mean of the points left takes its k - 1 nearest. Then the point
    farthest from that one does the same, and so on. The last group takes the rest. There are
    ``n_points // k`` groups of k to 2k - 1 points.

    Parameters
    ----------
    X : array-like of shape (n_points, n_features)
        At least k points.
    k : int
        The smallest number of points in a group.

    Returns
    -------
    labels : ndarray of shape (n_points,)
        The group of each point.

    Raises
    ------
    ValueError
        For fewer than k points.

    References
    ----------
    J. Domingo-Ferrer and V. Torra, "Ordinal, continuous and heterogeneous k-anonymity through
    microaggregation", Data Mining and Knowledge Discovery 11 (2005).

    Examples
    --------
    >>> from latentwalk.aggregation import mdav
    >>> mdav([[0.0], [0.1], [5.0], [5.1], [5.3]], k=2)
    array([0, 0, 1, 1, 1])
    """
    X = np.asarray(X, dtype=np.float64)
    if len(X) < k:
        raise ValueError(f"X has {len(X)} points; groups of k={k} need at least {k}")
    labels = np.zeros(len(X), dtype=np.intp)
    pool, n_groups = _Pool(X), 0
    while len(pool) >= 2 * k:
        distances = pool.distances(pool.center())
        # x_r is farthest from the mean, x_s is farthest from x_r; x_s only if k points remain after
        for _ in range(2 if len(pool) >= 3 * k else 1):
            seed = pool.farthest(distances)
            distances = pool.distances(seed)
            labels[pool.take(distances, k)] = n_groups
            n_groups += 1
        pool.compact()
    labels[pool.left()] = n_groups
    return labels


class _Pool:
    """The points that no group has taken yet."""

    def __init__(self, X: NDArray[np.float64]) -> None:
        # |x - p|^2 = |x|^2 - 2 x.p + |p|^2: centred, so that large terms do not cancel
        self._X = X - X.mean(axis=0)
        self._norms = np.einsum("ij,ij->i", self._X, self._X)  # (n_points,) |x|^2
        self._rows = np.arange(len(X))
        self._free = np.ones(len(X), dtype=bool)
        self._sum = self._X.sum(axis=0)
        self._n_left = len(X)

    def __len__(self) -> int:
        return self._n_left

    def center(self) -> NDArray[np.float64]:
        """The mean of the points left."""
        return np.asarray(self._sum / self._n_left)

    def left(self) -> NDArray[np.intp]:
        """The numbers of the points left."""
        return self._rows[self._free]

    def distances(self, point: NDArray[np.float64]) -> NDArray[np.float64]:
        """Squared distances to `point`, less the constant ``|point|^2``."""
        return np.asarray(self._norms - 2 * (self._X @ point))

    def farthest(self, distances: NDArray[np.float64]) -> NDArray[np.float64]:
        """The point with the largest distance, of those left."""
        return self._X[np.argmax(np.where(self._free, distances, -np.inf))]

    def take(self, distances: NDArray[np.float64], k: int) -> NDArray[np.intp]:
        """Remove the k nearest of the points left; return their numbers."""
        nearest = np.argpartition(np.where(self._free, distances, np.inf), k - 1)[:k]
        self._free[nearest] = False
        self._sum -= self._X[nearest].sum(axis=0)
        self._n_left -= k
        return self._rows[nearest]

    def compact(self) -> None:
        """Forget the points taken once they are a third of all: the next distances cost less."""
        if self._n_left < 2 / 3 * len(self._rows):
            self._X, self._norms = self._X[self._free], self._norms[self._free]
            self._rows = self._rows[self._free]
            self._free = np.ones(len(self._rows), dtype=bool)

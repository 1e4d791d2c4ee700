"""Large classes cut into coarse blocks: time and memory then grow linearly with the rows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from latentwalk.neighbors import ExactNeighbors

MAX_ROUNDS = 10

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


class Blocks(NamedTuple):
    """The Voronoi cells of a few centers, each the mean of at least k points."""

    labels: Ints  # (n_points,)
    centers: Floats  # (n_blocks, n_features)


def coarse_blocks(
    X: Floats, k: int, *, max_size: int, random_state: np.random.RandomState
) -> Blocks:
    """Cut points by k-means until no block has more than `max_size`.

    A block that is too large is cut again, and then every point goes to the nearest of all
    centers. No block has fewer than k points. If k-means cannot cut the points of a block, because
    nearly all lie in one place, the block stays as it is.

    Parameters
    ----------
    X : ndarray of shape (n_points, n_features)
    k : int
        The smallest number of points in a block.
    max_size : int
        The largest number of points in a block.
    random_state : RandomState
        Seeds k-means.

    Returns
    -------
    blocks : Blocks
    """
    centers, labels = X.mean(axis=0)[None], np.zeros(len(X), dtype=np.intp)
    for _ in range(MAX_ROUNDS):
        sizes = np.bincount(labels)
        if sizes.max() <= max_size:
            break
        parts = [
            centers[block][None]
            if size <= max_size
            else _cut(X[labels == block], k, max_size, random_state)
            for block, size in enumerate(sizes)
        ]
        if sum(map(len, parts)) == len(centers):
            break
        centers, labels = _settle(X, np.concatenate(parts), k)
    return Blocks(labels, centers)


def _cut(X: Floats, k: int, max_size: int, rng: np.random.RandomState) -> Floats:
    """Centers of parts of about half the largest size; each is the mean of at least k points."""
    n_parts = -(-2 * len(X) // max_size)  # ceil(n / (max_size / 2))
    kmeans = KMeans(n_parts, n_init=1, max_iter=20, random_state=rng)
    labels = kmeans.fit_predict(X)
    kept = np.flatnonzero(np.bincount(labels) >= k)
    if len(kept) < 2:
        return X.mean(axis=0)[None]
    return np.concatenate([X[labels == part].mean(axis=0)[None] for part in kept])


def _settle(X: Floats, centers: Floats, k: int) -> tuple[Floats, Ints]:
    """The nearest center of each point, once each center that gathers fewer than k is removed."""
    while True:
        labels = ExactNeighbors(centers).kneighbors(X)[1][:, 0]
        sizes = np.bincount(labels, minlength=len(centers))
        if sizes.min() >= k:
            return centers, labels
        centers = np.delete(centers, np.argmin(sizes), axis=0)

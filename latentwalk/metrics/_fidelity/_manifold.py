"""Precision, recall, density and coverage: balls around each row stand for the manifold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import euclidean_distances

from latentwalk.metrics._fidelity._common import (
    Features,
    check_n_neighbors,
    check_pair,
    directed,
    row_blocks,
)
from latentwalk.neighbors import ExactNeighbors


@directed(higher_is_better=True)
def improved_precision(X_syn: ArrayLike, X_real: ArrayLike, *, n_neighbors: int = 5) -> float:
    """Return the share of synthetic rows that lie within the real manifold.

    The manifold is the union of balls around the real rows; each ball reaches to the
    `n_neighbors`-th neighbour of its centre. A single outlier makes a large ball; `density` counts
    balls and is less sensitive to it.

    Parameters
    ----------
    X_syn : array-like of shape (n_synthetic, n_features)
        Features of the synthetic images.
    X_real : array-like of shape (n_real, n_features)
        Features of the real images.
    n_neighbors : int, default=5
        The neighbour a ball reaches to (3 in the paper, 5 in later work).

    Returns
    -------
    precision : float
        In [0, 1]; higher is better.

    Raises
    ------
    ValueError
        For widths that differ, too few rows, or values that are not finite.

    References
    ----------
    T. Kynkäänniemi et al., "Improved precision and recall metric for assessing generative models",
    NeurIPS 2019.

    Examples
    --------
    >>> from latentwalk.metrics import improved_precision
    >>> improved_precision([[0.5], [9.0]], [[0.0], [1.0], [2.0]], n_neighbors=1)
    0.5
    """
    return Manifolds.of(*check_pair(X_syn, X_real), n_neighbors).precision()


@directed(higher_is_better=True)
def improved_recall(X_syn: ArrayLike, X_real: ArrayLike, *, n_neighbors: int = 5) -> float:
    """Return the share of real rows that lie within the synthetic manifold.

    Parameters
    ----------
    X_syn : array-like of shape (n_synthetic, n_features)
        Features of the synthetic images.
    X_real : array-like of shape (n_real, n_features)
        Features of the real images.
    n_neighbors : int, default=5
        The neighbour a synthetic row's ball reaches to.

    Returns
    -------
    recall : float
        In [0, 1]; higher is better.

    Raises
    ------
    ValueError
        For widths that differ, too few rows, or values that are not finite.

    References
    ----------
    T. Kynkäänniemi et al., NeurIPS 2019; see `improved_precision`.

    Examples
    --------
    >>> from latentwalk.metrics import improved_recall
    >>> improved_recall([[0.0], [1.0]], [[0.5], [9.0]], n_neighbors=1)
    0.5
    """
    return Manifolds.of(*check_pair(X_syn, X_real, min_syn=2, min_real=1), n_neighbors).recall()


@directed(higher_is_better=True)
def density(X_syn: ArrayLike, X_real: ArrayLike, *, n_neighbors: int = 5) -> float:
    """Return the mean number of real balls that hold a synthetic row, over `n_neighbors`.

    Parameters
    ----------
    X_syn : array-like of shape (n_synthetic, n_features)
        Features of the synthetic images.
    X_real : array-like of shape (n_real, n_features)
        Features of the real images.
    n_neighbors : int, default=5
        The neighbour a ball reaches to.

    Returns
    -------
    density : float
        About 1 for equal distributions; larger if synthetic rows crowd into the modes.

    Raises
    ------
    ValueError
        For widths that differ, too few rows, or values that are not finite.

    References
    ----------
    M. F. Naeem et al., "Reliable fidelity and diversity metrics for generative models", ICML 2020.

    Examples
    --------
    >>> from latentwalk.metrics import density
    >>> density([[0.5], [9.0]], [[0.0], [1.0], [2.0]], n_neighbors=1)
    1.0
    """
    return Manifolds.of(*check_pair(X_syn, X_real), n_neighbors).density()


@directed(higher_is_better=True)
def coverage(X_syn: ArrayLike, X_real: ArrayLike, *, n_neighbors: int = 5) -> float:
    """Return the share of real rows whose ball holds a synthetic row.

    Parameters
    ----------
    X_syn : array-like of shape (n_synthetic, n_features)
        Features of the synthetic images.
    X_real : array-like of shape (n_real, n_features)
        Features of the real images.
    n_neighbors : int, default=5
        The neighbour a ball reaches to.

    Returns
    -------
    coverage : float
        In [0, 1]; about ``1 - 2^-n_neighbors`` for equal distributions and equal numbers of rows.

    Raises
    ------
    ValueError
        For widths that differ, too few rows, or values that are not finite.

    References
    ----------
    M. F. Naeem et al., ICML 2020; see `density`.

    Examples
    --------
    >>> from latentwalk.metrics import coverage
    >>> coverage([[0.5]], [[0.0], [1.0], [5.0], [6.0]], n_neighbors=1)
    0.5
    """
    return Manifolds.of(*check_pair(X_syn, X_real), n_neighbors).coverage()


@dataclass(frozen=True)
class Manifold:
    """A ball around each row, up to its `n_neighbors`-th other row; their union is the manifold.

    Attributes
    ----------
    centers : ndarray of shape (n, n_features)
        The rows.
    n_neighbors : int
        The neighbour that a ball reaches to.
    name : str
        The name of the rows, for errors.
    """

    centers: Features
    n_neighbors: int
    name: str

    @cached_property
    def radii(self) -> Features:
        """The radius of each ball, (n,)."""
        return ball_radii(self.centers, self.n_neighbors, self.name)

    def n_balls(self, X: Features) -> NDArray[np.intp]:
        """Return how many of the balls hold each row of X."""
        blocks = pairwise_blocks(X, self.centers)
        return np.concatenate([(distances < self.radii).sum(axis=1) for _, distances in blocks])


@dataclass(frozen=True)
class Manifolds:
    """The manifolds of synthetic and real rows; what several measures need is computed once."""

    synthetic: Manifold
    real: Manifold

    @classmethod
    def of(cls, synthetic: Features, real: Features, n_neighbors: int) -> Self:
        return cls(Manifold(synthetic, n_neighbors, "X_syn"), Manifold(real, n_neighbors, "X_real"))

    @cached_property
    def _n_real_balls(self) -> NDArray[np.intp]:
        return self.real.n_balls(self.synthetic.centers)

    def precision(self) -> float:
        return float(np.mean(self._n_real_balls > 0))

    def recall(self) -> float:
        return float(np.mean(self.synthetic.n_balls(self.real.centers) > 0))

    def density(self) -> float:
        return float(np.mean(self._n_real_balls) / self.real.n_neighbors)

    def coverage(self) -> float:
        nearest = ExactNeighbors(self.synthetic.centers).kneighbors(self.real.centers)[0][:, 0]
        return float(np.mean(nearest < self.real.radii))


def ball_radii(X: Features, n_neighbors: int, name: str) -> Features:
    """The distance of each row to its `n_neighbors`-th other row."""
    check_n_neighbors(n_neighbors, len(X), name)
    distances, _ = ExactNeighbors(X).kneighbors(X, n_neighbors, exclude=np.arange(len(X)))
    return distances[:, -1]


def pairwise_blocks(A: Features, B: Features) -> Iterator[tuple[slice, NDArray[Any]]]:
    """Distances of all rows of A to all of B, a block of A's rows at a time."""
    # uncentred features would lose the digits of small distances
    center = B.mean(axis=0)
    A, B = A - center, B - center
    for rows in row_blocks(len(A), len(B)):
        yield rows, euclidean_distances(A[rows], B)

"""Precision, recall, density and coverage: balls around each row stand for the manifold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

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
    synthetic, real = check_pair(X_syn, X_real)
    return float(np.mean(_balls_around(synthetic, real, n_neighbors, "X_real") > 0))


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
    synthetic, real = check_pair(X_syn, X_real, min_syn=2, min_real=1)
    return float(np.mean(_balls_around(real, synthetic, n_neighbors, "X_syn") > 0))


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
    synthetic, real = check_pair(X_syn, X_real)
    return float(np.mean(_balls_around(synthetic, real, n_neighbors, "X_real")) / n_neighbors)


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
    synthetic, real = check_pair(X_syn, X_real)
    nearest = ExactNeighbors(synthetic).kneighbors(real)[0][:, 0]
    return float(np.mean(nearest < ball_radii(real, n_neighbors, "X_real")))


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


def _balls_around(
    X: Features, centers: Features, n_neighbors: int, name: str
) -> NDArray[np.float64]:
    """How many of the balls around `centers` hold each row of X."""
    radii = ball_radii(centers, n_neighbors, name)
    blocks = pairwise_blocks(X, centers)
    return np.concatenate([(distances < radii).sum(axis=1) for _, distances in blocks]).astype(
        float
    )

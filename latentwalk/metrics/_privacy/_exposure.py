"""Exposure: how near a release comes to each real record, and to each subject."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from latentwalk.neighbors import ExactNeighbors


def exposure(
    X_real: ArrayLike, X_syn: ArrayLike, *, X_reference: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Return the distance of each real record to its nearest synthetic record.

    A small value means exposed. The exposures of members and held-out records are exchangeable if
    the release says no more about members than about others.

    Parameters
    ----------
    X_real : array-like of shape (n_real, n_features)
        Features of real records.
    X_syn : array-like of shape (n_synthetic, n_features)
        Features of the release.
    X_reference : array-like of shape (n_reference, n_features), default=None
        Features of reference records, disjoint from `X_real`. The exposure is then divided by the
        distance to the nearest of them, so that common records do not look exposed.

    Returns
    -------
    exposures : ndarray of shape (n_real,)
        Euclidean distances in the features' unit, or ratios.

    Raises
    ------
    ValueError
        For a wrong shape, NaN, or a real record that lies in the reference.

    Examples
    --------
    >>> from latentwalk.metrics import exposure
    >>> exposure([[0.0], [3.0]], [[1.0], [10.0]])
    array([1., 2.])
    >>> exposure([[0.0], [3.0]], [[1.0], [10.0]], X_reference=[[5.0]])
    array([0.2, 1. ])
    """
    distances = ExactNeighbors(X_syn).kneighbors(X_real)[0][:, 0]
    if X_reference is None:
        return distances
    scale = ExactNeighbors(X_reference).kneighbors(X_real)[0][:, 0]
    if (scale == 0).any():
        raise ValueError(
            f"X_reference holds {int((scale == 0).sum())} of the rows of X_real; a reference is "
            "disjoint from the records that it scales"
        )
    ratios: NDArray[np.float64] = distances / scale
    return ratios


def subject_minima(
    values: ArrayLike,
    codes: ArrayLike,
    *,
    n_images: ArrayLike,
    n_draws: int = 1,
    random_state: Any = None,
) -> NDArray[np.float64]:
    """Return each subject's smallest value over some of its images, drawn at random.

    A subject with more images has a smaller minimum by chance, so compare subjects only over equal
    numbers of images.

    Parameters
    ----------
    values : array-like of shape (n_samples,)
        A value an image, such as its exposure.
    codes : array-like of shape (n_samples,)
        Subject codes 0..n_subjects-1.
    n_images : int or array-like of int of shape (n_subjects,)
        Images drawn from every subject, or from each, without replacement; at most as many as it
        has.
    n_draws : int, default=1
        Independent draws.
    random_state : int, RandomState or None, default=None
        Seeds the draws.

    Returns
    -------
    minima : ndarray of shape (n_draws, n_subjects)
        A row a draw.

    Raises
    ------
    ValueError
        When a subject has fewer images, or none is to be drawn.

    Examples
    --------
    >>> from latentwalk.metrics import subject_minima
    >>> subject_minima([3.0, 1.0, 2.0, 5.0], [0, 0, 1, 1], n_images=2)
    array([[1., 2.]])
    """
    values, codes = np.asarray(values, dtype=np.float64), np.asarray(codes)
    counts = np.bincount(codes)
    drawn = np.broadcast_to(np.asarray(n_images), counts.shape)
    if drawn.min() < 1 or (drawn > counts).any():
        raise ValueError(
            f"n_images={n_images!r}; expected 1 to {counts.min()}, the fewest images of a subject, "
            "or for each subject at most as many as it has"
        )
    rng = check_random_state(random_state)
    ordered = np.sort(codes)
    place = np.arange(len(codes)) - np.searchsorted(ordered, ordered)
    kept = place < drawn[ordered]
    starts = np.concatenate([[0], np.cumsum(drawn)[:-1]])
    minima = np.empty((n_draws, len(counts)))
    for draw in range(n_draws):
        order = np.lexsort((rng.random_sample(len(values)), codes))
        minima[draw] = np.minimum.reduceat(values[order][kept], starts)
    return minima

"""Copies: synthetic records that are far nearer to a member than held-out records are."""

from __future__ import annotations

from math import ceil, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

TAIL, FEWEST = 0.1, 10
LEVEL = 0.01


def find_copies(
    distances: ArrayLike,
    distances_holdout: ArrayLike,
    *,
    resolution: float = 0.0,
    level: float = LEVEL,
) -> NDArray[np.bool_]:
    """Return which synthetic records copy a member, calibrated on held-out records.

    The ratio of a record is its distance to the nearest member over the mean distance to its 50
    nearest. Held-out records show which ratios occur without a copy. Their lower tail is a power
    law, P(ratio < r) = q (r / u)^d for ratios under u, whose exponent d is estimated (Hill) and
    lowered by two standard errors. A copy has a ratio that is expected less than `level` times
    among as many records.

    Parameters
    ----------
    distances : array-like of shape (n_synthetic, k)
        Distances to the nearest members, the nearest first; k is 50, or the number of members if
        there are fewer.
    distances_holdout : array-like of shape (n_holdout, k)
        The same of held-out records.
    resolution : float, default=0.0
        The smallest distance between records that differ. Smaller distances count as half of it:
        data of few values collide by chance.
    level : float, default=0.01
        Expected number of false copies.

    Returns
    -------
    is_copy : ndarray of bool of shape (n_synthetic,)
        All False if half of the tail of the held-out records are duplicates of members.

    References
    ----------
    N. Carlini et al., "Extracting training data from diffusion models", USENIX Security 2023, for
    the ratio. B. Hill, "A simple general approach to inference about the tail of a distribution",
    Ann. Statist. 3 (1975).

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.metrics import find_copies
    >>> typical = np.linspace(0.7, 1.0, 100)[:, None] * np.linspace(1, 1.3, 50)
    >>> released = np.vstack([typical[:3], [[0.01, *typical[0, 1:]]]])
    >>> find_copies(released, typical)
    array([False, False, False,  True])
    """
    floor = resolution / 2
    ratios, others = (nearest_ratio(d, floor) for d in (distances, distances_holdout))
    k = min(len(others), max(FEWEST, ceil(TAIL * len(others))))
    tail = np.sort(others)[:k]
    largest = tail[-1]
    if tail[0] <= 0 or largest <= 0:
        return np.zeros(len(ratios), dtype=bool)
    spacing = np.log(largest / tail).sum()
    exponent = (k - 1) / spacing if spacing > 0 else np.inf
    exponent *= max(0.0, 1 - 2 / sqrt(k))
    with np.errstate(divide="ignore"):
        log_p = np.log(k / len(others)) + exponent * np.log(np.minimum(ratios / largest, 1.0))
    is_copy: NDArray[np.bool_] = log_p + np.log(max(len(ratios), 1)) <= np.log(level)
    return is_copy


def nearest_ratio(distances: ArrayLike, floor: float = 0.0) -> NDArray[np.float64]:
    """Return the nearest distance over the mean of all, row by row."""
    found = np.maximum(np.asarray(distances, dtype=np.float64), floor)
    typical = found.mean(axis=1)
    ratio: NDArray[np.float64] = np.divide(
        found[:, 0], typical, out=np.zeros(len(found)), where=typical > 0
    )
    return ratio

"""A p-value for each member: conformal, calibrated on held-out records."""

from __future__ import annotations

from math import ceil, log

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import false_discovery_control


def conformal_p_values(members: ArrayLike, holdout: ArrayLike) -> NDArray[np.float64]:
    """Return, for each member, how unusual its exposure would be among held-out records.

    ``p(t) = (1 + #{h : e(h) <= e(t)}) / (m + 1)``. A member with p at most alpha is a collision at
    level alpha. With fewer than ``1 / alpha - 1`` held-out records there can be no collision.

    Parameters
    ----------
    members : array-like of shape (n_members,)
        Exposures of members.
    holdout : array-like of shape (n_holdout,)
        Exposures of held-out records.

    Returns
    -------
    p_values : ndarray of shape (n_members,)
        In (0, 1]; each is valid alone, `benjamini_hochberg` is for all together.

    References
    ----------
    S. Bates et al., "Testing for outliers with conformal p-values", Ann. Statist. 51 (2023).

    Examples
    --------
    >>> from latentwalk.metrics import conformal_p_values
    >>> conformal_p_values([0.5, 2.5], [1.0, 2.0, 3.0])
    array([0.25, 0.75])
    """
    members, holdout = np.asarray(members, dtype=float), np.sort(np.asarray(holdout, dtype=float))
    as_near = np.searchsorted(holdout, members, side="right")
    p_values: NDArray[np.float64] = (1 + as_near) / (len(holdout) + 1)
    return p_values


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Return p-values that allow for all hypotheses, whatever their dependence (Holm).

    Parameters
    ----------
    p_values : array-like of shape (n,)
        One for each hypothesis.

    Returns
    -------
    adjusted : ndarray of shape (n,)
        At most 1, in the order of `p_values`.

    Examples
    --------
    >>> from latentwalk.metrics import holm
    >>> holm([0.01, 0.04, 0.03])
    array([0.03, 0.06, 0.06])
    """
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    stepped = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return adjusted


def benjamini_hochberg(p_values: ArrayLike, level: float = 0.05) -> NDArray[np.bool_]:
    """Return which hypotheses are rejected at a false discovery rate of `level`.

    Parameters
    ----------
    p_values : array-like of shape (n,)
        Such as those of `conformal_p_values`, whose dependence the procedure allows.
    level : float, default=0.05
        The expected share of false rejections among the rejections.

    Returns
    -------
    rejected : ndarray of bool of shape (n,)
        True where the record is exposed.

    Examples
    --------
    >>> from latentwalk.metrics import benjamini_hochberg
    >>> benjamini_hochberg([0.01, 0.02, 0.9])
    array([ True,  True, False])
    """
    adjusted = false_discovery_control(np.asarray(p_values, dtype=float))
    rejected: NDArray[np.bool_] = adjusted <= level
    return rejected


def n_holdout_to_certify(fpr: float = 0.01, confidence: float = 0.95) -> int:
    """Return the fewest held-out subjects that can certify a false-positive rate.

    With no false positive among m, the rate is below `fpr` at `confidence` once
    ``(1 - fpr) ** m <= 1 - confidence``.

    Parameters
    ----------
    fpr : float, default=0.01
        The rate.
    confidence : float, default=0.95
        One-sided.

    Returns
    -------
    n_holdout : int
        299 for 1 % at 95 %.

    Examples
    --------
    >>> from latentwalk.metrics import n_holdout_to_certify
    >>> n_holdout_to_certify(0.01), n_holdout_to_certify(0.001)
    (299, 2995)
    """
    return ceil(log(1 - confidence) / log(1 - fpr))

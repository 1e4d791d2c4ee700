"""Membership inference as a classifier: AUC, and the true-positive rate at a low false one."""

from __future__ import annotations

from functools import lru_cache
from math import floor
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import beta, norm


class Rate(NamedTuple):
    """A figure with its confidence interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def roc_points(members: ArrayLike, holdout: ArrayLike, fprs: ArrayLike) -> NDArray[np.float64]:
    """Return the true-positive rate of "near = member" at each false-positive rate.

    It is the rate at the last empirical point whose false-positive rate does not exceed the target.
    There is no interpolation, since it would give rates that no threshold reaches.

    Parameters
    ----------
    members, holdout : array-like of shape (n_members,), (n_holdout,)
        Exposures: small means near.
    fprs : array-like of shape (n_points,)
        False-positive rates in [0, 1].

    Returns
    -------
    tprs : ndarray of shape (n_points,)
        Shares of the members.

    Examples
    --------
    >>> from latentwalk.metrics import roc_points
    >>> roc_points([1.0, 2.0, 9.0], [3.0, 4.0], [0.0, 0.5, 1.0])
    array([0.66666667, 0.66666667, 1.        ])
    """
    members, holdout = np.sort(_values(members)), np.sort(_values(holdout))
    allowed = np.floor(np.asarray(fprs, dtype=float) * len(holdout) + 1e-9).astype(int)
    thresholds = np.append(holdout, np.inf)[np.minimum(allowed, len(holdout))]
    rates: NDArray[np.float64] = np.searchsorted(members, thresholds) / len(members)
    return rates


def tpr_at_fpr(
    members: ArrayLike, holdout: ArrayLike, *, fpr: float = 0.01, confidence: float = 0.95
) -> Rate:
    """Return the true-positive rate at a *true* false-positive rate, with its interval.

    The threshold is itself estimated: its false-positive rate is Beta(r, m - r + 1) distributed
    for the r-th nearest held-out exposure. The interval uses the ranks whose rate is below and
    above `fpr` with confidence, and Clopper-Pearson's bounds at these ranks. Each of the four steps
    gets a quarter of the error.

    Parameters
    ----------
    members, holdout : array-like of shape (n_members,), (n_holdout,)
        Exposures of subjects: small means near.
    fpr : float, default=0.01
        The false-positive rate in the population.
    confidence : float, default=0.95
        Of the interval, both sides together.

    Returns
    -------
    rate : Rate
        `value`, `low` and `high`, shares of members. The interval is about the population of the
        members; `n_exposed_lower` is about these members.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.metrics import tpr_at_fpr
    >>> tpr_at_fpr(np.arange(500.0), np.arange(500.0) + 0.5).value
    0.012
    """
    members, holdout = _values(members), np.sort(_values(holdout))
    tail = (1 - confidence) / 4
    m, n = len(holdout), len(members)
    surely_below, surely_above = sure_ranks(m, fpr, tail)
    low, high = 0.0, 1.0
    # Clopper-Pearson for k of n: Beta(k, n - k + 1) below and Beta(k + 1, n - k) above
    if surely_below:
        k = int((members < holdout[surely_below - 1]).sum())
        low = float(beta.ppf(tail, k, n - k + 1)) if k else 0.0
    if surely_above:
        k = int((members <= holdout[surely_above - 1]).sum())
        high = float(beta.ppf(1 - tail, k + 1, n - k)) if k < n else 1.0
    value = float((members < holdout[min(floor(fpr * m + 1e-9), m - 1)]).mean())
    return Rate(value, low, high)


@lru_cache(maxsize=256)
def sure_ranks(m: int, fpr: float, tail: float) -> tuple[int, int]:
    """The largest rank of m whose rate is surely under `fpr`, the smallest surely over; 0 for none.

    The false-positive rate of the r-th smallest of m is Beta(r, m - r + 1) distributed.
    """
    ranks = np.arange(1, m + 1)
    below = ranks[beta.ppf(1 - tail, ranks, m - ranks + 1) <= fpr]
    above = ranks[beta.ppf(tail, ranks, m - ranks + 1) >= fpr]
    return int(below[-1]) if len(below) else 0, int(above[0]) if len(above) else 0


def auc(members: ArrayLike, holdout: ArrayLike, *, confidence: float = 0.95) -> Rate:
    """Return the probability that a member is nearer than a held-out subject.

    Parameters
    ----------
    members, holdout : array-like of shape (n_members,), (n_holdout,)
        Exposures of subjects: small means near. Ties count one half.
    confidence : float, default=0.95
        Of DeLong's interval.

    Returns
    -------
    rate : Rate
        0.5 means no signal on average. A few exposed members hardly change it.

    References
    ----------
    E. DeLong et al., "Comparing the areas under two or more correlated receiver operating
    characteristic curves", Biometrics 44 (1988).

    Examples
    --------
    >>> from latentwalk.metrics import auc
    >>> auc([1.0, 2.0, 5.0], [3.0, 4.0, 6.0]).value.__round__(3)
    0.778
    """
    members, holdout = _values(members), _values(holdout)
    of_members = 1 - _placements(members, holdout)
    of_holdout = _placements(holdout, members)
    value = float(of_members.mean())
    # DeLong: Var = S_10 / n + S_01 / m, with the variances S of the placements of the two sets
    variance = sum(v.var(ddof=1) / len(v) for v in (of_members, of_holdout) if len(v) > 1)
    reach = float(norm.ppf(0.5 + confidence / 2) * np.sqrt(variance))
    return Rate(value, max(0.0, value - reach), min(1.0, value + reach))


def _placements(values: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each value, the share of the others that are smaller, ties one half."""
    others = np.sort(others)
    left, right = (np.searchsorted(others, values, side) for side in ("left", "right"))
    shares: NDArray[np.float64] = (left + right) / (2 * len(others))
    return shares


def _values(values: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1 or len(values) == 0 or np.isnan(values).any():
        raise ValueError(
            f"exposures have shape {values.shape}; expected (n_subjects,), at least one, none NaN"
        )
    return values

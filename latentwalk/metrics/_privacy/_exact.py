"""The exact two-sided test of members against held-out exposures, and what it bounds."""

from __future__ import annotations

from math import floor
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import hypergeom

from latentwalk.metrics._privacy._strata import (
    check_n_strata,
    find_leading,
    n_certain,
    stratified_p_value,
)

WEIGHTS = (0.65, 0.35)
Strata = tuple[ArrayLike, ArrayLike]


class ExactTest(NamedTuple):
    """What `exact_test` returns.

    Attributes
    ----------
    p_value : float
        Both directions together (Bonferroni).
    p_near : float
        Members nearer to the release than held-out records are.
    p_far : float
        Members farther, as when points near members were dropped.
    """

    p_value: float
    p_near: float
    p_far: float


def rank_p_value(n_nearer: ArrayLike, n: int, m: int, r: int) -> NDArray[np.float64]:
    """Return the probability that at least so many of n precede the r-th of m in random order.

    Parameters
    ----------
    n_nearer : array-like of int
        How many of the n values are smaller than the r-th smallest of the m.
    n, m : int
        The sizes of the two sets.
    r : int
        The rank, 1 to m.

    Returns
    -------
    p_values : ndarray, of the shape of `n_nearer`
        The upper tail of the negative hypergeometric distribution, by its hypergeometric form,
        whose small values keep their digits.

    Examples
    --------
    >>> from latentwalk.metrics import rank_p_value
    >>> float(rank_p_value(2, 2, 2, 1).round(4))  # both members first: 1 order in 6
    0.1667
    """
    count = np.asarray(n_nearer)
    # K, how many of n come before the r-th of m, is negative hypergeometric. K >= k exactly if at
    # most r - 1 of the m are in the first k + r - 1 places, and their number there is
    # hypergeometric:
    #     P[K >= k] = P[H(n + m, m, k + r - 1) <= r - 1]
    p = hypergeom.cdf(r - 1, n + m, m, np.maximum(count, 0) + r - 1)
    # rounding may put the distribution's total above one
    return np.where(count > 0, np.minimum(p, 1.0), 1.0)


def ranks_to_test(m: int, fpr: float = 0.01) -> tuple[int, ...]:
    """Return the tested ranks, 1 and ``floor(fpr * (m + 1))``, or only 1 if both are equal."""
    second = floor(fpr * (m + 1) + 1e-9)
    return (1, second) if second > 1 else (1,)


def exact_test(
    members: ArrayLike,
    holdout: ArrayLike,
    *,
    fpr: float = 0.01,
    strata: Strata | None = None,
) -> ExactTest:
    """Test whether members' exposures differ from those of exchangeable held-out subjects.

    Counts the members before the r-th nearest held-out subject, for ``r = 1`` (a few copies)
    and ``r = floor(fpr * (m + 1))`` (many near ones), joined as ``min(p_1 / .65, p_r / .35)``,
    and the same with the sets exchanged. Exact in finite samples; ties count against a finding.

    Parameters
    ----------
    members : array-like of shape (n_members,) or (n_draws, n_members)
        Exposures of member subjects. Rows are repeated draws of their images; the p-values of the
        draws are joined as twice their mean.
    holdout : array-like of shape (n_holdout,) or (n_draws, n_holdout)
        Exposures of held-out subjects, with the same number of draws.
    fpr : float, default=0.01
        Sets the second rank.
    strata : pair of array-like of int of shape (n_members,), (n_holdout,), default=None
        The stratum of each subject, numbered from 0, for example by the number of images. Members
        and held-out subjects are assumed to be exchangeable within a stratum only. None means one
        stratum; at most seven.

    Returns
    -------
    result : ExactTest
        `p_value`, `p_near` and `p_far`.

    References
    ----------
    V. Vovk and R. Wang, "Combining p-values via averaging", Biometrika 107 (2020), for twice
    the mean.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.metrics import exact_test
    >>> holdout = np.arange(100.0)
    >>> exact_test(holdout + 0.5, holdout).p_value
    1.0
    >>> exact_test(np.append(holdout[10:], -np.ones(10)), holdout).p_value < 0.01
    True
    """
    # p = 2 min(p_near, p_far): Bonferroni over the two directions
    near = _Side(members, holdout, fpr, strata).p_value()
    far = _Side(holdout, members, fpr, None if strata is None else strata[::-1]).p_value()
    return ExactTest(min(1.0, 2 * min(near, far)), near, far)


def n_exposed_lower(
    members: ArrayLike,
    holdout: ArrayLike,
    *,
    alpha: float = 0.05,
    fpr: float = 0.01,
    strata: Strata | None = None,
) -> int:
    """Return a lower confidence bound on the number of members that are exposed.

    The bound is the smallest L with which the test no longer rejects: L members are removed as
    exposed, and the others are tested for exchangeability. It inverts the near side of
    `exact_test`, so it is positive exactly if ``p_near <= alpha``.

    Parameters
    ----------
    members, holdout : array-like
        Exposures, see `exact_test`.
    alpha : float, default=0.05
        The bound exceeds the truth in at most this share of releases.
    fpr : float, default=0.01
        Sets the second rank of the test.
    strata : pair of array-like of int, default=None
        See `exact_test`.

    Returns
    -------
    n_exposed : int
        At least this many members are nearer to the release than by chance.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.metrics import n_exposed_lower
    >>> holdout = np.arange(200.0)
    >>> n_exposed_lower(np.append(holdout[50:] + 0.5, np.full(50, -1.0)), holdout)
    46
    """
    side = _Side(members, holdout, fpr, strata)
    # the smallest L with p(L) > alpha, by bisection: the p-value p(L) grows with L
    low, high = 0, side.n_leading
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if side.p_value(middle) > alpha else (middle + 1, high)
    return low


def smallest_detectable_leak(
    n_members: ArrayLike, n_holdout: ArrayLike, *, alpha: float = 0.05, fpr: float = 0.01
) -> float:
    """Return the smallest share of exposed members that the near side is certain to find.

    Parameters
    ----------
    n_members, n_holdout : int or array-like of int of shape (n_strata,)
        Numbers of subjects, by stratum if the test has strata. The exposed members are assumed to
        be in the strata in which they are hardest to find.
    alpha : float, default=0.05
        The level left for the near side, after Bonferroni over directions and spaces.
    fpr : float, default=0.01
        Sets the second rank of the test.

    Returns
    -------
    share : float
        If this share of the members is nearer to the release than every held-out subject, the test
        rejects for any exposures of the other members. NaN if no share is enough.

    Examples
    --------
    >>> from latentwalk.metrics import smallest_detectable_leak
    >>> smallest_detectable_leak(1000, 1000, alpha=0.025)
    0.006
    """
    n, m = np.atleast_1d(np.asarray(n_members)), np.atleast_1d(np.asarray(n_holdout))
    check_n_strata(len(n))
    weighted = _weighted(ranks_to_test(int(m.sum()), fpr))
    if len(n) == 1:
        counts = np.arange(1, n[0] + 1)
        p = np.min([rank_p_value(counts, n[0], m[0], r) / w for r, w in weighted], axis=0)
        certain = counts[p <= alpha].tolist()
    else:
        found = [n_certain(n, m, r, alpha * w) for r, w in weighted]
        certain = [count for count in found if count is not None]
    return float(min(certain) / n.sum()) if certain else float("nan")


class _Side:
    """One direction of the test: who of `first` is before the r-th of `second`, in each draw."""

    def __init__(
        self, first: ArrayLike, second: ArrayLike, fpr: float, strata: Strata | None
    ) -> None:
        draws, others = _draws(first), _draws(second)
        places = _places(strata, draws.shape[1], others.shape[1])
        n_strata = 1 + max(int(p.max()) for p in places)
        check_n_strata(n_strata)
        self.n, self.m = (np.bincount(p, minlength=n_strata) for p in places)
        self.weighted = _weighted(ranks_to_test(others.shape[1], fpr))
        self.leading = {
            r: [find_leading(a, b, places, r, n_strata) for a, b in zip(draws, others, strict=True)]
            for r, _ in self.weighted
        }

    @property
    def n_leading(self) -> int:
        """The most of `first` that lead, over ranks and draws."""
        return max(int(one.before.sum()) for found in self.leading.values() for one in found)

    def p_value(self, n_removed: int = 0) -> float:
        """One p-value of all ranks and draws, `n_removed` of `first` taken away."""
        # min_r p_r / w_r with sum_r w_r = 1 is a p-value: a weighted Bonferroni
        joined = np.min([self._of_rank(r, n_removed) / w for r, w in self.weighted], axis=0)
        p = np.minimum(joined, 1.0)  # (n_draws,)
        # twice the mean of dependent p-values is a p-value (Vovk and Wang)
        return float(p[0] if len(p) == 1 else min(1.0, 2 * p.mean()))

    def _of_rank(self, r: int, n_removed: int) -> NDArray[np.float64]:
        found = self.leading[r]
        if len(self.n) == 1:
            counts = np.array([one.before[0] for one in found])
            return rank_p_value(counts - n_removed, self.n[0] - n_removed, self.m[0], r)
        return np.array([stratified_p_value(one, self.n, self.m, n_removed) for one in found])


def _weighted(ranks: tuple[int, ...]) -> list[tuple[int, float]]:
    return [(ranks[0], 1.0)] if len(ranks) == 1 else list(zip(ranks, WEIGHTS, strict=True))


def _places(strata: Strata | None, n: int, m: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    if strata is None:
        return np.zeros(n, dtype=np.intp), np.zeros(m, dtype=np.intp)
    first, second = (np.asarray(s) for s in strata)
    for places, size in ((first, n), (second, m)):
        if places.shape != (size,) or places.dtype.kind not in "iu" or places.min() < 0:
            raise ValueError(
                f"strata have shape {places.shape} and dtype {places.dtype}; expected for each of "
                f"{size} subjects an int from 0"
            )
    return first.astype(np.intp), second.astype(np.intp)


def _draws(values: ArrayLike) -> NDArray[np.float64]:
    values = np.atleast_2d(np.asarray(values, dtype=np.float64))
    if values.ndim != 2 or 0 in values.shape or np.isnan(values).any():
        raise ValueError(
            f"exposures have shape {values.shape}; expected numbers of shape (n_subjects,) or "
            "(n_draws, n_subjects), at least one and none NaN"
        )
    return values

"""One p-value for many attacks: the smallest of theirs, calibrated by relabelling subjects."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, rankdata
from sklearn.utils import check_random_state

from latentwalk.metrics._privacy._exact import WEIGHTS, rank_p_value, ranks_to_test

Floats = NDArray[np.float64]


class JointTest(NamedTuple):
    """What `joint_test` returns.

    Attributes
    ----------
    p_value : float
        The test over all attacks; the smallest of `adjusted`.
    adjusted : ndarray of shape (n_attacks,)
        A p-value for each attack that allows for having tried all of them.
    level : float
        The unadjusted p-value that a single attack needs for a rejection at `alpha`.
    """

    p_value: float
    adjusted: Floats
    level: float


def joint_test(
    exposures: ArrayLike,
    is_member: ArrayLike,
    *,
    alpha: float = 0.05,
    fpr: float = 0.01,
    strata: ArrayLike | None = None,
    retrained: Callable[[NDArray[np.bool_]], Floats] | None = None,
    n_permutations: int = 999,
    random_state: Any = None,
) -> JointTest:
    """Test whether any of several attacks tells members from held-out subjects.

    The statistic of an attack is its smallest p-value in three tests: members nearer and members
    farther, at the ranks of `exact_test`, and a rank sum, which sees a shift of the centre. The
    smallest over all attacks is compared with the smallest under relabelled subjects, so that the
    level holds for any dependence between the attacks.

    Parameters
    ----------
    exposures : array-like of shape (n_attacks, n_subjects)
        Small means near, like a member.
    is_member : array-like of bool of shape (n_subjects,)
        The truth.
    alpha : float, default=0.05
        The level of the joint test.
    fpr : float, default=0.01
        Sets the second rank of the tails.
    strata : array-like of int of shape (n_subjects,), default=None
        Subjects are relabelled within these; None is one stratum.
    retrained : callable, default=None
        An attack that learns from labels. It takes labellings (n_subjects, n_labels) and returns
        the exposures that it gives after training with each, of the same shape. It counts as one
        more attack, the last one.
    n_permutations : int, default=999
        Relabellings.
    random_state : int, RandomState or None, default=None
        Seeds them.

    Returns
    -------
    result : JointTest
        `p_value`, `adjusted` and `level`.

    References
    ----------
    P. Westfall and S. Young, "Resampling-based multiple testing", 1993.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.metrics import joint_test
    >>> members = np.arange(40) < 20
    >>> near, blind = np.where(members, 0.0, 1.0), np.zeros(40)
    >>> joint_test([near, blind], members, random_state=0).adjusted
    array([0.001, 1.   ])
    """
    labels = relabel(is_member, strata, n_permutations, random_state)
    statistics = attack_statistics(np.atleast_2d(exposures), labels, fpr)
    if retrained is not None:
        learned = column_statistics(retrained(labels), labels, fpr)
        statistics = np.vstack([statistics, learned])
    return westfall_young(statistics, alpha)


def relabel(
    is_member: ArrayLike, strata: ArrayLike | None, n_permutations: int, random_state: Any = None
) -> NDArray[np.bool_]:
    """Return the true labels and relabellings within strata, (n_subjects, 1 + n_permutations)."""
    truth = np.asarray(is_member, dtype=bool)
    places = np.zeros(len(truth), dtype=int) if strata is None else np.asarray(strata)
    rng = check_random_state(random_state)
    labels = np.repeat(truth[:, None], 1 + n_permutations, axis=1)
    for stratum in np.unique(places):
        rows = np.flatnonzero(places == stratum)
        for column in range(1, 1 + n_permutations):
            labels[rows, column] = truth[rng.permutation(rows)]
    return labels


def shift_test(
    exposures: ArrayLike, is_member: ArrayLike, *, strata: ArrayLike | None = None
) -> Floats:
    """Return the p-value of a rank sum for each attack: do members and others differ in centre?

    Two-sided, by the normal approximation with the exact mean and variance within strata.

    Parameters
    ----------
    exposures : array-like of shape (n_attacks, n_subjects)
        Small means near.
    is_member : array-like of bool of shape (n_subjects,)
        The truth.
    strata : array-like of int of shape (n_subjects,), default=None
        Subjects are assumed to be exchangeable within a stratum only.

    Returns
    -------
    p_values : ndarray of shape (n_attacks,)
        1 where all exposures are equal.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.metrics import shift_test
    >>> members = np.arange(40) < 20
    >>> shift_test([np.arange(40.0), np.zeros(40)], members).round(6)
    array([0., 1.])
    """
    rows = np.atleast_2d(np.asarray(exposures, dtype=np.float64))
    places = None if strata is None else np.asarray(strata)
    labels = np.asarray(is_member, dtype=bool)[:, None]
    return shift_p_values(rows, labels, places)[:, 0]


def westfall_young(statistics: Floats, alpha: float = 0.05) -> JointTest:
    """Return the joint test for p-like statistics (n_attacks, n_labels), the truth first."""
    # adjusted p_i: how often the minimum over all attacks, relabelled, is at most statistic i
    smallest = statistics.min(axis=0)  # (n_labels,)
    # equal sums may differ in their last digits
    as_small = (smallest[1:] <= statistics[:, :1] * (1 + 1e-9)).sum(axis=1)
    adjusted = (1 + as_small) / statistics.shape[1]
    rank = max(0, int(alpha * statistics.shape[1] + 1e-9) - 1)
    return JointTest(float(adjusted.min()), adjusted, float(np.sort(smallest[1:])[rank]))


def attack_statistics(exposures: ArrayLike, labels: NDArray[np.bool_], fpr: float) -> Floats:
    """Return the statistic of each attack for each labelling, (n_attacks, n_labels)."""
    rows = np.asarray(exposures, dtype=np.float64)
    tails = [_tails(values[:, None], labels, fpr) for values in rows]
    return np.minimum(tails, shift_p_values(rows, labels))


def column_statistics(exposures: Floats, labels: NDArray[np.bool_], fpr: float) -> Floats:
    """Return the statistic, (n_labels,), of an attack that is trained again for each labelling.

    Exposures and labels have the shape (n_subjects, n_labels).
    """
    ranks = rankdata(exposures, axis=0)
    shift = _two_sided((ranks * labels).sum(axis=0), *_moments(ranks.T, labels[:, :1]))
    return np.minimum(_tails(exposures, labels, fpr), shift)


def shift_p_values(
    exposures: Floats, labels: NDArray[np.bool_], strata: NDArray[np.intp] | None = None
) -> Floats:
    """Return two-sided p-values of the rank sum, (n_attacks, n_labels).

    By the normal approximation, with the mean and the variance of the relabellings in `strata`:
    n r and n m S / (N (N - 1)), with the mean rank r of a stratum and its sum of squares S.
    """
    ranks = rankdata(exposures, axis=1)
    mean, variance = _moments(ranks, labels[:, :1], strata)
    return _two_sided(ranks @ labels.astype(np.float64), mean[:, None], variance[:, None])


def _moments(
    ranks: Floats, truth: NDArray[np.bool_], strata: NDArray[np.intp] | None = None
) -> tuple[Floats, Floats]:
    """Mean and variance of the rank sum of each row under relabelling in strata."""
    places = np.zeros(len(truth), dtype=np.intp) if strata is None else strata
    mean, variance = np.zeros(len(ranks)), np.zeros(len(ranks))
    for stratum in np.unique(places):
        own = ranks[:, places == stratum]
        n, size = int(truth[places == stratum].sum()), own.shape[1]
        mean += n * own.mean(axis=1)
        variance += n * (size - n) * own.var(axis=1) / max(size - 1, 1)
    return mean, variance


def _two_sided(sums: Floats, mean: Floats, variance: Floats) -> Floats:
    spread = np.sqrt(variance)
    z = np.divide(sums - mean, spread, out=np.zeros_like(sums), where=spread > 1e-9)
    p_values: Floats = 2 * norm.sf(np.abs(z))
    return p_values


def _tails(values: Floats, labels: NDArray[np.bool_], fpr: float) -> Floats:
    """The smaller p-value of the two directions, for each labelling, in one stratum.

    `values` has a column for each labelling, or one column for all.
    """
    order = np.argsort(values, axis=0, kind="stable")
    if values.shape[1] == 1:
        return _sorted_tails(values[order[:, 0]], labels, order[:, 0], fpr)
    ordered = np.take_along_axis(values, order, axis=0)
    return _sorted_tails(ordered, np.take_along_axis(labels, order, axis=0), None, fpr)


def _sorted_tails(
    ordered: Floats, labels: NDArray[np.bool_], order: NDArray[np.intp] | None, fpr: float
) -> Floats:
    """The same from the leading places only; more places are used until both ranks are there."""
    n_subjects, n = len(labels), int(labels[:, 0].sum())
    m = n_subjects - n
    near, far = ranks_to_test(m, fpr), ranks_to_test(n, fpr)
    n_places = 64
    while True:
        n_places = min(n_places, n_subjects)
        leading = labels[:n_places] if order is None else labels[order[:n_places]]
        reached = np.cumsum(leading, axis=0)
        missed = np.arange(1, n_places + 1)[:, None] - reached
        least = int(missed[-1].min()), int(reached[-1].min())
        if n_places == n_subjects or (least[0] >= max(near) and least[1] >= max(far)):
            break
        n_places *= 4
    first = _first_equal(ordered[:n_places])
    return np.minimum(
        _joined(_before(reached, missed, first, near), n, m, near),
        _joined(_before(missed, reached, first, far), m, n, far),
    )


def _first_equal(ordered: Floats) -> NDArray[np.intp]:
    """The place of the first of the values that are equal to each, by column."""
    places = np.arange(len(ordered))[:, None]
    begins = np.vstack([np.ones_like(ordered[:1], dtype=bool), ordered[1:] > ordered[:-1]])
    first: NDArray[np.intp] = np.maximum.accumulate(np.where(begins, places, 0), axis=0)
    return first


def _before(
    reached: NDArray[Any],
    missed: NDArray[Any],
    first: NDArray[np.intp],
    ranks: tuple[int, ...],
) -> list[NDArray[np.intp]]:
    """How many of one set are before the r-th of the other; of equal values none is before."""
    columns = np.arange(reached.shape[1])
    counts = []
    for r in ranks:
        at = (missed >= r).argmax(axis=0)
        at = first[at, columns if first.shape[1] > 1 else 0]
        counts.append(np.where(at > 0, reached[at - 1, columns], 0))
    return counts


def _joined(counts: list[NDArray[np.intp]], n: int, m: int, ranks: tuple[int, ...]) -> Floats:
    weights = (1.0,) if len(ranks) == 1 else WEIGHTS
    p_values = [_table(n, m, r)[k] / w for k, r, w in zip(counts, ranks, weights, strict=True)]
    joined: Floats = np.minimum(np.min(p_values, axis=0), 1.0)
    return joined


@lru_cache(maxsize=8)
def _table(n: int, m: int, r: int) -> Floats:
    """`rank_p_value` of every count."""
    return rank_p_value(np.arange(n + 1), n, m, r)

"""Rank probabilities for subjects that are exchangeable only within strata."""

from __future__ import annotations

from itertools import permutations
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import hypergeom

# every order of the strata is tried: one more makes a test several times slower
MOST_STRATA = 7


class Leading(NamedTuple):
    """The subjects before the r-th of the second set, by stratum.

    Attributes
    ----------
    r : int
        The rank.
    before : ndarray of int of shape (n_strata,)
        Subjects of the first set among them.
    both : ndarray of int of shape (n_strata,)
        Subjects of either set at the first ``before.sum() + r - 1`` places of an order that does
        not know the sets.
    """

    r: int
    before: NDArray[np.intp]
    both: NDArray[np.intp]


def check_n_strata(n_strata: int) -> None:
    """Raise for more strata than can be tried in every order."""
    if n_strata > MOST_STRATA:
        raise ValueError(
            f"strata number {n_strata}; expected at most {MOST_STRATA}, from 0 without gaps: join "
            "those that are alike"
        )


def find_leading(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    strata: tuple[NDArray[np.intp], NDArray[np.intp]],
    r: int,
    n_strata: int,
) -> Leading:
    """Return who leads; equal values do not precede each other."""
    nearer = first < np.partition(second, r - 1)[r - 1]
    before = np.bincount(strata[0][nearer], minlength=n_strata)
    values, places = np.concatenate([first, second]), np.concatenate(strata)
    # equal values by stratum, not by set
    order = np.lexsort((places, values))[: before.sum() + r - 1]
    return Leading(r, before, np.bincount(places[order], minlength=n_strata))


def stratified_p_value(
    leading: Leading, n: NDArray[np.intp], m: NDArray[np.intp], n_removed: int = 0
) -> float:
    """Return the probability that at least so many of the first set lead, by random labels.

    Labels are random within strata. At most r - 1 of the second set are then among the leading
    places. Their number is a sum of independent hypergeometric variables, one for each stratum.
    With one stratum this is `rank_p_value`.

    Parameters
    ----------
    leading : Leading
        Who leads.
    n, m : ndarray of int of shape (n_strata,)
        Subjects of the first and of the second set.
    n_removed : int, default=0
        This number of leading subjects of the first set is removed, from the strata for which the
        probability is largest. The largest probability is reached if strata are emptied one by one
        (checked by enumeration).

    Returns
    -------
    p_value : float
        At most 1.
    """
    if leading.before.sum() <= n_removed:
        return 1.0
    # L removed members leave both the leading places and the first set of their strata
    removals = _fillings(np.minimum(leading.before, leading.both), n_removed)
    return max(_tail(n - gone, m, leading.both - gone, leading.r) for gone in removals)


def n_certain(n: NDArray[np.intp], m: NDArray[np.intp], r: int, level: float) -> int | None:
    """Return how many must lead for a p-value of `level` in the least favourable strata."""
    tables = [_table(*sizes, r) for sizes in zip(n.tolist(), m.tolist(), strict=True)]
    # doubling brackets the answer, bisection finds it
    low, high = 1, 1
    while high <= n.sum() and least_favourable(tables, high + r - 1, level) > level:
        low, high = high + 1, 2 * high
    high = min(high, int(n.sum()) + 1)
    while low < high:
        middle = (low + high) // 2
        certain = least_favourable(tables, middle + r - 1, level) <= level
        low, high = (low, middle) if certain else (middle + 1, high)
    return low if low <= n.sum() else None


def least_favourable(tables: list[NDArray[np.float64]], total: int, enough: float = 1.0) -> float:
    """The largest tail over all distributions of `total` leading subjects over the strata.

    Subjects are moved from stratum to stratum as long as the tail grows. There are several starts:
    an even spread, and the strata filled one by one, in each order. A tail over `enough` ends the
    search.
    """
    most = np.array([len(table) - 1 for table in tables])
    even = np.floor(most * (total / most.sum())).astype(np.intp)
    even += _fillings(most - even, total - int(even.sum()))[0]
    largest = 0.0
    for start in [even, *_fillings(most, total)]:
        largest = max(largest, _climb(tables, start))
        if largest > enough:
            break
    return largest


def _climb(tables: list[NDArray[np.float64]], both: NDArray[np.intp]) -> float:
    moves = [a - b for a, b in permutations(np.eye(len(tables), dtype=np.intp), 2)]
    best = _joined_tail(tables, both)
    while True:
        steps = [both + move for move in moves]
        tails = [_joined_tail(tables, step) for step in steps]
        if max(tails) <= best * (1 + 1e-9):
            return best
        best, both = max(tails), steps[int(np.argmax(tails))]


def _joined_tail(tables: list[NDArray[np.float64]], both: NDArray[np.intp]) -> float:
    # H = sum_s H_s over the strata s, independent: the law of H is the convolution of theirs, and
    # the first r entries are enough for P[H <= r - 1]
    total = np.ones(1)
    for table, drawn in zip(tables, both.tolist(), strict=True):
        if not 0 <= drawn < len(table):
            return 0.0
        total = np.convolve(total, table[drawn])[: table.shape[1]]
    return min(1.0, float(total.sum()))


def _fillings(most: NDArray[np.intp], total: int) -> list[NDArray[np.intp]]:
    """All ways to take `total` from strata that are emptied one after another."""
    found = {}
    for order in permutations(range(len(most))):
        taken, left = np.zeros(len(most), dtype=np.intp), total
        for stratum in order:
            taken[stratum] = min(int(most[stratum]), left)
            left -= taken[stratum]
        found[taken.tobytes()] = taken
    return list(found.values())


def _tail(n: NDArray[np.intp], m: NDArray[np.intp], drawn: NDArray[np.intp], r: int) -> float:
    """P[at most r - 1 of the second set among those drawn from each stratum]."""
    total = np.ones(1)  # the law of H = sum_s H_s, see `_joined_tail`
    for sizes in zip(n.tolist(), m.tolist(), drawn.tolist(), strict=True):
        total = np.convolve(total, _hypergeometric(*sizes, r))[:r]
    return min(1.0, float(total.sum()))


def _table(n: int, m: int, r: int) -> NDArray[np.float64]:
    """`_hypergeometric` for 0 to n + m drawn, of shape (n + m + 1, r)."""
    return _hypergeometric(n, m, np.arange(n + m + 1)[:, None], r)


def _hypergeometric(n: int, m: int, drawn: ArrayLike, r: int) -> NDArray[np.float64]:
    """P[j of m among `drawn` of n + m], for j below r."""
    return np.asarray(hypergeom.pmf(np.arange(r), n + m, m, drawn))

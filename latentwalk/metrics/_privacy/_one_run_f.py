"""The one-run canary audit by trade-off functions: what so many right guesses say against one."""

from __future__ import annotations

from collections.abc import Callable
from math import exp

import numpy as np
from scipy.optimize import brentq
from scipy.special import log_ndtr, ndtr, ndtri

from latentwalk.metrics._privacy._one_run_counts import check_confidence, check_counts

Inverse = Callable[[float], float]
LARGEST = 2.0**12


def one_run_mu(
    n_correct: int, n_guesses: int, n_canaries: int, *, confidence: float = 0.95
) -> float:
    """Return a lower confidence bound on mu, for Gaussian differential privacy, from one run.

    A mechanism is mu-GDP where telling whether a person was included is at least as hard as telling
    N(0, 1) from N(mu, 1). The bound is the largest mu that so many right guesses reject.

    Parameters
    ----------
    n_correct, n_guesses, n_canaries : int
        Right guesses, guesses, and canaries that were each included with probability 1/2. The
        number of guesses must be chosen without looking at which guesses are right.
    confidence : float, default=0.95
        One-sided.

    Returns
    -------
    mu_lower : float
        0 where even complete privacy is not rejected. `gaussian_epsilon` gives the epsilon of it.

    Raises
    ------
    ValueError
        For counts that do not fit together, or a confidence out of range.

    References
    ----------
    S. Mahloujifar, L. Melis and K. Chaudhuri, "Auditing f-differential privacy in one run",
    ICML 2025. J. Dong, A. Roth and W. Su, "Gaussian differential privacy", JRSS B 84 (2022).

    Examples
    --------
    >>> from latentwalk.metrics import one_run_mu
    >>> round(one_run_mu(90, 100, 1000), 2), one_run_mu(50, 100, 1000)
    (0.6, 0.0)
    """
    counts = check_counts(n_correct, n_guesses, n_canaries)
    level = 1 - check_confidence(confidence)

    def of_mu(mu: float) -> Inverse:
        # 1 - f(x) = Phi(Phi^-1(x) + mu) has the inverse Phi(Phi^-1(y) - mu)
        return lambda y: float(ndtr(ndtri(min(y, 1.0)) - mu))

    return _largest_rejected(of_mu, counts, level)


def one_run_epsilon_f(
    n_correct: int,
    n_guesses: int,
    n_canaries: int,
    *,
    delta: float = 0.0,
    confidence: float = 0.95,
) -> float:
    """Return a lower confidence bound on epsilon by the trade-off function of (epsilon, delta).

    Like `one_run_epsilon` it assumes nothing of the mechanism. The larger delta times the number of
    canaries is, the more it gains: it follows how delta can be spent over all counts of right
    guesses, where the other bound takes the worst of each.

    Parameters
    ----------
    n_correct, n_guesses, n_canaries : int
        See `one_run_mu`.
    delta : float, default=0.0
        The delta of the bound, 0 to 1.
    confidence : float, default=0.95
        One-sided.

    Returns
    -------
    epsilon_lower : float
        0 where even complete privacy is not rejected.

    Raises
    ------
    ValueError
        For counts that do not fit together, or delta or confidence out of range.

    References
    ----------
    S. Mahloujifar, L. Melis and K. Chaudhuri, "Auditing f-differential privacy in one run",
    ICML 2025: Algorithm 3.

    Examples
    --------
    >>> from latentwalk.metrics import one_run_epsilon, one_run_epsilon_f
    >>> counts = 90, 100, 1000
    >>> round(one_run_epsilon(*counts, delta=1e-3), 2)
    0.39
    >>> round(one_run_epsilon_f(*counts, delta=1e-3), 2)
    1.54
    """
    counts = check_counts(n_correct, n_guesses, n_canaries, delta)
    level = 1 - check_confidence(confidence)

    def of_epsilon(epsilon: float) -> Inverse:
        # the inverse of 1 - f(x) = min(delta + e^eps x, 1 - e^-eps (1 - delta - x))
        return lambda y: max(
            0.0, (y - delta) * exp(-epsilon), 1 - delta - exp(min(epsilon, 700.0)) * (1 - y)
        )

    return _largest_rejected(of_epsilon, counts, level)


def gaussian_epsilon(mu: float, delta: float) -> float:
    """Return the epsilon of mu-Gaussian differential privacy at a delta.

    Parameters
    ----------
    mu : float
        0 or more.
    delta : float
        Between 0 and 1. At 0 a positive mu has no finite epsilon.

    Returns
    -------
    epsilon : float
        The smallest for which mu-GDP implies (epsilon, delta).

    References
    ----------
    J. Dong, A. Roth and W. Su, "Gaussian differential privacy", JRSS B 84 (2022), Corollary 1.

    Examples
    --------
    >>> from latentwalk.metrics import gaussian_epsilon
    >>> round(gaussian_epsilon(1.0, 1e-5), 2)
    4.38
    """
    if mu <= 0 or delta >= 1:
        return 0.0
    if delta <= 0:
        return float("inf")

    def excess(epsilon: float) -> float:
        upper = ndtr(-epsilon / mu + mu / 2)
        lower = np.exp(epsilon + log_ndtr(-epsilon / mu - mu / 2))
        return float(upper - lower) - delta

    if excess(0.0) <= 0:
        return 0.0
    high = mu * (mu / 2 - float(ndtri(delta))) + 1.0
    return float(brentq(excess, 0.0, high, xtol=1e-10))


def _largest_rejected(
    family: Callable[[float], Inverse], counts: tuple[int, int, int], level: float
) -> float:
    """The largest parameter of a family of trade-off functions that the counts reject."""
    if not _rejects(family(0.0), counts, level):
        return 0.0
    low, high = 0.0, 1.0
    while _rejects(family(high), counts, level) and high < LARGEST:
        low, high = high, 2 * high
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (middle, high) if _rejects(family(middle), counts, level) else (low, middle)
    return low


def _rejects(inverse: Inverse, counts: tuple[int, int, int], level: float) -> bool:
    """Whether so many right guesses have a probability under `level` for this trade-off function.

    With p_j the probability of j right guesses of c in m canaries, let r_i be the sum of j p_j / m
    and h_i that of (c - j) p_j / m, over j >= i: a canary drawn at random is guessed right, or
    wrong, with at least i right. To change its coin turns one into the other, so
    r_{i+1} <= 1 - f(h_i). Were the probability of `n_correct` or more right guesses `level`, the
    least h_i and r_i would follow one by one; their total r_0 + h_0 can be no more than c / m.
    """
    v, c, m = counts
    if not v:
        return False
    right, wrong = level * v / m, level * (c - v) / m
    for i in range(v - 1, -1, -1):
        grown = max(wrong, inverse(right))
        right += i / (c - i) * (grown - wrong)
        wrong = grown
        if right + wrong > c / m:
            return True
    return False

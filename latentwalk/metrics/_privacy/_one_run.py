"""The one-run canary audit: a lower bound on epsilon from guesses of who was included."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import bisect
from scipy.special import expit
from scipy.stats import binom

from latentwalk.metrics._privacy._one_run_counts import check_confidence, check_counts
from latentwalk.metrics._privacy._one_run_f import one_run_epsilon_f, one_run_mu


class OneRunAudit(NamedTuple):
    """What `one_run_audit` returns.

    Attributes
    ----------
    epsilon_lower : float
        The run was not ``(epsilon, delta)``-differentially private for any smaller epsilon, at
        the confidence asked for. 0 says nothing. It is Steinke's bound.
    epsilon_lower_f : float
        The same by the trade-off function of (epsilon, delta), see `one_run_epsilon_f`. Each of the
        two bounds holds by itself.
    mu_lower : float
        The run was not mu-Gaussian differentially private for any smaller mu, see `one_run_mu`.
    n_correct : int
        Guesses that were right.
    n_guesses : int
        Guesses made, abstentions left out.
    n_canaries : int
        Canaries that were included or left out at random.
    """

    epsilon_lower: float
    epsilon_lower_f: float
    mu_lower: float
    n_correct: int
    n_guesses: int
    n_canaries: int


def one_run_p_value(
    n_correct: int, n_guesses: int, n_canaries: int, epsilon: float, *, delta: float = 0.0
) -> float:
    """Return how probable so many correct guesses are under differential privacy.

    At most ``beta + 2 m delta alpha``, where W is Binomial(n_guesses, e^eps / (1 + e^eps)),
    ``beta = P[W >= v]`` and ``alpha = max over i of P[v > W >= v - i] / i``.

    Parameters
    ----------
    n_correct : int
        Correct guesses, v.
    n_guesses : int
        Guesses made.
    n_canaries : int
        Canaries, m, each included with probability 1/2, independently of the others.
    epsilon : float
        The privacy loss that is put to the test, 0 or more.
    delta : float, default=0.0
        Its delta, 0 to 1.

    Returns
    -------
    p_value : float
        An upper bound, at most 1.

    Raises
    ------
    ValueError
        Unless ``0 <= n_correct <= n_guesses <= n_canaries``, epsilon is finite and not
        negative, and delta is in [0, 1].

    References
    ----------
    T. Steinke, M. Nasr and M. Jagielski, "Privacy auditing with one (1) training run",
    NeurIPS 2023, Appendix D.

    Examples
    --------
    >>> from latentwalk.metrics import one_run_p_value
    >>> one_run_p_value(5, 5, 10, 0.0)  # five coins
    0.03125
    """
    check_counts(n_correct, n_guesses, n_canaries, delta)
    if not (np.isfinite(epsilon) and epsilon >= 0):
        raise ValueError(f"epsilon={epsilon}; expected a finite number, 0 or more")
    return _p_value(n_correct, n_guesses, n_canaries, epsilon, delta)


def one_run_epsilon(
    n_correct: int,
    n_guesses: int,
    n_canaries: int,
    *,
    delta: float = 0.0,
    confidence: float = 0.95,
) -> float:
    """Return a lower confidence bound on epsilon from one run with canaries.

    The smallest epsilon that `one_run_p_value` does not reject. With ``delta=0`` this is the
    log-odds of the Clopper-Pearson lower bound of the share of correct guesses.

    Parameters
    ----------
    n_correct, n_guesses, n_canaries : int
        See `one_run_p_value`. The number of guesses must be chosen without looking at which
        guesses are right.
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
    T. Steinke, M. Nasr and M. Jagielski, "Privacy auditing with one (1) training run",
    NeurIPS 2023.

    Examples
    --------
    >>> from latentwalk.metrics import one_run_epsilon
    >>> round(one_run_epsilon(90, 100, 1000), 3), round(one_run_epsilon(50, 100, 1000), 3)
    (1.631, 0.0)
    """
    check_counts(n_correct, n_guesses, n_canaries, delta)
    check_confidence(confidence)

    def excess(epsilon: float) -> float:
        return _p_value(n_correct, n_guesses, n_canaries, epsilon, delta) - (1 - confidence)

    if excess(0.0) >= 0:
        return 0.0
    high = 1.0
    while excess(high) < 0:
        high *= 2
    return float(bisect(excess, 0.0, high, xtol=1e-10))


def one_run_audit(
    scores: ArrayLike,
    included: ArrayLike,
    *,
    n_positive: int,
    n_negative: int,
    delta: float = 0.0,
    confidence: float = 0.95,
) -> OneRunAudit:
    """Audit a whole pipeline from one run, by canaries that were included at random.

    Before anything is trained, toss a fair coin for each canary, and include those with heads.
    Run everything once. An attack scores all canaries; the highest are guessed to be included,
    the lowest to be left out, and the others are not guessed.

    Parameters
    ----------
    scores : array-like of shape (n_canaries,)
        An attack's scores, made without `included`: larger means included. Equal scores are
        counted as wrong guesses as far as they can be.
    included : array-like of bool of shape (n_canaries,)
        The coins. They must have been fair, independent, and have touched nothing else.
    n_positive, n_negative : int
        How many are guessed to be included, and to be left out; chosen before the coins are
        looked at. Trying several and reporting the best is not covered by the confidence.
    delta : float, default=0.0
        The delta of the bound.
    confidence : float, default=0.95
        One-sided.

    Returns
    -------
    result : OneRunAudit
        The lower bounds, and the counts that they come from.

    Raises
    ------
    ValueError
        For scores that are not numbers, another length, or more guesses than canaries.

    References
    ----------
    T. Steinke, M. Nasr and M. Jagielski, "Privacy auditing with one (1) training run",
    NeurIPS 2023: Algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.metrics import one_run_audit
    >>> included = np.arange(200) % 2 == 0
    >>> told_apart = one_run_audit(1.0 * included, included, n_positive=50, n_negative=50)
    >>> told_apart.n_correct, round(told_apart.epsilon_lower, 2)
    (100, 3.49)
    """
    scores, included = _check_canaries(scores, included)
    if min(n_positive, n_negative) < 0 or n_positive + n_negative > len(scores):
        raise ValueError(
            f"n_positive={n_positive} and n_negative={n_negative}; expected 0 or more each, "
            f"together at most the {len(scores)} canaries"
        )
    # within equal scores the wrong guesses come first
    highest = np.lexsort((included, -scores))[:n_positive]
    lowest = np.lexsort((~included, scores))[:n_negative]
    n_correct = int(included[highest].sum() + (~included[lowest]).sum())
    n_guesses, m = n_positive + n_negative, len(scores)
    counts = n_correct, n_guesses, m
    return OneRunAudit(
        one_run_epsilon(*counts, delta=delta, confidence=confidence),
        one_run_epsilon_f(*counts, delta=delta, confidence=confidence),
        one_run_mu(*counts, confidence=confidence),
        *counts,
    )


def _p_value(v: int, r: int, m: int, epsilon: float, delta: float) -> float:
    share = expit(epsilon)
    p = float(binom.sf(v - 1, r, share))
    if delta and v:
        below = np.cumsum(binom.pmf(np.arange(v - 1, -1, -1), r, share))  # P[v > W >= v - i]
        p += 2 * m * delta * float((below / np.arange(1, v + 1)).max())
    return min(p, 1.0)


def _check_canaries(
    scores: ArrayLike, included: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    values, coins = np.asarray(scores, dtype=np.float64), np.asarray(included)
    if values.ndim != 1 or np.isnan(values).any():
        raise ValueError(f"scores have shape {values.shape}; expected (n_canaries,), none NaN")
    if coins.shape != values.shape or coins.dtype != bool:
        raise ValueError(
            f"included has shape {coins.shape} and dtype {coins.dtype}; expected a bool for each "
            f"of the {len(values)} scores"
        )
    return values, coins

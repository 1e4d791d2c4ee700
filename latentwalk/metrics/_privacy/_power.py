"""How many patients an audit needs before it can conclude anything."""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

from scipy.stats import beta, hypergeom

from latentwalk.metrics._privacy._conformal import n_holdout_to_certify
from latentwalk.metrics._privacy._roc import sure_ranks

LARGEST = 200_000


class PatientsNeeded(NamedTuple):
    """What `patients_needed` returns.

    Attributes
    ----------
    n_members, n_holdout : int
        Subjects.
    """

    n_members: int
    n_holdout: int


def patients_needed(
    tolerance: float = 0.05,
    *,
    fpr: float = 0.01,
    power: float = 0.8,
    holdout_share: float = 0.375,
    n_attacks: int = 1,
    confidence: float = 0.95,
) -> PatientsNeeded:
    """Return how many subjects an audit needs to rule out a leak of `tolerance`.

    Without a leak, the upper bound of an attack's true-positive rate is then at most `tolerance`
    with probability `power`. Subjects count, however many images each has.

    Parameters
    ----------
    tolerance : float, default=0.05
        The share of exposed members that must be ruled out.
    fpr : float, default=0.01
        The audited false-positive rate.
    power : float, default=0.8
        Probability of the conclusion if nothing leaks.
    holdout_share : float, default=0.375
        The part of the subjects that is held out, as in a split of 1,000 and 600.
    n_attacks : int, default=1
        Number of attacks whose bounds must all be low enough, as if they were independent. The
        attacks of a panel depend on each other, so pass a smaller number than the panel has.
    confidence : float, default=0.95
        Of the interval.

    Returns
    -------
    needed : PatientsNeeded
        `n_members` and `n_holdout`.

    Raises
    ------
    ValueError
        When 200,000 subjects are not enough, as for a tolerance of at most `fpr`.

    Examples
    --------
    >>> from latentwalk.metrics import patients_needed
    >>> patients_needed(0.05, power=0.5)
    PatientsNeeded(n_members=476, n_holdout=299)
    """
    high = 2
    wanted = power ** (1 / n_attacks)
    while high <= LARGEST and _chance_of(high, holdout_share, tolerance, fpr, confidence) < wanted:
        high = ceil(1.02 * high) + 1
    if high > LARGEST:
        raise ValueError(
            f"tolerance={tolerance} cannot be ruled out at fpr={fpr} with {LARGEST} subjects; "
            "expected a tolerance well over the false-positive rate"
        )
    n_holdout = max(round(holdout_share * high), n_holdout_to_certify(fpr, confidence))
    return PatientsNeeded(high - round(holdout_share * high), n_holdout)


def chance_of_no_evidence(
    n_members: int,
    n_holdout: int,
    tolerance: float = 0.05,
    *,
    fpr: float = 0.01,
    confidence: float = 0.95,
) -> float:
    """Return the probability that an attack is bounded by `tolerance` where nothing leaks.

    Parameters
    ----------
    n_members, n_holdout : int
        Subjects.
    tolerance : float, default=0.05
        The share of exposed members that must be ruled out.
    fpr : float, default=0.01
        The audited false-positive rate.
    confidence : float, default=0.95
        Of the interval.

    Returns
    -------
    chance : float
        For one attack. With fewer subjects an audit ends in UNDERPOWERED more often.

    Examples
    --------
    >>> from latentwalk.metrics import chance_of_no_evidence
    >>> [round(chance_of_no_evidence(n, m), 2) for n, m in [(242, 145), (516, 310), (1000, 600)]]
    [0.12, 0.52, 0.94]
    """
    n, m = n_members, n_holdout
    tail = (1 - confidence) / 4
    rank = sure_ranks(m, fpr, tail)[1]
    if not rank:
        return 0.0
    low, high = -1, n - 1  # the most members before the threshold that the bound allows
    while low < high:
        middle = (low + high + 1) // 2
        allowed = beta.ppf(1 - tail, middle + 1, n - middle) <= tolerance
        low, high = (middle, high) if allowed else (low, middle - 1)
    # K <= k: at least `rank` held-out subjects are among the first k + rank
    return float(hypergeom.sf(rank - 1, n + m, m, low + rank)) if low >= 0 else 0.0


def _chance_of(total: int, share: float, tolerance: float, fpr: float, confidence: float) -> float:
    m = max(1, round(share * total))
    n = max(1, total - m)
    return chance_of_no_evidence(n, m, tolerance, fpr=fpr, confidence=confidence)

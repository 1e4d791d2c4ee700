"""The verdict: from figures to one of five words."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from math import isnan


class Verdict(StrEnum):
    """The conclusion of an audit. No verdict promises that nothing leaks."""

    LEAK = "LEAK"
    SIGNAL = "SIGNAL"
    NO_EVIDENCE = "NO EVIDENCE"
    UNDERPOWERED = "UNDERPOWERED"
    INVALID = "INVALID"


def verdict(
    *,
    p_value: float,
    n_exposed_lower: int,
    n_members: int,
    tpr_high: float,
    detection_limit: float = 0.0,
    n_copies: int = 0,
    failed_controls: Sequence[str] = (),
    has_unguided_view: bool = True,
    has_enough_holdout: bool = True,
    attack: str = "an attack",
    alpha: float = 0.05,
    tolerance: float = 0.05,
) -> tuple[Verdict, str]:
    """Return the verdict and its reason.

    Parameters
    ----------
    p_value : float
        Joint test over all attacks.
    n_exposed_lower : int
        The lower bound on exposed members.
    n_members : int
        Member subjects.
    tpr_high : float
        The largest upper bound, over the attacks in unguided views, of the true-positive rate at
        the audited false-positive rate.
    detection_limit : float, default=0.0
        The share of members whose exposure is certain to be found; NaN for none.
    n_copies : int, default=0
        Synthetic records that copy a member's record.
    failed_controls : sequence of str, default=()
        Names of the controls that failed: members and held-out subjects differ even without a
        release.
    has_unguided_view : bool, default=True
        Whether there was a view that had no part in making or selecting the release.
    has_enough_holdout : bool, default=True
        Whether there are enough held-out subjects for the audited false-positive rate.
    attack : str, default="an attack"
        The attack that finds most.
    alpha : float, default=0.05
        The level of the test.
    tolerance : float, default=0.05
        The share of exposed members from which a signal is called a leak.

    Returns
    -------
    verdict : Verdict
        A copy of a real record is always a LEAK, since no comparison of sets is needed to see it.
        INVALID when a control failed. LEAK, SIGNAL, NO EVIDENCE or UNDERPOWERED by the figures.
    reason : str
        The figures behind it.

    Examples
    --------
    >>> from latentwalk.metrics import verdict
    >>> verdict(p_value=0.4, n_exposed_lower=0, n_members=900, tpr_high=0.02)[0].value
    'NO EVIDENCE'
    """
    if n_copies:
        return Verdict.LEAK, (
            f"{n_copies} synthetic records copy a member's record: they are nearer to it than any "
            "held-out record is to a member."
        )
    if failed_controls:
        return Verdict.INVALID, (
            "Members and held-out subjects differ without any release "
            f"({' and '.join(failed_controls)}), so a difference says nothing about this one."
        )
    if p_value <= alpha:
        return _positive(n_exposed_lower, n_members, p_value, attack, tolerance)
    nothing = f"No attack of the panel found a difference (p = {p_value:.2g})"
    if not has_unguided_view:
        return Verdict.UNDERPOWERED, (
            f"{nothing}, but every audited feature space guided or selected the release, which "
            "hides what it gives away there."
        )
    if not has_enough_holdout:
        return Verdict.UNDERPOWERED, (
            f"{nothing}, but there are too few held-out subjects for the audited false-positive "
            "rate."
        )
    if tpr_high > tolerance:
        return Verdict.UNDERPOWERED, (
            f"{nothing}, but there are too few subjects to rule out that one of them finds up to "
            f"{tpr_high:.1%} of the members; {tolerance:.1%} is tolerated."
        )
    if not detection_limit <= tolerance:
        sure = "no leak" if isnan(detection_limit) else f"only a leak of {detection_limit:.1%}"
        return Verdict.UNDERPOWERED, (
            f"{nothing}, but with so few subjects {sure} is certain to be found; {tolerance:.1%} "
            "is tolerated."
        )
    return Verdict.NO_EVIDENCE, (
        f"{nothing}, and each of them finds at most {tpr_high:.1%} of the members. This is about "
        "the attackers of this panel."
    )


def _positive(
    n_lower: int, n_members: int, p_value: float, attack: str, tolerance: float
) -> tuple[Verdict, str]:
    share = n_lower / n_members
    if share > tolerance:
        return Verdict.LEAK, (
            f"At least {n_lower} of {n_members} member subjects ({share:.1%}) are exposed, found "
            f"by {attack}; {tolerance:.1%} is tolerated."
        )
    shown = (
        f"At least {n_lower} of {n_members} are exposed."
        if n_lower
        else "It does not show who is exposed."
    )
    return Verdict.SIGNAL, (
        f"The release tells members from held-out subjects (p = {p_value:.2g}), found by {attack}. "
        f"{shown}"
    )

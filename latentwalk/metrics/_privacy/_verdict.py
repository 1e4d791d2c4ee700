"""From figures to one of five words."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum


class Verdict(StrEnum):
    """What an audit concludes. None of them promises that nothing is given away."""

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
    n_duplicates: int = 0,
    failed_controls: Sequence[str] = (),
    has_unguided_space: bool = True,
    alpha: float = 0.05,
    tolerance: float = 0.05,
) -> tuple[Verdict, str]:
    """Return the verdict and its reason in one sentence.

    Parameters
    ----------
    p_value : float
        Of the exact test, over directions and feature spaces.
    n_exposed_lower : int
        The lower bound on exposed members.
    n_members : int
        Member subjects.
    tpr_high : float
        The upper bound of the true-positive rate at the audited false-positive rate.
    n_duplicates : int, default=0
        Synthetic records that equal a real one.
    failed_controls : sequence of str, default=()
        Names of the controls that fired: members and held-out subjects differ by themselves.
    has_unguided_space : bool, default=True
        Whether a feature space was audited that had no part in making or selecting the release.
    alpha : float, default=0.05
        The level of the test.
    tolerance : float, default=0.05
        The share of exposed members from which a signal is called a leak.

    Returns
    -------
    verdict : Verdict
        LEAK for a copy of a real record, whatever else was found, since no comparison of sets
        is needed to see it; INVALID when a control failed; LEAK, SIGNAL, NO EVIDENCE or
        UNDERPOWERED by the figures.
    reason : str
        One sentence.

    Examples
    --------
    >>> from latentwalk.metrics import verdict
    >>> verdict(p_value=0.4, n_exposed_lower=0, n_members=900, tpr_high=0.02)[0].value
    'NO EVIDENCE'
    """
    if n_duplicates:
        return Verdict.LEAK, f"{n_duplicates} synthetic records equal a real member's record."
    if failed_controls:
        return Verdict.INVALID, (
            "Members and held-out subjects differ without any release "
            f"({' and '.join(failed_controls)}), so a difference says nothing about this one."
        )
    if p_value <= alpha:
        return _positive(n_exposed_lower, n_members, p_value, tolerance)
    if tpr_high > tolerance:
        return Verdict.UNDERPOWERED, (
            f"No difference was found (p = {p_value:.2g}), but an attacker who finds up to "
            f"{tpr_high:.1%} of the members cannot be ruled out; {tolerance:.1%} is tolerated."
        )
    if not has_unguided_space:
        return Verdict.UNDERPOWERED, (
            "No difference was found, but every audited feature space guided or selected the "
            "release, which hides what it shares with the audit."
        )
    return Verdict.NO_EVIDENCE, (
        f"No difference between members and held-out subjects was found (p = {p_value:.2g}), and "
        f"an attacker finds at most {tpr_high:.1%} of the members."
    )


def _positive(
    n_lower: int, n_members: int, p_value: float, tolerance: float
) -> tuple[Verdict, str]:
    share = n_lower / n_members
    if share > tolerance:
        return Verdict.LEAK, (
            f"At least {n_lower} of {n_members} member subjects ({share:.1%}) are nearer to the "
            f"release than chance puts them; {tolerance:.1%} is tolerated."
        )
    what = (
        f"at least {n_lower} of them are nearer than chance puts them"
        if n_lower
        else "they are not shown to be nearer, but a hole or a few near records give them away"
    )
    return Verdict.SIGNAL, (
        f"The release tells members from held-out subjects (p = {p_value:.2g}); {what}."
    )

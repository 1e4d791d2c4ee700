"""latentwalk plan: how many patients a release and its audit need, before anything is run."""

from __future__ import annotations

from math import ceil
from typing import Any

from latentwalk.cli._options import CommonOptions
from latentwalk.cli._outcome import FOUND, Outcome

# what split_patients gives to members and to the audit
MEMBERS, AUDIT = 0.5, 0.3
K_CHOICES = (5, 10, 20)


def plan(
    *,
    tolerance: float = 0.05,
    fpr: float = 0.01,
    power: float = 0.8,
    attacks: int = 10,
    patients: int | None = None,
    smallest_class: int | None = None,
    common: CommonOptions | None = None,
) -> Outcome:
    """Say how many patients an audit needs before it can conclude anything.

    With fewer, the verdict is UNDERPOWERED at best: a leak of the tolerated size is then not ruled
    out, whatever the release is like. Patients count, and not images. An audit can be planned
    before any image is there.

    With --patients it also says what so many can show. Exit codes: 0 enough patients, or none were
    given; 1 too few; 3 an error.

    Parameters
    ----------
    tolerance : float
        The share of exposed patients that you would tolerate. Set it before you see any result.
    fpr : float
        The share of false alarms at which an attack is counted.
    power : float
        How surely the audit is to conclude where nothing leaks.
    attacks : int
        So many attacks must all be ruled out, taken as independent. Those of a panel resemble each
        other, so 10 stand for many.
    patients : int
        Those whom you have, of all classes.
    smallest_class : int
        Those of the class that has the fewest.
    """
    from latentwalk.metrics import patients_needed

    needed = patients_needed(tolerance, fpr=fpr, power=power, n_attacks=attacks)
    total = max(ceil(needed.n_members / MEMBERS), ceil(needed.n_holdout / AUDIT))
    facts: dict[str, Any] = {
        "tolerance": tolerance,
        "n_members": needed.n_members,
        "n_holdout": needed.n_holdout,
        "n_patients": total,
    }
    lines = [
        f"To rule out, with a chance of {power:.0%}, that more than {tolerance:.1%} of the members "
        "are exposed:",
        f"members       {needed.n_members} patients, from whom the release is made",
        f"held-out      {needed.n_holdout} patients, who judge it",
        f"together      {total} patients, as split_patients divides them (half are members, "
        f"{AUDIT:.0%} judge, the others choose k)",
    ]
    code = 0
    if patients is not None:
        code = 0 if patients >= total else FOUND
        facts |= {"patients": patients, "is_enough": code == 0}
        said = "enough" if code == 0 else "too few for NO EVIDENCE; expect UNDERPOWERED"
        lines.append(f"you have      {patients} patients: {said}")
        smallest_class = smallest_class or patients
    if smallest_class is not None:
        ks = [k for k in K_CHOICES if 2 * k <= MEMBERS * smallest_class]
        facts["k"] = ks
        words = ", ".join(map(str, ks)) or f"none: a class needs {ceil(2 * K_CHOICES[0] / MEMBERS)}"
        lines.append(
            f"k             {words} (half of a class are members, and it needs 2k of them)"
        )
    return Outcome("\n".join(lines), facts, code)

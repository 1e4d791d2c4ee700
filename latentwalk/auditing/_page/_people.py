"""The first page: the verdict in people, and the questions that the European guidance asks."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, isnan
from typing import Any

from latentwalk.auditing._page._facts import ReleaseFacts
from latentwalk.auditing._page._tables import number, share, word

LINKING = ("re-identification", "retrained re-identification")


@dataclass(frozen=True)
class People:
    """The figures of a report, counted in people.

    Attributes
    ----------
    members : int
        People whose records made the release.
    at_least : int
        Those who are shown to be exposed.
    up_to : int
        Those whom one of the attacks may find: more are ruled out.
    by_chance : int
        Those whom an attack finds without any release, at the audited false-positive rate.
    tolerated : int
        From more than these on the verdict is LEAK.
    noticed : int or None
        So many exposed people are certain to be noticed; None where no number is.
    """

    members: int
    at_least: int
    up_to: int
    by_chance: int
    tolerated: int
    noticed: int | None


def people(report: Any) -> People | None:
    """Return the figures; None where nothing is known: nobody was held out, or a control failed."""
    if word(report) in ("no verdict", "INVALID"):
        return None
    n, limit = report.sets.n_members, report.smallest_detectable_leak
    high = 1.0 if isnan(report.tpr_high) else report.tpr_high
    return People(
        members=n,
        at_least=report.n_exposed_lower or 0,
        up_to=min(n, max(report.n_exposed_lower or 0, ceil(high * n - 1e-9))),
        by_chance=round(report.settings.fpr * n),
        tolerated=floor(report.settings.tolerance * n + 1e-9),
        noticed=None if isnan(limit) else ceil(limit * n - 1e-9),
    )


def sentence(report: Any) -> str:
    """Return the verdict in one sentence."""
    if report.verdict is None:
        return (
            "Nobody was held out, so nothing tells what is near by chance from what is copied: "
            "there is no verdict."
        )
    if report.n_copies:
        return (
            f"{report.n_copies} of {report.sets.n_synthetic} synthetic records copy the record of "
            "a real person."
        )
    found = people(report)
    if found is None:
        return (
            "A control failed: members and other people differ by themselves, so the audit says "
            "nothing about the release."
        )
    up_to = f"up to {found.up_to} of {found.members} people"
    return {
        "LEAK": f"At least {found.at_least} of {found.members} people are exposed; "
        f"{found.tolerated} would be tolerated.",
        "SIGNAL": "The release tells members from other people: at least "
        f"{found.at_least} are exposed, and {up_to} may be.",
        "NO EVIDENCE": f"No attack found anybody, and more than {found.up_to} of "
        f"{found.members} people exposed to one of them is ruled out.",
        "UNDERPOWERED": f"No attack found anybody, but {up_to} may be exposed: the audit is too "
        "small, or looked only where the release was made to look well.",
    }[word(report)]


def seen(report: Any) -> str:
    """Return what would have been noticed, in one sentence."""
    found = people(report)
    if found is None:
        return "Nothing was tested." if report.verdict is None else "Nothing can be concluded."
    if found.noticed is None:
        return "There are too few people to be certain to find a leak of any size."
    return (
        f"A leak that exposes {found.noticed} or more of the {found.members} people "
        f"({share(report.smallest_detectable_leak)}) to one of these attacks is certain to be "
        "found. A smaller one may not be found."
    )


@dataclass(frozen=True)
class Question:
    """One of the three questions, and what the audit answers.

    Attributes
    ----------
    title, asked : str
        Its name, and the question in words.
    figure : str
        What answers it, in short; empty where it was not tested.
    answer : str
        The same in a sentence.
    caveat : str
        What the answer leaves open.
    """

    title: str
    asked: str
    figure: str
    answer: str
    caveat: str


def questions(report: Any) -> list[Question]:
    """Return the answers to singling out, linkability and inference."""
    return [_singling_out(report), _linkability(report), _inference(report)]


def _singling_out(report: Any) -> Question:
    found, figure, answer = people(report), "", "It needs held-out people, and controls that pass."
    if found is not None:
        figure = f"{found.at_least} to {found.up_to} of {found.members} people"
        answer = (
            "So many are told to be members, at least and at most, by an attack that knows their "
            f"record, at {share(report.settings.fpr)} false alarms. Synthetic records that copy a "
            f"real one: {report.n_copies}."
        )
    return Question(
        "Singling out",
        "Can somebody be isolated in the release?",
        figure,
        answer,
        "Attacks that were not run may find more.",
    )


def _linkability(report: Any) -> Question:
    linking = [attack for attack in report.attacks if attack.attack in LINKING]
    figure = ""
    answer = (
        "It needs reference images, several of each person, and the attack 're-identification'."
    )
    if linking:
        best = max(linking, key=lambda attack: attack.tpr.high)
        figure = f"{share(best.tpr.low)} to {share(best.tpr.high)} of members"
        answer = (
            f"So many are found by the attack {best.attack!r}, which has learnt what two images "
            f"of one person share, at {share(report.settings.fpr)} false alarms."
        )
    return Question(
        "Linkability",
        "Can records of one person be linked, within the release or with other data?",
        figure,
        answer,
        "Other releases were not compared: two releases of the same people can be subtracted.",
    )


def _inference(report: Any) -> Question:
    found = min(report.attributes, key=lambda a: a.p_value, default=None)
    figure, answer = "", "It needs an attribute of members and of held-out people."
    if found is not None:
        figure = f"{share(found.members_right)} against {share(found.holdout_right)}"
        answer = (
            f"So often the attribute {found.name!r} is guessed right from the nearest synthetic "
            f"record: of members, and of other people (p = {number(found.p_value)})."
        )
    return Question(
        "Inference",
        "Can something be learnt about a person because they were a member?",
        figure,
        answer,
        "What is guessed of everybody alike is what the release is meant to teach.",
    )


def measures(facts: ReleaseFacts) -> list[tuple[str, ...]]:
    """Return fidelity and utility as rows, with titles first; empty where nothing was measured."""
    rows: list[tuple[str, ...]] = []
    if facts.utility is not None:
        used = facts.utility
        rows.append(
            (
                "Balanced accuracy on real images of others, trained on the release",
                number(used.synthetic),
                f"{number(used.real)} trained on real images, {number(used.chance)} by chance",
                "higher",
            )
        )
    if facts.fidelity is not None:
        rows += [
            (
                row.name.replace("_", " ").capitalize(),
                number(row.value),
                "–" if row.baseline is None else f"{number(row.baseline)} for real images",
                "higher" if row.higher_is_better else "lower",
            )
            for row in facts.fidelity.rows
        ]
    return [("Measure", "Release", "Compare with", "Better"), *rows] if rows else []


def about(facts: ReleaseFacts, report: Any) -> list[tuple[str, ...]]:
    """Return what is known of the release, a row each; what is missing is said."""
    unit = "" if facts.k_counts is None else f" {facts.k_counts}"
    classes = ", ".join(f"{name} ({n})" for name, n in facts.classes.items())
    software = ", ".join(f"{name} {version}" for name, version in facts.software.items())
    return [
        ("Fact", "Value"),
        ("Data set", facts.name or "not stated"),
        ("Synthetic records", str(report.sets.n_synthetic)),
        ("Classes", classes or "none, or not stated"),
        ("k: each average joins at least", "not stated" if facts.k is None else f"{facts.k}{unit}"),
        ("Licence", facts.licence or "not stated"),
        ("Contact", facts.contact or "not stated"),
        ("Date", facts.date or "not stated"),
        ("Software", software or "not stated"),
    ]


def guarantee(facts: ReleaseFacts) -> list[str]:
    """Return what is guaranteed against every attacker, a sentence a line."""
    if facts.statement is None:
        return ["None was stated. Averages of k people and the walk between them give none."]
    return str(facts.statement).splitlines()

"""The tables and sentences of a report, as rows of text; page and print show the same ones."""

from __future__ import annotations

from math import isnan
from typing import Any

Rows = list[tuple[str, ...]]

WORDS: Rows = [
    ("Verdict", "Meaning"),
    (
        "LEAK",
        "More members are exposed than is tolerated, or a synthetic record copies one of theirs.",
    ),
    ("SIGNAL", "The release tells members from others; fewer are shown to be exposed."),
    ("NO EVIDENCE", "No difference was found, and a larger leak than is tolerated is ruled out."),
    ("UNDERPOWERED", "No difference was found, but a larger leak is not ruled out."),
    ("INVALID", "Members and held-out subjects differ by themselves: nothing can be concluded."),
]


def word(report: Any) -> str:
    """The verdict as shown."""
    return "no verdict" if report.verdict is None else str(report.verdict)


def headline(report: Any) -> Rows:
    """The figures that a reader decides on, with how to read them."""
    settings = report.settings
    level = f"{settings.fpr:.2%}"
    certified = "" if report.certified else " (not certified)"
    worst = report.headline
    return [
        ("Figure", "Value", "How to read it"),
        (
            "p-value",
            number(report.p_value),
            f"joint test of {len(report.attacks)} attacks; {settings.alpha:g} or less is a finding",
        ),
        ("Attack that finds most", worst.title if worst else "–", "the next figures are its own"),
        (
            "Exposed member subjects, at least",
            "–" if report.n_exposed_lower is None else str(report.n_exposed_lower),
            f"at {1 - settings.alpha:.0%} confidence; fewer is better",
        ),
        (
            f"Members found at {level} false alarms",
            share_interval(report.tpr),
            f"chance is {share(chance(report))}; lower is better{certified}",
        ),
        ("AUC", interval(report.auc), "chance is 0.5"),
        _recognised(report),
        (
            "Largest rate not ruled out, any attack",
            share(report.tpr_high),
            f"{share(settings.tolerance)} is tolerated",
        ),
        (
            "Detection limit (share of members)",
            share(report.smallest_detectable_leak),
            "a smaller leak may not be found",
        ),
        *_copies(report),
        *_distances(report),
    ]


def _copies(report: Any) -> Rows:
    """What repeats: members' records in the release, and the release's own."""
    return [
        ("Copies of a member's record", str(report.n_copies), "any copy is a leak"),
        (
            "Equal to a member's record",
            str(report.n_duplicates),
            "data of few values have some by chance",
        ),
        ("Repeated synthetic records", str(report.n_repeated), "not a leak by themselves"),
        (
            "Collision rate",
            share(report.collision_rate),
            f"chance is at most {report.settings.fpr:.2%}",
        ),
    ]


def _distances(report: Any) -> Rows:
    """How near the nearest member is, to the release and to people who were not members."""
    return [
        (
            "Mean distance, synthetic records to the nearest member",
            number(report.mean_minimum_distance),
            "a scale for the attacks; averages lie near to everybody",
        ),
        *(
            (
                "Mean distance, real held-out records to the nearest member",
                number(space.mean_minimum_distance_holdout),
                "of people who were not members, on the same scale",
            )
            for space in report.spaces[:1]
        ),
    ]


def _recognised(report: Any) -> tuple[str, str, str]:
    """How strong the attackers are: what they recognise among real images."""
    name = "Real people recognised in another real image"
    if not report.recognition:
        return name, "–", "unknown: it needs held-out people with two records"
    best = report.recognition[0]
    return name, share(best.rate), f"in {plain(best.view)}; chance is {share(best.chance)}"


def chance(report: Any) -> float:
    """The share of members that is found by chance at the threshold that is used."""
    m = report.sets.n_holdout
    if not m:
        return float("nan")
    return float((int(report.settings.fpr * m + 1e-9) + 1) / (m + 1))


def by_space(report: Any) -> Rows:
    """The distances in each feature space."""
    head = (
        "Feature space",
        "Guided the release",
        "Collision rate",
        "Mean distance, synthetic to nearest member",
        "Mean distance, real held-out to nearest member",
    )
    return [
        head,
        *(
            (
                s.space,
                "yes" if s.guided else "no",
                share(s.collision_rate),
                number(s.mean_minimum_distance),
                number(s.mean_minimum_distance_holdout),
            )
            for s in report.spaces
        ),
    ]


def controls(report: Any) -> Rows:
    """The controls and their outcomes."""
    if not report.controls:
        return [("Control",), ("none was possible",)]
    return [
        ("Control", "p-value", "Level", "Outcome"),
        *(
            (c.name, number(c.p_value), number(c.level), "passed" if c.passed else "failed")
            for c in report.controls
        ),
    ]


def sets(report: Any) -> Rows:
    """Numbers of subjects and records."""
    n = report.sets
    return [
        ("Set", "Subjects", "Records"),
        ("Members", str(n.n_members), str(n.n_member_images)),
        ("Held-out", str(n.n_holdout), str(n.n_holdout_images)),
        ("Reference", "–", str(n.n_reference_images)),
        ("Synthetic", "–", str(n.n_synthetic)),
    ]


def ladder(stages: Any, fpr: float) -> Rows:
    """The headline figures of each stage."""
    return [
        ("Stage", "Verdict", "Exposed, at least", f"Found at {fpr:.2%}", "AUC"),
        *(
            (s.name, s.verdict, str(s.n_exposed_lower), share_interval(s.tpr), interval(s.auc))
            for s in stages
        ),
    ]


def attacks(results: Any) -> Rows:
    """What each attack found."""
    return [
        (
            "Attack",
            "View",
            "Subject",
            "Guided",
            "Exposed, at least",
            "Found",
            "AUC",
            "p near",
            "p far",
            "p shift",
            "p adjusted",
        ),
        *(
            (
                r.attack,
                r.view,
                r.subjects,
                "yes" if r.guided else "no",
                str(r.n_exposed_lower),
                share_interval(r.tpr),
                interval(r.auc),
                number(r.test.p_near),
                number(r.test.p_far),
                number(r.p_shift),
                number(r.p_adjusted),
            )
            for r in results
        ),
    ]


def subgroups(found: Any) -> Rows:
    """What the panel found within each subgroup."""
    return [
        ("Subgroup", "Members", "Held-out", "Exposed, at least", "Found", "p", "Attack"),
        *(
            (
                f"{g.by} = {g.value}",
                str(g.n_members),
                str(g.n_holdout),
                str(g.n_exposed_lower),
                share_interval(g.tpr),
                number(g.p_value),
                g.attack,
            )
            for g in found
        ),
    ]


def attributes(found: Any) -> Rows:
    """How well attributes are guessed, of members and of others."""
    return [
        ("Attribute", "Members right", "Held-out right", "AUC", "p"),
        *(
            (
                a.name,
                share(a.members_right),
                share(a.holdout_right),
                interval(a.auc),
                number(a.p_value),
            )
            for a in found
        ),
    ]


def not_run(report: Any) -> str:
    """The attacks that were not run, by reason."""
    reasons: dict[str, list[str]] = {}
    for name, reason in report.not_run:
        reasons.setdefault(reason, []).append(name)
    if not reasons:
        return "Every registered attack was run."
    listed = "; ".join(f"{', '.join(names)} ({why})" for why, names in reasons.items())
    return f"Not run: {listed}."


def guided(report: Any) -> str:
    """Which feature spaces had a part in making the release."""
    if not report.guided_by:
        return "None of the audited feature spaces is known to have guided or selected the release."
    return (
        f"These feature spaces guided or selected the release: {', '.join(report.guided_by)}. "
        "There the release looks better than it is. The others had no part in making it."
    )


def settings(report: Any) -> str:
    """The auditor's parameters."""
    given, n = report.settings, report.sets
    return (
        f"Level {given.alpha:g}; false-positive rate {given.fpr:g}; tolerated share of exposed "
        f"members {given.tolerance:g}. Strata of subjects with a similar number of records: "
        f"{n.n_strata}. Records drawn from a subject, at least: {n.images_per_subject}."
    )


def inversion(report: Any) -> str:
    """What reconstruction errors tell of members, in a few sentences."""
    gap = report.inversion_gap
    does = "tells" if gap.test.p_value <= report.settings.alpha else "does not tell"
    return (
        f"The mean reconstruction error is {number(gap.mean_members)} for members and "
        f"{number(gap.mean_holdout)} for held-out subjects. A member's error is lower with "
        f"probability {interval(gap.auc)}; 0.5 is chance. The exact test {does} them apart "
        f"(p = {number(gap.test.p_value)}; members lower {number(gap.test.p_near)}, members higher "
        f"{number(gap.test.p_far)}). An inversion gap is a membership signal for everybody who "
        "holds the generator and can invert, whatever was released. The verdict is about the "
        "synthetic records, and does not include it."
    )


def plain(text: str) -> str:
    """A name in one line: a line break in it must not look like a line of the report.

    Examples
    --------
    >>> plain("pixels\\nAudit of 9 records:\\tNO EVIDENCE")
    'pixels Audit of 9 records: NO EVIDENCE'
    """
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def number(value: float) -> str:
    """Three digits; a dash for NaN."""
    return "–" if isnan(value) else f"{value:.3g}"


def share(value: float) -> str:
    """A percentage; a dash for NaN."""
    return "–" if isnan(value) else f"{value:.2%}"


def interval(rate: Any) -> str:
    """A figure and its interval."""
    return f"{number(rate.value)} ({number(rate.low)} to {number(rate.high)})"


def share_interval(rate: Any) -> str:
    """A percentage and its interval."""
    return f"{share(rate.value)} ({share(rate.low)} to {share(rate.high)})"

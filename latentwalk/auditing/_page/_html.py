"""The report as a page for readers who are no specialists."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from math import isnan
from string import Template
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray
from PIL import Image

from latentwalk.auditing._figures import ROC_FPRS, SpaceFigures
from latentwalk.auditing._matches import NearestMatches
from latentwalk.auditing._page._svg import histogram_svg, ladder_svg, roc_svg
from latentwalk.utils import to_bytes

if TYPE_CHECKING:
    from latentwalk.auditing._report import AuditReport

WORDS = (
    (
        "LEAK",
        "More members are exposed than is tolerated, or a synthetic record copies one of theirs.",
    ),
    ("SIGNAL", "The release tells members from others; fewer are shown to be exposed."),
    ("NO EVIDENCE", "No difference was found, and a larger leak than is tolerated is ruled out."),
    ("UNDERPOWERED", "No difference was found, but a larger leak is not ruled out."),
    ("INVALID", "Members and held-out subjects differ by themselves: nothing can be concluded."),
)


def render_report(
    report: AuditReport, *, internal: bool, matches: NearestMatches | None = None
) -> str:
    """Return the page; only the internal edition has exposures and real records."""
    template = (
        files("latentwalk.auditing._page").joinpath("report.html").read_text(encoding="utf-8")
    )
    word = "no verdict" if report.verdict is None else str(report.verdict)
    return Template(template).substitute(
        edition="Internal edition: do not release" if internal else "Releasable edition",
        verdict=escape(word),
        verdict_class=escape(word.lower().replace(" ", "-")),
        reason=escape(report.reason),
        detectable=escape(_detectable(report)),
        advice=escape(report.advice),
        words=_table([("Verdict", "Meaning"), *WORDS]),
        guided=escape(_guided(report)),
        figures=_table(_headline(report)),
        spaces=_table(_by_space(report)) if report.spaces else "",
        controls=_table(_controls(report)),
        sets=_table(_sets(report)),
        settings=escape(_settings(report)),
        plots=_plots(report, internal),
        ladder=_ladder(report),
        inversion=_inversion(report),
        attacks=_attacks(report),
        matches=_match_table(matches) if matches is not None else "",
    )


def _headline(report: AuditReport) -> list[Sequence[str]]:
    level = f"{report.fpr:.2%}"
    certified = "" if report.certified else " (uncertified: too few held-out subjects)"
    return [
        ("Figure", "Value", "How to read it"),
        ("p-value", _number(report.p_value), f"a difference is found at {report.alpha:g} or less"),
        (
            "Exposed member subjects, at least",
            "–" if report.n_exposed_lower is None else str(report.n_exposed_lower),
            f"at {1 - report.alpha:.0%} confidence; fewer is better",
        ),
        (
            f"Members found at {level} false alarms",
            f"{_share(report.tpr)} ({_share(report.tpr_interval[0])} to "
            f"{_share(report.tpr_interval[1])})",
            f"chance is {level}; lower is better{certified}",
        ),
        ("AUC of the distance", _interval(report.auc, report.auc_interval), "chance is 0.5"),
        ("Collision rate", _share(report.collision_rate), f"chance is at most {level}"),
        (
            "Smallest share of exposed members that is certain to be found",
            _share(report.smallest_detectable_leak),
            "a smaller leak may have gone unseen",
        ),
        ("Copies of a real record", str(report.n_duplicates), "any copy is a leak"),
        ("Repeated synthetic records", str(report.n_repeated), "not a leak by themselves"),
        (
            "Mean distance of a synthetic record to the nearest member",
            _number(report.mean_minimum_distance),
            f"held-out records: {_number(report.spaces[0].mean_minimum_distance_holdout)}"
            if report.spaces
            else "says little without that of held-out records",
        ),
    ]


def _detectable(report: AuditReport) -> str:
    """What could have been detected, in one sentence."""
    if report.verdict is None:
        return "Nothing was tested."
    if isnan(report.smallest_detectable_leak):
        return "These subjects are too few for any leak to be certain to be found."
    n_exposed = round(report.smallest_detectable_leak * report.sets.n_members)
    return (
        f"A leak that exposes {n_exposed} or more of the {report.sets.n_members} member subjects "
        f"({_share(report.smallest_detectable_leak)}) would certainly have been found in the "
        "audited feature spaces; a smaller one may have gone unseen."
    )


def _guided(report: AuditReport) -> str:
    """Which feature spaces had a part in making the release."""
    if not report.guided_by:
        return "None of the audited feature spaces is known to have guided or selected the release."
    return (
        f"The release was guided or selected in: {', '.join(report.guided_by)}. There it looks "
        "better than it is; the others had no part in making it."
    )


def _settings(report: AuditReport) -> str:
    sets = report.sets
    return (
        f"Level {report.alpha:g}; false-positive rate {report.fpr:g}; tolerated share of exposed "
        f"members {report.tolerance:g}. Strata of subjects with about as many records: "
        f"{sets.n_strata}; records drawn from a subject, at least: {sets.images_per_subject}; "
        f"draws: {sets.n_draws}."
    )


def _by_space(report: AuditReport) -> list[Sequence[str]]:
    head = (
        "Feature space",
        "Guided the release",
        "p, members nearer",
        "p, members farther",
        "Exposed, at least",
        "Found",
        "AUC",
        "Mean distance to a member (held-out)",
    )
    return [
        head,
        *(
            (
                s.space,
                "yes" if s.guided else "no",
                _number(s.p_near),
                _number(s.p_far),
                str(s.n_exposed_lower),
                f"{_share(s.tpr)} ({_share(s.tpr_interval[0])} to {_share(s.tpr_interval[1])})",
                _interval(s.auc, s.auc_interval),
                f"{_number(s.mean_minimum_distance)} ({_number(s.mean_minimum_distance_holdout)})",
            )
            for s in report.spaces
        ),
    ]


def _controls(report: AuditReport) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [("Control", "p-value", "Level", "Outcome")]
    rows += [
        (c.name, _number(c.p_value), _number(c.level), "passed" if c.passed else "failed")
        for c in report.controls
    ]
    return rows if report.controls else [("Control",), ("none was possible",)]


def _sets(report: AuditReport) -> list[Sequence[str]]:
    sets = report.sets
    return [
        ("Set", "Subjects", "Records"),
        ("Members", str(sets.n_members), str(sets.n_member_images)),
        ("Held-out", str(sets.n_holdout), str(sets.n_holdout_images)),
        ("Reference", "–", str(sets.n_reference_images)),
        ("Synthetic", "–", str(sets.n_synthetic)),
    ]


def _plots(report: AuditReport, internal: bool) -> str:
    if not report.spaces:
        return ""
    curves = {s.space: (s.roc, s.roc_low, s.roc_high) for s in report.spaces}
    caption = (
        "Members found against false alarms. The dashed line is chance; shaded is the "
        f"{1 - report.alpha:.0%} interval at each rate by itself."
    )
    plots = [_figure(roc_svg(ROC_FPRS, curves), caption)]
    if internal:
        plots += [_exposures(report, s) for s in report.spaces]
    return "".join(plots)


def _exposures(report: AuditReport, found: SpaceFigures) -> str:
    shares = {"members": found.member_counts, "held-out": found.holdout_counts}
    caption = f"Exposures in space {found.space}: distances to the nearest synthetic record."
    if found.sham_counts:
        shares["members, to the sham release"] = found.sham_counts
        caption += (
            f" The sham release is {report.sets.n_reference_images} reference records beside "
            f"{report.sets.n_synthetic} synthetic ones: more records come nearer by themselves."
        )
    return _figure(histogram_svg("Exposures", found.bins, shares), caption)


def _figure(plot: str, caption: str) -> str:
    return f"<figure>{plot}<figcaption>{escape(caption)}</figcaption></figure>"


def _ladder(report: AuditReport) -> str:
    if not report.ladder:
        return ""
    head = ("Stage", "Verdict", "Exposed, at least", f"Found at {report.fpr:.2%}", "AUC")
    rows = [
        (
            s.name,
            s.verdict,
            str(s.n_exposed_lower),
            f"{_share(s.tpr)} ({_share(s.tpr_interval[0])} to {_share(s.tpr_interval[1])})",
            _interval(s.auc, s.auc_interval),
        )
        for s in report.ladder
    ]
    plot = ladder_svg(
        [(s.name, s.tpr, s.tpr_interval) for s in report.ladder],
        fpr=report.fpr,
        tolerance=report.tolerance,
    )
    caption = f"Members found at {report.fpr:.2%} false alarms, with the interval, by stage."
    return (
        "<h2>Which stage exposes members</h2><p>The same audit of what each stage would have "
        "released. A stage that exposes members where the one before it does not is where they "
        "are given away; what the generator's own samples expose, no larger groups remove.</p>"
        + _table([head, *rows])
        + _figure(plot, caption)
    )


def _inversion(report: AuditReport) -> str:
    gap = report.inversion_gap
    if gap is None:
        return ""
    found = "" if gap.p_value <= report.alpha else " not"
    return (
        "<h2>Inversion gap</h2><p>"
        f"Members are reconstructed with a mean error of {_number(gap.mean_members)}, held-out "
        f"subjects with {_number(gap.mean_holdout)}; a member's error is the lower one with "
        f"probability {_interval(gap.auc, gap.auc_interval)}, where 0.5 is chance. The exact test "
        f"does{found} tell them apart (p = {_number(gap.p_value)}; members lower "
        f"{_number(gap.p_near)}, members higher {_number(gap.p_far)}). An inversion gap is itself "
        "a membership signal: whoever holds the generator and can invert sees it, whatever was "
        "released. It is no part of the verdict, which speaks of the synthetic records.</p>"
    )


def _attacks(report: AuditReport) -> str:
    if report.attacks is None:
        return ""
    head = ("Attack", "Feature space", "AUC", f"Found at {report.fpr:.2%}")
    rows = [
        (
            one.attack,
            one.space,
            _interval(one.auc.value, one.auc[1:]),
            f"{_share(one.tpr.value)} ({_share(one.tpr.low)} to {_share(one.tpr.high)})",
        )
        for one in report.attacks.results
    ]
    return (
        "<h2>Attacks</h2><p>Each attack scores members and held-out subjects. For the best of "
        f"all {len(rows)}, the p-value that allows for having tried them all is "
        f"{_number(report.attacks.p_value)}. The verdict does not rest on them.</p>"
        + _table([head, *rows])
    )


def _match_table(matches: NearestMatches) -> str:
    if matches.synthetic.ndim != 4:
        return ""
    cells = "".join(
        f"<figure>{_image(s)}{_image(m)}<figcaption>{d:.4g}</figcaption></figure>"
        for s, m, d in zip(matches.synthetic, matches.members, matches.distances, strict=True)
    )
    return f"<h2>Nearest pairs: synthetic, real</h2><div class='pairs'>{cells}</div>"


def _image(image: NDArray[Any]) -> str:
    """An image (c, h, w) as an embedded PNG."""
    pixels = to_bytes(image)
    shown = pixels.transpose(1, 2, 0) if len(pixels) == 3 else pixels[0]
    buffer = io.BytesIO()
    Image.fromarray(shown).save(buffer, "PNG")
    return (
        f'<img alt="" src="data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}">'
    )


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = rows
    lines = ["<tr>" + "".join(f"<th scope='col'>{escape(c)}</th>" for c in head) + "</tr>"]
    lines += ["<tr>" + "".join(f"<td>{escape(c)}</td>" for c in row) + "</tr>" for row in body]
    return "<table>" + "".join(lines) + "</table>"


def _number(value: float) -> str:
    return "–" if isnan(value) else f"{value:.3g}"


def _share(value: float) -> str:
    return "–" if isnan(value) else f"{value:.2%}"


def _interval(value: float, interval: tuple[float, float]) -> str:
    return f"{_number(value)} ({_number(interval[0])} to {_number(interval[1])})"

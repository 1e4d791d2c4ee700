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

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from latentwalk.auditing._figures import ROC_FPRS
from latentwalk.auditing._matches import NearestMatches
from latentwalk.auditing._svg import histogram_svg, roc_svg

if TYPE_CHECKING:
    from latentwalk.auditing._report import AuditReport


def render_report(
    report: AuditReport, *, internal: bool, matches: NearestMatches | None = None
) -> str:
    """Return the page; only the internal edition has exposures and real records."""
    template = files("latentwalk.auditing").joinpath("report.html").read_text(encoding="utf-8")
    word = "no verdict" if report.verdict is None else str(report.verdict)
    return Template(template).substitute(
        edition="Internal edition: do not release" if internal else "Releasable edition",
        verdict=escape(word),
        verdict_class=escape(word.lower().replace(" ", "-")),
        reason=escape(report.reason),
        advice=escape(report.advice),
        figures=_table(_headline(report)),
        spaces=_table(_by_space(report)) if report.spaces else "",
        controls=_table(_controls(report)),
        sets=_table(_sets(report)),
        plots=_plots(report, internal),
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
            "Mean minimum distance",
            _number(report.mean_minimum_distance),
            "says little alone: compare it with that of held-out records",
        ),
    ]


def _by_space(report: AuditReport) -> list[Sequence[str]]:
    head = (
        "Feature space",
        "Guided the release",
        "p near",
        "p far",
        "Exposed, at least",
        "Found",
        "AUC",
        "Mean minimum distance (held-out)",
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
    plots = [roc_svg(ROC_FPRS, {s.space: s.roc for s in report.spaces})]
    if internal:
        plots += [
            histogram_svg(
                s.bins,
                {
                    f"members ({s.space})": s.member_counts,
                    f"held-out ({s.space})": s.holdout_counts,
                },
            )
            for s in report.spaces
        ]
    return "".join(f"<figure>{plot}</figure>" for plot in plots)


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
    pixels = image if image.dtype == np.uint8 else np.rint(image * 255).astype(np.uint8)
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

"""The report as a page that a reader without a background in statistics can use."""

from __future__ import annotations

import base64
import io
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from numpy.typing import NDArray
from PIL import Image

from latentwalk.auditing._page import _tables as tables
from latentwalk.auditing._page._svg import histogram_svg, ladder_svg, roc_svg
from latentwalk.auditing._page._text import html_table
from latentwalk.utils import to_bytes


def render_report(report: Any, *, internal: bool, matches: Any = None) -> str:
    """Return the page. Only the internal edition has exposures and real records."""
    page = files("latentwalk.auditing._page").joinpath("report.html")
    word = tables.word(report)
    return Template(page.read_text(encoding="utf-8")).substitute(
        edition="Internal edition: do not release" if internal else "Releasable edition",
        verdict=escape(word),
        verdict_class=escape(word.lower().replace(" ", "-")),
        reason=escape(report.reason),
        detectable=escape(tables.detectable(report)),
        advice=escape(report.advice),
        words=html_table(tables.WORDS),
        guided=escape(tables.guided(report)),
        figures=html_table(tables.headline(report)),
        spaces=html_table(tables.by_space(report)) if report.spaces else "",
        controls=html_table(tables.controls(report)),
        sets=html_table(tables.sets(report)),
        settings=escape(tables.settings(report)),
        plots=_plots(report, internal),
        ladder=_ladder(report),
        inversion=_inversion(report),
        attacks=_attacks(report),
        not_run=escape(tables.not_run(report)) if report.attacks else "",
        matches=_match_table(matches) if matches is not None else "",
    )


def _plots(report: Any, internal: bool) -> str:
    if not report.spaces:
        return ""
    curves = {s.space: (s.roc, s.roc_low, s.roc_high) for s in report.spaces}
    caption = (
        "Members found against false alarms. The dashed line is chance. The shaded region is the "
        f"{1 - report.settings.alpha:.0%} interval of each rate."
    )
    plots = [_figure(roc_svg(report.roc_fprs, curves), caption)]
    if internal:
        plots += [_exposures(report, s) for s in report.spaces]
    return "".join(plots)


def _exposures(report: Any, figures: Any) -> str:
    shares = {"members": figures.member_counts, "held-out": figures.holdout_counts}
    caption = f"Exposures in space {figures.space}: distances to the nearest synthetic record."
    if figures.sham_counts:
        shares["members, to the sham release"] = figures.sham_counts
        caption += (
            f" The sham release is {report.sets.n_reference_images} reference records, compared "
            f"with {report.sets.n_synthetic} synthetic ones. The larger of two releases comes "
            "nearer by chance."
        )
    return _figure(histogram_svg("Exposures", figures.bins, shares), caption)


def _figure(plot: str, caption: str) -> str:
    return f"<figure>{plot}<figcaption>{escape(caption)}</figcaption></figure>"


def _ladder(report: Any) -> str:
    if not report.ladder:
        return ""
    fpr, tolerance = report.settings.fpr, report.settings.tolerance
    rates = [(s.name, s.tpr.value, (s.tpr.low, s.tpr.high)) for s in report.ladder]
    caption = f"Members found at {fpr:.2%} false alarms, with the interval, by stage."
    return (
        "<h2>Which stage exposes members</h2><p>The same audit of what each stage would have "
        "released. If a stage exposes members and the one before it did not, that stage is the "
        "source. If the generator's own samples expose members, a larger k does not help.</p>"
        + html_table(tables.ladder(report.ladder, fpr))
        + _figure(ladder_svg(rates, fpr=fpr, tolerance=tolerance), caption)
    )


def _inversion(report: Any) -> str:
    gap = report.inversion_gap
    if gap is None:
        return ""
    does = "tells" if gap.test.p_value <= report.settings.alpha else "does not tell"
    number, interval = tables.number, tables.interval
    return (
        "<h2>Inversion gap</h2><p>"
        f"The mean reconstruction error is {number(gap.mean_members)} for members and "
        f"{number(gap.mean_holdout)} for held-out subjects. A member's error is lower with "
        f"probability {interval(gap.auc)}; 0.5 is chance. The exact test {does} them apart "
        f"(p = {number(gap.test.p_value)}; members lower {number(gap.test.p_near)}, members higher "
        f"{number(gap.test.p_far)}). An inversion gap is a membership signal for everybody who "
        "holds the generator and can invert, whatever was released. The verdict is about the "
        "synthetic records, and does not include it.</p>"
    )


def _attacks(report: Any) -> str:
    if not report.attacks:
        return ""
    rows = tables.attacks(report.attacks)
    return (
        f"<h2>Attacks</h2><p>The {report.panel} panel. Each attack scores members and held-out "
        f"subjects. p near, p far and p shift test one attack alone. p adjusted allows for all "
        f"{len(rows) - 1}; the smallest of them is the p-value above.</p>" + html_table(rows)
    )


def _match_table(matches: Any) -> str:
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

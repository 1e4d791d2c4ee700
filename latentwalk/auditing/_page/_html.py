"""The report as a page that a reader without a background in statistics can use."""

from __future__ import annotations

import base64
import io
from math import ceil, sqrt
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from latentwalk.auditing._page import _people, _plots
from latentwalk.auditing._page import _tables as tables
from latentwalk.auditing._page._facts import NOTHING_KNOWN, ReleaseFacts
from latentwalk.utils import to_bytes

COLUMNS = 12


def render_report(
    report: Any, *, internal: bool, matches: Any = None, facts: ReleaseFacts | None = None
) -> str:
    """Return the page. Only the internal edition has exposures and real records."""
    pages = Environment(
        loader=PackageLoader("latentwalk.auditing._page"),
        autoescape=True,
        undefined=StrictUndefined,
    )
    facts = facts or NOTHING_KNOWN
    return pages.get_template("report.html").render(
        edition="Internal edition: do not release" if internal else "Releasable edition",
        report=report,
        facts=facts,
        **_first_page(report, facts),
        **_details(report),
        **_drawn(report, internal),
        pairs=[] if matches is None else _pairs(matches),
    )


def _first_page(report: Any, facts: ReleaseFacts) -> dict[str, Any]:
    outcomes = [f"{c.name} {'passed' if c.passed else 'failed'}" for c in report.controls]
    return {
        "word": tables.word(report),
        "sentence": _people.sentence(report),
        "seen": _people.seen(report),
        "people": _people.people(report),
        "questions": _people.questions(report),
        "n_attacks": len({attack.attack for attack in report.attacks}),
        "outcomes": ", ".join(outcomes) or "none was possible",
        "not_run": tables.not_run(report) if report.attacks else "",
        "guarantee": _people.guarantee(facts),
        "about": _people.about(facts, report),
        "measures": _people.measures(facts),
        "sheet": None if facts.images is None else embedded(sheet(facts.images)),
        "n_shown": 0 if facts.images is None else len(facts.images),
    }


def _details(report: Any) -> dict[str, Any]:
    settings = report.settings
    return {
        "headline": tables.headline(report),
        "ladder": tables.ladder(report.ladder, settings.fpr),
        "inversion": "" if report.inversion_gap is None else tables.inversion(report),
        "guided": tables.guided(report),
        "spaces": tables.by_space(report),
        "attacks": tables.attacks(report.attacks),
        "subgroups": tables.subgroups(report.subgroups),
        "attributes": tables.attributes(report.attributes),
        "controls": tables.controls(report),
        "sets": tables.sets(report),
        "settings": tables.settings(report),
        "words": tables.WORDS,
        "level": tables.share(settings.fpr),
        "confidence": f"{1 - settings.alpha:.0%}",
    }


def _drawn(report: Any, internal: bool) -> dict[str, Any]:
    """The figures; they escape their own text."""
    found, settings = _people.people(report), report.settings
    curves = {tables.plain(s.space): (s.roc, s.roc_low, s.roc_high) for s in report.spaces}
    rates = [(tables.plain(s.name), s.tpr.value, (s.tpr.low, s.tpr.high)) for s in report.ladder]
    ladder = ""
    if rates:
        ladder = _plots.ladder_svg(rates, fpr=settings.fpr, tolerance=settings.tolerance)
    return {
        "people_plot": "" if found is None else Markup(_plots.people_svg(found)),
        "roc": Markup(_plots.roc_svg(report.roc_fprs, curves)) if curves else "",
        "exposures": [_exposures(report, s) for s in report.spaces] if internal else [],
        "ladder_plot": Markup(ladder),
    }


def _exposures(report: Any, figures: Any) -> tuple[Markup, str]:
    shares = {"members": figures.member_counts, "held-out": figures.holdout_counts}
    caption = f"Exposures in space {figures.space}: distances to the nearest synthetic record."
    if figures.sham_counts:
        shares["members, to the sham release"] = figures.sham_counts
        caption += (
            f" The sham release is {report.sets.n_reference_images} reference records, compared "
            f"with {report.sets.n_synthetic} synthetic ones. The larger of two releases comes "
            "nearer by chance."
        )
    return Markup(_plots.histogram_svg(figures.bins, shares)), caption


def _pairs(matches: Any) -> list[tuple[str, str, str]]:
    if matches.synthetic.ndim != 4:
        return []
    return [
        (embedded(synthetic), embedded(member), f"{distance:.4g}")
        for synthetic, member, distance in zip(
            matches.synthetic, matches.members, matches.distances, strict=True
        )
    ]


def sheet(images: NDArray[Any]) -> NDArray[np.uint8]:
    """Return images (n, c, h, w) side by side as one (c, rows * h, columns * w)."""
    pixels = to_bytes(images)
    n, channels, height, width = pixels.shape
    columns = min(COLUMNS, ceil(sqrt(2 * n)))
    rows = ceil(n / columns)
    grid = np.full((rows * columns, channels, height, width), 128, np.uint8)
    grid[:n] = pixels
    grid = grid.reshape(rows, columns, channels, height, width).transpose(2, 0, 3, 1, 4)
    return grid.reshape(channels, rows * height, columns * width)


def embedded(image: NDArray[Any]) -> str:
    """Return an image (c, h, w) as the address of an embedded PNG."""
    pixels = to_bytes(image)
    shown = pixels.transpose(1, 2, 0) if len(pixels) == 3 else pixels[0]
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(shown)).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"

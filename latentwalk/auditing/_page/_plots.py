"""The figures of a page, as SVG inside it. Text is drawn in the page's own colour."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from latentwalk.auditing._page._people import People

INK = "#010203"  # replaced by the colour of the text around the figure
COLOURS = ("#2f7fb5", "#d1662a", "#6b9a3a", "#9a6bb5", "#888888")
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "latentwalk",
    "font.size": 10,
    "text.parse_math": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    **dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK
    ),
}
Curve = tuple[Sequence[float], Sequence[float], Sequence[float]]


@contextmanager
def _axes(width: float, height: float, drawn: list[str], title: str) -> Any:
    """Yield axes; the SVG of their figure is appended to `drawn`."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasSVG(figure)
        yield figure.add_subplot()
        stream = io.StringIO()
        figure.savefig(
            stream,
            format="svg",
            transparent=True,
            metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")),
        )
    drawn.append(_inline(stream.getvalue(), title))


def _inline(svg: str, title: str) -> str:
    """Return the SVG as a part of a page: no prologue, no fonts and no colours of its own."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r' (xmlns(:\w+)?|version|id="[\w.]+_\d+")(="[^"]*")?', "", svg)
    svg = re.sub(r"<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' (width|height)="[\d.]+pt"', "", svg, count=2)
    svg = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font: \1 sans-serif", svg)
    return svg.replace(INK, "currentColor").replace(
        "<svg", f'<svg role="img" aria-label="{title}"', 1
    )


def people_svg(found: People) -> str:
    """Everybody as one bar, with those who are shown to be exposed and those who may be."""
    drawn: list[str] = []
    with _axes(9.6, 1.4, drawn, "Exposed people") as ax:
        ax.barh(0, found.members, color="#8888884d", height=0.5)
        ax.barh(0, found.up_to, color="#d1662a80", height=0.5)
        ax.barh(0, found.at_least, color="#b01515", height=0.5)
        for value, name, y in (
            (found.by_chance, "by chance", 0.42),
            (found.tolerated, "tolerated", -0.55),
        ):
            ax.plot([value, value], [-0.38, 0.38], color=INK, linestyle=":")
            ax.text(value, y, name, va="bottom" if y > 0 else "center", size=9)
        ax.set(xlim=(0, found.members), ylim=(-0.75, 0.75), yticks=[])
        ax.set_xlabel(f"people, of {found.members}")
        ax.spines["left"].set_visible(False)
    return drawn[0]


def roc_svg(fprs: Sequence[float], curves: Mapping[str, Curve]) -> str:
    """A log-log ROC; for each name the rates, and the bounds of their region."""
    drawn: list[str] = []
    low = min(fprs)
    with _axes(4.8, 3.4, drawn, "ROC, log-log") as ax:
        ax.plot([low, 1], [low, 1], color="#888888", linestyle="--", linewidth=1)
        for row, (name, curve) in enumerate(curves.items()):
            colour = COLOURS[row % len(COLOURS)]
            rates, lower, upper = ([max(rate, low) for rate in part] for part in curve)
            ax.fill_between(fprs, lower, upper, color=colour, alpha=0.18, linewidth=0)
            ax.plot(fprs, rates, color=colour)
            # below the diagonal, where no curve of a leak comes
            height = 0.04 + 0.07 * (len(curves) - 1 - row)
            ax.text(0.98, height, name, color=colour, ha="right", transform=ax.transAxes)
        ax.set(xscale="log", yscale="log", xlim=(low, 1), ylim=(low, 1.05))
        _plain_ticks(ax.xaxis, ax.yaxis)
        ax.set(xlabel="false alarms (false-positive rate)", ylabel="members found (TPR)")
    return drawn[0]


def histogram_svg(bins: Sequence[float], shares: Mapping[str, Sequence[float]]) -> str:
    """Outlines of histograms over the same bins; a third one is dashed."""
    drawn: list[str] = []
    with _axes(4.8, 3.0, drawn, "Exposures") as ax:
        for row, (name, values) in enumerate(shares.items()):
            ax.stairs(
                values, bins, color=COLOURS[row], linestyle="--" if row == 2 else "-", linewidth=1.5
            )
            ax.text(
                0.98,
                0.92 - 0.09 * row,
                name,
                color=COLOURS[row],
                ha="right",
                transform=ax.transAxes,
            )
        ax.set(ylim=(0, None), xlabel="exposure (distance)", ylabel="share of subjects")
        ax.margins(y=0.3)
    return drawn[0]


def ladder_svg(
    stages: Sequence[tuple[str, float, tuple[float, float]]], *, fpr: float, tolerance: float
) -> str:
    """A rate with its interval for each stage, on a log axis, with chance and the tolerance."""
    drawn: list[str] = []
    low = 1e-3
    with _axes(9.6, 1.2 + 0.32 * len(stages), drawn, "Ladder of stages") as ax:
        for rate, name, colour in ((fpr, "chance", "#888888"), (tolerance, "tolerated", "#b01515")):
            if rate >= low:
                ax.axvline(rate, color=colour, linestyle="--", linewidth=1)
                ax.text(rate, -0.75, name, color=colour, ha="center", size=9)
        for row, (_, rate, (lower, upper)) in enumerate(stages):
            ax.plot([max(lower, low), max(upper, low)], [row, row], color=COLOURS[0], linewidth=2)
            ax.plot(max(rate, low), row, "o", color=COLOURS[0])
        ax.set(xscale="log", xlim=(low * 0.9, 1.05), ylim=(len(stages) - 0.5, -1.1))
        _plain_ticks(ax.xaxis)
        ax.set_yticks(range(len(stages)))
        ax.set_yticklabels([name for name, _, _ in stages])
        ax.set_xlabel("members found (true-positive rate)")
    return drawn[0]


def _plain_ticks(*axes: Any) -> None:
    ticks = (0.001, 0.01, 0.1, 1.0)
    for axis in axes:
        axis.set_ticks(ticks, [f"{tick:g}" for tick in ticks])
        axis.set_ticks([], minor=True)

"""The plots of a report as inline SVG, so that it needs no other file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import log10

WIDTH, HEIGHT, MARGIN = 440, 290, 60
LINE, HEADROOM = 15, 1.2  # a legend's line; the highest bar leaves room for three
COLOURS = ("#0b6e99", "#b4511f", "#5b7f2b", "#7a4b94", "#555555")


def roc_svg(
    fprs: Sequence[float],
    curves: Mapping[str, tuple[Sequence[float], Sequence[float], Sequence[float]]],
) -> str:
    """A log-log ROC with the diagonal; for each name the rates and the bounds of their region."""
    low = min(fprs)

    def place(fpr: float, tpr: float) -> tuple[float, float]:
        return (
            MARGIN + (WIDTH - 2 * MARGIN) * (1 - log10(fpr) / log10(low)),
            HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * (1 - log10(max(tpr, low)) / log10(low)),
        )

    parts = [_line([place(low, low), place(1, 1)], "#999999", dashed=True)]
    for row, (name, (tprs, lower, upper)) in enumerate(curves.items()):
        colour = COLOURS[row % len(COLOURS)]
        outline = [*zip(fprs, lower, strict=True), *reversed(list(zip(fprs, upper, strict=True)))]
        parts.append(_region([place(f, t) for f, t in outline], colour))
        parts.append(_line([place(f, t) for f, t in zip(fprs, tprs, strict=True)], colour))
        # below the diagonal, where no curve of a leak comes
        line = HEIGHT - MARGIN - 8 - LINE * (len(curves) - 1 - row)
        parts.append(_text(WIDTH - MARGIN - 8, line, name, "end", colour))
    for tick in (0.001, 0.01, 0.1, 1.0):
        x, y = place(tick, tick)
        parts.append(_text(x, HEIGHT - MARGIN + 16, f"{tick:g}", "middle"))
        parts.append(_text(MARGIN - 6, y + 4, f"{tick:g}", "end"))
    return _frame(parts, "false-positive rate", "true-positive rate", "ROC, log-log")


def histogram_svg(title: str, bins: Sequence[float], shares: Mapping[str, Sequence[float]]) -> str:
    """Step outlines of histograms over the same bins; a third one is dashed."""
    top = HEADROOM * max(max(values) for values in shares.values()) or 1.0
    span = (bins[-1] - bins[0]) or 1.0

    def place(value: float, share: float) -> tuple[float, float]:
        return (
            MARGIN + (WIDTH - 2 * MARGIN) * (value - bins[0]) / span,
            HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * share / top,
        )

    parts: list[str] = []
    for row, (name, values) in enumerate(shares.items()):
        colour = COLOURS[row % len(COLOURS)]
        steps = [
            point
            for left, right, share in zip(bins[:-1], bins[1:], values, strict=True)
            for point in (place(left, share), place(right, share))
        ]
        parts.append(_line(steps, colour, dashed=row == 2))
        parts.append(_text(WIDTH - MARGIN - 6, MARGIN / 2 + LINE * (row + 1), name, "end", colour))
    for edge in (bins[0], bins[-1]):
        parts.append(_text(place(edge, 0)[0], HEIGHT - MARGIN + 16, f"{edge:.3g}", "middle"))
    return _frame(parts, "exposure (distance)", "share of subjects", title)


def ladder_svg(
    stages: Sequence[tuple[str, float, tuple[float, float]]], *, fpr: float, tolerance: float
) -> str:
    """A rate with its interval for each stage, on a log axis, beside chance and the tolerance."""
    low, left, right, step = 1e-3, 130, WIDTH - 20, 30
    bottom = MARGIN / 2 + step * len(stages)

    def place(rate: float) -> float:
        return left + (right - left) * (1 - log10(max(rate, low)) / log10(low))

    parts = []
    for rate, label, colour in ((fpr, "chance", "#777777"), (tolerance, "tolerated", "#a40000")):
        if rate >= low:
            ends = [(place(rate), MARGIN / 2), (place(rate), bottom)]
            parts.append(_line(ends, colour, dashed=True))
            parts.append(_text(place(rate), MARGIN / 2 - 6, label, "middle", colour))
    for row, (name, rate, (lower, upper)) in enumerate(stages):
        y = MARGIN / 2 + step * (row + 0.5)
        parts.append(_line([(place(lower), y), (place(upper), y)], COLOURS[0]))
        parts.append(f'<circle cx="{place(rate):.1f}" cy="{y:.1f}" r="4" fill="{COLOURS[0]}"/>')
        parts.append(_text(left - 8, y + 4, name, "end"))
    ticks = (0.001, 0.01, 0.1, 1.0)
    parts += [_text(place(tick), bottom + 16, f"{tick:g}", "middle") for tick in ticks]
    label = "true-positive rate"
    parts.append(_text((left + right) / 2, bottom + 34, label, "middle"))
    return (
        f'<svg viewBox="0 0 {WIDTH} {bottom + 42:.0f}" role="img" aria-label="Ladder">'
        f'<rect x="{left}" y="{MARGIN / 2}" width="{right - left}" '
        f'height="{bottom - MARGIN / 2}" fill="none" stroke="#bbbbbb"/>' + "".join(parts) + "</svg>"
    )


def _line(points: Sequence[tuple[float, float]], colour: str, *, dashed: bool = False) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dash = ' stroke-dasharray="4 4"' if dashed else ""
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'


def _region(points: Sequence[tuple[float, float]], colour: str) -> str:
    outline = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polygon points="{outline}" fill="{colour}" fill-opacity="0.15" stroke="none"/>'


def _text(x: float, y: float, text: str, anchor: str, colour: str = "#222222") -> str:
    where = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}"'
    return f"<text {where}>{escape(text)}</text>"


def _frame(parts: Sequence[str], x_label: str, y_label: str, title: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT - LINE}" role="img" aria-label="{escape(title)}">'
        f'<rect x="{MARGIN}" y="{MARGIN / 2}" width="{WIDTH - 2 * MARGIN}" '
        f'height="{HEIGHT - 1.5 * MARGIN}" fill="none" stroke="#bbbbbb"/>'
        + "".join(parts)
        + _text(WIDTH / 2, HEIGHT - MARGIN + 36, x_label, "middle")
        + f'<text transform="translate(14 {HEIGHT / 2}) rotate(-90)" text-anchor="middle">'
        f"{escape(y_label)}</text></svg>"
    )

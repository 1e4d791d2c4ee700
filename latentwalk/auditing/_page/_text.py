"""A report in short: lines to print, and a compact table for notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from textwrap import wrap
from typing import Any

from latentwalk.auditing._page import _tables as tables

WIDTH, MOST_ATTACKS, MOST_SUBGROUPS, MOST_ATTRIBUTES = 96, 4, 3, 1


def as_lines(report: Any) -> str:
    """The verdict, its reason, the main figures and the worst subgroups, in at most 25 lines."""
    rows = tables.attacks(report.attacks[:MOST_ATTACKS])
    attacks = [(r[0], r[1], r[2], r[4], r[5], r[6], r[10]) for r in rows]
    attributes = report.attributes[:MOST_ATTRIBUTES]
    worst = sorted(report.subgroups, key=lambda g: (g.p_value, -g.n_exposed_lower))
    outcomes = [f"{c.name} {'passed' if c.passed else 'failed'}" for c in report.controls]
    return "\n".join(
        [
            f"Audit of {report.sets.n_synthetic} synthetic records: {tables.word(report)}",
            *wrap(tables.plain(report.reason), WIDTH)[:3],
            *align(tables.headline(report)[1:11]),
            *(align(attacks) if report.attacks else []),
            *(align(tables.subgroups(worst[:MOST_SUBGROUPS])) if worst else []),
            *(align(tables.attributes(attributes)) if attributes else []),
            f"Controls: {', '.join(outcomes) or 'none'}",
        ]
    )


def as_table(title: str, rows: Sequence[tuple[str, ...]]) -> str:
    """A title and a table of text."""
    return "\n".join([title, *align(rows)])


def align(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """The rows of a table as lines with aligned columns."""
    cells = [[tables.plain(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells
    ]


def as_html(report: Any) -> str:
    """The verdict, its reason and the main figures, for a notebook's cell."""
    return (
        f"<div><p><strong>{escape(tables.word(report))}</strong> {escape(report.reason)}</p>"
        f"{html_table(tables.headline(report)[:10])}</div>"
    )


def html_table(rows: Sequence[Sequence[str]]) -> str:
    """A table, with its first row as the head."""
    head, *body = rows
    lines = ["<tr>" + "".join(f"<th scope='col'>{escape(c)}</th>" for c in head) + "</tr>"]
    lines += ["<tr>" + "".join(f"<td>{escape(c)}</td>" for c in row) + "</tr>" for row in body]
    return "<table>" + "".join(lines) + "</table>"

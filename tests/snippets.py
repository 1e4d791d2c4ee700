"""Finds the code blocks of README.md and of the documentation.

A block is run unless the line before it gives a reason, as a comment that readers do not see:
``.. not run: REASON`` in a page, ``<!-- not run: REASON -->`` in README.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[1]
SHELL = ("latentwalk ", "pip ", "make ", "python ")
NOT_RUN = re.compile(r"\s*(?:\.\.|<!--) not run: (.+?)(?: -->)?\s*$")


@dataclass(frozen=True)
class Block:
    """A block of code.

    Attributes
    ----------
    page : str
        The page's path in the repository.
    line : int
        The number of its first line.
    code : str
        The code, without its indentation.
    language : str
        "python", "shell" or another one.
    reason : str
        Why it is not run; empty where it is.
    """

    page: str
    line: int
    code: str
    language: str
    reason: str = ""


def pages() -> list[Path]:
    """Return the pages that have code of their own."""
    docs = ROOT / "docs"
    return [ROOT / "README.md", *sorted(docs.glob("*.rst")), *sorted(docs.glob("user_guide/*.rst"))]


def blocks(page: Path) -> Iterator[Block]:
    """Yield the blocks of a page in their order."""
    lines = page.read_text(encoding="utf-8").splitlines()
    find = _markdown if page.suffix == ".md" else _restructured
    for start, end, language, reason in find(lines):
        code = dedent("\n".join(lines[start:end])).strip("\n")
        if not language:
            language = "shell" if code.startswith(SHELL) else "python"
        name = page.relative_to(ROOT).as_posix()
        yield Block(name, start + 1, code, language, reason)


def _markdown(lines: list[str]) -> Iterator[tuple[int, int, str, str]]:
    starts = [row for row, line in enumerate(lines) if line.startswith("```")]
    for first, last in zip(starts[::2], starts[1::2], strict=True):
        language = lines[first].removeprefix("```").replace("bash", "shell") or "text"
        yield first + 1, last, language, _reason(lines, first)


def _restructured(lines: list[str]) -> Iterator[tuple[int, int, str, str]]:
    row = 0
    while row < len(lines):
        line = lines[row]
        directive = re.match(r"\s*\.\. code-block:: (\w+)", line)
        is_literal = line.rstrip().endswith("::") and not line.lstrip().startswith("..")
        if not directive and not is_literal:
            row += 1
            continue
        end = start = row + 1
        while end < len(lines) and (not lines[end].strip() or _indent(lines[end]) > _indent(line)):
            end += 1
        language = directive[1].replace("bash", "shell") if directive else ""
        yield start, end, language, _reason(lines, row)
        row = end


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _reason(lines: list[str], row: int) -> str:
    before = [line for line in lines[max(0, row - 3) : row] if line.strip()]
    found = NOT_RUN.match(before[-1]) if before else None
    return found[1] if found else ""

"""What a table says of the images of a folder: a CSV file, or the dataset.json of StyleGAN."""

from __future__ import annotations

import csv
import json
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

MEANINGS = ("label", "subject")


@dataclass(frozen=True)
class Table:
    """The rows of a table.

    Attributes
    ----------
    files : list of str
        The name of a file in each row.
    said : dict of list of str
        The labels and subjects of the rows, as far as the table has them.
    """

    files: list[str]
    said: dict[str, list[str]]


def read_table(path: Path, columns: Mapping[str, str] | None, encoding: str) -> Table:
    """Return the rows of a table, whose cells are stripped and may be empty."""
    if path.suffix.lower() == ".json":
        if columns is not None:
            raise ValueError("columns is for a CSV table; a dataset.json has none")
        return _read_json(path)
    return _read_csv(path, columns, encoding)


def _read_csv(path: Path, columns: Mapping[str, str] | None, encoding: str) -> Table:
    try:
        content = path.read_text(encoding=encoding)
    except (UnicodeError, LookupError):
        raise ValueError(
            f"table is not text in encoding={encoding!r}; name the one that it was written in, for "
            "example 'cp1252', 'utf-16' or 'shift_jis'"
        ) from None
    lines = content.splitlines()
    header = lines[0] if lines else ""
    delimiter = max(",;\t", key=header.count)  # spreadsheets write them by country
    try:
        cells = [row for row in csv.reader(lines, delimiter=delimiter, strict=True) if row]
    except csv.Error:
        raise ValueError("table is not CSV: a quote is not closed, or a cell is too long") from None
    names = [name.strip().removeprefix("\ufeff") for name in cells[0]] if cells else []
    where = _find_columns(names, columns)
    rows = cells[1:]
    if not rows:
        raise ValueError("table has no rows")

    def column(name: str) -> list[str]:
        at = where[name]
        return [row[at].strip() if at < len(row) else "" for row in rows]

    return Table(column("file"), {name: column(name) for name in MEANINGS if name in where})


def _find_columns(names: list[str], columns: Mapping[str, str] | None) -> dict[str, int]:
    """Where the columns of each meaning are; the names of a table are not told.

    A table without a header has a patient in its place.
    """
    asked = dict(columns or {})
    if not set(asked) <= {"file", *MEANINGS}:
        raise ValueError(
            f"columns has the keys {sorted(asked)}; expected some of 'file', 'label', 'subject'"
        )
    wanted = {name: asked.get(name, name) for name in ("file", *MEANINGS)}
    where = {name: names.index(column) for name, column in wanted.items() if column in names}
    missing = [wanted[name] for name in ("file", *asked) if name not in where]
    if missing:
        raise ValueError(
            f"table has no column {missing[0]!r} among its {len(names)} columns; name yours with "
            "columns={'file': .., 'label': .., 'subject': ..}"
        )
    return where


def _read_json(path: Path) -> Table:
    """The labels of a dataset.json: pairs of a file and a class number, or none."""
    try:
        labels = json.loads(path.read_bytes())["labels"]
        pairs = [(str(file), label) for file, label in labels]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise ValueError(
            "table is not a dataset.json with labels: expected "
            '{"labels": [["00000/img00000000.png", 0], ..]}'
        ) from None
    if not pairs:
        raise ValueError("table has no rows")
    if not all(isinstance(label, int) and not isinstance(label, bool) for _, label in pairs):
        raise ValueError("table has labels that are not whole numbers: expected a class for a file")
    return Table([file for file, _ in pairs], {"label": [str(label) for _, label in pairs]})


def match_files(
    table: Table, root: Path, found: Sequence[Path]
) -> tuple[list[Path], dict[int, str]]:
    """Return the file of each row, and the reasons why rows have none.

    A row names a path under the folder (or under its name), or the name of a file in any subfolder,
    with or without the suffix.
    """
    names: dict[str, list[Path]] = defaultdict(list)
    for path in found:
        for name in {path.name, path.stem}:
            names[name].append(path)
    paths: list[Path] = []
    reasons: dict[int, str] = {}
    taken: set[Path] = set()
    for row, file in enumerate(table.files):
        candidates = _candidates(file, root, names)
        path = candidates[0] if len(candidates) == 1 else root
        paths.append(path)
        empty = [name for name, values in table.said.items() if not values[row]]
        if not file or empty:
            reasons[row] = f"it has no {(['file'] if not file else empty)[0]}"
        elif _leaves(file, root):
            reasons[row] = "its file is not in folder"
        elif len(candidates) != 1:
            reasons[row] = f"{len(candidates) or 'no'} files in folder have its name"
        elif path in taken:
            reasons[row] = "its file is that of a row before"
        taken.add(path)
    return paths, reasons


def _inside(file: str, root: Path) -> PurePosixPath:
    """A path of a table relative to the folder, as far as it can be made so."""
    path = PurePosixPath(file.replace("\\", "/"))
    for start in (PurePosixPath(root.resolve().as_posix()), PurePosixPath(root.resolve().name)):
        if path != start and path.is_relative_to(start):
            return path.relative_to(start)
    return path


def _leaves(file: str, root: Path) -> bool:
    path = _inside(file, root)
    return path.is_absolute() or ".." in path.parts


def _candidates(file: str, root: Path, names: Mapping[str, list[Path]]) -> list[Path]:
    """The files that a cell can mean: the one at its path, or those of its name."""
    if not file or _leaves(file, root) or "\0" in file:
        return []
    for path in (root / file, root / _inside(file, root)):
        if os.path.isfile(path):
            return [path]
    return names.get(file, []) if "/" not in file else []


def sort_classes(labels: Sequence[str]) -> list[str]:
    """Return the distinct labels in order, which is that of numbers where all of them are."""

    distinct = sorted(set(labels))
    try:
        numbers = [float(label) for label in distinct]
    except ValueError:
        return distinct
    if not np.isfinite(numbers).all():
        return distinct
    return [distinct[at] for at in np.argsort(numbers, kind="stable")]

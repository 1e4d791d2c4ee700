"""Options that several verbs share, and what they read."""

from __future__ import annotations

import csv
from ast import literal_eval
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from cyclopts import Parameter
from numpy.typing import NDArray
from PIL import Image

from latentwalk.datasets import load_image_folder

Level = Literal["label", "subject", "-"]


@Parameter(name="*")
@dataclass(frozen=True)
class ImageOptions:
    """How images are read, and what is known of them."""

    size: int
    """Height and width that images are resized to, such as 64."""
    levels: Annotated[tuple[Level, ...], Parameter(negative="")] = ()
    """What the names of the subfolders say, from the top: label, subject (the patient), or - for
    nothing. Give it once for each level."""
    table: Path | None = None
    """A CSV file that says it instead, with a column for the file of each image."""
    file_column: str = "file"
    """The table's column of file names."""
    label_column: str = "label"
    """The table's column of classes."""
    subject_column: str = "subject"
    """The table's column of patients."""
    exclude: Annotated[tuple[str, ...], Parameter(negative="")] = ()
    """A pattern of files to leave out, such as *_mask.png. Give it once for each."""
    skip_unreadable: Annotated[bool, Parameter(negative="")] = False
    """Leave out files that cannot be read, instead of stopping."""

    def load(self, folder: Path) -> Any:
        """Return the images of a folder with their classes and patients."""
        columns = {
            "file": self.file_column,
            "label": self.label_column,
            "subject": self.subject_column,
        }
        return load_image_folder(
            folder,
            size=self.size,
            levels=[None if level == "-" else level for level in self.levels],
            table=self.table,
            columns=columns if self.table is not None else None,
            exclude=self.exclude,
            on_error="skip" if self.skip_unreadable else "raise",
        )


@Parameter(name="*")
@dataclass(frozen=True)
class CommonOptions:
    """What every long job takes."""

    seed: int = 0
    """The seed of everything but the order of a release, which no seed knows."""
    json: Annotated[bool, Parameter(negative="")] = False
    """Print the result as JSON."""
    quiet: Annotated[bool, Parameter(negative="")] = False
    """Show no progress."""


def parse_settings(settings: Sequence[str]) -> dict[str, Any]:
    """Return ``NAME=VALUE`` texts as parameters.

    Examples
    --------
    >>> parse_settings(["walk__max_iter=20", "invert__loss=pixels"])
    {'walk__max_iter': 20, 'invert__loss': 'pixels'}
    """
    pairs = [text.partition("=") for text in settings]
    if not all(name and equals for name, equals, _ in pairs):
        raise ValueError("--set expects NAME=VALUE, such as walk__max_iter=20")
    return {name: _value(text) for name, _, text in pairs}


def _value(text: str) -> Any:
    try:
        return literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def natural_size(folder: Path) -> int:
    """Return the side of the central square of the first image of a folder."""
    for path in sorted(folder.rglob("*")):
        try:
            with Image.open(path, formats=("PNG", "JPEG", "BMP", "TIFF")) as image:
                return min(image.size)
        except OSError:
            continue
    raise ValueError("no image tells its size; pass --size")


def column_of(
    paths: Sequence[Path], folder: Path, table: Path, column: str, option: str = "--groups"
) -> NDArray[np.str_]:
    """Return the value of each image in a column of a CSV file, such as its patient.

    A file is named by its path in the folder, or by its name with or without the suffix.

    Raises
    ------
    ValueError
        When a column is missing, or an image is not in the table; no name is quoted.
    """
    with table.open(newline="", encoding="utf-8-sig") as stream:
        reader = csv.DictReader(stream)
        if not {"file", column} <= set(reader.fieldnames or ()):
            raise ValueError(f"{option} expects a CSV file with the columns file and {column}")
        known = {row["file"].strip(): row[column].strip() for row in reader}
    found = [_look_up(known, path, folder) for path in paths]
    n_missing = sum(value is None for value in found)
    if n_missing:
        raise ValueError(
            f"{option} has no {column} for {n_missing} of {len(paths)} images of a folder"
        )
    return np.array(found)


def _look_up(known: dict[str, str], path: Path, folder: Path) -> str | None:
    names = (path.relative_to(folder).as_posix(), path.name, path.stem)
    return next((known[name] for name in names if known.get(name)), None)

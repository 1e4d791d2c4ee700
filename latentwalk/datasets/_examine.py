"""Which files can be read, and what their headers say, without a name in any message."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from latentwalk.datasets._reading import Picture, UnreadableImageError, examine_image


@dataclass(frozen=True)
class UnreadableFile:
    """A file that cannot be read as one image.

    Attributes
    ----------
    row : int
        Its row, in the order in which the files were given.
    reason : str
        Why it cannot be read; it neither names nor quotes the file.
    path : Path or None
        The file, which is not printed: its name can be a patient's.
    """

    row: int
    reason: str
    path: Path | None = field(default=None, repr=False)


def examine_files(paths: Sequence[Path]) -> tuple[list[Picture], list[UnreadableFile]]:
    """Return what the headers say of the files that are images, and the other files."""
    pictures: list[Picture] = []
    unreadable = find_unreadable(paths, lambda row: pictures.append(examine_image(paths[row])))
    return pictures, unreadable


def find_unreadable(paths: Sequence[Path], look: Callable[[int], Any]) -> list[UnreadableFile]:
    """Return the files for whose rows `look` raises UnreadableImageError."""
    unreadable = []
    for row, path in enumerate(paths):
        try:
            look(row)
        except UnreadableImageError as error:
            unreadable.append(UnreadableFile(row, str(error), path))
    return unreadable


def n_channels_of(pictures: Sequence[Picture]) -> int:
    """Return 3 where any picture has colours, else 1."""
    return 3 if any(picture.in_colour for picture in pictures) else 1


def raise_unreadable(
    unreadable: Sequence[UnreadableFile], n_files: int, source: str, hint: str = ""
) -> None:
    """Raise one error for all files that cannot be read, which are rows of `source`."""
    if not unreadable:
        return
    first = unreadable[0]
    rows = ", ".join(str(file.row) for file in unreadable[:5])
    rows += ", .." if len(unreadable) > 5 else ""
    raise UnreadableImageError(
        f"{len(unreadable)} of {n_files} files are not one image each: rows {rows} of {source} "
        f"(row {first.row}: {first.reason}){hint}"
    )


def warn_of_names(pictures: Sequence[Picture]) -> None:
    """Warn of files whose header says that the pixels identify the patient."""
    n_named = sum(picture.names_patient for picture in pictures)
    if n_named:
        warnings.warn(
            f"{n_named} of {len(pictures)} files say that their pixels identify the patient "
            "(BurnedInAnnotation or RecognizableVisualFeatures is YES): crop or mask these images, "
            "or leave them out",
            stacklevel=3,
        )

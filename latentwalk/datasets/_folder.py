"""A folder of images with what is known of them: classes and subjects, by row."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from sklearn.utils import Bunch

from latentwalk.datasets._examine import (
    UnreadableFile,
    examine_files,
    n_channels_of,
    raise_unreadable,
    warn_of_names,
)
from latentwalk.datasets._find import CLOSED, FoundImages, find_images
from latentwalk.datasets._image_files import ImageFiles
from latentwalk.datasets._reading import UnreadableImageError, Window
from latentwalk.datasets._tables import MEANINGS, match_files, read_table, sort_classes


class ImageFolder(Bunch):
    """What `load_image_folder` found; printing it gives counts, and no id and no path."""

    def __repr__(self) -> str:
        lines = [repr(self.images)]
        if self.target_names is not None:
            lines.append(f"target: {len(self.target_names)} classes")
        if self.groups is not None:
            lines.append(f"groups: {len(np.unique(self.groups))} subjects")
        lines.append(f"skipped: {len(self.skipped)} rows")
        lines += [f"left out: {n} ({kind})" for kind, n in sorted(self.left_out.items())]
        return "ImageFolder(" + "\n            ".join(lines) + ")"

    __str__ = __repr__


@dataclass
class Rows:
    """Files with what is said of each, before and after some are skipped.

    Attributes
    ----------
    paths : list of Path
        The files.
    said : dict of list of str
        Their labels and subjects.
    numbers : list of int
        Their rows in the table, or among the files in the order of their paths.
    skipped : list of UnreadableFile
        Rows that were taken out.
    source : str
        What the numbers are rows of.
    """

    paths: list[Path]
    said: dict[str, list[str]]
    numbers: list[int]
    source: str
    skipped: list[UnreadableFile] = field(default_factory=list)

    def without(self, unreadable: Sequence[UnreadableFile], on_error: str) -> Rows:
        """Return the rows that remain, or raise; the rows of `unreadable` are places in `paths`."""
        named = [UnreadableFile(self.numbers[u.row], u.reason, u.path) for u in unreadable]
        if on_error == "raise":
            hint = "; on_error='skip' leaves them out"
            raise_unreadable(named, len(self.paths), self.source, hint)
        if len(named) == len(self.paths):
            reason = f" (the first: {named[0].reason})" if named else ""
            raise UnreadableImageError(f"folder has no image that can be read{reason}")
        gone = {u.row for u in unreadable}
        kept = [at for at in range(len(self.paths)) if at not in gone]
        return Rows(
            [self.paths[at] for at in kept],
            {name: [values[at] for at in kept] for name, values in self.said.items()},
            [self.numbers[at] for at in kept],
            self.source,
            sorted([*self.skipped, *named], key=lambda file: file.row),
        )


def load_image_folder(
    folder: str | os.PathLike[str],
    *,
    size: int,
    n_channels: int | None = None,
    levels: Sequence[str | None] = (),
    table: str | os.PathLike[str] | None = None,
    columns: Mapping[str, str] | None = None,
    encoding: str = "utf-8",
    exclude: str | Sequence[str] = (),
    window: Window | None = None,
    check: bool | Literal["pixels"] = True,
    on_error: Literal["raise", "skip"] = "raise",
) -> ImageFolder:
    """Find the images of a folder, with their classes and subjects; no pixel is read yet.

    The images are an `ImageFiles`: an array whose rows are read when they are needed, so that
    `StyleGAN2Trainer` trains on more than fits in memory. Files are taken in the order of their
    paths, each real file once, whatever links lead to it. DICOM files are found by their content,
    other images by the suffix.

    Parameters
    ----------
    folder : path-like
        Searched with all its subfolders. Hidden ones, and those in which storage systems and
        archivers keep thumbnails (``@eaDir``, ``__MACOSX``), are passed over.
    size : int
        Height and width that images are resized to, after a cut to their central square.
    n_channels : {1, 3}, default=None
        1 is grey, 3 is RGB. None keeps colour: it is 3 where any image has colours, else 1.
    levels : sequence of "label", "subject" or None, default=()
        What the names of the subfolders say, from the top: ``("label", "subject")`` reads
        ``folder/pneumonia/patient-17/3.png``. None skips a level.
    table : path-like, default=None
        A CSV file that says it instead. Its rows are the rows. A row names a file by its path in
        `folder`, or by its name with or without the suffix. The ``dataset.json`` of StyleGAN is
        read too.
    columns : mapping, default=None
        The table's names for ``"file"``, ``"label"`` and ``"subject"``, as in ``{"file":
        "image_id", "label": "dx", "subject": "patient_id"}``. A column that is not named here has
        its own name. ``label`` and ``subject`` can be absent.
    encoding : str, default="utf-8"
        The table's encoding.
    exclude : str or sequence of str, default=()
        Patterns of files that are left out, for masks beside the images: ``"*_mask.png"``,
        ``"masks/*"``. They are compared with the name of a file and with its path in `folder`.
    window : tuple (centre, width), default=None
        See `ImageFiles`.
    check : bool or "pixels", default=True
        Look at the header of every file now, so that one that is no image does not end a training
        run. ``"pixels"`` reads every image, and finds those that were cut short too.
    on_error : {"raise", "skip"}, default="raise"
        What becomes of a row whose file is not there or cannot be read: an error for all of them
        together, or a row in ``skipped``.

    Returns
    -------
    data : ImageFolder
        A Bunch, whose print has no id and no path:
        ``images`` : `ImageFiles` of shape (n_samples, n_channels, size, size);
        ``target`` : int ndarray of shape (n_samples,), the class, or None;
        ``target_names`` : list of str, the classes in order (that of numbers, if they are), or
        None;
        ``groups`` : str ndarray of shape (n_samples,), the subject ids, or None;
        ``rows`` : int ndarray of shape (n_samples,), rows in the table, or among the image files in
        the order of their paths;
        ``skipped`` : list of `UnreadableFile`, with row and reason;
        ``left_out`` : Counter, the number of other files under `folder`, by what they are.

    Raises
    ------
    ValueError
        When there are no images, a subfolder or a column is missing, or a file is not one image.
        Messages give rows, not names: names of files can be those of patients.
    ImportError
        When there are DICOM files and pydicom is not installed.

    Warns
    -----
    UserWarning
        When DICOM files say that their pixels identify the patient.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from latentwalk.datasets import load_image_folder
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("healthy", "ill"):
    ...         (Path(folder) / name).mkdir()
    ...         pixels = np.zeros((12, 9), dtype=np.uint8)
    ...         Image.fromarray(pixels).save(Path(folder) / name / "1.png")
    ...     data = load_image_folder(folder, size=8, levels=("label",))
    >>> data.images.shape, data.target, data.target_names
    ((2, 1, 8, 8), array([0, 1]), ['healthy', 'ill'])
    """
    root = Path(folder)
    if not root.is_dir():
        what = "a file" if root.is_file() else "not there"
        raise ValueError(f"folder is {what}; expected a folder of images")
    _check_options(levels, table, columns, check, on_error)
    found = find_images(root, [exclude] if isinstance(exclude, str) else exclude)
    n_closed = found.left_out[CLOSED]
    if n_closed and on_error == "raise":
        raise ValueError(f"folder has {n_closed} subfolders that cannot be opened")
    if table is None:
        rows = _rows_of_folders(found, root, levels)
    else:
        rows = _rows_of_table(found, root, Path(table), columns, encoding, on_error)
    if check:
        pictures, unreadable = examine_files(rows.paths)
        rows = rows.without(unreadable, on_error)
        warn_of_names(pictures)
        n_channels = n_channels or n_channels_of(pictures)
    images = ImageFiles(rows.paths, size=size, n_channels=n_channels, window=window)
    if check == "pixels":
        rows = rows.without(images.unreadable(), on_error)
        images = images.of(rows.paths)
    names = sort_classes(rows.said["label"]) if "label" in rows.said else None
    codes = {} if names is None else {name: code for code, name in enumerate(names)}
    return ImageFolder(
        images=images,
        target=None if names is None else np.array([codes[name] for name in rows.said["label"]]),
        target_names=names,
        groups=np.asarray(rows.said["subject"]) if "subject" in rows.said else None,
        rows=np.asarray(rows.numbers),
        skipped=rows.skipped,
        left_out=found.left_out,
    )


def _check_options(
    levels: Sequence[str | None], table: Any, columns: Any, check: Any, on_error: Any
) -> None:
    named = [level for level in levels if level is not None]
    if isinstance(levels, str) or len(set(named)) < len(named) or not set(named) <= set(MEANINGS):
        raise ValueError(f"levels={levels!r}; expected a sequence of 'label', 'subject' and None")
    if levels and table is not None:
        raise ValueError("levels and table both say what the images are; expected one of them")
    if columns is not None and table is None:
        raise ValueError("columns are those of a table; pass table too")
    if check not in (True, False, "pixels"):
        raise ValueError(f"check={check!r}; expected True, False or 'pixels'")
    if on_error not in ("raise", "skip"):
        raise ValueError(f"on_error={on_error!r}; expected 'raise' or 'skip'")


def _rows_of_folders(found: FoundImages, root: Path, levels: Sequence[str | None]) -> Rows:
    """A row for each image, with what its subfolders say."""
    paths = found.paths
    if not paths:
        others = ", ".join(f"{n} ({kind})" for kind, n in sorted(found.left_out.items()))
        raise ValueError(
            "folder has no images (PNG, JPEG, BMP, TIFF, WebP, JPEG 2000, PGM or DICOM); files "
            f"that were left out: {others or 'none'}"
        )
    parts = [path.relative_to(root).parts[:-1] for path in paths]
    shallow = [row for row, names in enumerate(parts) if len(names) < len(levels)]
    if shallow:
        raise ValueError(
            f"levels={tuple(levels)} needs {len(levels)} subfolders above an image; "
            f"{len(shallow)} of {len(paths)} images have fewer (the first is row {shallow[0]} of "
            "the sorted paths)"
        )
    meant = {name: depth for depth, name in enumerate(levels) if name is not None}
    said = {name: [names[depth] for names in parts] for name, depth in meant.items()}
    return Rows(paths, said, list(range(len(paths))), "the sorted paths")


def _rows_of_table(
    found: FoundImages,
    root: Path,
    path: Path,
    columns: Mapping[str, str] | None,
    encoding: str,
    on_error: str,
) -> Rows:
    """The rows of a table that have a file; files without a row are counted in `found`."""
    if not path.is_file():
        raise ValueError("table is not there, or is not a file")
    table = read_table(path, columns, encoding)
    paths, reasons = match_files(table, root, found.paths)
    rows = Rows(paths, table.said, list(range(len(paths))), "table, counted from 0")
    rows = rows.without([UnreadableFile(row, reasons[row]) for row in sorted(reasons)], on_error)
    _count_without_row(found, rows.paths)
    return rows


def _count_without_row(found: FoundImages, paths: Sequence[Path]) -> None:
    taken = {os.path.realpath(path) for path in paths}
    n_others = sum(os.path.realpath(path) not in taken for path in found.paths)
    found.left_out.update(Counter({"image without a row": n_others} if n_others else {}))

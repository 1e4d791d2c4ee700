"""A folder of images with what is known of them: classes and subjects, by row."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from latentwalk.datasets._bytes import Window
from latentwalk.datasets._image_files import ImageFiles
from latentwalk.datasets._read_image import is_image

MEANINGS = ("label", "subject")


def load_image_folder(
    folder: str | os.PathLike[str],
    *,
    size: int,
    n_channels: int = 1,
    levels: Sequence[str | None] = (),
    table: str | os.PathLike[str] | None = None,
    window: Window | None = None,
    check: bool = True,
) -> Bunch:
    """Find the images of a folder, with their classes and subjects; none is read yet.

    The images are an `ImageFiles`: an array whose rows are read when they are needed, so that
    `StyleGAN2Trainer` trains on more than fits in memory. Files are taken in the order of their
    paths, hidden ones and other kinds left out.

    Parameters
    ----------
    folder : path-like
        Searched with all its subfolders.
    size : int
        Height and width that images are resized to, after a cut to their central square.
    n_channels : {1, 3}, default=1
        1 is grey, 3 is RGB.
    levels : sequence of "label", "subject" or None, default=()
        What the names of the subfolders say, from the top: ``("label", "subject")`` reads
        ``folder/pneumonia/patient-17/3.png``. None skips a level.
    table : path-like, default=None
        A CSV file that says it instead: a column ``file`` with paths relative to `folder`, and
        ``label``, ``subject`` or both. Its rows are the rows; files that it does not name are left
        out.
    window : tuple (centre, width), default=None
        See `ImageFiles`.
    check : bool, default=True
        Look at the start of every file now, so that one that is no image does not end a training
        run.

    Returns
    -------
    data : Bunch
        ``images`` : `ImageFiles` of shape (n_samples, n_channels, size, size);
        ``target`` : int ndarray of shape (n_samples,), the class, or None;
        ``target_names`` : list of str, the classes in order, or None;
        ``groups`` : str ndarray of shape (n_samples,), the subject ids, or None;
        ``n_left_out`` : int, files of other kinds.

    Raises
    ------
    ValueError
        When there are no images, a subfolder or a cell is missing, the table names a file that is
        not there or no image, or a file is not one image. Messages give rows, not names: names of
        files can be patients'.
    ImportError
        When there are DICOM files and pydicom is not installed.

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
        raise ValueError("folder is not a folder that can be read")
    _check_levels(levels, table)
    if table is None:
        paths, n_left_out = _find_images(root)
        said = _from_folders(paths, root, levels)
    else:
        paths, said = _from_table(root, Path(table))
        n_left_out = 0
    images = ImageFiles(paths, size=size, n_channels=n_channels, window=window)
    if check:
        images.check()
    names = sorted(set(said["label"])) if "label" in said else None
    return Bunch(
        images=images,
        target=None if names is None else np.searchsorted(names, said["label"]),
        target_names=names,
        groups=np.asarray(said["subject"]) if "subject" in said else None,
        n_left_out=n_left_out,
    )


def _check_levels(levels: Sequence[str | None], table: Any) -> None:
    named = [level for level in levels if level is not None]
    if isinstance(levels, str) or len(set(named)) < len(named) or not set(named) <= set(MEANINGS):
        raise ValueError(f"levels={levels!r}; expected a sequence of 'label', 'subject' and None")
    if levels and table is not None:
        raise ValueError("levels and table both say what the images are; expected one of them")


def _find_images(root: Path) -> tuple[list[Path], int]:
    """Images under a folder in the order of their paths, and the number of other files."""
    paths: list[Path] = []
    n_left_out = 0
    for place, folders, names in os.walk(root, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files = [Path(place) / name for name in names if not name.startswith(".")]
        found = [path for path in files if is_image(path)]
        paths += found
        n_left_out += len(files) - len(found)
    if not paths:
        raise ValueError(
            f"folder has no images (PNG, JPEG, BMP, TIFF or DICOM) among {n_left_out} files"
        )
    return sorted(paths), n_left_out


def _from_folders(
    paths: list[Path], root: Path, levels: Sequence[str | None]
) -> dict[str, list[str]]:
    """What the subfolders of each image say, by meaning."""
    parts = [path.relative_to(root).parts[:-1] for path in paths]
    shallow = [row for row, names in enumerate(parts) if len(names) < len(levels)]
    if shallow:
        raise ValueError(
            f"levels={tuple(levels)} needs {len(levels)} subfolders above an image; "
            f"{len(shallow)} of {len(paths)} images have fewer (the first is row {shallow[0]} of "
            "the sorted paths)"
        )
    meant = {name: depth for depth, name in enumerate(levels) if name is not None}
    return {name: [names[depth] for names in parts] for name, depth in meant.items()}


def _from_table(root: Path, table: Path) -> tuple[list[Path], dict[str, list[str]]]:
    """The files that a table names, and its columns by meaning."""
    with table.open(newline="", encoding="utf-8-sig") as stream:
        reader = csv.DictReader(stream)
        columns = [name for name in MEANINGS if name in (reader.fieldnames or ())]
        if "file" not in (reader.fieldnames or ()):
            raise ValueError(
                f"table has the columns {reader.fieldnames}; expected file, and label or subject"
            )
        rows = list(reader)
    if not rows:
        raise ValueError("table has no rows")
    said = {name: [(row[name] or "").strip() for row in rows] for name in columns}
    for name, values in [("file", [(row["file"] or "").strip() for row in rows]), *said.items()]:
        if not all(values):
            raise ValueError(f"table has no {name} in row {values.index('')} (counted from 0)")
    paths = [root / (row["file"] or "").strip() for row in rows]
    for row, path in enumerate(paths):
        if not path.is_file():
            raise ValueError(
                f"table names a file in row {row} (counted from 0) that is not in folder"
            )
    return paths, said

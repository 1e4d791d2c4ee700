"""The files of a release: images without metadata, their labels, and the manifest."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Each small file takes at least one block of the file system.
BLOCK = 4096
MARGIN = 1 << 20


def size_on_disk(X: NDArray[np.uint8]) -> int:
    """Return the bytes that a release of these images may need, at most."""
    return 2 * X.nbytes + 2 * BLOCK * len(X) + MARGIN


def write_images(
    folder: Path, X: NDArray[np.uint8], classes: NDArray[Any] | None = None
) -> list[str]:
    """Write `images.npz` and, for 1 or 3 channels, a PNG file for every image.

    Parameters
    ----------
    folder : Path
        An existing folder.
    X : ndarray of shape (n_samples, n_channels, height, width)
        The images, in the order of their release.
    classes : ndarray of shape (n_samples,), default=None
        The names of the subfolders that the PNG files go to; None puts all in one folder.

    Returns
    -------
    names : list of str
        The PNG files within `folder`; empty where there are none.
    """
    np.savez_compressed(folder / "images.npz", images=X)
    if X.shape[1] not in (1, 3):
        return []
    width = len(str(len(X) - 1))
    places = ["images"] * len(X) if classes is None else [f"images/{name}" for name in classes]
    for place in set(places):
        (folder / place).mkdir(parents=True)
    names = [f"{place}/{i:0{width}d}.png" for i, place in enumerate(places)]
    for name, image in zip(names, X, strict=True):
        pixels = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
        Image.fromarray(np.ascontiguousarray(pixels)).save(folder / name)
    return names


def folder_names(y: NDArray[Any] | None) -> NDArray[Any]:
    """Return the classes as names of folders.

    Raises
    ------
    ValueError
        Without classes, and for names that lead out of the folder or differ in their case alone.
    """
    if y is None:
        raise ValueError("layout='folders' puts a class in each folder; expected y")
    names = y.astype(str)
    values = np.unique(names)
    if len({name.casefold() for name in values}) < len(values) or any(
        not name.strip(". ") or name != name.strip() or set(name) & set('/\\:*?"<>|')
        for name in values
    ):
        raise ValueError(
            "a class has a name that no folder can have on every system; pass class_names in "
            "plain words for layout='folders'"
        )
    return names


def write_labels(folder: Path, y: NDArray[Any], names: list[str]) -> None:
    """Write `labels.csv`: the row in images.npz, the file where there is one, the label."""
    files = names or [""] * len(y)
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(["row", "file", "label"])
        rows.writerows(zip(range(len(y)), files, y.tolist(), strict=True))


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write `manifest.json`."""
    text = json.dumps(manifest, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / "manifest.json").write_text(text + "\n", encoding="utf-8")

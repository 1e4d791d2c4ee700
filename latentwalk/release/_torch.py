"""as_torch_dataset: a release as those who train on it read it."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from latentwalk.utils import to_float


class ReleaseDataset(Dataset[Any]):
    """The images of a release, with their classes where it has some.

    Attributes
    ----------
    images : ndarray of shape (n_samples, n_channels, height, width)
        uint8.
    classes : list of str
        The names of the classes; empty where there are none.
    targets : ndarray of shape (n_samples,) or None
        Positions in `classes`.
    """

    def __init__(
        self, images: NDArray[np.uint8], classes: list[str], targets: NDArray[np.intp] | None
    ) -> None:
        self.images = images
        self.classes = classes
        self.targets = targets

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, row: int) -> Any:
        image = torch.from_numpy(to_float(self.images[row]))  # (n_channels, height, width)
        return image if self.targets is None else (image, int(self.targets[row]))


def as_torch_dataset(path: str | os.PathLike[str]) -> ReleaseDataset:
    """Return the release in a folder as a map-style torch dataset.

    Parameters
    ----------
    path : path-like
        What `write_release` wrote.

    Returns
    -------
    dataset : ReleaseDataset
        Gives float32 images in [0, 1], each with the position of its class where the release has
        classes. ``dataset.classes`` are their names.

    Raises
    ------
    FileNotFoundError
        When the folder holds no release.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from latentwalk.release import as_torch_dataset, write_release
    >>> X_syn = np.random.default_rng(0).uniform(size=(6, 1, 8, 8))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     release = write_release(f"{folder}/r", X_syn, [0, 1] * 3, allow="an example")
    ...     dataset = as_torch_dataset(release)
    >>> image, target = dataset[0]
    >>> image.shape, dataset.classes
    (torch.Size([1, 8, 8]), ['0', '1'])
    """
    folder = Path(path)
    if not (folder / "images.npz").is_file():
        raise FileNotFoundError("path holds no images.npz; expected the folder of a release")
    with np.load(folder / "images.npz", allow_pickle=False) as stored:
        images = stored["images"]
    table = folder / "labels.csv"
    if not table.is_file():
        return ReleaseDataset(images, [], None)
    with table.open(newline="", encoding="utf-8") as stream:
        labels = [row["label"] for row in csv.DictReader(stream)]
    classes, targets = np.unique(labels, return_inverse=True)
    return ReleaseDataset(images, classes.tolist(), targets)

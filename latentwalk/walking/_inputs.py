"""The inputs of a walk: latents, classes, real images and subjects, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentwalk.utils import check_groups, check_images
from latentwalk.walking._prototypes import Prototypes, check_subjects, find_prototypes


@dataclass(frozen=True)
class WalkInputs:
    """Checked inputs of a fit; `check_inputs` makes them."""

    latents: NDArray[np.float32]  # (n_rows, n_features)
    labels: NDArray[Any] | None  # (n_rows,) the classes of y
    real: NDArray[Any] | None  # (n_real, n_channels, height, width)
    groups: Any  # the subjects of `real`, or without it of `latents`

    @property
    def classes(self) -> NDArray[Any]:
        """The classes of y; [0] without y."""
        return encode(self.labels, len(self.latents))[0]

    @property
    def codes(self) -> NDArray[np.intp]:
        """The class of each row, (n_rows,), as a position in `classes`."""
        return encode(self.labels, len(self.latents))[1]

    @property
    def guided_classes(self) -> NDArray[Any] | None:
        """The classes that a label guide must know; None without y."""
        return None if self.labels is None else self.classes

    def prototypes(self) -> Prototypes:
        """Return the prototypes of the rows.

        Raises
        ------
        ValueError
            For a class with one prototype, a prototype of two classes, and a subject with several
            prototypes in one class.
        """
        classes = self.guided_classes
        names = ["all rows"] if classes is None else [f"class {c!s}" for c in classes]
        prototypes = find_prototypes(self.latents, self.codes, names)
        if self.groups is not None and len(self.groups) == len(self.latents):
            check_subjects(prototypes, check_groups(self.groups, len(self.latents)), names)
        return prototypes


def check_inputs(
    W: NDArray[np.float32], labels: NDArray[Any] | None, X_real: Any, groups: Any, generator: Any
) -> WalkInputs:
    """Return the inputs of a fit, checked against the generator and each other.

    Parameters
    ----------
    W : ndarray of shape (n_rows, n_features)
        Latents.
    labels : ndarray of shape (n_rows,) or None
        Their classes.
    X_real : array-like of shape (n_real, n_channels, height, width) or None
        The real images.
    groups : array-like of shape (n_real,) or None
        The subjects of the real images; of the latents if there are no real images.
    generator : Generator
        Gives the width of latents and the shape of images.

    Returns
    -------
    inputs : WalkInputs
        The inputs.

    Raises
    ------
    ValueError
        For latents of another width, images of another shape, or groups of another length.
    """
    width = generator.n_latent_features
    if W.shape[1] != width:
        raise ValueError(
            f"W has {W.shape[1]} features; latents of this generator have {width} in "
            f"latent_space={generator.latent_space!r}"
        )
    real = check_real(X_real, generator)
    rows, argument = (W, "W") if real is None else (real, "X_real")
    if groups is not None and len(groups) != len(rows):
        raise ValueError(
            f"groups has {len(groups)} entries; expected {len(rows)}, one for each row of "
            f"{argument}"
        )
    return WalkInputs(W, labels, real, groups)


def check_real(X_real: Any, generator: Any) -> NDArray[Any] | None:
    """Return real images of the generator's shape; None for None."""
    if X_real is None:
        return None
    channels, height, width = generator.image_shape
    return check_images(X_real, (channels, height, width), name="X_real")


def encode(labels: NDArray[Any] | None, n_rows: int) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Return the classes, and the code of each row; without labels there is one class, 0."""
    labels = np.zeros(n_rows, np.intp) if labels is None else labels
    classes, codes = np.unique(labels, return_inverse=True)
    return classes, codes

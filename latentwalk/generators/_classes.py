"""Classes, as a class-conditional network takes them."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor


def one_hot(
    y: ArrayLike | None, n_classes: int, n_samples: int, device: torch.device
) -> Tensor | None:
    """Return checked classes as float rows (n_samples, n_classes); None without classes."""
    if not n_classes:
        if y is not None:
            raise ValueError("y was given, but the generator is not class-conditional")
        return None
    if y is None:
        raise ValueError(f"the generator has {n_classes} classes: pass y")
    classes = np.asarray(y)
    if classes.shape != (n_samples,) or classes.dtype.kind not in "iu":
        raise ValueError(f"y has shape {classes.shape}; expected integers of shape ({n_samples},)")
    if classes.min() < 0 or classes.max() >= n_classes:
        raise ValueError(f"y has classes outside 0..{n_classes - 1}")
    return torch.eye(n_classes, device=device)[torch.as_tensor(classes.astype(np.int64))]

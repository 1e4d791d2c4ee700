"""Pixel values of any range to bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Window = tuple[float, float]


class UnreadableImageError(ValueError):
    """A file that does not hold one image; the message neither names nor quotes it."""


def check_frames(n_frames: int) -> None:
    """Raise unless a file holds a single image."""
    if n_frames != 1:
        raise UnreadableImageError(f"it has {n_frames} frames, expected one: make each a file")


def to_bytes(values: NDArray[Any], window: Window | None) -> NDArray[np.uint8]:
    """Map a window (centre, width) of values linearly to 0..255; None is the values' own range."""
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.size == 0 or not np.isfinite(numbers).all():
        raise UnreadableImageError("it has no pixels, or NaN or infinite ones")
    if window is None:
        low, width = float(numbers.min()), float(np.ptp(numbers))
    else:
        low, width = window[0] - window[1] / 2, window[1]
    shares = ((numbers - low) / (width or 1)).clip(0, 1)
    return np.asarray(np.rint(shares * 255), dtype=np.uint8)

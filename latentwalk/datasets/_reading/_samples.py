"""From decoded values of any type to bytes in which high is bright."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentwalk.datasets._reading._errors import UnreadableImageError

Window = tuple[float, float]

# The EXIF and TIFF tag Orientation: whether rows and columns are exchanged, then which are reversed
_TURNS: dict[Any, tuple[bool, slice, slice]] = {
    orientation: (orientation >= 5, slice(None, None, rows), slice(None, None, columns))
    for orientation, (rows, columns) in enumerate(
        [(1, 1), (1, -1), (-1, -1), (-1, 1), (1, 1), (1, -1), (-1, -1), (-1, 1)], start=1
    )
}


@dataclass(frozen=True)
class Samples:
    """Decoded values, and what their file says of them.

    Attributes
    ----------
    values : ndarray of shape (height, width) or (height, width, 3)
        Grey or RGB.
    bits : int or None
        The number of bits of unsigned values; None for signed values and floats, which have no
        natural range.
    white_is_zero : bool
        Whether low values are bright.
    alpha : ndarray of shape (height, width), default=None
        Opacity in [0, 1]: the image lies on black.
    orientation : int
        How the image is turned to be shown, as EXIF and TIFF number it.
    """

    values: NDArray[Any]
    bits: int | None
    white_is_zero: bool = False
    alpha: NDArray[Any] | None = None
    orientation: int = 1

    def show(self, window: Window | None) -> NDArray[np.uint8]:
        """Return bytes; `window` is for values of more than 8 bits, and without a natural range."""
        if self.bits is not None and self.bits <= 8:
            window = whole_window(self.bits)
        image = apply_window(self.values, window)
        if self.white_is_zero:
            image = 255 - image
        if self.alpha is not None:
            image = _lay_on_black(image, self.alpha)
        return turn(image, self.orientation)


def whole_window(bits: int) -> Window:
    """Return the window of all unsigned values of so many bits."""
    top = 2**bits - 1
    return top / 2, top


def apply_window(values: NDArray[Any], window: Window | None) -> NDArray[np.uint8]:
    """Map a window (centre, width) of values linearly to 0..255; None is the values' own range."""
    if values.dtype.kind not in "buif":
        raise UnreadableImageError("its values are not real numbers")
    if values.size == 0:
        raise UnreadableImageError("it has no pixels")
    if values.dtype == np.uint8 and window == whole_window(8):
        return values
    lowest, highest = float(values.min()), float(values.max())
    if not np.isfinite([lowest, highest]).all():
        raise UnreadableImageError("it has NaN or infinite pixels")
    if window is None:
        low, width = lowest, highest - lowest
    else:
        low, width = window[0] - window[1] / 2, window[1]
    if values.dtype.kind in "ui" and highest - lowest < values.size:
        # few values in many pixels: each value is mapped once
        table = _scale(np.arange(int(lowest), int(highest) + 1), low, width)
        return _by_rows(lambda rows: table[rows.astype(np.int64) - int(lowest)], values)
    return _by_rows(lambda rows: _scale(rows, low, width), values)


def _scale(values: NDArray[Any], low: float, width: float) -> NDArray[np.uint8]:
    shares = ((values.astype(np.float64) - low) / (width or 1)).clip(0, 1)
    return np.asarray(np.rint(shares * 255), dtype=np.uint8)


def _lay_on_black(image: NDArray[np.uint8], alpha: NDArray[Any]) -> NDArray[np.uint8]:
    opacity = alpha if image.ndim == 2 else alpha[..., None]
    return _by_rows(lambda rows, share: np.rint(rows * share).astype(np.uint8), image, opacity)


def _by_rows(function: Callable[..., NDArray[Any]], *arrays: NDArray[Any]) -> NDArray[Any]:
    """`function` of images, some rows at a time: its numbers of 8 bytes are never those of all."""
    n_blocks = 1 + arrays[0].size // 2**22
    blocks = zip(*(np.array_split(array, n_blocks) for array in arrays), strict=True)
    return np.concatenate([function(*block) for block in blocks])


def turn(image: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Return an image of shape (height, width, ..) as its orientation says."""
    exchanged, rows, columns = _TURNS.get(orientation, _TURNS[1])
    return (image.swapaxes(0, 1) if exchanged else image)[rows, columns]


def split_alpha(
    values: NDArray[Any], bits: int, *, premultiplied: bool = False
) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Return the colours of an array whose last channel is alpha, and alpha in [0, 1].

    Premultiplied colours lie on black already.
    """
    colours = values[..., 0] if values.shape[-1] == 2 else values[..., :3]
    return colours, None if premultiplied else values[..., -1] / np.float32(2**bits - 1)

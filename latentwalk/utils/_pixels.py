"""Pixel values: floats in [0, 1] to bytes, and bytes to floats."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

CHUNK = 2**20  # values a step: float64 copies of a whole release would not fit


def to_bytes(X: ArrayLike) -> NDArray[np.uint8]:
    """Return pixel values as bytes: the one rounding of every image that is shown, compared, kept.

    The byte of a value x is ``255 x`` rounded to the nearest integer, where x is first rounded to
    float32, the precision of the images inside this package. The product is exact in float64. In
    float32 it is not, and some values next to a boundary would get the byte on its other side.

    Parameters
    ----------
    X : array-like of any shape
        Floats in [0, 1]; what lies outside is clipped. uint8 is returned as it is.

    Returns
    -------
    bytes : ndarray of the same shape
        uint8.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.utils import to_bytes
    >>> to_bytes(np.array([0.0, 0.5, 0.99803925, 1.0], dtype=np.float32))
    array([  0, 128, 255, 255], dtype=uint8)
    """
    X = np.asarray(X)
    if X.dtype == np.uint8:
        return X
    values, result = X.reshape(-1), np.empty(X.size, dtype=np.uint8)
    for start in range(0, X.size, CHUNK):
        part = values[start : start + CHUNK].astype(np.float32).astype(np.float64)
        result[start : start + CHUNK] = np.rint(255 * part.clip(0, 1))
    return result.reshape(X.shape)


def to_float(X: NDArray[Any]) -> NDArray[np.float32]:
    """Return images as float32 in [0, 1]; bytes are divided by 255."""
    if X.dtype == np.uint8:
        return X.astype(np.float32) / np.float32(255)
    return X.astype(np.float32, copy=False)

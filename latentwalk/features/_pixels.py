"""Pixels as features: the root mean squared difference of two images."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import validate_data
from torch.nn import functional

from latentwalk.features._base import ImageFeatures
from latentwalk.utils import map_batches, to_float, to_numpy


class PixelFeatures(ImageFeatures):
    """Pixel values, scaled so that the Euclidean distance is the RMS difference.

    Two images are at distance ``sqrt(mean((x - y)^2))`` over all pixels and channels, in [0, 1].

    Parameters
    ----------
    size : int, default=None
        Height and width to which the images are averaged first: coarser pixels tolerate small
        shifts. None keeps the images as they are.
    image_shape : tuple (n_channels, height, width), default=None
        The shape that flat rows are read in. Without it, 2-D input counts as features of any range
        and is only scaled.

    Attributes
    ----------
    n_features_in_ : int
        Values in an image.
    image_shape_ : tuple
        The shape of an image.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.features import PixelFeatures
    >>> X = np.stack([np.zeros((1, 8, 8)), np.full((1, 8, 8), 0.25)])
    >>> black, grey = PixelFeatures().fit_transform(X)
    >>> float(np.linalg.norm(black - grey))
    0.25
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "size": [Interval(Integral, 1, None, closed="left"), None],
        "image_shape": [tuple, None],
    }

    def __init__(
        self, *, size: int | None = None, image_shape: tuple[int, int, int] | None = None
    ) -> None:
        self.size = size
        self.image_shape = image_shape

    def _validate(self, X: ArrayLike, *, reset: bool) -> NDArray[Any]:
        if self.image_shape is None and np.asarray(X).ndim < 3:
            rows = validate_data(self, X, dtype=np.float32, reset=reset)
            return rows[:, None, None, :]
        return super()._validate(X, reset=reset)

    def _extract(self, images: NDArray[Any]) -> NDArray[Any]:
        height, width = images.shape[2:]
        if self.size is not None and self.size > min(height, width):
            raise ValueError(
                f"size={self.size}; the images have {height}x{width} pixels, expected at most "
                f"{min(height, width)}"
            )
        return map_batches(lambda rows: self._scaled(images[rows]), len(images))

    def _scaled(self, images: NDArray[Any]) -> NDArray[np.float32]:
        pixels = to_float(images)
        if self.size is not None:
            pixels = to_numpy(functional.adaptive_avg_pool2d(torch.tensor(pixels), self.size))
        rows = pixels.reshape(len(pixels), -1)
        return rows / np.float32(np.sqrt(rows.shape[1]))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = self.size is None or self.image_shape is not None
        return tags

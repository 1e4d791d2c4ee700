"""Features of a fixed network: images in batches on a device, without training."""

from __future__ import annotations

from abc import abstractmethod
from numbers import Integral
from typing import Any, ClassVar

import torch
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions

from latentwalk.features._base import ImageFeatures
from latentwalk.utils import map_rows, resolve_device, to_numpy, to_tensor


class NetworkFeatures(ImageFeatures):
    """Features of images by a network. Subclasses implement `_forward`."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "image_shape": [tuple, None],
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "device": [str, torch.device, None],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        *,
        image_shape: tuple[int, int, int] | None = None,
        batch_size: int | str = "auto",
        device: str | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.image_shape = image_shape
        self.batch_size = batch_size
        self.device = device
        self.n_jobs = n_jobs

    @abstractmethod
    def _forward(self, images: torch.Tensor) -> torch.Tensor:
        """Float images (n, c, h, w) in [0, 1] to (n, n_features)."""

    def _extract(self, images: NDArray[Any]) -> NDArray[Any]:
        return map_rows(
            self._features_of,
            [images],
            n_jobs=self.n_jobs,
            batch_size=self.batch_size,
            device=resolve_device(self.device),
        )

    @torch.no_grad()
    def _features_of(self, images: NDArray[Any]) -> NDArray[Any]:
        return to_numpy(self._forward(to_tensor(images, resolve_device(self.device))))


def to_rgb(images: torch.Tensor, network: str) -> torch.Tensor:
    """Grey images repeated to three channels; raises for any other number of channels."""
    if images.ndim != 4 or images.shape[1] not in (1, 3):
        raise ValueError(
            f"images has shape {tuple(images.shape)}; {network} sees grey or RGB images, expected "
            "(n_samples, 1 or 3, height, width). For other channels choose up to three of them, "
            "or use features='pixels' or a module of your own"
        )
    return images.expand(-1, 3, -1, -1)

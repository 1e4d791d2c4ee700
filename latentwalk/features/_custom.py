"""The user's own features: a torch module, or a function of the images."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from latentwalk.features._base import ImageFeatures
from latentwalk.utils import map_batches, resolve_device, to_numpy, to_tensor


class ModuleFeatures(ImageFeatures):
    """The flattened output of a torch module for each image.

    The module gets float32 images in [0, 1] of shape (n, n_channels, height, width), in eval mode
    and without gradients. Its mode and device are restored afterwards. The module must resize and
    normalise the images itself.

    Parameters
    ----------
    module : torch.nn.Module
        Gives a tensor of shape (n, ...).
    image_shape : tuple (n_channels, height, width), default=None
        The shape that flat rows are read in.
    batch_size : int or "auto", default="auto"
        Images per call.
    device : str, default=None
        None uses CUDA if available, else the CPU.

    Examples
    --------
    >>> import numpy as np
    >>> from torch import nn
    >>> from latentwalk.features import ModuleFeatures
    >>> ModuleFeatures(nn.AvgPool2d(4)).fit_transform(np.ones((5, 3, 8, 8))).shape
    (5, 12)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "module": [nn.Module],
        "image_shape": [tuple, None],
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "device": [str, torch.device, None],
    }

    def __init__(
        self,
        module: nn.Module,
        *,
        image_shape: tuple[int, int, int] | None = None,
        batch_size: int | str = "auto",
        device: str | None = None,
    ) -> None:
        self.module = module
        self.image_shape = image_shape
        self.batch_size = batch_size
        self.device = device

    def _extract(self, images: NDArray[Any]) -> NDArray[Any]:
        device, training = resolve_device(self.device), self.module.training
        home = next((p.device for p in self.module.parameters()), device)
        self.module.to(device).eval()
        try:
            with torch.no_grad():
                return map_batches(
                    lambda rows: to_numpy(self.module(to_tensor(images[rows], device))),
                    len(images),
                    batch_size=self.batch_size,
                    device=device,
                )
        finally:
            self.module.to(home).train(training)


class CallableFeatures(ImageFeatures):
    """The output of a function of the images.

    Parameters
    ----------
    function : callable
        Takes images of shape (n, n_channels, height, width), uint8 or float32 in [0, 1] as they
        were given, and returns an array of shape (n, ...).
    image_shape : tuple (n_channels, height, width), default=None
        The shape that flat rows are read in.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.features import CallableFeatures
    >>> means = CallableFeatures(lambda X: X.mean(axis=(2, 3)))
    >>> means.fit_transform(np.ones((2, 3, 8, 8)))
    array([[1., 1., 1.],
           [1., 1., 1.]], dtype=float32)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "function": [callable],
        "image_shape": [tuple, None],
    }

    def __init__(
        self,
        function: Callable[[NDArray[Any]], Any],
        *,
        image_shape: tuple[int, int, int] | None = None,
    ) -> None:
        self.function = function
        self.image_shape = image_shape

    def _extract(self, images: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(self.function(images))

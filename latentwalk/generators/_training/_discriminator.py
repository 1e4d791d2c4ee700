"""The StyleGAN2 discriminator: residual blocks, minibatch deviation, class projection."""

from __future__ import annotations

from itertools import pairwise
from math import sqrt

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentwalk.generators._stylegan2 import (
    SQRT2,
    FullyConnected,
    StyleGAN2Config,
    fir,
    fir_kernel,
    normalize,
)


class EqualizedConv(nn.Module):
    """Convolution with an equalised learning rate, optional low-pass and downsampling."""

    resample_filter: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        down: bool = False,
        activate: bool = True,
    ) -> None:
        super().__init__()
        shape = (out_channels, in_channels, kernel_size, kernel_size)
        self.weight = nn.Parameter(torch.randn(shape))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if activate else None
        self.gain = 1 / sqrt(in_channels * kernel_size**2)
        self.padding, self.down = kernel_size // 2, down
        self.register_buffer("resample_filter", fir_kernel((1, 3, 3, 1)))

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight * self.gain
        if self.down:
            before = 1 + self.padding
            x = fir(x, self.resample_filter, (before, before))
            x = F.conv2d(x, weight, self.bias, stride=2)
        else:
            x = F.conv2d(x, weight, self.bias, padding=self.padding)
        return x if self.bias is None else F.leaky_relu(x, 0.2) * SQRT2


class DiscriminatorBlock(nn.Module):
    """Two convolutions and a skip, halving the size."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv0 = EqualizedConv(in_channels, in_channels, 3)
        self.conv1 = EqualizedConv(in_channels, out_channels, 3, down=True)
        self.skip = EqualizedConv(in_channels, out_channels, 1, down=True, activate=False)

    def forward(self, x: Tensor) -> Tensor:
        return (self.conv1(self.conv0(x)) + self.skip(x)) * sqrt(0.5)


def group_size(n_images: int, largest: int = 4) -> int:
    """Images in each group of a batch: as many as divide it evenly, up to `largest`."""
    return next(g for g in range(min(largest, n_images), 0, -1) if n_images % g == 0)


def minibatch_deviation(x: Tensor) -> Tensor:
    """Append a channel with the mean deviation over each group of images."""
    n, channels, height, width = x.shape
    size = group_size(n)
    y = x.reshape(size, -1, channels, height, width)
    y = (y.var(0, unbiased=False) + 1e-8).sqrt().mean((1, 2, 3))  # (n / size,)
    y = y.repeat(size)[:, None, None, None].expand(n, 1, height, width)
    return torch.cat([x, y], dim=1)


class Discriminator(nn.Module):
    """Image (and class) to a logit, positive for real; by default the widths of the generator."""

    def __init__(self, config: StyleGAN2Config) -> None:
        super().__init__()
        widths = config.channels[::-1]
        self.from_rgb = EqualizedConv(config.img_channels, widths[0], 1)
        pairs = pairwise(widths)
        self.blocks = nn.Sequential(*(DiscriminatorBlock(a, b) for a, b in pairs))
        top = widths[-1]
        self.conv = EqualizedConv(top + 1, top, 3)
        self.fc = FullyConnected(top * 16, top, activate=True)
        self.out = FullyConnected(top, top if config.c_dim else 1)
        self.embed = FullyConnected(config.c_dim, top) if config.c_dim else None

    @property
    def learned(self) -> nn.Module:
        """What the optimiser changes and a checkpoint holds."""
        return self

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """x of shape (n, c, h, w) in [-1, 1], c one-hot of shape (n, c_dim); logits (n,)."""
        x = self.blocks(self.from_rgb(x))
        x = self.out(self.fc(self.conv(minibatch_deviation(x)).flatten(1)))
        if self.embed is None:
            return x[:, 0]
        return (x * normalize(self.embed(c))).sum(1) / sqrt(x.shape[1])

"""The projected discriminator: small heads on randomly mixed maps of a frozen network.

A. Sauer et al., "Projected GANs converge faster", NeurIPS 2021, made small enough for a CPU, with
one more head on the pixels themselves, which is what learns the texture.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from latentwalk.features import AlexNetMaps, EfficientNetMaps, FeatureMaps

NETWORKS: dict[str, type[FeatureMaps]] = {"alexnet": AlexNetMaps, "efficientnet": EfficientNetMaps}
WIDTHS = (64, 64, 128, 128)  # of the mixed maps, finest first
HEAD_WIDTH = 64
FROM_BELOW = 0.7  # weight of what a coarse map adds to the next finer one


class Projection(nn.Module):
    """Frozen maps, mixed at random across channels and, from coarse to fine, across scales."""

    def __init__(self, maps: FeatureMaps) -> None:
        super().__init__()
        self.maps = maps
        self.across_channels = nn.ModuleList(
            nn.Conv2d(n, width, 1, bias=False)
            for n, width in zip(maps.channels, WIDTHS, strict=True)
        )
        self.across_scales = nn.ModuleList(
            nn.Conv2d(width, finer, 3, padding=1, bias=False) for finer, width in pairwise(WIDTHS)
        )
        for layer in (*self.across_channels, *self.across_scales):
            nn.init.kaiming_normal_(layer.weight)
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Images (n, c, h, w) in [-1, 1] to maps (n, WIDTHS[i], h_i, w_i)."""
        mixed = [mix(m) for mix, m in zip(self.across_channels, self.maps(x), strict=True)]
        for i in reversed(range(len(mixed) - 1)):
            coarse = self.across_scales[i](mixed[i + 1])
            size = mixed[i].shape[-2:]
            added = functional.interpolate(coarse, size=size, mode="bilinear")
            mixed[i] = torch.add(mixed[i], added, alpha=FROM_BELOW)
        return mixed


class Head(nn.Module):
    """Spectrally normalised convolutions from a map to logits at 4x4 places or fewer."""

    scale: Tensor

    def __init__(self, n_in: int, size: int, n_classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        while size > 4:
            width = HEAD_WIDTH if size > 8 else 2 * HEAD_WIDTH
            layers += _activated(nn.Conv2d(n_in, width, 4, stride=2, padding=1))
            n_in, size = width, size // 2
        layers += _activated(nn.Conv2d(n_in, 2 * HEAD_WIDTH, 3, padding=1))
        # a logit that all classes share, and one of each class
        layers.append(spectral_norm(nn.Conv2d(2 * HEAD_WIDTH, 1 + n_classes, 3, padding=1)))
        self.layers = nn.Sequential(*layers)
        self.register_buffer("scale", torch.ones(()))

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Map (n, n_in, size, size) and one-hot classes (n, n_classes) to logits (n, places)."""
        logits: Tensor = (
            self.layers(x * self.scale).flatten(2).float()
        )  # (n, 1 + n_classes, places)
        shared = logits[:, 0]
        return shared if c is None else shared + (logits[:, 1:] * c[:, :, None]).sum(1)


def _activated(convolution: nn.Conv2d) -> list[nn.Module]:
    n_out = convolution.out_channels
    return [spectral_norm(convolution), nn.BatchNorm2d(n_out), nn.LeakyReLU(0.2)]


class ProjectedDiscriminator(nn.Module):
    """Logits of heads on the maps of a frozen network, and of one on the pixels.

    Only the heads learn. Real and generated images go through in batches of their own, and a
    batch is normalised by its own moments.
    """

    def __init__(self, network: str, image_shape: tuple[int, int, int], n_classes: int = 0) -> None:
        super().__init__()
        self.projection = Projection(NETWORKS[network]())
        maps = self._project(torch.zeros(1, *image_shape))
        self.heads = nn.ModuleList(Head(m.shape[1], m.shape[2], n_classes) for m in maps)

    @property
    def learned(self) -> nn.Module:
        """What the optimiser changes and a checkpoint holds: the rest follows from the seed."""
        return self.heads

    def forward(self, x: Tensor, c: Tensor | None = None) -> list[Tensor]:
        """Images (n, c, h, w) in [-1, 1] and one-hot classes to logits (n, places), a head each."""
        maps = self._project(x)
        return [head(m, c) for head, m in zip(self.heads, maps, strict=True)]

    @torch.no_grad()
    def calibrate(self, real: Tensor) -> None:
        """Let every head see its map with unit deviation on real images; pixels stay."""
        for head, m in zip(self.heads, self.projection(real), strict=False):
            assert isinstance(head, Head)
            head.scale.copy_(1 / m.float().std())

    def _project(self, x: Tensor) -> list[Tensor]:
        return [*self.projection(x), x]

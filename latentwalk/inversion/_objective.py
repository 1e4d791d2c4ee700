"""What an inversion minimises: the distance of two images, and the distance from the latents.

A distance is the squared length of a difference of features. That form gives the Gauss-Newton
curvature from gradients alone, and the target's features are computed once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import sqrt
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from latentwalk.features import lpips_features
from latentwalk.generators import Generator

Loss = Literal["pixels", "lpips"]
LPIPS_WEIGHT = 0.05
N_SCALES = 3
FULL_BATCH_SIDE = 128


def pixel_features(images: Tensor) -> Tensor:
    """Pixels and structure at three scales, (n, n_features).

    The squared distance of two images is the mean squared difference of their pixels at full, half
    and quarter resolution, averaged over the scales.
    """
    levels = [images]
    for _ in range(N_SCALES - 1):
        if min(levels[-1].shape[2:]) >= 8:
            levels.append(F.avg_pool2d(levels[-1], 2))
    flat = [level.flatten(1) for level in levels]
    return torch.cat([f / sqrt(f.shape[1] * len(flat)) for f in flat], dim=1)


def perceptual_features(images: Tensor) -> Tensor:
    """`pixel_features` and LPIPS features, weighted to similar parts, (n, n_features)."""
    perceptual = sqrt(LPIPS_WEIGHT) * lpips_features(images)
    return torch.cat([pixel_features(images), perceptual], dim=1)


FEATURES: dict[Loss, Callable[[Tensor], Tensor]] = {
    "pixels": pixel_features,
    "lpips": perceptual_features,
}


def batch_rows(image_shape: tuple[int, int, int], most: int = 64) -> int:
    """Rows a batch: `most` for images up to 128x128, fewer in proportion for larger ones."""
    height, width = image_shape[1:]
    return max(min(most, most * FULL_BATCH_SIDE**2 // (height * width)), 1)


@dataclass(frozen=True)
class Objective:
    """Distance of G(w) to an image plus the distance of w from the mean of the latents.

    Attributes
    ----------
    generator : Generator
        G, and the space of the latents.
    features : callable
        Images (n, c, h, w) to features (n, m) whose squared Euclidean distance is minimised.
    regularization : float
        Weight of the mean squared latent, in standard deviations from the mean.
    mean, std : Tensor of shape (n_latent_features,)
        Moments of the latents under the generator.
    autocast : torch.autocast
        The precision of the generator.
    """

    generator: Generator
    features: Callable[[Tensor], Tensor]
    regularization: float
    mean: Tensor
    std: Tensor
    autocast: torch.autocast

    def batches(self, *rows: Tensor) -> Iterator[tuple[Tensor, ...]]:
        """Rows that go together, in parts that fit into memory with all that a gradient needs."""
        size = batch_rows(self.generator.image_shape)
        return zip(*(torch.split(part, size) for part in rows), strict=True)

    def images(self, latents: Tensor) -> Tensor:
        with self.autocast:
            return self.generator.decode(latents).float()

    def __call__(self, latents: Tensor, target: Tensor) -> Tensor:
        """Value for each row, (n,); `target` are the features of the images, (n, m)."""
        distance = (self.features(self.images(latents)) - target).square().sum(1)
        deviation = ((latents - self.mean) / self.std).square().mean(1)
        return distance + self.regularization * deviation

    def gradient(self, latents: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Values (n,) and gradients (n, n_latent_features)."""
        latents = latents.detach().requires_grad_(True)
        values = self(latents, target)
        (gradient,) = torch.autograd.grad(values.sum(), latents)
        return values.detach(), gradient

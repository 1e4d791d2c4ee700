"""The objective of an inversion: the distance of two images, and the distance from the mean latent.

A distance is the squared length of a difference of features. That form gives the Gauss-Newton
curvature from gradients alone, and the target's features are computed once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import sqrt
from typing import Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from latentwalk.features import lpips_features
from latentwalk.generators import Generator
from latentwalk.utils import autocast
from latentwalk.utils._batching import batch_rows

Loss = Literal["pixels", "lpips"]
LPIPS_WEIGHT = 0.05  # makes both parts of the perceptual loss similar
N_SCALES = 3


def pixel_features(images: Tensor) -> Tensor:
    """Return pixels and structure at three scales, (n, n_features).

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
    """Return `pixel_features` and LPIPS features, weighted to similar parts, (n, n_features)."""
    perceptual = sqrt(LPIPS_WEIGHT) * lpips_features(images)
    return torch.cat([pixel_features(images), perceptual], dim=1)


FEATURES: dict[Loss, Callable[[Tensor], Tensor]] = {
    "pixels": pixel_features,
    "lpips": perceptual_features,
}


@dataclass(frozen=True)
class Objective:
    """f(w) = |phi(G(w)) - phi(x)|^2 + lambda mean(((w - mean) / std)^2), for each row.

    Attributes
    ----------
    generator : Generator
        G, and the space of w.
    features : callable
        phi: images (n, c, h, w) to features (n, m).
    regularization : float
        lambda.
    mean, std : Tensor of shape (n_latent_features,)
        Moments of w under the generator.
    autocast : torch.autocast
        The precision of the generator.
    """

    generator: Generator
    features: Callable[[Tensor], Tensor]
    regularization: float
    mean: Tensor
    std: Tensor
    autocast: torch.autocast

    @classmethod
    def of(cls, generator: Generator, loss: Loss, regularization: float = 0.0) -> Self:
        """Return the objective of a loss, on the generator's device and in its precision."""
        device = generator.device
        mean, std = (torch.tensor(moment, device=device) for moment in generator.latent_moments)
        precision = autocast(generator.precision, device)
        return cls(generator, FEATURES[loss], regularization, mean, std, precision)

    def __call__(self, latents: Tensor, target: Tensor) -> Tensor:
        """Return the value of each row, (n,); `target` is phi(x) of shape (n, m)."""
        distance = (self.features(self.images(latents)) - target).square().sum(1)
        deviation = ((latents - self.mean) / self.std).square().mean(1)
        return distance + self.regularization * deviation

    def gradient(self, latents: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Return values (n,) and gradients (n, n_latent_features)."""
        latents = latents.detach().requires_grad_(True)
        values = self(latents, target)
        (gradient,) = torch.autograd.grad(values.sum(), latents)
        return values.detach(), gradient

    def images(self, latents: Tensor) -> Tensor:
        with self.autocast:
            return self.generator.decode(latents).float()

    def batches(self, *rows: Tensor) -> Iterator[tuple[Tensor, ...]]:
        """Split rows that go together into parts whose gradient fits into memory."""
        size = batch_rows(self.generator.image_shape)
        return zip(*(torch.split(part, size) for part in rows), strict=True)

    @torch.no_grad()
    def draw(self, n_samples: int, rng: torch.Generator) -> Tensor:
        """Draw latents of shape (n_samples, n_latent_features) on the device of `rng`.

        In W and W+ they are the mapped w, of all classes evenly; a latent in W+ repeats one w.
        """
        generator = self.generator
        z = torch.randn(n_samples, generator.z_dim, generator=rng, device=rng.device)
        if generator.latent_space == "z":
            return z
        y = None
        if generator.n_classes:
            y = torch.randint(generator.n_classes, (n_samples,), generator=rng, device=rng.device)
        w = generator.mapping(z, None if y is None else y.cpu().numpy())
        return w.repeat(1, generator.num_ws) if generator.latent_space == "w+" else w

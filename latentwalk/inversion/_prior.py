"""The distribution of latents: where they live, and samples of it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentwalk.generators import Generator, LatentSpace


def latent_scale(
    generator: Generator, latent_space: LatentSpace
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mean and standard deviation of each latent feature, shape (n_latent_features,)."""
    if latent_space == "z":
        return np.zeros(generator.z_dim, np.float32), np.ones(generator.z_dim, np.float32)
    # a feature that hardly varies must not be divided by
    std = np.maximum(generator.w_std, 1e-3 * generator.w_std.max())
    repeats = generator.num_ws if latent_space == "w+" else 1
    return np.tile(generator.w_mean, repeats), np.tile(std, repeats)


@torch.no_grad()
def draw_latents(
    generator: Generator, latent_space: LatentSpace, n_samples: int, rng: torch.Generator
) -> Tensor:
    """Draw latents of shape (n_samples, z_dim or w_dim) on the device of `rng`.

    In W and W+ they are the mapped w, of all classes evenly; a W+ latent repeats one.
    """
    z = torch.randn(n_samples, generator.z_dim, generator=rng, device=rng.device)
    if latent_space == "z":
        return z
    if not generator.n_classes:
        return generator.mapping(z)
    y = torch.randint(generator.n_classes, (n_samples,), generator=rng, device=rng.device)
    return generator.mapping(z, y.cpu().numpy())


def widen(latents: Tensor, generator: Generator, latent_space: LatentSpace) -> Tensor:
    """Repeat w of shape (n, w_dim) to flat W+ latents where that is the space."""
    return latents.repeat(1, generator.num_ws) if latent_space == "w+" else latents

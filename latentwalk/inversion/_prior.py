"""Latents as the generator draws them."""

from __future__ import annotations

import torch
from torch import Tensor

from latentwalk.generators import Generator


@torch.no_grad()
def draw_latents(generator: Generator, n_samples: int, rng: torch.Generator) -> Tensor:
    """Draw latents of shape (n_samples, z_dim or w_dim) on the device of `rng`.

    In W and W+ they are the mapped w, of all classes evenly; a W+ latent repeats one.
    """
    z = torch.randn(n_samples, generator.z_dim, generator=rng, device=rng.device)
    if generator.latent_space == "z":
        return z
    if not generator.n_classes:
        return generator.mapping(z)
    y = torch.randint(generator.n_classes, (n_samples,), generator=rng, device=rng.device)
    return generator.mapping(z, y.cpu().numpy())


def widen(latents: Tensor, generator: Generator) -> Tensor:
    """Repeat w of shape (n, w_dim) to flat W+ latents where that is the space."""
    return latents.repeat(1, generator.num_ws) if generator.latent_space == "w+" else latents

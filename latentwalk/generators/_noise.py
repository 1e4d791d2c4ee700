"""Noise that follows from a latent: every image has its own, and a latent always the same."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import numpy as np
import torch
from torch import Tensor

from latentwalk.utils import to_numpy

STEP = 0.01  # latents that round to the same multiples have the same noise


def has_noise(network: Any) -> bool:
    """Whether the layers of a network add noise."""
    return getattr(getattr(network, "config", None), "use_noise", False)


def noise_of_latents(latents: Tensor, n_values: int) -> Tensor:
    """Standard normal noise of shape (n, n_values), on the CPU, seeded by each latent (n, d)."""
    keys = np.rint(to_numpy(latents.detach().float()) / STEP).astype("<i8")
    noise = torch.empty(len(keys), n_values)
    for row, key in zip(noise, keys, strict=True):
        seed = int.from_bytes(sha256(key.tobytes()).digest()[:8], "little", signed=True)
        row.normal_(generator=torch.Generator().manual_seed(seed))
    return noise

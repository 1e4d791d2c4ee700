"""Fixtures that several folders use: small decoders, and real images where they can be fetched."""

from __future__ import annotations

import pytest
import torch
from latentwalk import Generator
from latentwalk.datasets import fetch_dermoscopy
from torch import nn

torch.set_num_threads(1)


def make_decoder(
    w_dim: int = 6, image_shape: tuple[int, int, int] = (1, 8, 8), seed: int = 0
) -> nn.Module:
    """A smooth random decoder of latents to images in [-1, 1]."""
    n_channels, height, width = image_shape
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Linear(w_dim, 8 * (height // 4) * (width // 4)),
            nn.Tanh(),
            nn.Unflatten(1, (8, height // 4, width // 4)),
            nn.ConvTranspose2d(8, 8, 4, stride=2, padding=1),
            nn.Tanh(),
            nn.ConvTranspose2d(8, n_channels, 4, stride=2, padding=1),
            nn.Tanh(),
        )


@pytest.fixture(scope="session")
def decoder_generator() -> Generator:
    """A generator of 8x8 grey images with 6 latent features."""
    return Generator.from_module(make_decoder(), w_dim=6, image_shape=(1, 8, 8))


@pytest.fixture(scope="session")
def dermoscopy():
    """The real dermoscopy patches; skips where the package index cannot be reached."""
    try:
        return fetch_dermoscopy()
    except OSError as error:
        pytest.skip(f"the dermoscopy patches cannot be fetched: {error}")

"""What a step draws: real images, latents and noise, and the generator's images of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from latentwalk.generators._training._augment import N_DRAWS
from latentwalk.generators._training._state import TrainingState
from latentwalk.utils import to_numpy, to_tensor

W_AVG_DECAY = 0.995


class Batch(NamedTuple):
    """What one pass through the discriminator needs, a row for each image of a batch."""

    draws: Tensor
    classes: Tensor | None
    z: Tensor | None = None
    noise: Tensor | None = None
    images: Tensor | None = None

    def parts(self, n_parts: int) -> Iterator[Batch]:
        """Take every `n_parts`-th image: the groups of the minibatch deviation stay whole."""
        for start in range(n_parts):
            rows = slice(start, None, n_parts)
            yield Batch(*(None if t is None else t[rows] for t in self))  # type: ignore[arg-type]


def draw_uniform(state: TrainingState, width: int) -> Tensor:
    size = (state.options.batch_size, width)
    return torch.rand(size, generator=state.rng, device=state.device)


def draw_normal(state: TrainingState, width: int) -> Tensor:
    size = (state.options.batch_size, width)
    return torch.randn(size, generator=state.rng, device=state.device)


def draw_rows(state: TrainingState, n: int) -> Tensor:
    size = (state.options.batch_size,)
    return torch.randint(n, size, generator=state.rng, device=state.device)


def _one_hot(labels: Tensor, state: TrainingState) -> Tensor:
    return F.one_hot(labels, state.config.c_dim).float()


def draw_real(state: TrainingState, images: Any, labels: Tensor | None) -> Batch:
    """Images of random rows, with their classes."""
    rows = draw_rows(state, len(images))
    # files and HDF5 datasets are read once for each row, in increasing order
    distinct, inverse = np.unique(to_numpy(rows), return_inverse=True)
    real = to_tensor(np.asarray(images[distinct])[inverse], state.device) * 2 - 1
    if state.options.mirror:
        flip = draw_uniform(state, 1)[:, :, None, None] < 0.5
        real = torch.where(flip, real.flip(3), real)
    classes = None if labels is None else _one_hot(labels[rows], state)
    return Batch(draw_uniform(state, N_DRAWS), classes, images=real)


def draw_latents(state: TrainingState, labels: Tensor | None) -> Batch:
    """Latents and noise, with classes in the proportions of the training set."""
    z = draw_normal(state, state.config.z_dim)
    noise = draw_normal(state, sum(state.generator.synthesis.noise_sizes))
    c = None if labels is None else _one_hot(labels[draw_rows(state, len(labels))], state)
    return Batch(draw_uniform(state, N_DRAWS), c, z=z, noise=noise)


def generate(state: TrainingState, batch: Batch) -> tuple[Tensor, Tensor]:
    """Images, and the mean of their w."""
    w = state.generator.mapping(batch.z, batch.classes)
    ws = w[:, None].expand(-1, state.config.num_ws, -1)
    images = state.generator.synthesis(ws, batch.noise)
    return images.float(), w.detach().float().mean(0)


def update_mean_latent(state: TrainingState, w_mean: Tensor) -> None:
    """Move the running mean of w, to which truncation pulls."""
    w_avg = state.generator.mapping.w_avg
    w_avg.copy_(w_mean.lerp(w_avg, W_AVG_DECAY))

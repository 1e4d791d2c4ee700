"""The encoder: an image to the latent that made it, learned on the generator's own samples.

There the latents are known, so that the encoder needs no real image and no label.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from math import log2
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from latentwalk.generators import Generator
from latentwalk.inversion._objective import Objective
from latentwalk.utils import drawing_from, progress, to_numpy, to_tensor
from latentwalk.utils._torch import check_made

MAX_SIZE = 64
GRID = 4
BATCH_SIZE = 64
POOL_SIZE = 2048
NOISE = 0.1
LEARNING_RATE = 2e-3
FINE_TUNING_RATE = 2e-4


class LatentEncoder(nn.Module):
    """Strided convolutions down to a 4x4 grid and a linear layer.

    Images above 64 pixels are first reduced by averaging: a start needs no more detail. A latent in
    W+ is one w, repeated for every layer.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        mean: Tensor,
        std: Tensor,
        *,
        n_repeats: int = 1,
        width: int = 32,
    ) -> None:
        super().__init__()
        self.n_repeats = n_repeats
        channels, *size = image_shape
        n_halvings = max(int(log2(min(max(size), MAX_SIZE) / GRID)), 1)
        widths = [channels, *(min(width * 2**i, 4 * width) for i in range(n_halvings))]
        layers: list[nn.Module] = []
        for below, above in pairwise(widths):
            layers += [nn.Conv2d(below, above, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        layers += [nn.Conv2d(widths[-1], widths[-1], 3, padding=1), nn.LeakyReLU(0.2)]
        layers += [nn.AdaptiveAvgPool2d(GRID), nn.Flatten()]
        head = nn.Linear(widths[-1] * GRID**2, len(mean))
        # untrained, the encoder gives the mean latent
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
        layers.append(head)
        self.layers = nn.Sequential(*layers)
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def standardized(self, images: Tensor) -> Tensor:
        """Map images in [0, 1] to one w (or z) in standard deviations from its mean."""
        return self.layers(shrink(images) * 2 - 1)

    def forward(self, images: Tensor) -> Tensor:
        return (self.mean + self.std * self.standardized(images)).repeat(1, self.n_repeats)


def train_encoder(
    objective: Objective, n_iter: int, rng: torch.Generator, *, verbose: bool = False
) -> LatentEncoder:
    """Train an encoder on samples of the generator.

    Parameters
    ----------
    objective : Objective
        Holds the generator and the space.
    n_iter : int
        Steps of 64 images. With 0 the encoder gives the mean latent.
    rng : torch.Generator
        Seeds the weights, the samples and the batches; its device is where the training runs.
    verbose : bool, default=False
        Show progress.

    Returns
    -------
    encoder : LatentEncoder
        In eval mode, frozen.
    """
    generator, n_repeats = objective.generator, 1
    if generator.latent_space == "w+":
        generator, n_repeats = generator.using(latent_space="w"), generator.num_ws
    encoder = _untrained(generator, n_repeats, rng)
    if n_iter:
        objective = replace(objective, generator=generator)
        n_samples = min(POOL_SIZE, n_iter * BATCH_SIZE)
        latents = objective.draw(n_samples, rng)
        images = _decode(objective, latents)
        targets = (latents - encoder.mean) / encoder.std

        def loss(rows: Tensor) -> Tensor:
            batch = _add_noise(images[rows], rng)
            with objective.autocast:
                predicted = encoder.standardized(batch)
            return (predicted.float() - targets[rows]).square().mean()

        minimize(encoder, loss, n_samples, n_iter, rng, verbose=verbose)
    return encoder.eval().requires_grad_(False)


def minimize(
    module: nn.Module,
    loss: Callable[[Tensor], Tensor],
    n_samples: int,
    n_iter: int,
    rng: torch.Generator,
    *,
    learning_rate: float = LEARNING_RATE,
    verbose: bool = False,
) -> None:
    """Train a module by Adam with one cycle of the learning rate; `loss` takes row indices."""
    optimizer = torch.optim.Adam(module.parameters(), lr=learning_rate)
    # the scheduler divides by the length of a rise that ends at its first step
    n_steps = max(n_iter, 3)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, learning_rate, total_steps=n_steps, pct_start=max(0.1, 2 / n_steps)
    )
    for _ in progress(range(n_iter), desc="encoder", verbose=verbose):
        rows = torch.randint(n_samples, (BATCH_SIZE,), generator=rng, device=rng.device)
        optimizer.zero_grad()
        loss(rows).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        scheduler.step()


def fine_tune_encoder(
    encoder: LatentEncoder,
    objective: Objective,
    images: NDArray[Any],
    n_iter: int,
    rng: torch.Generator,
    *,
    verbose: bool = False,
) -> None:
    """Train the encoder further, on what the objective says of its latents for given images.

    Parameters
    ----------
    encoder : LatentEncoder
        Result of `train_encoder`; changed in place.
    objective : Objective
        What the inversion minimises.
    images : ndarray of shape (n, c, h, w)
        Images, bytes or floats in [0, 1].
    n_iter, rng, verbose
        See `train_encoder`.
    """
    encoder.train().requires_grad_(True)

    def loss(rows: Tensor) -> Tensor:
        drawn, place = np.unique(to_numpy(rows), return_inverse=True)
        batch = to_tensor(np.asarray(images[drawn])[place], rng.device)  # files give rows in order
        with objective.autocast:
            latents = encoder(batch).float()
        return objective(latents, objective.features(batch)).mean()

    minimize(
        encoder, loss, len(images), n_iter, rng, learning_rate=FINE_TUNING_RATE, verbose=verbose
    )
    encoder.eval().requires_grad_(False)


def _untrained(generator: Generator, n_repeats: int, rng: torch.Generator) -> LatentEncoder:
    mean, std = map(torch.as_tensor, generator.latent_moments)
    with drawing_from(torch.Generator().manual_seed(rng.initial_seed())):
        encoder = LatentEncoder(generator.image_shape, mean, std, n_repeats=n_repeats)
    return encoder.to(rng.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


@torch.no_grad()
def _decode(objective: Objective, latents: Tensor) -> Tensor:
    """Return the images of latents, at the size that the encoder sees."""
    parts = [shrink(check_made(objective.images(batch))) for (batch,) in objective.batches(latents)]
    return torch.cat(parts).contiguous(memory_format=torch.channels_last)


def shrink(images: Tensor) -> Tensor:
    """Average images down to at most 64 pixels a side."""
    height, width = (min(s, MAX_SIZE) for s in images.shape[2:])
    if (height, width) == images.shape[2:]:
        return images
    return F.adaptive_avg_pool2d(images, (height, width))


def _add_noise(images: Tensor, rng: torch.Generator) -> Tensor:
    """Add noise of a strength drawn for each image: real ones have texture of their own."""
    strength = NOISE * torch.rand(len(images), 1, 1, 1, generator=rng, device=rng.device)
    noise = torch.randn(images.shape, generator=rng, device=rng.device)
    return images + strength * noise.contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def encode(encoder: LatentEncoder, images: Tensor) -> Tensor:
    """Return the latents of images (n, c, h, w), bit for bit the same in any batch.

    Rows are encoded 64 at a time, the last batch filled up: kernels differ with the batch's size.
    """
    n_missing = -len(images) % BATCH_SIZE
    filled = torch.cat([images, images.new_zeros(n_missing, *images.shape[1:])])
    return torch.cat([encoder(batch) for batch in torch.split(filled, BATCH_SIZE)])[: len(images)]

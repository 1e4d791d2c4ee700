"""A step against the projected discriminator: hinge loss, augmentation of fixed probability.

The generator is also held to differ at each place as real images do, which the discriminator, whose
heads normalise each batch, does not see.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils import parametrize

from latentwalk.generators._training._augment import N_DRAWS, augment
from latentwalk.generators._training._draws import (
    Batch,
    draw_latents,
    draw_real,
    draw_uniform,
    generate,
    update_mean_latent,
)
from latentwalk.generators._training._projected import ProjectedDiscriminator
from latentwalk.generators._training._spread import lacking_spread, real_spread
from latentwalk.generators._training._state import TrainingState
from latentwalk.utils import autocast, to_tensor

AUGMENT_P = 0.5
N_CALIBRATION = 64
N_SPREAD = 1024
SPREAD_WEIGHT = 5.0


def prepare_heads(state: TrainingState, images: Any) -> None:
    """Fit the scale of every head to some of the real images, and measure how they differ."""
    rows = np.random.RandomState(0).permutation(len(images))
    assert isinstance(state.discriminator, ProjectedDiscriminator)
    state.discriminator.calibrate(_read(state, images, rows[:N_CALIBRATION]))
    parts = np.array_split(rows[:N_SPREAD], range(N_CALIBRATION, N_SPREAD, N_CALIBRATION))
    state.real_spread = real_spread(_read(state, images, part) for part in parts if len(part))
    state.augment_p = AUGMENT_P


def _read(state: TrainingState, images: Any, rows: NDArray[np.intp]) -> Tensor:
    return to_tensor(np.asarray(images[np.sort(rows)]), state.device) * 2 - 1


def projected_step(state: TrainingState, images: Any, labels: Tensor | None) -> dict[str, float]:
    """Update the generator, then the heads on the same images; returns the losses of the step."""
    real, latents = draw_real(state, images, labels), draw_latents(state, labels)
    options = state.options
    with autocast(options.precision, state.device):
        fake, w_mean = generate(state, latents)
        loss_g = -_mean(_logits(state, fake, latents), lambda logits: logits)
    loss_g = loss_g + SPREAD_WEIGHT * lacking_spread(fake, state.real_spread)
    _update(state.optimizer_g, loss_g)
    update_mean_latent(state, w_mean)
    # the same images, augmented anew
    again = latents._replace(draws=draw_uniform(state, N_DRAWS))
    # a spectral norm is worked out once for both batches
    with parametrize.cached(), autocast(options.precision, state.device):
        on_fake = _logits(state, fake.detach(), again)
        on_real = _logits(state, real.images, real)
        loss_d = _mean(on_fake, lambda logits: F.relu(1 + logits))
        loss_d = loss_d + _mean(on_real, lambda logits: F.relu(1 - logits))
    _update(state.optimizer_d, loss_d)
    return {
        "loss_generator": float(loss_g.detach()),
        "loss_discriminator": float(loss_d.detach()),
        "real_sign": float(_mean(on_real, torch.sign).detach()),
    }


def _logits(state: TrainingState, x: Tensor | None, batch: Batch) -> list[Tensor]:
    assert x is not None
    x = augment(x, state.augment_p, batch.draws).to(memory_format=torch.channels_last)
    logits: list[Tensor] = state.discriminator(x, batch.classes)
    return logits


def _mean(logits: list[Tensor], function: Callable[[Tensor], Tensor]) -> Tensor:
    """The mean over heads of the mean over images and places."""
    return torch.stack([function(of_head).mean() for of_head in logits]).mean()


def _update(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """Step down the gradient of the loss in the parameters of one network, and of no other."""
    optimizer.zero_grad(set_to_none=True)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    loss.backward(inputs=parameters)  # type: ignore[no-untyped-call]
    optimizer.step()

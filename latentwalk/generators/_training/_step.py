"""A training step, and the average of the generator over the steps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from latentwalk.generators._training._projected_step import projected_step
from latentwalk.generators._training._state import TrainingState
from latentwalk.generators._training._stylegan2_step import stylegan2_step

EMA_RAMP_UP = 0.05


def train_step(state: TrainingState, images: Any, labels: Tensor | None) -> dict[str, float]:
    """One generator and one discriminator update; returns the losses of the step.

    images : checked images, read a batch at a time; labels : int tensor (n_samples,) or None.
    """
    step = projected_step if state.projected else stylegan2_step
    log = step(state, images, labels)
    _update_averages(state)
    state.step += 1
    return log | {"augment_p": state.augment_p}


@torch.no_grad()
def _update_averages(state: TrainingState) -> None:
    """Exponential moving average of the generator, its half-life ramped up at the start."""
    seen = (state.step + 1) * state.options.batch_size
    half_life = max(min(state.options.ema_images, seen * EMA_RAMP_UP), 1e-8)
    decay = 0.5 ** (state.options.batch_size / half_life)
    for average, value in _pairs(state.ema, state.generator):
        average.lerp_(value, 1 - decay)
    for average, value in zip(state.ema.buffers(), state.generator.buffers(), strict=True):
        average.copy_(value)


def _pairs(a: nn.Module, b: nn.Module) -> Iterator[tuple[Tensor, Tensor]]:
    return zip(a.parameters(), b.parameters(), strict=True)

"""A step against the StyleGAN2 discriminator: logistic loss, lazy R1, adaptive augmentation."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from latentwalk.generators._training._augment import N_DRAWS, augment
from latentwalk.generators._training._draws import (
    Batch,
    draw_latents,
    draw_real,
    draw_uniform,
    generate,
    update_mean_latent,
)
from latentwalk.generators._training._state import TrainingState
from latentwalk.utils import autocast

ADA_INTERVAL = 4


def stylegan2_step(state: TrainingState, images: Any, labels: Tensor | None) -> dict[str, float]:
    """Update both networks; returns the losses of the step."""
    real = draw_real(state, images, labels)
    log = {"loss_generator": _generator_step(state, draw_latents(state, labels))}
    log |= _discriminator_step(state, real, draw_latents(state, labels))
    if state.step % state.options.r1_interval == 0:
        log["r1"] = _r1_step(state, real._replace(draws=draw_uniform(state, N_DRAWS)))
    _adapt_augmentation(state, log["real_sign"])
    return log


def _logits(state: TrainingState, x: Tensor, batch: Batch) -> Tensor:
    x = augment(x, state.augment_p, batch.draws).to(memory_format=torch.channels_last)
    logits: Tensor = state.discriminator(x, batch.classes)
    return logits.float()


def _generator_step(state: TrainingState, batch: Batch) -> float:
    n_parts, total = state.options.n_parts, 0.0
    w_mean = torch.zeros(state.config.w_dim, device=state.device)
    state.discriminator.requires_grad_(False)
    state.optimizer_g.zero_grad(set_to_none=True)
    for part in batch.parts(n_parts):
        with autocast(state.options.precision, state.device):
            fake, w = generate(state, part)
            loss = F.softplus(-_logits(state, fake, part)).mean() / n_parts
        loss.backward()  # type: ignore[no-untyped-call]
        total += float(loss.detach())
        w_mean += w / n_parts
    state.optimizer_g.step()
    state.discriminator.requires_grad_(True)
    update_mean_latent(state, w_mean)
    return total


def _discriminator_step(state: TrainingState, real: Batch, latents: Batch) -> dict[str, float]:
    n_parts, total, sign = state.options.n_parts, 0.0, 0.0
    state.optimizer_d.zero_grad(set_to_none=True)
    for part, origin in zip(real.parts(n_parts), latents.parts(n_parts), strict=True):
        assert part.images is not None
        with autocast(state.options.precision, state.device):
            with torch.no_grad():
                fake, _ = generate(state, origin)
            on_fake = _logits(state, fake, origin)
            on_real = _logits(state, part.images, part)
            loss = (F.softplus(on_fake).mean() + F.softplus(-on_real).mean()) / n_parts
        loss.backward()  # type: ignore[no-untyped-call]
        total += float(loss.detach())
        sign += float(on_real.detach().sign().mean()) / n_parts
    state.optimizer_d.step()
    return {"loss_discriminator": total, "real_sign": sign}


def _r1_step(state: TrainingState, real: Batch) -> float:
    """Gradient penalty on real images (Mescheder et al., ICML 2018), in full precision."""
    options, total = state.options, 0.0
    weight = options.r1_gamma / 2 * options.r1_interval
    state.optimizer_d.zero_grad(set_to_none=True)
    for part in real.parts(options.n_parts):
        assert part.images is not None
        images = part.images.detach().requires_grad_(True)
        logits = _logits(state, images, part).sum()
        (gradient,) = torch.autograd.grad(logits, images, create_graph=True)
        penalty = gradient.square().sum((1, 2, 3)).mean() / options.n_parts
        (penalty * weight).backward()  # type: ignore[no-untyped-call]
        total += float(penalty.detach())
    state.optimizer_d.step()
    return total


def _adapt_augmentation(state: TrainingState, real_sign: float) -> None:
    """Raise the probability while the discriminator is too sure of real images, else lower it."""
    options = state.options
    if options.ada_target is None:
        return
    state.real_signs.append(real_sign)
    if len(state.real_signs) < ADA_INTERVAL:
        return
    excess = sum(state.real_signs) / ADA_INTERVAL - options.ada_target
    move = ADA_INTERVAL * options.batch_size / options.ada_images
    state.augment_p = min(max(state.augment_p + (move if excess > 0 else -move), 0.0), 1.0)
    state.real_signs = []

"""The state of a StyleGAN2 training run and its steps, as torch functions."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentwalk.generators._stylegan2 import StyleGAN2, StyleGAN2Config
from latentwalk.generators._training._augment import N_DRAWS, augment
from latentwalk.generators._training._discriminator import Discriminator
from latentwalk.utils import autocast, to_numpy, to_tensor

M = TypeVar("M", bound=nn.Module)

W_AVG_DECAY = 0.995
EMA_RAMP_UP = 0.05
ADA_INTERVAL = 4


@dataclass(frozen=True)
class TrainingOptions:
    """What a step needs to know beside the networks."""

    batch_size: int
    n_parts: int
    learning_rate: float
    r1_gamma: float
    r1_interval: int
    ema_images: float
    ada_target: float | None
    ada_images: float
    mirror: bool
    precision: str


class TrainingState:
    """Networks, optimisers, random state and counters; everything a checkpoint holds."""

    def __init__(
        self,
        config: StyleGAN2Config,
        options: TrainingOptions,
        device: torch.device,
        seed: int,
    ) -> None:
        self.config, self.options, self.device = config, options, device
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.generator = _channels_last(StyleGAN2(config), device)
            self.discriminator = _channels_last(Discriminator(config), device)
        self.ema = copy.deepcopy(self.generator).eval().requires_grad_(False)
        lr = options.learning_rate
        self.optimizer_g = torch.optim.Adam(self.generator.parameters(), lr=lr, betas=(0.0, 0.99))
        # R1 is added in one step of `r1_interval`: rate and decay are scaled to match
        share = options.r1_interval / (options.r1_interval + 1)
        self.optimizer_d = torch.optim.Adam(
            self.discriminator.parameters(), lr=lr * share, betas=(0.0, 0.99**share)
        )
        self.rng = torch.Generator(device=device).manual_seed(seed)
        self.step = 0
        self.augment_p = 0.0
        self.real_signs: list[float] = []

    def _parts(self) -> dict[str, nn.Module | torch.optim.Optimizer]:
        return {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "ema": self.ema,
            "optimizer_g": self.optimizer_g,
            "optimizer_d": self.optimizer_d,
        }

    def state_dict(self) -> dict[str, Any]:
        """Everything that changes, as tensors and plain values."""
        state = {name: part.state_dict() for name, part in self._parts().items()}
        counters = {"step": self.step, "augment_p": self.augment_p, "signs": self.real_signs}
        return state | counters | {"rng": self.rng.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        self.rng.set_state(state["rng"].cpu())
        self.step, self.augment_p = int(state["step"]), float(state["augment_p"])
        self.real_signs = list(state["signs"])


def _channels_last(module: M, device: torch.device) -> M:
    return module.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


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


def train_step(state: TrainingState, images: Any, labels: Tensor | None) -> dict[str, float]:
    """One generator and one discriminator update; returns the losses of the step.

    images : checked images, read a batch at a time; labels : int tensor (n_samples,) or None.
    """
    real = _draw_real(state, images, labels)
    log = {"loss_generator": _generator_step(state, _draw_latents(state, labels))}
    log |= _discriminator_step(state, real, _draw_latents(state, labels))
    if state.step % state.options.r1_interval == 0:
        log["r1"] = _r1_step(state, real._replace(draws=_draw_uniform(state, N_DRAWS)))
    _update_averages(state)
    state.step += 1
    _adapt_augmentation(state, log["real_sign"])
    return log | {"augment_p": state.augment_p}


def _draw_uniform(state: TrainingState, width: int) -> Tensor:
    size = (state.options.batch_size, width)
    return torch.rand(size, generator=state.rng, device=state.device)


def _draw_normal(state: TrainingState, width: int) -> Tensor:
    size = (state.options.batch_size, width)
    return torch.randn(size, generator=state.rng, device=state.device)


def _draw_rows(state: TrainingState, n: int) -> Tensor:
    size = (state.options.batch_size,)
    return torch.randint(n, size, generator=state.rng, device=state.device)


def _one_hot(labels: Tensor, state: TrainingState) -> Tensor:
    return F.one_hot(labels, state.config.c_dim).float()


def _draw_real(state: TrainingState, images: Any, labels: Tensor | None) -> Batch:
    """Images of random rows, with their classes."""
    rows = _draw_rows(state, len(images))
    # files and HDF5 datasets are read once for each row, in increasing order
    distinct, inverse = np.unique(to_numpy(rows), return_inverse=True)
    real = to_tensor(np.asarray(images[distinct])[inverse], state.device) * 2 - 1
    if state.options.mirror:
        flip = _draw_uniform(state, 1)[:, :, None, None] < 0.5
        real = torch.where(flip, real.flip(3), real)
    classes = None if labels is None else _one_hot(labels[rows], state)
    return Batch(_draw_uniform(state, N_DRAWS), classes, images=real)


def _draw_latents(state: TrainingState, labels: Tensor | None) -> Batch:
    """Latents and noise, with classes in the proportions of the training set."""
    z = _draw_normal(state, state.config.z_dim)
    noise = _draw_normal(state, sum(state.generator.synthesis.noise_sizes))
    c = None if labels is None else _one_hot(labels[_draw_rows(state, len(labels))], state)
    return Batch(_draw_uniform(state, N_DRAWS), c, z=z, noise=noise)


def _fake(state: TrainingState, batch: Batch) -> tuple[Tensor, Tensor]:
    """Images, and the mean of their w."""
    w = state.generator.mapping(batch.z, batch.classes)
    ws = w[:, None].expand(-1, state.config.num_ws, -1)
    images = state.generator.synthesis(ws, batch.noise)
    return images.float(), w.detach().float().mean(0)


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
            fake, w = _fake(state, part)
            loss = F.softplus(-_logits(state, fake, part)).mean() / n_parts
        loss.backward()  # type: ignore[no-untyped-call]
        total += float(loss.detach())
        w_mean += w / n_parts
    state.optimizer_g.step()
    state.discriminator.requires_grad_(True)
    w_avg = state.generator.mapping.w_avg
    w_avg.copy_(w_mean.lerp(w_avg, W_AVG_DECAY))
    return total


def _discriminator_step(state: TrainingState, real: Batch, latents: Batch) -> dict[str, float]:
    n_parts, total, sign = state.options.n_parts, 0.0, 0.0
    state.optimizer_d.zero_grad(set_to_none=True)
    for part, origin in zip(real.parts(n_parts), latents.parts(n_parts), strict=True):
        assert part.images is not None
        with autocast(state.options.precision, state.device):
            with torch.no_grad():
                fake, _ = _fake(state, origin)
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

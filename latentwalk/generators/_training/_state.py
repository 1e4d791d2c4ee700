"""The state of a training run."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import nn

from latentwalk.generators._stylegan2 import StyleGAN2, StyleGAN2Config
from latentwalk.generators._training._best import BestSnapshot
from latentwalk.generators._training._discriminator import Discriminator
from latentwalk.generators._training._projected import ProjectedDiscriminator
from latentwalk.utils._torch import drawing_from

M = TypeVar("M", bound=nn.Module)

HEADS_SHARE = 0.25  # learning rate of the heads, as a share of the generator's


@dataclass(frozen=True)
class TrainingOptions:
    """What a step needs to know besides the networks."""

    discriminator: str  # "stylegan2", or the frozen network of a projected one
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
    keep_best: bool


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
        with drawing_from(torch.Generator().manual_seed(seed)):
            self.generator = _channels_last(StyleGAN2(config), device)
            self.discriminator = _channels_last(_discriminator(config, options), device)
        self.ema = copy.deepcopy(self.generator).eval().requires_grad_(False)
        lr = options.learning_rate
        self.optimizer_g = torch.optim.Adam(self.generator.parameters(), lr=lr, betas=(0.0, 0.99))
        # R1 is added in one step of `r1_interval`: rate and decay are scaled to match
        share = options.r1_interval / (options.r1_interval + 1)
        lr, decay = (lr * HEADS_SHARE, 0.99) if self.projected else (lr * share, 0.99**share)
        learned = self.discriminator.learned.parameters()
        self.optimizer_d = torch.optim.Adam(learned, lr=lr, betas=(0.0, decay))
        self.best = BestSnapshot(options.keep_best)
        self.rng = torch.Generator(device=device).manual_seed(seed)
        self.step = 0
        self.augment_p = 0.0
        self.real_signs: list[float] = []
        self.real_spread = torch.zeros(())  # of real images; follows from them

    @property
    def projected(self) -> bool:
        """Whether the discriminator is a projected one."""
        return isinstance(self.discriminator, ProjectedDiscriminator)

    def start_from(self, network: StyleGAN2) -> None:
        """Take over the weights of a generator of the same shape."""
        for mine in (self.generator, self.ema):
            mine.load_state_dict(network.state_dict())

    def _parts(self) -> dict[str, nn.Module | torch.optim.Optimizer | BestSnapshot]:
        return {
            "generator": self.generator,
            "discriminator": self.discriminator.learned,
            "ema": self.ema,
            "optimizer_g": self.optimizer_g,
            "optimizer_d": self.optimizer_d,
            "best": self.best,
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


def _discriminator(
    config: StyleGAN2Config, options: TrainingOptions
) -> Discriminator | ProjectedDiscriminator:
    if options.discriminator == "stylegan2":
        return Discriminator(config)
    shape = (config.img_channels, config.resolution, config.resolution)
    return ProjectedDiscriminator(options.discriminator, shape, config.c_dim)


def _channels_last(module: M, device: torch.device) -> M:
    return module.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

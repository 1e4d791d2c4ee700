"""The facts of a handle without its network: widths, latent spaces, and execution."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any, Literal

import torch

from latentwalk.generators._stylegan2 import StyleGAN2Config

LatentSpace = Literal["w", "w+", "z"]
TrainedOn = Literal["these patients", "others"] | None
NoiseMode = Literal["latent", "const"]

TRAINED_ON = ("these patients", "others")
NOISE_MODES = ("latent", "const")
ImageShape = tuple[int, int, int]


@dataclass(frozen=True)
class GeneratorSpec:
    """Widths of a network's inputs and outputs."""

    image_shape: ImageShape
    w_dim: int
    z_dim: int
    num_ws: int
    n_classes: int
    output_range: tuple[float, float] | None

    def latent_width(self, latent_space: str) -> int:
        """Return the width of a flat latent in a space."""
        widths = {"w": self.w_dim, "w+": self.num_ws * self.w_dim, "z": self.z_dim}
        if latent_space not in widths:
            raise ValueError(f"latent_space={latent_space!r}; expected one of {list(widths)}")
        if latent_space == "z" and self.n_classes:
            raise ValueError(
                "latent_space='z' does not say the class of a class-conditional generator; use "
                "'w', which holds it"
            )
        return widths[latent_space]


def stylegan2_spec(config: StyleGAN2Config) -> GeneratorSpec:
    """Return the widths of a StyleGAN2 network."""
    size = config.resolution
    return GeneratorSpec(
        image_shape=(config.img_channels, size, size),
        w_dim=config.w_dim,
        z_dim=config.z_dim,
        num_ws=config.num_ws,
        n_classes=config.c_dim,
        output_range=(-1.0, 1.0),
    )


@dataclass(frozen=True)
class Execution:
    """Device, precision and batch size. They do not change the identity of the network.

    Raises
    ------
    ValueError
        For a device that torch does not know, an unknown precision, or a batch size that is not a
        positive integer or "auto".
    """

    device: str | torch.device | None = None
    precision: str = "auto"
    batch_size: int | str = "auto"

    def __post_init__(self) -> None:
        if self.device is not None:
            try:
                torch.device(self.device)
            except (RuntimeError, TypeError) as error:
                raise ValueError(
                    f"device={self.device!r}; expected a torch device ('cpu', 'cuda:0') or None"
                ) from error
        if self.precision not in ("auto", "float32", "bfloat16"):
            raise ValueError(
                f"precision={self.precision!r}; expected 'auto', 'float32' or 'bfloat16'"
            )
        if not _is_batch_size(self.batch_size):
            raise ValueError(
                f"batch_size={self.batch_size!r}; expected a positive integer or 'auto'"
            )


def _is_batch_size(value: Any) -> bool:
    if isinstance(value, str):
        return value == "auto"
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1

"""How wide a network that is trained here is: names for what fits a machine."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch

from latentwalk.generators._stylegan2 import block_channels


@dataclass(frozen=True)
class NetworkSize:
    """Widths of a StyleGAN2 network that is trained.

    Parameters
    ----------
    latent_dim : int, default=512
        Width of z and w.
    channel_base : int, default=16384
        Width of the block at resolution r is ``min(channel_base / r, channel_max)``.
    channel_max : int, default=512
        The largest width.
    mapping_layers : int, default=2
        Layers from z to w.

    Examples
    --------
    >>> from latentwalk.generators import NetworkSize
    >>> NetworkSize(latent_dim=128, channel_base=1024, channel_max=128).channels(64)
    (128, 128, 64, 32, 16)
    """

    latent_dim: int = 512
    channel_base: int = 16384
    channel_max: int = 512
    mapping_layers: int = 2

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{name}={value!r}; expected a positive integer")

    def channels(self, resolution: int) -> tuple[int, ...]:
        """Return the widths of the blocks 4, 8, .. resolution."""
        if self.channel_base < resolution:
            raise ValueError(
                f"channel_base={self.channel_base} leaves no channel for images of "
                f"{resolution}x{resolution}; expected at least {resolution}"
            )
        return block_channels(resolution, self.channel_base, self.channel_max)


SIZES = ("auto", "small", "medium", "official")


def resolve_size(
    size: str | NetworkSize, resolution: int, device: str | torch.device
) -> NetworkSize:
    """Return the widths that a name stands for at a resolution.

    The last block of "small" is at least 16 channels wide, and of "medium" at least 64. "official"
    is the published width. "auto" is "small" on a CPU, and on a GPU "medium" up to 64 pixels and
    "official" above.
    """
    if isinstance(size, NetworkSize):
        return size
    if size == "auto":
        on_gpu = "medium" if resolution <= 64 else "official"
        size = "small" if torch.device(device).type == "cpu" else on_gpu
    side = max(resolution, 64)
    if size == "small":
        return NetworkSize(128, 16 * side, 128)
    if size == "medium":
        return NetworkSize(256, 64 * side, 256)
    return NetworkSize(512, 16384 if resolution <= 256 else 32768, 512)

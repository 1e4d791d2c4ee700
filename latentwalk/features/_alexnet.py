"""AlexNet's convolutions and the LPIPS heads on them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

from latentwalk.utils import drawing_from

WEIGHTS = Path(__file__).with_name("lpips_alex.safetensors")
CHANNELS = (64, 192, 384, 256, 256)


class LPIPSNet(nn.Module):
    """The network whose features have LPIPS as their squared Euclidean distance."""

    shift: torch.Tensor
    scale: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            [
                nn.Conv2d(3, 64, 11, stride=4, padding=2),
                nn.Conv2d(64, 192, 5, padding=2),
                nn.Conv2d(192, 384, 3, padding=1),
                nn.Conv2d(384, 256, 3, padding=1),
                nn.Conv2d(256, 256, 3, padding=1),
            ]
        )
        self.heads = nn.ParameterList([torch.zeros(n) for n in CHANNELS])
        self.register_buffer("shift", torch.tensor([-0.030, -0.088, -0.188])[:, None, None])
        self.register_buffer("scale", torch.tensor([0.458, 0.448, 0.450])[:, None, None])

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(n, 3, height, width) in [0, 1] to (n, n_features)."""
        x = (2 * images - 1 - self.shift) / self.scale
        parts = []
        for layer, (convolution, head) in enumerate(
            zip(self.convolutions, self.heads, strict=True)
        ):
            if layer in (1, 2):
                x = functional.max_pool2d(x, 3, stride=2)
            x = functional.relu(convolution(x))
            unit = x / (torch.linalg.vector_norm(x, dim=1, keepdim=True) + 1e-10)
            weight = (head / unit[0, 0].numel()).sqrt()[:, None, None]
            parts.append((weight * unit).flatten(1))
        return torch.cat(parts, dim=1)


@cache
def load_lpips_net(device: str) -> LPIPSNet:
    """The network with the shipped weights, frozen; loaded once per process and device."""
    # what initial weights draw must not count: the caller may be drawing from a seed
    with drawing_from(torch.Generator()):
        net = LPIPSNet()
    # the convolutions are stored in half precision
    net.load_state_dict({k: v.float() for k, v in load_file(WEIGHTS).items()}, strict=False)
    return net.requires_grad_(False).eval().to(device)

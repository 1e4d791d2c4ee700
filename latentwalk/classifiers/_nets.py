"""The nets of the guides: small enough to train on one core, and cheap to differentiate."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F


class Standardize(nn.Module):
    """Subtract the training mean of each channel, and divide by its training deviation."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, mean: NDArray[np.float32], std: NDArray[np.float32]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("std", torch.tensor(std))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shape = (1, -1) + (1,) * (x.ndim - 2)
        return (x - self.mean.view(shape)) / self.std.view(shape)


class Temperature(nn.Module):
    """Divide logits by a number that is set after training."""

    value: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("value", torch.ones(()))

    def forward(self, logits: torch.Tensor) -> torch.Tensor:
        return logits / self.value

    def set(self, value: float) -> None:
        """Set the number."""
        self.value.fill_(value)


class ResidualStage(nn.Module):
    """Halve the size, then refine with one residual convolution."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.down = nn.Conv2d(n_in, n_out, 3, stride=2, padding=1, bias=False)
        self.down_norm = nn.BatchNorm2d(n_out)
        self.refine = nn.Conv2d(n_out, n_out, 3, padding=1, bias=False)
        self.refine_norm = nn.BatchNorm2d(n_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.down_norm(self.down(x)))  # (B, n_out, H/2, W/2)
        refined: torch.Tensor = self.refine_norm(self.refine(x))
        return F.relu(x + refined)


class CosineHead(nn.Module):
    """Logits as scaled cosines, which stay bounded even far from the training images."""

    def __init__(self, n_features: int, n_classes: int, scale: float = 16.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_classes, n_features))
        self.log_scale = nn.Parameter(torch.tensor(float(np.log(scale))))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        cosines = F.normalize(x, dim=1) @ F.normalize(self.weight, dim=1).T  # (B, n_classes)
        scaled: torch.Tensor = self.log_scale.exp() * cosines
        return scaled


def conv_net(image_shape: tuple[int, int, int], n_classes: int, width: int) -> nn.Sequential:
    """Return a strided residual net with a last map of at most 4 x 4, and a cosine head."""
    channels, *sides = image_shape
    stride = 2 if max(sides) >= 16 else 1
    layers: list[nn.Module] = [
        nn.Conv2d(channels, width, 5 if stride == 2 else 3, stride, 2 if stride == 2 else 1),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    ]
    sides, n_in = [-(-side // stride) for side in sides], width
    while max(sides) > 4:
        n_out = min(2 * n_in, 4 * width)
        layers.append(ResidualStage(n_in, n_out))
        sides, n_in = [-(-side // 2) for side in sides], n_out
    # the map is not pooled: where a pattern lies is part of who is shown
    layers += [nn.Flatten(), CosineHead(n_in * sides[0] * sides[1], n_classes)]
    return nn.Sequential(*layers)


def dense_net(n_features: int, n_classes: int, width: int) -> nn.Sequential:
    """Return a perceptron with one hidden layer."""
    return nn.Sequential(
        nn.Linear(n_features, 4 * width), nn.ReLU(), nn.Linear(4 * width, n_classes)
    )


def guide_net(X: NDArray[np.floating], n_classes: int, width: int) -> nn.Sequential:
    """Return the net for checked float training data, images (4-D) or features (2-D)."""
    axes = (0, 2, 3) if X.ndim == 4 else (0,)
    mean, std = X.mean(axis=axes, dtype=np.float64), X.std(axis=axes, dtype=np.float64)
    std[std < 1e-6] = 1.0
    scaler = Standardize(mean.astype(np.float32), std.astype(np.float32))
    if X.ndim == 4:
        net = conv_net(X.shape[1:], n_classes, width)
    else:
        net = dense_net(X.shape[1], n_classes, width)
    return nn.Sequential(scaler, net, Temperature())

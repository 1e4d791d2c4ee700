"""Differentiable augmentation of what the discriminator sees.

The operations are those of Zhao et al., "Differentiable Augmentation for Data-Efficient GAN
Training", NeurIPS 2020 (colour, translation, cutout); each is applied to an image with a
probability that follows the discriminator, as in Karras et al., "Training Generative Adversarial
Networks with Limited Data", NeurIPS 2020. At a fixed probability of one a small discriminator
learns nothing from images of low contrast.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def augment(x: Tensor, p: float, rng: torch.Generator) -> Tensor:
    """Augment images of shape (n, c, h, w) in [-1, 1], each operation with probability p."""
    if p == 0:
        return x
    for operation in (_color, _translate, _cutout):
        x = torch.where(_uniform(x, rng) < p, operation(x, rng), x)
    return x


def _uniform(x: Tensor, rng: torch.Generator) -> Tensor:
    return torch.rand(len(x), 1, 1, 1, generator=rng, device=x.device)


def _color(x: Tensor, rng: torch.Generator) -> Tensor:
    """Brightness, saturation and contrast."""
    x = x + (_uniform(x, rng) - 0.5)
    mean = x.mean(1, keepdim=True)
    x = (x - mean) * (_uniform(x, rng) * 2) + mean
    mean = x.mean((1, 2, 3), keepdim=True)
    return (x - mean) * (_uniform(x, rng) + 0.5) + mean


def _translate(x: Tensor, rng: torch.Generator, ratio: float = 0.125) -> Tensor:
    """Shift by up to `ratio` of the size, zeros moving in."""
    n, _, height, width = x.shape
    pad = max(int(height * ratio + 0.5), 1)
    x = F.pad(x, (pad, pad, pad, pad))
    shift = torch.randint(0, 2 * pad + 1, (2, n, 1), generator=rng, device=x.device)
    rows = torch.arange(height, device=x.device) + shift[0]  # (n, h)
    columns = torch.arange(width, device=x.device) + shift[1]  # (n, w)
    images = torch.arange(n, device=x.device)[:, None, None]
    shifted = x.permute(0, 2, 3, 1)[images, rows[:, :, None], columns[:, None, :]]
    return shifted.permute(0, 3, 1, 2).contiguous()


def _cutout(x: Tensor, rng: torch.Generator, ratio: float = 0.5) -> Tensor:
    """Set a square of `ratio` times the size to zero."""
    n, _, height, width = x.shape
    half = int(height * ratio / 2)
    centre = torch.rand(2, n, 1, generator=rng, device=x.device)
    rows = (torch.arange(height, device=x.device) - centre[0] * height).abs() < half  # (n, h)
    columns = (torch.arange(width, device=x.device) - centre[1] * width).abs() < half
    keep = ~(rows[:, :, None] & columns[:, None, :])  # (n, h, w)
    return x * keep[:, None]

"""Differentiable augmentation of what the discriminator sees.

The operations are those of Zhao et al., "Differentiable Augmentation for Data-Efficient GAN
Training", NeurIPS 2020 (colour, translation, cutout); each is applied to an image with a
probability that follows the discriminator, as in Karras et al., "Training Generative Adversarial
Networks with Limited Data", NeurIPS 2020. At a fixed probability of one a small discriminator
learns nothing from images of low contrast.

Every image brings its own draws, so that a batch can be worked on in parts.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

N_DRAWS = 10


def augment(x: Tensor, p: float, draws: Tensor) -> Tensor:
    """Augment images of shape (n, c, h, w) in [-1, 1], each operation with probability p.

    draws : uniform numbers in [0, 1) of shape (n, N_DRAWS).
    """
    if p == 0:
        return x
    chosen = draws[:, :3, None, None, None] < p
    x = torch.where(chosen[:, 0], _color(x, draws[:, 3:6, None, None, None]), x)
    x = torch.where(chosen[:, 1], _translate(x, draws[:, 6:8, None]), x)
    return torch.where(chosen[:, 2], _cutout(x, draws[:, 8:, None]), x)


def _color(x: Tensor, u: Tensor) -> Tensor:
    """Brightness, saturation and contrast; u of shape (n, 3, 1, 1, 1)."""
    x = x + (u[:, 0] - 0.5)
    mean = x.mean(1, keepdim=True)
    x = (x - mean) * (u[:, 1] * 2) + mean
    mean = x.mean((1, 2, 3), keepdim=True)
    return (x - mean) * (u[:, 2] + 0.5) + mean


def _translate(x: Tensor, u: Tensor, ratio: float = 0.125) -> Tensor:
    """Shift by up to `ratio` of the size, zeros moving in; u of shape (n, 2, 1)."""
    n, _, height, width = x.shape
    pad = max(int(height * ratio + 0.5), 1)
    x = F.pad(x, (pad, pad, pad, pad))
    shift = (u * (2 * pad + 1)).long()  # 0 .. 2 * pad
    rows = torch.arange(height, device=x.device) + shift[:, 0]  # (n, h)
    columns = torch.arange(width, device=x.device) + shift[:, 1]  # (n, w)
    images = torch.arange(n, device=x.device)[:, None, None]
    shifted = x.permute(0, 2, 3, 1)[images, rows[:, :, None], columns[:, None, :]]
    return shifted.permute(0, 3, 1, 2).contiguous()


def _cutout(x: Tensor, u: Tensor, ratio: float = 0.5) -> Tensor:
    """Set a square of `ratio` times the size to zero; u of shape (n, 2, 1)."""
    height, width = x.shape[2:]
    half = int(height * ratio / 2)
    rows = (torch.arange(height, device=x.device) - u[:, 0] * height).abs() < half  # (n, h)
    columns = (torch.arange(width, device=x.device) - u[:, 1] * width).abs() < half
    keep = ~(rows[:, :, None] & columns[:, None, :])  # (n, h, w)
    return x * keep[:, None]

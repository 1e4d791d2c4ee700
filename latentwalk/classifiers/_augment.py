"""Random changes of an image that keep who and what it shows."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch.nn import functional as F

AUGMENTATIONS = ("flip", "vertical_flip", "rotate", "shift", "crop", "brightness")


def augment(images: torch.Tensor, kinds: Collection[str]) -> torch.Tensor:
    """Return randomly changed images, each with its own draw from torch's global generator.

    Parameters
    ----------
    images : tensor of shape (n_samples, n_channels, height, width)
        Values in [0, 1].
    kinds : collection of str
        "flip" and "vertical_flip" (half of the images), "rotate" (up to 15 degrees), "shift" (up
        to an eighth of the size), "crop" (at least four fifths of the side, scaled up again) and
        "brightness" (contrast and offset).

    Returns
    -------
    images : tensor of the same shape
        Values in [0, 1].
    """
    if set(kinds) - {"brightness"}:
        grid = F.affine_grid(_affine(images, kinds), list(images.shape), align_corners=False)
        images = F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    if "brightness" in kinds:
        images = images * _uniform(images, 0.8, 1.2) + _uniform(images, -0.1, 0.1)
    return images.clamp(0, 1)


def _uniform(images: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """One number an image, broadcastable to it."""
    return torch.empty(len(images), 1, 1, 1, device=images.device).uniform_(low, high)


def _affine(images: torch.Tensor, kinds: Collection[str]) -> torch.Tensor:
    """One random map of output to input coordinates an image, (B, 2, 3)."""
    n, device = len(images), images.device
    angle = torch.zeros(n, device=device)
    if "rotate" in kinds:
        angle.uniform_(-0.26, 0.26)
    scale = torch.ones(n, 2, device=device)
    shift = torch.zeros(n, 2, device=device)
    if "crop" in kinds:
        side = torch.empty(n, 1, device=device).uniform_(0.8, 1.0)
        scale, shift = scale * side, (1 - side) * torch.empty_like(shift).uniform_(-1, 1)
    if "shift" in kinds:
        shift = shift + torch.empty_like(shift).uniform_(-0.25, 0.25)
    for axis, kind in enumerate(("flip", "vertical_flip")):
        if kind in kinds:
            scale[:, axis] *= torch.randint(0, 2, (n,), device=device) * 2 - 1
    cos, sin = angle.cos(), angle.sin()
    rows = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)
    return torch.cat([rows * scale[:, None, :], shift[:, :, None]], 2)

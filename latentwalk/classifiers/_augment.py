"""Random changes of an image that keep its subject and its class."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch.nn import functional as F

AUGMENTATIONS = ("flip", "vertical_flip", "rotate", "shift", "crop", "brightness")


def augment(
    images: torch.Tensor, kinds: Collection[str], generator: torch.Generator
) -> torch.Tensor:
    """Return randomly changed images; each has a draw of its own.

    Parameters
    ----------
    images : tensor of shape (n_samples, n_channels, height, width)
        Values in [0, 1].
    kinds : collection of str
        "flip" and "vertical_flip" (half of the images), "rotate" (up to 15 degrees), "shift" (up
        to an eighth of the size), "crop" (at least four fifths of the side, scaled up again) and
        "brightness" (contrast and offset).
    generator : torch.Generator
        On the CPU, so that the draws do not depend on the device of the images.

    Returns
    -------
    images : tensor of the same shape
        Values in [0, 1].
    """
    if set(kinds) - {"brightness"}:
        affine = _affine(len(images), kinds, generator).to(images.device)
        grid = F.affine_grid(affine, list(images.shape), align_corners=False)
        images = F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    if "brightness" in kinds:
        contrast, offset = (
            torch.empty(len(images), 1, 1, 1).uniform_(low, high, generator=generator)
            for low, high in ((0.8, 1.2), (-0.1, 0.1))
        )
        images = images * contrast.to(images.device) + offset.to(images.device)
    return images.clamp(0, 1)


def _affine(n: int, kinds: Collection[str], generator: torch.Generator) -> torch.Tensor:
    """A random map from output to input coordinates for each of n images, (n, 2, 3)."""

    def uniform(columns: int, low: float, high: float) -> torch.Tensor:
        return torch.empty(n, columns).uniform_(low, high, generator=generator)

    angle = uniform(1, -0.26, 0.26)[:, 0] if "rotate" in kinds else torch.zeros(n)
    scale, shift = torch.ones(n, 2), torch.zeros(n, 2)
    if "crop" in kinds:
        side = uniform(1, 0.8, 1.0)
        scale, shift = scale * side, (1 - side) * uniform(2, -1, 1)
    if "shift" in kinds:
        shift = shift + uniform(2, -0.25, 0.25)
    for axis, kind in enumerate(("flip", "vertical_flip")):
        if kind in kinds:
            scale[:, axis] *= torch.randint(0, 2, (n,), generator=generator) * 2 - 1
    cos, sin = angle.cos(), angle.sin()
    rows = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)
    return torch.cat([rows * scale[:, None, :], shift[:, :, None]], 2)

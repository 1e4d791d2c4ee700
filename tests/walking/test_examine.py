"""What a walk measures of its points is what is released."""

from __future__ import annotations

import numpy as np
import torch
from latentwalk.generators import Generator, decode_latents
from latentwalk.generators._stylegan2 import StyleGAN2, StyleGAN2Config
from latentwalk.walking._examine import Examiner
from latentwalk.walking._guides import Guides


def test_points_are_measured_with_the_noise_of_their_images():
    """A released image that is a real one, noise included, has distance 0."""
    torch.manual_seed(0)
    network = StyleGAN2(StyleGAN2Config(channels=(8, 8), img_channels=1, z_dim=5, w_dim=7))
    for name, parameter in network.named_parameters():
        if name.endswith("noise_strength"):
            torch.nn.init.constant_(parameter, 0.5)
    generator = Generator.from_stylegan2(network, device="cpu")
    W = np.random.default_rng(0).normal(size=(6, 7)).astype(np.float32)
    examiner = Examiner(generator, Guides(), decode_latents(generator, W))
    figures = examiner.measure(W, np.zeros(6, np.intp))
    np.testing.assert_allclose(figures.distance, 0, atol=1e-4)

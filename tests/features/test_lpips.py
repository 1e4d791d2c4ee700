"""LPIPS agrees with the published code; its features make it a Euclidean distance."""

from __future__ import annotations

import io
import os
import pickle

import numpy as np
import pytest
import torch
from latentwalk.features import LPIPSFeatures, lpips_distance, lpips_features
from sklearn.base import clone
from sklearn.metrics import euclidean_distances
from torch.nn import functional

from convert_lpips import ARRAY_NAMES, ArrayUnpickler, convert


def images(seed, n=4, channels=3, height=64, width=64):
    rng = np.random.default_rng(seed)
    return torch.tensor(rng.random((n, channels, height, width)), dtype=torch.float32)


def published_pairs():
    """The pairs behind `PUBLISHED`: noise against noise, and against itself blurred."""
    rng = np.random.default_rng(0)
    for shape in [(4, 3, 64, 64), (3, 3, 96, 80)]:
        x, y = (torch.tensor(rng.random(shape), dtype=torch.float32) for _ in range(2))
        yield x, y
        yield x, 0.7 * x + 0.3 * functional.avg_pool2d(x, 3, 1, 1)


# computed with lpips 0.1.4 (net="alex", normalize=True) and single-precision convolutions
PUBLISHED = [
    [0.10490093, 0.12215804, 0.11707639, 0.10070841],
    [0.03037902, 0.02895291, 0.03051821, 0.03256303],
    [0.12896775, 0.15341546, 0.13287766],
    [0.04162034, 0.03775605, 0.04193044],
]


def test_distance_is_the_published_one():
    for (x, y), expected in zip(published_pairs(), PUBLISHED, strict=True):
        np.testing.assert_allclose(lpips_distance(x, y), expected, rtol=4e-4)


def test_squared_euclidean_distance_of_features_is_the_distance():
    x = images(1, n=5)
    features = LPIPSFeatures(device="cpu").fit_transform(x.numpy())
    squared = euclidean_distances(features.astype(np.float64), squared=True)
    for row in range(5):
        expected = lpips_distance(x[row].expand(5, -1, -1, -1), x)
        np.testing.assert_allclose(squared[row], expected, atol=1e-6)
    assert features.dtype == np.float32


def test_small_images_are_enlarged_and_keep_their_aspect():
    x = images(2, n=2, height=32, width=48)
    large = functional.interpolate(x, size=(64, 96), mode="bilinear", align_corners=False)
    torch.testing.assert_close(lpips_features(x), lpips_features(large))


def test_images_of_64_pixels_are_not_resized(monkeypatch):
    monkeypatch.setattr(functional, "interpolate", None)
    assert lpips_features(images(0, n=1)).shape == (1, 31872)


def test_grey_images_are_repeated():
    x = images(3, n=2, channels=1)
    torch.testing.assert_close(lpips_features(x), lpips_features(x.repeat(1, 3, 1, 1)))


@pytest.mark.parametrize("x", [torch.zeros(1, 4, 64, 64), torch.zeros(3, 64, 64)])
def test_other_channels_name_the_way_out(x):
    with pytest.raises(ValueError, match=r"grey or RGB images.*'pixels'"):
        lpips_features(x)


def test_gradients_are_right_and_finite_on_black_images():
    # double precision is not offered: a directional difference in single precision is coarse
    x, y = images(4, n=1, height=32, width=32), images(5, n=1, height=32, width=32)
    x.requires_grad_()
    lpips_distance(x, y).sum().backward()
    step = 0.02 * x.grad / x.grad.norm()
    with torch.no_grad():
        slope = (lpips_distance(x + step, y) - lpips_distance(x - step, y)) / (2 * 0.02)
    torch.testing.assert_close(slope[0], x.grad.norm(), rtol=0.03, atol=0)
    black = torch.zeros(1, 3, 64, 64, requires_grad=True)
    lpips_distance(black, images(6, n=1)).sum().backward()
    assert torch.isfinite(black.grad).all()


def test_identical_images_have_zero_gradient():
    x = images(7, n=1)
    y = x.clone().requires_grad_()
    lpips_distance(x, y).sum().backward()
    assert float(y.grad.abs().max()) == 0


def test_batches_bytes_and_flat_rows_agree():
    x = (images(8, n=5, height=32, width=32).numpy() * 255).round().astype(np.uint8)
    whole = LPIPSFeatures(device="cpu").fit_transform(x)
    in_parts = LPIPSFeatures(device="cpu", batch_size=2).fit_transform(x / 255)
    flat = LPIPSFeatures(device="cpu", image_shape=(3, 32, 32)).fit_transform(x.reshape(5, -1))
    np.testing.assert_allclose(in_parts, whole, atol=1e-5)
    np.testing.assert_array_equal(flat, whole)


def test_a_pickle_is_small_and_a_clone_equal():
    features = LPIPSFeatures().fit(images(9, n=1).numpy())
    assert len(pickle.dumps(features)) < 1000
    assert repr(clone(features)) == "LPIPSFeatures()"
    assert len(features.get_feature_names_out()) == 31872


def test_weights_file_is_read_without_executing_anything():
    class Harmful:
        def __reduce__(self):
            return os.system, ("false",)

    with pytest.raises(pickle.UnpicklingError, match=r"system is not part of a numpy array"):
        ArrayUnpickler(io.BytesIO(pickle.dumps({"AlexNet_0": Harmful()}))).load()


def test_conversion_transposes_kernels_and_keeps_heads(tmp_path, monkeypatch):
    from safetensors.numpy import load_file

    rng = np.random.default_rng(0)
    shapes = [(11, 11, 3, 4), (5, 5, 4, 6), (3, 3, 6, 8), (3, 3, 8, 4), (3, 3, 4, 4)]
    tree = {"AlexNet_0": {}}
    for layer, shape in enumerate(shapes):
        kernel = rng.random(shape, dtype=np.float32)
        tree["AlexNet_0"][f"Conv_{layer}"] = {"kernel": kernel, "bias": kernel[0, 0, 0]}
        head = rng.random((1, 1, shape[3], 1), dtype=np.float32)
        tree[f"NetLinLayer_{layer}"] = {"Conv_0": {"kernel": head}}
    # the published file was written by an older numpy, which called the rebuilder otherwise
    name = ("numpy._core.multiarray", "_reconstruct")
    monkeypatch.setitem(ARRAY_NAMES, name, ARRAY_NAMES["numpy.core.multiarray", "_reconstruct"])
    (tmp_path / "alexnet.ckpt").write_bytes(pickle.dumps(tree, protocol=4))
    convert(tmp_path / "alexnet.ckpt", tmp_path / "out.safetensors")
    state = load_file(tmp_path / "out.safetensors")
    kernel = tree["AlexNet_0"]["Conv_1"]["kernel"]
    assert state["convolutions.1.weight"][5, 3, 2, 1] == np.float16(kernel[2, 1, 3, 5])
    np.testing.assert_array_equal(
        state["heads.4"], tree["NetLinLayer_4"]["Conv_0"]["kernel"].ravel()
    )

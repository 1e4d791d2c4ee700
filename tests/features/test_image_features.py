"""The transformers share one interface, and what a user passes becomes one of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from latentwalk.features import (
    CallableFeatures,
    LPIPSFeatures,
    ModuleFeatures,
    PixelFeatures,
    resolve_features,
)
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch import nn

X = np.random.default_rng(0).random((6, 3, 16, 16)).astype(np.float32)


@parametrize_with_checks([PixelFeatures()])
def test_sklearn_checks(estimator, check):
    check(estimator)


def test_pixel_distance_is_the_root_mean_square_difference():
    a, b = PixelFeatures().fit_transform(X[:2])
    assert np.linalg.norm(a - b) == pytest.approx(np.sqrt(np.mean((X[0] - X[1]) ** 2)), rel=1e-5)


def test_pixels_are_averaged_down():
    small = PixelFeatures(size=4).fit_transform(X)
    expected = X.reshape(6, 3, 4, 4, 4, 4).mean(axis=(3, 5)).reshape(6, -1) / np.sqrt(48)
    np.testing.assert_allclose(small, expected, rtol=1e-5)


def test_pixels_cannot_be_enlarged():
    with pytest.raises(ValueError, match="size=17; the images have 16x16 pixels"):
        PixelFeatures(size=17).fit(X)


def test_bytes_and_floats_agree():
    X8 = (X * 255).round().astype(np.uint8)
    np.testing.assert_allclose(
        PixelFeatures().fit_transform(X8), PixelFeatures().fit_transform(X8 / 255), atol=1e-7
    )


def test_two_dimensional_input_is_features_of_any_range():
    rows = 100 * np.random.default_rng(0).normal(size=(5, 9))
    np.testing.assert_allclose(PixelFeatures().fit_transform(rows), rows / 3, rtol=1e-6)


def test_transform_needs_no_fit_and_keeps_to_the_fitted_shape():
    np.testing.assert_array_equal(PixelFeatures().transform(X), PixelFeatures().fit_transform(X))
    with pytest.raises(ValueError, match="expected \\(3, 16, 16\\)"):
        PixelFeatures().fit(X).transform(X[..., :8])


@pytest.mark.parametrize("features", [PixelFeatures(), LPIPSFeatures(device="cpu")])
@pytest.mark.parametrize("bad", [X + 1, X[0], np.full_like(X, np.nan), X.astype(int)])
def test_bad_images(features, bad):
    with pytest.raises(ValueError, match="X "):
        features.fit(bad)


def test_set_output_and_names():
    pd = pytest.importorskip("pandas")
    frame = PixelFeatures(size=2).set_output(transform="pandas").fit_transform(X)
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.columns) == [f"pixelfeatures{i}" for i in range(12)]


def test_module_is_in_eval_mode_and_put_back():
    module = nn.Sequential(nn.Dropout(0.5), nn.Flatten(), nn.Linear(768, 5))
    features = ModuleFeatures(module, device="cpu", batch_size=4)
    out = features.fit_transform(X)
    with torch.no_grad():
        expected = module[2](torch.tensor(X).flatten(1))
    np.testing.assert_allclose(out, expected, rtol=1e-5)
    assert module.training and out.shape == (6, 5)


@pytest.mark.parametrize(
    ("function", "match"),
    [
        (lambda images: images.mean(), "gave features of shape"),
        (lambda images: np.zeros((2, 5)), "for 1 images"),
        (lambda images: images[:, 0] / np.float32(0) * 0, "NaN or infinite"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_bad_features_are_named(function, match):
    with pytest.raises(ValueError, match=match):
        CallableFeatures(function).fit(X)


def test_resolve():
    assert isinstance(resolve_features("pixels"), PixelFeatures)
    assert isinstance(resolve_features("lpips"), LPIPSFeatures)
    assert isinstance(resolve_features(nn.Flatten()), ModuleFeatures)
    assert isinstance(resolve_features(np.copy), CallableFeatures)
    pipeline = make_pipeline(PixelFeatures(), PCA(2))
    assert resolve_features(pipeline) is pipeline
    assert pipeline.fit_transform(X).shape == (6, 2)
    transformer = FunctionTransformer()
    assert resolve_features(transformer) is transformer


@pytest.mark.parametrize(
    ("spec", "error", "match"),
    [
        ("pixel", ValueError, r"features='pixel'; expected one of \['eff.*', 'pixels'\]"),
        (PixelFeatures, TypeError, "is a class"),
        (3, TypeError, "features is a int"),
    ],
)
def test_resolve_refuses(spec, error, match):
    with pytest.raises(error, match=match):
        resolve_features(spec)

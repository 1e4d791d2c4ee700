from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from latentwalk import GANDecoder, GANInverter, Generator, load_generator
from latentwalk.datasets import dermoscopy_generator_path
from latentwalk.generators._sources import load_network
from latentwalk.inversion import _invert
from latentwalk.inversion._settings import resolve_loss
from latentwalk.inversion._store import Inverted, RowStore
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils.estimator_checks import (
    check_param_validation,
    parametrize_with_checks,
)

from conftest import make_decoder
from expected_failures import DRAWS_OTHER_WIDTHS_FOR_TRANSFORMERS, fixed_width

GENERATOR = Generator.from_module(make_decoder(), w_dim=6, image_shape=(1, 8, 8))


def make_inverter(generator=GENERATOR, precision="auto", batch_size="auto", **params):
    generator = generator.using(precision=precision, batch_size=batch_size)
    return GANInverter(generator, **{"encoder_iter": 40, "random_state": 0} | params)


@parametrize_with_checks(
    [make_inverter(encoder_iter=1, max_iter=1)],
    expected_failed_checks=lambda estimator: fixed_width(
        [*DRAWS_OTHER_WIDTHS_FOR_TRANSFORMERS, "check_transformer_n_iter"],
        "the generator fixes the width of an image",
    ),
)
def test_common_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def samples():
    return GENERATOR.sample(40, random_state=1)


@pytest.fixture(scope="module")
def fitted(samples):
    inverter = make_inverter()
    W = inverter.fit_transform(samples[0])
    return inverter, W


def test_samples_come_back(samples, fitted):
    X, _ = samples
    inverter, W = fitted
    assert W.shape == (40, 6)
    assert W.dtype == np.float32
    spread = np.sqrt(np.square(X - X.mean(0)).mean((1, 2, 3)))
    assert np.median(inverter.reconstruction_error_) < 0.3 * np.median(spread)
    np.testing.assert_allclose(
        inverter.reconstruction_error_,
        np.sqrt(np.square(inverter.inverse_transform(W) - X).mean((1, 2, 3))),
        atol=1e-6,
    )


def test_latents_come_back_without_regularization(samples):
    X, expected = samples
    inverter = make_inverter(regularization=0, tol=0, max_iter=100, precision="float32")
    W = inverter.fit_transform(X)
    assert np.median(np.abs(W - expected).max(1)) < 0.01
    assert np.median(inverter.reconstruction_error_) < 1e-4


def test_every_stage_helps(samples):
    X, _ = samples
    stages = [{"encoder_iter": 0, "max_iter": 0}, {"max_iter": 0}, {"max_iter": 10}]
    errors = []
    for params in stages:
        inverter = make_inverter(**params)
        inverter.fit_transform(X)
        errors.append(inverter.reconstruction_error_.mean())
    assert errors[1] < 0.7 * errors[0]
    assert errors[2] < 0.7 * errors[1]


def test_untrained_encoder_gives_the_mean_latent(samples):
    W = make_inverter(encoder_iter=0, max_iter=0).fit_transform(samples[0])
    np.testing.assert_allclose(W, np.tile(GENERATOR.latent_moments[0], (40, 1)), atol=1e-6)


def test_encoder_alone_is_the_same_in_any_batch(samples):
    X, _ = samples
    inverter = make_inverter(max_iter=0).fit(X)
    whole = inverter.transform(X)
    for rows in ([7], [39, 7], range(5, 30), range(39, -1, -1)):
        np.testing.assert_array_equal(inverter.transform(X[list(rows)]), whole[list(rows)])
    inverter.set_params(generator=GENERATOR.using(batch_size=3))
    np.testing.assert_array_equal(inverter.transform(X), whole)


@pytest.mark.parametrize("precision", ["float32", "auto"])
def test_optimised_rows_do_not_depend_on_their_batch(samples, precision):
    X, _ = samples
    inverter = make_inverter(precision=precision).fit(X)
    whole = inverter.transform(X)
    for rows in ([7], list(range(39, -1, -1))):
        np.testing.assert_allclose(inverter.transform(X[rows]), whole[rows], atol=1e-4)
    inverter.set_params(generator=inverter.generator.using(batch_size=7))
    np.testing.assert_allclose(inverter.transform(X), whole, atol=1e-4)


def test_rows_that_are_done_leave_and_hard_rows_get_more_steps(samples):
    X = samples[0].copy()
    X[:5] = np.random.default_rng(0).random((5, 1, 8, 8))
    inverter = make_inverter(max_iter=60, tol=0.2)
    inverter.fit_transform(X)
    assert len(np.unique(inverter.n_iter_)) > 1
    assert inverter.n_iter_[:5].mean() < inverter.n_iter_[5:].mean()
    assert inverter.converged_[inverter.n_iter_ < 60].all()
    short = make_inverter(max_iter=3, tol=0)
    short.fit_transform(X)
    assert not short.converged_.any()
    assert (short.n_iter_ == 3).all()


def test_more_steps_never_raise_the_objective(samples):
    X = samples[0][:8]
    errors = []
    for max_iter in (0, 3, 13, 40):
        inverter = make_inverter(max_iter=max_iter, regularization=0, tol=0, precision="float32")
        W = inverter.fit_transform(X)
        objective = inverter._settings.objective()
        target = objective.features(torch.as_tensor(X))
        errors.append(objective(torch.as_tensor(W), target).numpy())
    assert (np.diff(errors, axis=0) <= 1e-7).all()


def test_regularization_keeps_latents_near_the_distribution():
    X = np.random.default_rng(0).random((10, 1, 8, 8)).astype(np.float32)
    free, bound = (make_inverter(regularization=weight).fit_transform(X) for weight in (0.0, 1.0))
    assert np.square(bound).mean() < 0.7 * np.square(free).mean()


def test_uint8_and_flat_images_are_read(samples, fitted):
    inverter, _ = fitted
    as_bytes = np.rint(samples[0] * 255).astype(np.uint8)
    expected = inverter.transform(as_bytes / np.float32(255))
    np.testing.assert_allclose(inverter.transform(as_bytes), expected, atol=1e-5)
    np.testing.assert_allclose(inverter.transform(as_bytes.reshape(40, -1)), expected, atol=1e-5)


@pytest.mark.parametrize("n_channels", [1, 2, 3, 5])
def test_any_number_of_channels(n_channels):
    generator = Generator.from_module(
        make_decoder(image_shape=(n_channels, 8, 12)), w_dim=6, image_shape=(n_channels, 8, 12)
    )
    X, _ = generator.sample(6, random_state=0)
    inverter = make_inverter(generator, max_iter=20)
    assert inverter.fit_transform(X).shape == (6, 6)
    assert hasattr(inverter, "perceptual_error_") == (n_channels in (1, 3))
    assert inverter.reconstruction_error_.mean() < 0.05


def test_lpips_needs_grey_or_colour():
    generator = Generator.from_module(
        make_decoder(image_shape=(2, 8, 8)), w_dim=6, image_shape=(2, 8, 8)
    )
    with pytest.raises(ValueError, match="makes 2 channels: pass loss='pixels'"):
        make_inverter(generator, loss="lpips").fit(np.zeros((2, 2, 8, 8)))


@pytest.mark.parametrize(
    ("image_shape", "loss"),
    [
        ((1, 32, 48), "lpips"),
        ((3, 32, 32), "lpips"),
        ((2, 32, 32), "pixels"),
        ((1, 16, 64), "pixels"),
    ],
)
def test_what_can_be_seen_is_inverted_by_how_it_looks(image_shape, loss):
    module = make_decoder(image_shape=image_shape)
    generator = Generator.from_module(module, w_dim=6, image_shape=image_shape)
    assert resolve_loss("auto", generator) == loss


def test_lpips_loss_lowers_lpips(samples):
    X = np.clip(samples[0][:6] + 0.2 * np.random.default_rng(0).normal(size=(6, 1, 8, 8)), 0, 1)
    errors = {}
    for loss in ("pixels", "lpips"):
        inverter = make_inverter(loss=loss, regularization=0, max_iter=30, tol=0)
        inverter.fit_transform(X)
        errors[loss] = inverter.perceptual_error_.mean()
    assert errors["lpips"] < errors["pixels"]


def test_fine_tuning_helps_the_encoder_on_these_images():
    X = np.random.default_rng(0).random((64, 1, 8, 8)).astype(np.float32)
    before, after = (make_inverter(max_iter=0, fine_tune_iter=n, regularization=0) for n in (0, 60))
    before.fit_transform(X)
    after.fit_transform(X)
    assert after.reconstruction_error_.mean() < before.reconstruction_error_.mean()


def test_poor_rows_are_counted(samples):
    X = samples[0].copy()
    X[[3, 8]] = np.random.default_rng(0).random((2, 1, 8, 8))
    inverter = make_inverter(max_error=0.15)
    with pytest.warns(UserWarning, match="2 of 40 images have a reconstruction error over"):
        inverter.fit_transform(X)
    np.testing.assert_array_equal(np.flatnonzero(inverter.poor_), [3, 8])
    with pytest.warns(UserWarning, match="1 of 4"):
        inverter.transform(X[:4])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clone(inverter).set_params(max_error=1.0).fit_transform(X)


def test_wrong_images_are_named_before_long_work(samples, fitted):
    X, _ = samples
    with pytest.raises(ValueError, match=r"shape \(1, 9, 9\); expected \(1, 8, 8\)"):
        make_inverter(encoder_iter=10**9).fit(np.zeros((2, 1, 9, 9)))
    with pytest.raises(ValueError, match="divide by 255"):
        make_inverter(encoder_iter=10**9).fit(X * 255)
    with pytest.raises(ValueError, match="NaN"):
        make_inverter(encoder_iter=10**9).fit(np.full((2, 1, 8, 8), np.nan))
    with pytest.raises(NotFittedError):
        make_inverter().transform(X)
    inverter, W = fitted
    with pytest.raises(ValueError, match="W has 3 rows; X has 40"):
        inverter.reconstruction_error(X, W[:3])
    with pytest.raises(ValueError, match="metric='ssim'"):
        inverter.reconstruction_error(X, W, metric="ssim")
    with pytest.raises(ValueError, match=r"expected \(n_samples, 6\)"):
        inverter.inverse_transform(W[:, :4])


def test_an_encoder_fitted_alone_says_so(samples):
    inverter = make_inverter(max_iter=0).fit(samples[0]).set_params(max_iter=5)
    with pytest.raises(ValueError, match="it was 0 in fit: fit again"):
        inverter.transform(samples[0])


def test_another_generator_needs_another_fit(samples, fitted):
    inverter = pickle.loads(pickle.dumps(fitted[0]))
    inverter.set_params(generator=GENERATOR.using(latent_space="z"))
    with pytest.raises(ValueError, match=r"fit was given .* fit again"):
        inverter.transform(samples[0])


def test_checks_that_the_common_ones_leave_out():
    name, inverter = "GANInverter", make_inverter(encoder_iter=1, max_iter=1)
    check_param_validation(name, inverter)


def test_data_frames_and_feature_names(samples):
    frame = pd.DataFrame(samples[0][:5].reshape(5, -1)).rename(columns=str)
    inverter = make_inverter(max_iter=1).set_output(transform="pandas")
    W = inverter.fit_transform(frame)
    assert list(W.columns) == [f"ganinverter{i}" for i in range(6)]
    assert W.index.equals(frame.index)
    assert inverter.feature_names_in_[0] == "0"
    with pytest.raises(ValueError, match="feature names"):
        inverter.transform(frame.rename(columns={"0": "other"}))


def test_in_a_pipeline_with_memory(samples, tmp_path, monkeypatch):
    X, _ = samples
    pipe = Pipeline(
        [("invert", make_inverter(max_iter=2)), ("decode", GANDecoder(GENERATOR))],
        memory=str(tmp_path),
    )
    first = pipe.fit_transform(X)

    def forbidden(*args, **kwargs):
        raise AssertionError("the cached result was not used")

    monkeypatch.setattr(GANInverter, "fit", forbidden)
    np.testing.assert_array_equal(clone(pipe).fit_transform(X), first)
    assert first.shape == X.shape


def test_a_cached_pipeline_knows_a_relocated_network_by_its_digest(tmp_path, monkeypatch):
    network = load_generator(dermoscopy_generator_path())
    old, new = tmp_path / "old.safetensors", tmp_path / "new.safetensors"
    before = network.save(old, dtype="float16")  # a digest of its own
    X = before.sample(4, random_state=0)[0]
    steps = [("invert", GANInverter(before, max_iter=0, encoder_iter=1)), ("decode", "passthrough")]
    first = Pipeline(steps, memory=str(tmp_path / "cache")).fit_transform(X)
    old.rename(new)
    after = before.relocate(new)
    assert joblib.hash(after) == joblib.hash(before)
    assert joblib.hash(after.using(latent_space="w+")) != joblib.hash(before)

    pipe = Pipeline(steps, memory=str(tmp_path / "cache")).set_params(invert__generator=after)
    with monkeypatch.context() as patch:
        patch.setattr(GANInverter, "fit", lambda *args, **params: pytest.fail("inverted again"))
        np.testing.assert_array_equal(pipe.fit_transform(X), first)
    load_network.cache_clear()
    # the inverter from the cache names the old place
    assert pipe.transform(X).shape == first.shape


def test_pickle_and_repeat(samples, fitted):
    inverter, W = fitted
    again = pickle.loads(pickle.dumps(inverter))
    np.testing.assert_array_equal(again.transform(samples[0]), inverter.transform(samples[0]))
    assert isinstance(inverter.encoder_, torch.nn.Module)
    np.testing.assert_array_equal(clone(inverter).fit_transform(samples[0]), W)


def test_a_fitted_inverter_keeps_no_image(fitted, samples):
    content = pickle.dumps(fitted[0])
    for image in samples[0][:5]:
        assert image.tobytes() not in content


def test_chunks_in_parallel_give_the_same(samples, fitted):
    inverter, W = fitted
    parallel = clone(inverter).set_params(n_jobs=2)
    with joblib.parallel_config(backend="threading"):
        np.testing.assert_allclose(parallel.fit_transform(samples[0]), W, atol=1e-4)


def test_an_interrupted_inversion_goes_on(samples, tmp_path, monkeypatch):
    X, _ = samples
    inverter = make_inverter(cache_dir=tmp_path, batch_size=10, max_iter=5)
    invert, calls = _invert._invert_chunk, []

    def interrupted(settings, encoder, images):
        calls.append(len(images))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return invert(settings, encoder, images)

    monkeypatch.setattr(_invert, "_invert_chunk", interrupted)
    with pytest.raises(KeyboardInterrupt):
        inverter.fit_transform(X)
    # recognised by content: in another order, and with another batch size
    inverter.set_params(generator=GENERATOR.using(batch_size=40))
    W = inverter.fit_transform(X[::-1])
    assert calls == [10, 10, 10, 20]
    np.testing.assert_array_equal(inverter.fit_transform(X[::-1]), W)
    assert len(calls) == 4
    # other circumstances are another run
    inverter.set_params(max_iter=6).fit_transform(X)
    assert len(calls) == 5
    expected = make_inverter(max_iter=5).fit_transform(X[::-1])
    np.testing.assert_allclose(W, expected, atol=1e-4)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:100],
        lambda content: b"",
        lambda content: content[:300] + bytes([content[300] ^ 4]) + content[301:],
    ],
    ids=["cut short", "empty", "one bit"],
)
def test_a_damaged_file_is_done_again(samples, tmp_path, damage):
    X, _ = samples
    inverter = make_inverter(cache_dir=tmp_path, max_iter=2)
    W = inverter.fit_transform(X)
    (path,) = tmp_path.rglob("*.npz")
    assert path.stat().st_mode & 0o077 == 0, "others can read it"
    path.write_bytes(damage(path.read_bytes()))
    np.testing.assert_allclose(inverter.fit_transform(X), W, atol=1e-6)


def test_concurrent_writers_of_one_row_do_not_meet(tmp_path):
    rows = Inverted(np.ones((3, 2), np.float32), np.arange(3), np.zeros(3, bool))

    def write(_):
        RowStore(tmp_path, "context").save(["a", "b", "c"], rows)
        return RowStore(tmp_path, "context").load()

    with ThreadPoolExecutor(8) as pool:
        loaded = list(pool.map(write, range(48)))
    assert all(set(found) == {"a", "b", "c"} and found["b"].n_iter == 1 for found in loaded)


def test_a_cache_that_is_removed_in_the_middle_is_made_again(tmp_path):
    store, rows = RowStore(tmp_path / "cache", "a context"), Inverted.empty(1, 3)
    store.save(["first"], rows)
    shutil.rmtree(tmp_path / "cache")
    store.save(["second"], rows)
    assert list(store.load()) == ["second"]


def test_fits_at_the_same_time_do_not_share_their_seed(samples):
    expected = make_inverter(encoder_iter=3, max_iter=0).fit_transform(samples[0])

    def fit(_):
        return make_inverter(encoder_iter=3, max_iter=0).fit_transform(samples[0])

    with ThreadPoolExecutor(4) as pool:
        for W in pool.map(fit, range(8)):
            np.testing.assert_allclose(W, expected, atol=1e-5)


def test_importing_the_package_does_not_import_matplotlib():
    code = "import sys, latentwalk.inspection as i, latentwalk.inversion; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "latentwalk.inversion" in done.stdout.split()
    assert "matplotlib" not in done.stdout.split()


@pytest.mark.parametrize(("loss", "precision"), [("pixels", "bfloat16"), ("lpips", "float32")])
def test_rows_of_a_stylegan2_do_not_depend_on_their_batch(loss, precision):
    """Kernels round otherwise in the smallest batches, and networks with kinks make much of it."""
    generator = load_generator(dermoscopy_generator_path())
    X, _ = generator.sample(17, random_state=3)
    settings = {"encoder_iter": 3, "max_iter": 12, "tol": 0, "loss": loss}
    inverter = make_inverter(generator, precision, **settings).fit(X)
    whole = inverter.transform(X)
    for rows in ([2], [4, 2, 1]):
        np.testing.assert_allclose(inverter.transform(X[rows]), whole[rows], atol=1e-4)

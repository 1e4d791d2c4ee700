"""GANInverter beyond its defaults: other latent spaces, LPIPS in colour, caches, processes."""

from __future__ import annotations

import errno
import pickle

import joblib
import numpy as np
import pytest
import torch
from latentwalk import GANDecoder, GANInverter, Generator
from latentwalk.features import lpips_distance
from latentwalk.generators._stylegan2 import StyleGAN2, StyleGAN2Config
from latentwalk.inversion import _invert
from latentwalk.inversion._encoder import minimize
from latentwalk.utils import _batching, _files
from latentwalk.utils._batching import batch_rows
from sklearn.base import clone
from sklearn.pipeline import Pipeline


def make_stylegan2():
    """16x16 colour images; six layers, and a mapping network that is not the identity.

    Widths are multiples of 8: a matrix product rounds by a row's place in other ones.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = StyleGAN2(StyleGAN2Config((16, 16, 16), 3, z_dim=8, w_dim=16))
    return Generator.from_stylegan2(network)


GENERATOR = make_stylegan2()
X, _ = GENERATOR.sample(8, random_state=1)


def make_inverter(latent_space="w", batch_size="auto", **params):
    generator = GENERATOR.using(
        latent_space=latent_space, batch_size=batch_size, precision="float32"
    )
    defaults = {"encoder_iter": 30, "max_iter": 30, "random_state": 0}
    return GANInverter(generator, **(defaults | params))


def error(images, found):
    return np.sqrt(np.square(images - found).mean((1, 2, 3)))


@pytest.mark.parametrize("latent_space", ["w", "w+", "z"])
def test_each_space_finds_latents_whose_images_are_near(latent_space):
    inverter = make_inverter(latent_space=latent_space)
    W = inverter.fit_transform(X)
    assert W.shape == (8, inverter.generator.n_latent_features)
    assert list(inverter.get_feature_names_out())[-1] == f"ganinverter{W.shape[1] - 1}"
    spread = np.median(error(X, X.mean(0)))
    assert np.median(inverter.reconstruction_error_) < 0.4 * spread
    # the errors are of what the latents decode to in this space
    decoded = GANDecoder(inverter.generator).fit(W).transform(W)
    np.testing.assert_allclose(inverter.reconstruction_error_, error(X, decoded), atol=1e-6)
    start = make_inverter(latent_space=latent_space, max_iter=0)
    start.fit_transform(X)
    gain = inverter.reconstruction_error_.mean() / start.reconstruction_error_.mean()
    assert gain < 0.8


@pytest.mark.parametrize("latent_space", ["w+", "z"])
def test_rows_of_each_space_do_not_depend_on_their_batch(latent_space):
    inverter = make_inverter(latent_space=latent_space, max_iter=10).fit(X)
    whole = inverter.transform(X)
    for rows in ([2], [5, 1, 3]):
        np.testing.assert_allclose(inverter.transform(X[rows]), whole[rows], atol=1e-4)


def test_more_layers_of_their_own_fit_better():
    """Images whose layers have different w: W cannot make them, W+ can."""
    rng = np.random.default_rng(0)
    w = GENERATOR.mapping(torch.as_tensor(rng.normal(size=(24, 8)), dtype=torch.float32))
    mixed = w.reshape(4, 6, -1)[:, : GENERATOR.num_ws].flatten(1)
    images = GENERATOR.using(latent_space="w+").decode(mixed).detach().numpy()
    errors = {}
    for latent_space in ("w", "w+"):
        inverter = make_inverter(latent_space=latent_space, regularization=0, tol=0)
        W = inverter.fit_transform(images)
        errors[latent_space] = inverter.reconstruction_error_.mean()
    assert errors["w+"] < 0.5 * errors["w"]
    layers = W.reshape(4, GENERATOR.num_ws, -1)
    assert np.ptp(layers, axis=1).max() > 1e-2


@pytest.mark.parametrize("n_iter", [1, 2, 3, 10, 20])
def test_the_encoder_takes_any_number_of_steps(n_iter):
    module = torch.nn.Linear(1, 1)
    rng = torch.Generator().manual_seed(0)
    calls = []

    def loss(rows):
        calls.append(len(rows))
        return module(torch.ones(1, 1)).square().sum()

    before = loss([]).item()
    minimize(module, loss, 5, n_iter, rng)
    assert len(calls) == n_iter + 1
    assert loss([]).item() < before


def test_an_untrained_encoder_starts_at_the_mean_of_each_space():
    w_mean = GENERATOR.latent_moments[0]
    means = {"w+": np.tile(w_mean, GENERATOR.num_ws), "z": np.zeros(8)}
    for latent_space, mean in means.items():
        inverter = make_inverter(latent_space=latent_space, encoder_iter=0, max_iter=0)
        W = inverter.fit_transform(X)
        np.testing.assert_allclose(W, np.tile(mean, (8, 1)), atol=1e-6)


def test_lpips_in_colour_finds_what_looks_alike():
    noise = 0.15 * np.random.default_rng(0).normal(size=X.shape)
    images = np.clip(X + noise, 0, 1).astype(np.float32)
    errors = {}
    for loss in ("pixels", "lpips"):
        inverter = make_inverter(loss=loss, encoder_iter=10, tol=0, max_iter=10)
        W = inverter.fit_transform(images)
        errors[loss] = inverter.perceptual_error_.mean()
    assert errors["lpips"] < errors["pixels"]
    decoded = torch.as_tensor(inverter.inverse_transform(W))
    expected = lpips_distance(torch.as_tensor(images), decoded).numpy()
    np.testing.assert_allclose(inverter.perceptual_error_, expected, atol=1e-5)


def test_lpips_in_colour_is_the_same_in_any_batch():
    inverter = make_inverter(loss="lpips", max_iter=10, encoder_iter=3).fit(X)
    whole = inverter.transform(X)
    np.testing.assert_allclose(inverter.transform(X[[6, 2]]), whole[[6, 2]], atol=1e-4)


def test_a_cached_step_does_not_optimise_again(tmp_path, monkeypatch):
    calls, optimise = [], _invert.optimize_latents

    def counted(*args, **kwargs):
        calls.append(1)
        return optimise(*args, **kwargs)

    monkeypatch.setattr(_invert, "optimize_latents", counted)
    steps = [("invert", make_inverter(max_iter=3)), ("decode", GANDecoder(GENERATOR))]
    pipe = Pipeline(steps, memory=str(tmp_path))
    first = pipe.fit_transform(X)
    assert len(calls) == 1
    again = clone(pipe)
    # what another session would hold: equal, and no object of this one
    again.set_params(invert__generator=pickle.loads(pickle.dumps(steps[0][1].generator)))
    np.testing.assert_array_equal(again.fit_transform(X.copy()), first)
    assert len(calls) == 1
    inverter = again.named_steps["invert"]
    np.testing.assert_allclose(inverter.reconstruction_error_, error(X, first), atol=1e-6)
    clone(pipe).set_params(invert__max_iter=4).fit_transform(X)
    clone(pipe).fit_transform(X[::-1].copy())
    assert len(calls) == 3


@pytest.mark.parametrize("latent_space", ["w", "z"])
def test_processes_find_what_one_finds(latent_space):
    inverter = make_inverter(latent_space=latent_space, max_iter=12, encoder_iter=10)
    expected = inverter.fit_transform(X)
    parallel = clone(inverter).set_params(n_jobs=2)
    with joblib.parallel_config(backend="loky"):
        found = parallel.fit_transform(X)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_array_equal(parallel.n_iter_, inverter.n_iter_)
    np.testing.assert_array_equal(parallel.converged_, inverter.converged_)


def test_a_cache_that_cannot_be_written_is_named_before_the_encoder_trains(tmp_path):
    (tmp_path / "file").write_text("")
    inverter = make_inverter(cache_dir=tmp_path / "file", encoder_iter=10**9)
    with pytest.raises(OSError, match="cache_dir is not a folder that can be written into"):
        inverter.fit(X)


def test_a_full_disk_keeps_what_was_finished(tmp_path, monkeypatch):
    inverter = make_inverter(cache_dir=tmp_path, batch_size=3, max_iter=2)
    flush, calls = _files.flush, []

    def fill_up(path):
        if path.suffix == ".partial":
            calls.append(1)
            if len(calls) == 2:
                path.write_bytes(b"half")
                raise OSError(errno.ENOSPC, "No space left on device")
        flush(path)

    monkeypatch.setattr(_files, "flush", fill_up)
    with pytest.raises(OSError, match=r"cache_dir cannot take .* \(No space left on device\)"):
        inverter.fit_transform(X)
    assert [path.suffix for path in tmp_path.rglob("*.*")] == [".npz"]
    inverter.fit_transform(X)
    assert len(calls) == 4


@pytest.mark.parametrize(
    ("shape", "rows"),
    [((3, 32, 32), 64), ((1, 128, 128), 64), ((3, 256, 256), 16), ((1, 2048, 2048), 1)],
)
def test_large_images_make_small_batches(shape, rows):
    assert batch_rows(shape) == rows


def test_parts_of_a_batch_are_the_batch(monkeypatch):
    """What is learned from the generator's samples is the same in parts that fit into memory."""
    fitted = []
    for side in (128, 8):
        monkeypatch.setattr(_batching, "FULL_BATCH_SIDE", side)
        fitted.append(make_inverter(encoder_iter=2).fit(X))
    whole, parts = fitted
    weights = [inverter._settings.regularization for inverter in fitted]
    np.testing.assert_allclose(*weights, rtol=1e-5)
    state = whole.encoder_.state_dict()
    for name, value in parts.encoder_.state_dict().items():
        np.testing.assert_allclose(value, state[name], atol=1e-4, err_msg=name)

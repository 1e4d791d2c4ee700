"""Work on rows is the same in one process, in several, and from a memory map."""

from __future__ import annotations

import joblib
import numpy as np
import pytest
import torch
from latentwalk import (
    GANDecoder,
    GANInverter,
    Generator,
    GuidedWalker,
    IdentityClassifier,
    LabelClassifier,
)
from latentwalk.features import LPIPSFeatures
from latentwalk.utils import map_rows
from latentwalk.utils._mapped import MappedRows, pack_rows, unpack_rows
from torch import nn

SHAPE = (1, 8, 8)
torch.manual_seed(0)
DECODER = nn.Sequential(
    nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 64), nn.Tanh(), nn.Unflatten(1, SHAPE)
)
GENERATOR = Generator.from_module(DECODER, w_dim=6, image_shape=SHAPE, batch_size=8)
FLOATS, W = GENERATOR.sample(48, random_state=0)
X = (255 * FLOATS).round().astype(np.uint8)
Y = np.array(["a", "b"]).repeat(24)
PROTOTYPES = W.reshape(12, 4, 6).mean(axis=1).repeat(4, axis=0)
TRAINING = {"max_iter": 2, "width": 4, "augmentation": None, "random_state": 0}


def guides():
    identity = IdentityClassifier(**TRAINING).fit(X, np.arange(48) // 2)
    return identity, LabelClassifier(**TRAINING).fit(X, Y)


def invert(n_jobs):
    inverter = GANInverter(GENERATOR, max_iter=3, encoder_iter=2, n_jobs=n_jobs, random_state=0)
    W = inverter.fit_transform(X)
    return [W, inverter.reconstruction_error_, inverter.perceptual_error_, inverter.n_iter_]


def walk(n_jobs):
    settings = {"n_points": 9, "max_iter": 4, "repulsion": 0.5, "random_state": 0}
    walker = GuidedWalker(GENERATOR, *guides(), n_jobs=n_jobs, **settings)
    W_syn = walker.fit_transform(PROTOTYPES, Y, X_real=X)
    return [W_syn, walker.path_identity_, walker.path_class_proba_, walker.path_distance_]


def decode(n_jobs):
    return [GANDecoder(GENERATOR, n_jobs=n_jobs).fit_transform(W)]


def score(n_jobs):
    return [guides()[0].set_params(n_jobs=n_jobs).predict_proba(np.tile(X, (3, 1, 1, 1)))]


def features(n_jobs):
    return [LPIPSFeatures(batch_size=8, device="cpu", n_jobs=n_jobs).fit_transform(X)]


@pytest.mark.parametrize("backend", ["loky", "threading"])
@pytest.mark.parametrize("step", [invert, walk, decode, score, features])
def test_two_workers_give_the_bits_of_one(step, backend):
    expected = step(1)
    with joblib.parallel_config(backend=backend):
        for found, known in zip(step(2), expected, strict=True):
            np.testing.assert_array_equal(found, known)


class Broken(nn.Module):
    """Gives NaN for latents whose first value is over 1."""

    def forward(self, w):
        return torch.where(w[:, :1, None, None] > 1, torch.nan, DECODER(w))


def test_no_image_of_nan_is_inverted_leaves_the_decoder_or_passes_the_checks_of_a_walk():
    generator = Generator.from_module(Broken(), w_dim=6, image_shape=SHAPE)
    far = np.where(np.arange(48)[:, None] == 5, np.float32(2), np.clip(W, -1, 1))
    message = "the generator made NaN or infinite values for 1 of 48 latents"
    with pytest.raises(ValueError, match=message):
        GANDecoder(generator).fit_transform(far)
    for encoder_iter in (0, 1):
        inverter = GANInverter(generator, max_iter=0, encoder_iter=encoder_iter, random_state=0)
        with pytest.raises(ValueError, match="the generator made NaN"):
            inverter.fit(X)
    walker = GuidedWalker(generator, guides()[0], n_points=9, max_iter=0, random_state=0)
    with pytest.raises(ValueError, match="the generator made NaN"):
        walker.fit(2 + PROTOTYPES)


@pytest.mark.parametrize("n_jobs", [1, 2, 5])
@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_rows_are_in_order_for_any_number_of_workers_and_rows_a_batch(n_jobs, batch_size):
    with joblib.parallel_config(backend="threading"):
        found = map_rows(np.add, [W, 2 * W], n_jobs=n_jobs, batch_size=batch_size)
    np.testing.assert_array_equal(found, 3 * W)


@pytest.mark.parametrize(
    "part", [lambda X: X, lambda X: X[5:20], lambda X: X.reshape(48, -1), lambda X: X[3:][1:, None]]
)
def test_rows_of_a_memory_map_travel_as_a_place_in_its_file(tmp_path, part):
    np.save(tmp_path / "x.npy", X)
    mapped = part(np.load(tmp_path / "x.npy", mmap_mode="r"))
    rows = np.array([1, 4, 9])
    packed = pack_rows(np.asarray(mapped), rows)
    assert isinstance(packed, MappedRows)
    np.testing.assert_array_equal(unpack_rows(packed), mapped[rows])


def test_rows_that_are_in_no_file_travel_themselves(tmp_path):
    np.save(tmp_path / "x.npy", X)
    changed = np.load(tmp_path / "x.npy", mmap_mode="c")
    changed[:] = 7
    every_other = np.load(tmp_path / "x.npy", mmap_mode="r")[:, :, ::2]
    for array in (X, changed, every_other):
        np.testing.assert_array_equal(pack_rows(array, slice(2, 5)), array[2:5])

"""Prototypes are put back to where the generator's own latents lie."""

from __future__ import annotations

import numpy as np
import pytest
from latentwalk import GANDecoder, Generator, KSameAggregator
from latentwalk.aggregation import ShellNormalizer
from latentwalk.evaluation import check_pipeline
from sklearn.pipeline import Pipeline

from conftest import make_decoder

GENERATOR = Generator.from_module(make_decoder(), w_dim=6, image_shape=(1, 8, 8))


@pytest.fixture(scope="module")
def latents():
    return GENERATOR.sample(200, random_state=1)[1]


def norms(W):
    mean, std = GENERATOR.latent_moments
    return np.linalg.norm((W - mean) / std, axis=1)


def test_means_get_the_median_norm_of_the_generators_samples_and_keep_their_direction(latents):
    means = latents.reshape(20, 10, 6).mean(axis=1)
    own = norms(GENERATOR.sample(2000, random_state=5)[1])
    assert np.median(norms(means)) < 0.6 * np.median(own)
    moved = ShellNormalizer(GENERATOR).fit_transform(means)
    assert norms(moved) == pytest.approx(np.median(own), rel=0.03)
    mean, std = GENERATOR.latent_moments
    before, after = ((rows - mean) / std for rows in (means, moved))
    cosines = (before * after).sum(axis=1) / np.linalg.norm(before, axis=1) / norms(moved)
    assert cosines == pytest.approx(1, abs=1e-5)


def test_the_shell_is_the_same_whatever_rows_are_given(latents):
    first, second = (ShellNormalizer(GENERATOR).fit(W) for W in (latents[:5], 3 * latents))
    assert first.radius_ == second.radius_
    mean = GENERATOR.latent_moments[0]
    np.testing.assert_array_equal(first.transform(mean[None])[0], mean.astype(np.float32))


def test_it_stands_between_aggregator_and_decoder(latents):
    steps = [("ksame", KSameAggregator(k=5)), ("shell", ShellNormalizer(GENERATOR))]
    pipe = Pipeline([*steps, ("decode", GANDecoder(GENERATOR))])
    assert pipe.fit_transform(latents).shape == (200, 1, 8, 8)
    images = np.zeros((20, 1, 8, 8))
    check_pipeline(pipe, images)
    with pytest.raises(ValueError, match="ksame stands after shell"):
        check_pipeline(Pipeline([*steps[::-1], ("decode", GANDecoder(GENERATOR))]), images)


def test_latents_of_another_width_are_refused():
    with pytest.raises(ValueError, match="W has 5 features; the generator's latents have 6"):
        ShellNormalizer(GENERATOR).fit(np.zeros((3, 5)))

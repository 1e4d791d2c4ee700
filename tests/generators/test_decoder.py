from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from latentwalk import GANDecoder, Generator
from latentwalk.generators import decode_latents
from latentwalk.utils import to_bytes
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

from conftest import make_decoder
from expected_failures import DRAWS_OTHER_WIDTHS_FOR_TRANSFORMERS, fixed_width

GENERATOR = Generator.from_module(make_decoder(), w_dim=6, image_shape=(1, 8, 8))


@parametrize_with_checks(
    [GANDecoder(GENERATOR)],
    expected_failed_checks=lambda estimator: fixed_width(
        DRAWS_OTHER_WIDTHS_FOR_TRANSFORMERS, "the generator fixes the width of a latent"
    ),
)
def test_common_checks(estimator, check):
    check(estimator)


@pytest.fixture
def latents():
    return np.random.default_rng(0).normal(size=(70, 6)).astype(np.float32)


def test_rows_are_aligned_and_independent_of_their_batch(decoder_generator, latents):
    X = GANDecoder(decoder_generator.using(batch_size=70)).fit_transform(latents)
    small = GANDecoder(decoder_generator.using(batch_size=3)).fit_transform(latents)
    assert X.shape == (70, 1, 8, 8)
    assert X.dtype == np.float32
    np.testing.assert_allclose(X, small, atol=1e-6)
    np.testing.assert_allclose(
        X[7], decoder_generator.synthesis(torch.as_tensor(latents[7:8]))[0], atol=1e-6
    )


def test_bytes_are_rounded(decoder_generator, latents):
    X = GANDecoder(decoder_generator).fit_transform(latents)
    as_bytes = GANDecoder(decoder_generator, output_dtype="uint8").fit_transform(latents)
    assert as_bytes.dtype == np.uint8
    assert np.abs(as_bytes / 255 - X).max() <= 0.5 / 255 + 1e-6


def test_flat_output_goes_into_a_data_frame(decoder_generator, latents):
    decoder = GANDecoder(decoder_generator, flatten=True).set_output(transform="pandas")
    frame = decoder.fit_transform(latents)
    assert frame.shape == (70, 64)
    assert frame.columns[0] == "gandecoder0"


def test_latents_of_another_width_are_refused(decoder_generator):
    with pytest.raises(ValueError, match="W has 5 features; the generator's 'w' space has 6"):
        GANDecoder(decoder_generator).fit(np.zeros((3, 5)))
    with pytest.raises(ValueError, match="NaN"):
        GANDecoder(decoder_generator).fit(np.full((3, 6), np.nan))


def test_out_of_memory_halves_the_batch_and_loses_no_row(decoder_generator, latents, monkeypatch):
    render = type(decoder_generator).render

    def limited(self, w):
        if len(w) > 20:
            raise torch.OutOfMemoryError("too many rows")
        return render(self, w)

    expected = GANDecoder(decoder_generator).fit_transform(latents)
    monkeypatch.setattr(type(decoder_generator), "render", limited)
    with pytest.warns(UserWarning, match="halved to"):
        X = GANDecoder(decoder_generator).fit_transform(latents)
    np.testing.assert_allclose(X, expected, atol=1e-6)
    with pytest.raises(torch.OutOfMemoryError):
        GANDecoder(decoder_generator.using(batch_size=64)).fit_transform(latents)


def test_images_are_written_where_they_are_asked_for(decoder_generator, latents, tmp_path):
    expected = GANDecoder(decoder_generator, output_dtype="uint8").fit_transform(latents)
    out = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.uint8, expected.shape)
    assert decode_latents(decoder_generator, latents, output_dtype="uint8", out=out) is out
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), expected)
    with pytest.raises(ValueError, match=r"out is uint8 of shape .*; expected float32"):
        decode_latents(decoder_generator, latents, out=out)
    with pytest.raises(ValueError, match="output_dtype='int8'"):
        decode_latents(decoder_generator, latents, output_dtype="int8")


def test_bytes_are_those_of_the_floats(decoder_generator, latents):
    floats = decode_latents(decoder_generator.using(batch_size=16), latents)
    made = decode_latents(decoder_generator.using(batch_size=16), latents, output_dtype="uint8")
    np.testing.assert_array_equal(made, to_bytes(floats))


def test_fitting_changes_neither_parameters_nor_input(decoder_generator, latents):
    decoder, before = GANDecoder(decoder_generator), latents.copy()
    params = decoder.get_params()
    assert decoder.fit(latents) is decoder
    assert decoder.get_params() == params
    assert decoder.n_features_in_ == 6
    again = pickle.loads(pickle.dumps(decoder))
    np.testing.assert_array_equal(again.transform(latents), decoder.transform(latents))
    np.testing.assert_array_equal(latents, before)
    with pytest.raises(NotFittedError):
        GANDecoder(decoder_generator).transform(latents)


def test_a_network_that_was_first_used_to_decode_still_gives_gradients():
    generator = Generator.from_module(make_decoder(seed=17), w_dim=6, image_shape=(1, 8, 8))
    GANDecoder(generator).fit_transform(np.zeros((1, 6), dtype=np.float32))
    w = torch.zeros(1, 6, requires_grad=True)
    generator.synthesis(w).sum().backward()
    assert w.grad.abs().sum() > 0

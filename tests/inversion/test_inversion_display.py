from __future__ import annotations

import matplotlib
import matplotlib.pyplot
import numpy as np
import pytest
from latentwalk import GANInverter
from latentwalk.inspection import InversionDisplay

matplotlib.use("agg")


@pytest.fixture
def fitted(decoder_generator):
    X, _ = decoder_generator.sample(12, random_state=0)
    inverter = GANInverter(decoder_generator, max_iter=5, encoder_iter=5, random_state=0)
    return inverter, X, inverter.fit_transform(X)


def test_from_the_best_to_the_worst(fitted):
    inverter, X, W = fitted
    display = InversionDisplay.from_estimator(inverter, X, W, max_images=5)
    assert display.axes_.shape == (3, 5)
    assert (np.diff(display.error) >= 0).all()
    np.testing.assert_allclose(
        display.error[[0, -1]], np.sort(inverter.reconstruction_error_)[[0, -1]], atol=1e-6
    )
    shown = display.axes_[1, 0].images[0].get_array()
    np.testing.assert_allclose(shown, display.reconstructions[0, 0], atol=1e-6)
    matplotlib.pyplot.close(display.figure_)


def test_latents_are_found_where_none_are_given(fitted):
    inverter, X, W = fitted
    display = InversionDisplay.from_estimator(inverter, X, max_images=3)
    assert display.axes_.shape == (3, 3)
    matplotlib.pyplot.close(display.figure_)
    expected = inverter.inverse_transform(W[:3])
    np.testing.assert_allclose(display.reconstructions, expected, atol=1e-4)


def test_it_is_drawn_where_it_is_asked_for(fitted):
    inverter, X, W = fitted
    figure, axes = matplotlib.pyplot.subplots(3, 2)
    display = InversionDisplay.from_estimator(inverter, X, W, max_images=2, axes=axes)
    assert display.figure_ is figure
    matplotlib.pyplot.close(figure)


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="reconstructions has 2 rows; images has 3"):
        InversionDisplay(np.zeros((3, 1, 8, 8)), np.zeros((2, 1, 8, 8)))

"""PathDisplay draws what the walker measured."""

from __future__ import annotations

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from latentwalk import Generator, GuidedWalker
from latentwalk.inspection import PathDisplay
from torch import nn


@pytest.fixture(scope="module")
def walker():
    torch.manual_seed(0)
    decoder = nn.Sequential(nn.Linear(4, 192), nn.Tanh(), nn.Unflatten(1, (3, 8, 8)))
    generator = Generator.from_module(decoder, w_dim=4, image_shape=(3, 8, 8))
    guides = [nn.Sequential(nn.Flatten(), nn.Linear(192, n)) for n in (5, 2)]
    W = generator.sample(8, random_state=0)[1]
    walker = GuidedWalker(generator, *guides, n_points=9, max_iter=20, random_state=0)
    return walker.fit(W, np.arange(8) % 2)


def test_the_guided_curves_are_the_walkers_figures(walker):
    X_real = walker.generator.sample(6, random_state=1)[0]
    display = PathDisplay.from_estimator(walker, 3, X_real=X_real, n_images=4)
    assert set(display.curves) == {"identity", "class_proba", "distance"}
    line = display.lines_["identity"]["guided"]
    np.testing.assert_allclose(line.get_ydata(), walker.path_identity_[3], rtol=1e-5)
    guided, linear = (display.curves["class_proba"][n] for n in ("guided", "linear"))
    np.testing.assert_allclose(guided, walker.path_class_proba_[3], rtol=1e-5)
    assert np.abs(guided - linear)[1:-1].max() > 1e-4
    assert display.strips["guided"].shape == (4, 3, 8, 8)
    assert [axis.get_ylim() for axis in display.axes_[:2]] == [(0, 1)] * 2
    low, high = display.axes_[2].get_ylim()
    assert low == 0 and high > display.curves["distance"]["guided"].max()
    assert len(display.axes_) == 5
    plt.close("all")


def test_figures_that_could_not_be_measured_are_left_out(walker):
    display = PathDisplay.from_estimator(walker)
    assert set(display.curves) == {"identity", "class_proba"}
    plt.close("all")


def test_a_walk_without_guides_still_shows_its_images(walker):
    X, W = walker.generator.sample(8, random_state=0)
    away = GuidedWalker(walker.generator, repulsion=1.0, selection="uniform", max_iter=1)
    display = PathDisplay.from_estimator(away.fit(W, X_real=X))
    assert display.curves == {} and len(display.axes_) == 2
    plt.close("all")


def test_no_such_path_is_an_error(walker):
    with pytest.raises(IndexError, match="path=99; the walker has paths 0 to 7"):
        PathDisplay.from_estimator(walker, 99)

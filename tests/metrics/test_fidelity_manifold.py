"""Precision, recall, density, coverage, alpha-precision and beta-recall."""

from __future__ import annotations

import numpy as np
import pytest
from latentwalk.metrics import (
    alpha_precision,
    beta_recall,
    coverage,
    density,
    improved_precision,
    improved_recall,
)
from latentwalk.metrics._fidelity import _common
from scipy.spatial.distance import cdist

BY_HAND = [
    # real 0, 1, 2, 10 with k = 1: radii 1, 1, 1, 8; synthetic 2.5 is in the balls of 2 and 10
    (improved_precision, 2 / 3),
    (density, 3 / 3),
    # synthetic 2.5, 11, 30 with radii 8.5, 8.5, 19: they hold 0, 1, 2, and 10
    (improved_recall, 4 / 4),
    # nearest synthetic of the real rows at 2.5, 1.5, 0.5, 1: under the radius of 2 and 10
    (coverage, 2 / 4),
]


@pytest.mark.parametrize(("metric", "expected"), BY_HAND)
def test_by_hand(metric, expected):
    real, synthetic = [[0.0], [1.0], [2.0], [10.0]], [[2.5], [11.0], [30.0]]
    assert metric(synthetic, real, n_neighbors=1) == pytest.approx(expected)


def test_each_sees_its_own_failure():
    rng = np.random.default_rng(0)
    real = rng.normal(size=(300, 4))
    collapsed = 0.01 * rng.normal(size=(300, 4))
    outside = np.concatenate([rng.normal(size=(150, 4)), 50 + rng.normal(size=(150, 4))])
    assert improved_precision(collapsed, real) == 1
    assert improved_recall(collapsed, real) < 0.05
    assert coverage(collapsed, real) < 0.2
    assert 0.4 < improved_precision(outside, real) < 0.51
    assert improved_recall(outside, real) > 0.8


def test_density_and_coverage_of_equal_distributions():
    rng = np.random.default_rng(0)
    real, synthetic = rng.normal(size=(2, 1000, 8))
    assert density(synthetic, real) == pytest.approx(1, abs=0.1)
    assert coverage(synthetic, real) == pytest.approx(1 - 2.0**-5, abs=0.02)


def test_an_offset_does_not_blur_distances():
    rng = np.random.default_rng(0)
    real, synthetic = rng.normal(size=(2, 60, 3))
    for metric in (improved_precision, improved_recall, density, coverage, beta_recall):
        assert metric(synthetic + 1e7, real + 1e7) == pytest.approx(metric(synthetic, real))


def test_blocks_make_no_difference(monkeypatch):
    rng = np.random.default_rng(0)
    real, synthetic = rng.normal(size=(50, 3)), rng.normal(0, 0.6, size=(40, 3))
    whole = [m(synthetic, real) for m in (density, improved_recall, beta_recall)]
    monkeypatch.setattr(_common, "CHUNK_VALUES", 100)
    assert [m(synthetic, real) for m in (density, improved_recall, beta_recall)] == whole


def test_alpha_precision_is_the_integral_over_levels():
    rng = np.random.default_rng(0)
    real, synthetic = rng.normal(size=(400, 3)), rng.normal(0, 0.5, size=(300, 3))
    radius = np.linalg.norm(real - real.mean(0), axis=1)
    reached = np.linalg.norm(synthetic - real.mean(0), axis=1)
    alphas = np.linspace(0, 1, 2001)
    gap = [abs(np.mean(reached <= np.quantile(radius, a)) - a) for a in alphas]
    expected = 1 - 2 * np.trapezoid(gap, alphas)
    assert alpha_precision(synthetic, real) == pytest.approx(expected, abs=0.01)
    assert 0 < expected < 0.8


def test_beta_recall_is_the_integral_over_levels():
    rng = np.random.default_rng(0)
    real, synthetic = rng.normal(size=(150, 2)), rng.normal(0, 0.7, size=(200, 2))
    between, within = cdist(real, synthetic), np.sort(cdist(real, real), axis=1)
    depth = np.linalg.norm(synthetic - synthetic.mean(0), axis=1)
    betas = np.linspace(0, 1, 401)[1:]
    gap = []
    for beta in betas:
        support = depth <= np.quantile(depth, beta)
        found = between[:, support].min(axis=1) <= within[:, 3]
        gap.append(abs(found.mean() - beta))
    expected = 1 - 2 * np.mean(gap)
    assert beta_recall(synthetic, real, n_neighbors=3) == pytest.approx(expected, abs=0.02)
    assert 0.2 < expected < 0.9


def test_supports_at_their_extremes():
    X = np.random.default_rng(0).normal(size=(200, 3))
    assert alpha_precision(X, X) == pytest.approx(1, abs=0.01)
    assert alpha_precision(np.repeat(X.mean(0)[None], 50, axis=0), X) == pytest.approx(0, abs=0.01)
    assert alpha_precision(X + 99, X) == 0
    assert beta_recall(X + 99, X) == 0


@pytest.mark.parametrize(
    "metric", [improved_precision, improved_recall, density, coverage, beta_recall]
)
def test_too_few_rows(metric):
    with pytest.raises(ValueError, match="n_neighbors=5; expected 1 to 3, the other rows of X_"):
        metric(np.eye(4), np.eye(4))
    with pytest.raises(ValueError, match="X_syn has 2 features a row, X_real has 3"):
        metric(np.zeros((9, 2)), np.zeros((9, 3)))
    assert metric.higher_is_better is True

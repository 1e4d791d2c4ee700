"""Distances between distributions: closed forms, and definitions written out naively."""

from __future__ import annotations

import numpy as np
import pytest
from latentwalk.metrics import SmallSampleWarning, frechet_distance, kernel_distance
from scipy.linalg import sqrtm


def test_frechet_distance_of_scaled_rows_in_closed_form():
    # C_2 = s^2 C_1 gives |m (s - 1)|^2 + (s - 1)^2 tr C
    X = np.random.default_rng(0).normal(2, 1, size=(200, 5))
    expected = 4 * (np.square(X.mean(0)).sum() + np.trace(np.cov(X.T)))
    assert frechet_distance(3 * X, X) == pytest.approx(expected)


@pytest.mark.parametrize(("n", "m", "d"), [(80, 50, 6), (200, 300, 12)])
def test_frechet_distance_agrees_with_the_matrix_root(n, m, d):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(n, d)) @ rng.normal(size=(d, d)), 5 + rng.normal(size=(m, d))
    C, D = np.cov(X.T), np.cov(Y.T)
    shift = X.mean(0) - Y.mean(0)
    expected = shift @ shift + np.trace(C + D - 2 * sqrtm(C @ D).real)
    assert frechet_distance(X, Y) == pytest.approx(expected, rel=1e-6)


def test_frechet_distance_of_few_rows_is_exact_and_warned_of():
    # C_1 = C_2 of rank 9 in 40 dimensions: a matrix root is unstable there, the value is plain
    X = np.random.default_rng(0).normal(size=(10, 40))
    with pytest.warns(SmallSampleWarning, match="10 rows of 40 features.*biased upwards"):
        assert frechet_distance(X + 1, X) == pytest.approx(40)


def test_kernel_distance_is_the_unbiased_estimate():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(7, 3)), rng.normal(1, 1, size=(5, 3))

    def kernel(a, b):
        return (a @ b / 3 + 1) ** 3

    xx = np.mean([kernel(a, b) for i, a in enumerate(X) for j, b in enumerate(X) if i != j])
    yy = np.mean([kernel(a, b) for i, a in enumerate(Y) for j, b in enumerate(Y) if i != j])
    xy = np.mean([kernel(a, b) for a in X for b in Y])
    assert kernel_distance(X, Y) == pytest.approx(xx + yy - 2 * xy)


def test_kernel_distance_does_not_depend_on_blocks(monkeypatch):
    from latentwalk.metrics._fidelity import _common

    X, Y = np.random.default_rng(0).normal(size=(2, 30, 4))
    whole = kernel_distance(X, Y)
    monkeypatch.setattr(_common, "CHUNK_VALUES", 70)
    assert kernel_distance(X, Y) == pytest.approx(whole)


def test_kernel_distance_is_zero_on_average_for_equal_distributions():
    rng = np.random.default_rng(0)
    values = [kernel_distance(*rng.normal(size=(2, 20, 3))) for _ in range(400)]
    assert abs(np.mean(values)) < 4 * np.std(values) / 20
    assert min(values) < 0


@pytest.mark.parametrize("metric", [frechet_distance, kernel_distance])
@pytest.mark.parametrize(
    ("X_syn", "X_real", "match"),
    [
        (np.zeros((5, 3)), np.zeros((5, 2)), "X_syn has 3 features a row, X_real has 2"),
        (np.zeros((1, 2)), np.zeros((5, 2)), "1 sample"),
        (np.full((5, 2), np.nan), np.zeros((5, 2)), "X_syn contains NaN"),
        (np.zeros((5, 2)), np.zeros((5, 2, 2)), "dim 3"),
    ],
)
def test_bad_features(metric, X_syn, X_real, match):
    with pytest.raises(ValueError, match=match):
        metric(X_syn, X_real)
    assert metric.higher_is_better is False

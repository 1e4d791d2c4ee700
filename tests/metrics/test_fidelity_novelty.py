"""Mean minimum distance, authenticity and the data-copying score."""

from __future__ import annotations

import numpy as np
import pytest
from latentwalk.metrics import authenticity, data_copying_score, mean_minimum_distance
from scipy.stats import mannwhitneyu, norm


def test_mean_minimum_distance_and_its_squares():
    real, synthetic = [[0.0, 0.0], [10.0, 0.0]], [[3.0, 4.0], [10.0, 1.0]]
    assert mean_minimum_distance(synthetic, real) == 3.0
    assert mean_minimum_distance(synthetic, real, squared=True) == 13.0
    assert mean_minimum_distance(real, real) == 0.0


def test_authenticity_looks_up_the_nearest_rows_own_neighbour():
    # own distances of the real rows: 9, 1, 1; both synthetic rows are nearest to row 0, at 5 and 8;
    # looked up by the synthetic row's own number, the second would count as authentic
    real, synthetic = [[0.0], [-9.0], [-10.0]], [[5.0], [8.0]]
    assert authenticity(synthetic, real) == 0.0
    assert authenticity([[10.0], [8.0]], real) == 0.5


def test_authenticity_of_equal_distributions_and_of_copies():
    rng = np.random.default_rng(0)
    real, synthetic = rng.normal(size=(2, 2000, 4))
    assert authenticity(synthetic, real) == pytest.approx(0.5, abs=0.04)
    assert authenticity(real, real) == 0.0


def test_one_cell_is_the_mann_whitney_test():
    rng = np.random.default_rng(0)
    real, holdout, synthetic = rng.normal(size=(3, 100, 3))
    distances = [
        np.linalg.norm(X[:, None] - real, axis=2).min(axis=1) for X in (0.8 * synthetic, holdout)
    ]
    p = mannwhitneyu(*distances, alternative="less", use_continuity=False).pvalue
    score = data_copying_score(0.8 * synthetic, real, holdout, n_cells=1)
    assert norm.cdf(score) == pytest.approx(p, rel=1e-3)


def test_copies_score_low_and_fresh_rows_about_zero():
    rng = np.random.default_rng(1)
    real, holdout, fresh = rng.normal(size=(3, 600, 4))
    copies = real + 0.01 * rng.normal(size=real.shape)
    far = 3 * fresh
    assert abs(data_copying_score(fresh, real, holdout)) < 2.5
    assert data_copying_score(copies, real, holdout) < -5
    assert data_copying_score(far, real, holdout, n_cells=1) > 5


def test_a_copied_cell_is_seen_among_others():
    rng = np.random.default_rng(0)
    centers = 100 * np.eye(4)
    real, holdout, synthetic = (
        np.concatenate([c + rng.normal(size=(60, 4)) for c in centers]) for _ in range(3)
    )
    synthetic[:60] = real[:60] + 1e-3
    one_cell = data_copying_score(synthetic, real, holdout, n_cells=4)
    synthetic[:60] = holdout[:60]
    assert one_cell < data_copying_score(synthetic, real, holdout, n_cells=4) - 1


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"X_holdout": np.zeros((5, 2))}, "X_holdout has 2 features a row, X_real has 3"),
        ({"X_holdout": np.eye(3), "n_cells": 1}, "no cell has 20 synthetic and 20 held-out rows"),
        ({"X_holdout": np.eye(3), "n_cells": 31}, "n_cells=31; expected 1 to 30"),
    ],
)
def test_bad_input(arguments, match):
    X = np.random.default_rng(0).normal(size=(30, 3))
    with pytest.raises(ValueError, match=match):
        data_copying_score(X, X, **arguments)

"""The gap of feature likelihoods: its fit by another optimiser, what it sees, what it ignores."""

from __future__ import annotations

import numpy as np
import pytest
from latentwalk.metrics import (
    SmallSampleWarning,
    feature_likelihood_gap,
    fidelity_report,
)
from latentwalk.metrics._fidelity import _common
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

FEW = pytest.mark.filterwarnings("ignore::latentwalk.metrics.SmallSampleWarning")


def draw(*sizes, n_features=6, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(n, n_features)) for n in sizes]


def density(X, centers, log_variances):
    """The mixture at each row, written out."""
    d = X.shape[1]
    parts = [
        multivariate_normal(c, np.exp(v) * np.eye(d)).pdf(X)
        for c, v in zip(centers, log_variances, strict=True)
    ]
    return np.mean(parts, axis=0)


@FEW
def test_variances_fit_the_real_rows_as_well_as_another_optimiser_finds():
    synthetic, real, holdout = draw(5, 40, 30, n_features=2)
    mean, deviation = holdout.mean(axis=0), holdout.std(axis=0, ddof=1)
    S, R, H = ((X - mean) / deviation for X in (synthetic, real, holdout))

    def loss(log_variances):
        *own, broad = log_variances
        # the broad part sees distances of nine tenths
        shrunk = R.mean(axis=0) + 0.9 * (R - R.mean(axis=0))
        background = multivariate_normal(R.mean(axis=0), np.exp(broad) * np.eye(2)).pdf(shrunk)
        return -np.log(density(R, S, own) + background).mean()

    nearest = np.square(R[:, None] - S).mean(axis=2).min(axis=0)
    best = minimize(loss, [*np.log(nearest), 0.0], method="L-BFGS-B")
    gap = 100 * (
        np.log(density(H, S, best.x[:-1])).mean() - np.log(density(R, S, best.x[:-1])).mean()
    )
    assert feature_likelihood_gap(synthetic, real, holdout) == pytest.approx(gap / 2, abs=0.5)


def test_more_copies_more_gap():
    real, holdout, new = draw(300, 300, 300)
    gaps = [
        feature_likelihood_gap(np.concatenate([real[:n], new[n:]]), real, holdout)
        for n in (0, 9, 60, 300)
    ]
    assert all(np.diff(gaps) < -2)
    assert -20 < gaps[0] < 0 and gaps[-1] < -1000
    # copies of held-out rows tell nothing about the real ones
    assert feature_likelihood_gap(holdout, real, holdout) > 10


def test_a_shrunk_release_is_not_taken_for_copies():
    real, holdout, new = draw(300, 300, 300)
    gaps = [feature_likelihood_gap(scale * new, real, holdout) for scale in (1.0, 0.5)]
    assert gaps[1] == pytest.approx(gaps[0], abs=5)


@FEW
def test_units_and_constant_features_do_not_count():
    synthetic, real, holdout = draw(60, 80, 70)
    gap = feature_likelihood_gap(synthetic, real, holdout)
    scale = 10.0 ** np.arange(-3, 3)
    moved = [
        np.hstack([X * scale - 7, np.full((len(X), 1), 1 / 3)]) for X in (synthetic, real, holdout)
    ]
    assert feature_likelihood_gap(*moved) == pytest.approx(gap, rel=1e-6)


@FEW
def test_blocks_make_no_difference(monkeypatch):
    synthetic, real, holdout = draw(30, 80, 70)
    whole = feature_likelihood_gap(synthetic, real, holdout)
    monkeypatch.setattr(_common, "CHUNK_VALUES", 100)
    assert feature_likelihood_gap(synthetic, real, holdout) == pytest.approx(whole)


def test_the_report_puts_equal_numbers_side_by_side():
    real, holdout, new = draw(600, 700, 600)
    row = fidelity_report(new, real, holdout)["feature_likelihood_gap"]
    assert row.higher_is_better
    # the fit favours the rows it is made on, with any release
    assert row.baseline < -1 and row.value == pytest.approx(row.baseline, abs=4)
    copied = fidelity_report(np.concatenate([real[:60], new[60:]]), real, holdout)
    copied = copied["feature_likelihood_gap"]
    assert copied.baseline == row.baseline and copied.value < row.baseline - 50


def test_halves_share_no_subject():
    real, holdout, new = draw(600, 300, 600)
    # two images of each subject, all but the same: between the halves they would count as copies
    pairs = np.concatenate([holdout, holdout + 1e-3])
    subjects = np.tile(np.arange(300), 2)
    by_image, by_subject = (
        fidelity_report(new, real, pairs, groups_holdout=ids)["feature_likelihood_gap"].baseline
        for ids in (None, subjects)
    )
    assert by_subject < 0 and by_image > by_subject + 5
    with pytest.raises(ValueError, match="one subject has half of the held-out rows"):
        fidelity_report(new, real, pairs, groups_holdout=np.zeros(600))


def test_bad_input():
    X, Y = draw(300, 300)
    with pytest.raises(ValueError, match="X_holdout has 2 features a row, X_real has 6"):
        feature_likelihood_gap(X, Y, X[:, :2])
    with pytest.raises(ValueError, match="X_holdout has equal rows"):
        feature_likelihood_gap(X, Y, np.full((300, 6), 0.1))
    with pytest.raises(ValueError, match="X_holdout contains NaN"):
        feature_likelihood_gap(X, Y, np.full((300, 6), np.nan))
    with pytest.warns(SmallSampleWarning, match="from 50 rows of a set: under 300"):
        feature_likelihood_gap(X[:50], Y, X[50:])

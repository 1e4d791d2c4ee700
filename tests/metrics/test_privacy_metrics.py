"""Exposure, conformal p-values, ROC figures, the share test, duplicates, the verdict."""

from itertools import combinations

import numpy as np
import pytest
from latentwalk.metrics import (
    Verdict,
    auc,
    benjamini_hochberg,
    conformal_p_values,
    exact_duplicates,
    exposure,
    n_repeated,
    roc_points,
    share_test,
    subject_minima,
    tpr_at_fpr,
    verdict,
)
from sklearn.metrics import roc_auc_score


def test_exposure_is_the_nearest_synthetic_record():
    rng = np.random.default_rng(0)
    X, S, R = rng.normal(size=(30, 4)), rng.normal(size=(20, 4)), rng.normal(size=(25, 4))
    to_s = np.linalg.norm(X[:, None] - S, axis=2).min(axis=1)
    to_r = np.linalg.norm(X[:, None] - R, axis=2).min(axis=1)
    np.testing.assert_allclose(exposure(X, S), to_s)
    np.testing.assert_allclose(exposure(X, S, X_reference=R), to_s / to_r)


def test_a_reference_that_holds_the_records_is_refused():
    with pytest.raises(ValueError, match="X_reference holds 1"):
        exposure([[0.0], [1.0]], [[5.0]], X_reference=[[1.0]])


def test_subject_minima_take_equal_numbers_of_images():
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(400), rng.integers(2, 12, size=400))
    minima = subject_minima(
        rng.normal(size=len(codes)), codes, n_images=2, n_draws=3, random_state=0
    )
    many = np.bincount(codes) > 6
    assert minima.shape == (3, 400)
    # the minimum of two normals has mean -0.564 however many images there were
    assert minima[:, many].mean() == pytest.approx(-0.564, abs=0.1)
    assert minima[:, ~many].mean() == pytest.approx(-0.564, abs=0.1)


def test_subject_minima_draw_without_replacement():
    minima = subject_minima([1.0, 2.0, 3.0], [0, 0, 0], n_images=3, n_draws=20, random_state=0)
    assert (minima == 1.0).all()
    with pytest.raises(ValueError, match="the fewest images of a subject"):
        subject_minima([1.0, 2.0, 3.0], [0, 0, 1], n_images=2)


def test_conformal_p_values_are_super_uniform():
    rng = np.random.default_rng(0)
    p = np.concatenate(
        [conformal_p_values(rng.normal(size=20), rng.normal(size=39)) for _ in range(400)]
    )
    for level in (0.025, 0.1, 0.5):
        assert (p <= level).mean() <= level * 1.15
    assert p.min() == pytest.approx(1 / 40)


def test_conformal_ties_count_as_near():
    np.testing.assert_allclose(conformal_p_values([1.0], [1.0, 1.0, 2.0]), [3 / 4])


def test_benjamini_hochberg_steps_up():
    assert benjamini_hochberg([0.03, 0.04, 0.045, 0.05], 0.05).all()
    assert not benjamini_hochberg([0.03, 0.04, 0.045, 0.051], 0.05).any()


def test_auc_is_that_of_scikit_learn_and_its_interval_covers():
    rng = np.random.default_rng(0)
    covered = 0
    for run in range(200):
        t, h = rng.normal(size=80) - 1, rng.normal(size=60)
        rate = auc(t, h)
        covered += rate.low <= 0.7602 <= rate.high  # Phi(1 / sqrt 2)
        if run == 0:
            expected = roc_auc_score(np.r_[np.ones(80), np.zeros(60)], -np.r_[t, h])
            assert rate.value == pytest.approx(expected)
    assert covered >= 0.9 * 200


def test_roc_points_do_not_interpolate():
    t, h = np.array([1.0, 2.5, 2.6]), np.array([2.0, 3.0, 4.0])
    np.testing.assert_allclose(roc_points(t, h, [0.0, 0.32, 0.34, 1.0]), [1 / 3, 1 / 3, 1, 1])
    assert tpr_at_fpr(t, h, fpr=0.01).value == pytest.approx(1 / 3)


@pytest.mark.parametrize("m", [60, 500])
def test_tpr_interval_covers_the_rate_at_the_true_fpr(m):
    from scipy.stats import norm

    rng = np.random.default_rng(0)
    truth = norm.cdf(norm.ppf(0.01) + 1)
    rates = [tpr_at_fpr(rng.normal(size=300) - 1, rng.normal(size=m), fpr=0.01) for _ in range(300)]
    assert np.mean([r.low <= truth <= r.high for r in rates]) >= 0.97
    assert np.mean([r.high for r in rates]) < (0.6 if m == 60 else 0.3)


def test_tpr_interval_without_a_certain_rank_says_nothing():
    assert tpr_at_fpr(np.full(50, -1.0), np.arange(40.0), fpr=0.01).low == 0.0
    assert tpr_at_fpr(np.full(50, -1.0), np.arange(900.0), fpr=0.01).low > 0.9


def test_share_test_holds_its_size_under_hubs():
    rng = np.random.default_rng(0)
    rejected = binomial = 0
    for run in range(200):
        attraction = rng.pareto(1.0, size=60)
        nearest = rng.choice(60, size=400, p=attraction / attraction.sum())
        is_member = rng.permutation(60) < 30
        result = share_test(nearest, is_member, n_permutations=99, random_state=run)
        rejected += result.p_value <= 0.05
        binomial += result.share > 0.5 + 1.645 * 0.5 / 20
    assert rejected <= 20
    assert binomial > 40  # the common rule, for contrast


@pytest.mark.parametrize("members", [(0, 1), (0, 3), (1, 4)])
def test_share_test_is_the_permutation_distribution(members):
    draws = np.array([5, 3, 1, 0, 2])  # synthetic records that each subject draws
    every = [draws[list(chosen)].sum() for chosen in combinations(range(5), 2)]
    observed = draws[list(members)].sum()
    is_member = np.isin(np.arange(5), members)
    found = share_test(
        np.repeat(np.arange(5), draws), is_member, n_permutations=4999, random_state=0
    )
    assert found.share == observed / 11 and found.expected == 2 / 5
    assert found.p_value == pytest.approx(np.mean(np.array(every) >= observed), abs=0.03)


def test_share_test_finds_copies():
    is_member = np.arange(60) < 30
    nearest = np.concatenate([np.arange(30).repeat(5), np.arange(30, 60)])
    assert share_test(nearest, is_member, random_state=0).p_value <= 0.002


def test_images_are_compared_as_bytes():
    images = np.random.default_rng(0).integers(0, 256, size=(4, 1, 3, 3), dtype=np.uint8)
    floats = images.astype(np.float32) / 255
    np.testing.assert_array_equal(exact_duplicates(floats[[2, 0]], images), [2, 0])
    changed = floats[:1].copy()
    changed[0, 0, 0, 0] += 1 / 255 if changed[0, 0, 0, 0] < 0.5 else -1 / 255
    assert exact_duplicates(changed, images)[0] == -1
    assert n_repeated(images[[0, 1, 0]]) == 1


FIGURES = {"p_value": 0.4, "n_exposed_lower": 0, "n_members": 100, "tpr_high": 0.04}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, Verdict.NO_EVIDENCE),
        ({"tpr_high": 0.06}, Verdict.UNDERPOWERED),
        ({"has_unguided_view": False}, Verdict.UNDERPOWERED),
        ({"has_enough_holdout": False}, Verdict.UNDERPOWERED),
        ({"detection_limit": 0.06}, Verdict.UNDERPOWERED),
        ({"detection_limit": float("nan")}, Verdict.UNDERPOWERED),
        ({"p_value": 0.05}, Verdict.SIGNAL),
        ({"p_value": 0.01, "n_exposed_lower": 5}, Verdict.SIGNAL),
        ({"p_value": 0.01, "n_exposed_lower": 6}, Verdict.LEAK),
        ({"p_value": 0.01, "n_exposed_lower": 6, "failed_controls": ["sham"]}, Verdict.INVALID),
        ({"n_copies": 1}, Verdict.LEAK),
        ({"n_copies": 1, "failed_controls": ["sham"]}, Verdict.LEAK),
    ],
)
def test_verdict(change, expected):
    word, reason = verdict(**{**FIGURES, **change})
    assert word is expected
    assert reason.endswith(".") and not {"safe", "private", "anonymous"} & set(reason.split())


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"tpr_high": 0.06}, "finds up to 6.0%"),
        ({"has_unguided_view": False}, "every audited feature space guided"),
        ({"has_enough_holdout": False}, "too few held-out subjects"),
        ({"detection_limit": 0.06}, "only a leak of 6.0% is certain"),
        ({"detection_limit": float("nan")}, "no leak is certain"),
    ],
)
def test_an_underpowered_verdict_names_its_cause(change, cause):
    assert cause in verdict(**{**FIGURES, **change})[1]

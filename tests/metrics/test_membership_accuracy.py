"""The published accuracy form: its value, its chance level, and its units."""

import numpy as np
import pytest
from latentwalk.metrics import membership_accuracy
from scipy.stats import norm


def test_the_best_threshold_between_two_normals():
    rng = np.random.default_rng(0)
    members, holdout = rng.normal(1, size=8000), rng.normal(size=5000)
    found = membership_accuracy(members, holdout, n_splits=20, random_state=0)
    assert found.value == pytest.approx(norm.cdf(0.5), abs=0.01)
    assert found.n_subjects == 5000
    # larger is a member: the other way round nothing beats calling nobody or everybody one
    reverse = membership_accuracy(holdout, members, n_splits=20, random_state=0)
    assert reverse.value == pytest.approx(0.5, abs=0.01)


def test_chance_without_a_leak():
    # a threshold evaluated where it was chosen would reach 0.6 with so few
    rng = np.random.default_rng(1)
    values = [
        membership_accuracy(rng.normal(size=24), rng.normal(size=60), n_splits=10, random_state=r)
        for r in range(200)
    ]
    assert np.mean([v.value for v in values]) == pytest.approx(0.5, abs=0.015)


def test_the_halves_are_by_subject():
    # images that repeat their subject's score add nothing
    rng = np.random.default_rng(2)
    groups = np.repeat(np.arange(40), 25)
    members, holdout = rng.normal(size=40)[groups], rng.normal(size=40)[groups]
    found = membership_accuracy(
        members, holdout, groups=groups, groups_holdout=groups, random_state=0
    )
    one_each = membership_accuracy(members[::25], holdout[::25], random_state=0)
    np.testing.assert_allclose(found, one_each)


def test_a_subject_counts_once():
    groups = np.array([0] * 97 + [1, 2, 3])
    members = np.array([0.0] * 97 + [1, 1, 1])
    found = membership_accuracy(members, np.zeros(4), groups=groups, n_splits=400, random_state=0)
    # two members are evaluated: both are found, unless one of them is the first (half of times)
    assert found.value == pytest.approx(0.875, abs=0.03)


def test_bad_input():
    with pytest.raises(ValueError, match="scores_holdout has shape"):
        membership_accuracy([1.0, 2.0], [1.0, np.nan])
    with pytest.raises(ValueError, match="a set has one subject"):
        membership_accuracy([1.0, 2.0], [1.0, 0.0], groups=["a", "a"])
    with pytest.raises(ValueError, match="groups_holdout has shape"):
        membership_accuracy([1.0, 2.0], [1.0, 0.0], groups_holdout=[1])
    with pytest.raises(ValueError, match="n_splits=0"):
        membership_accuracy([1.0, 2.0], [1.0, 0.0], n_splits=0)

"""One p-value for many attacks: it holds its size, and sees what single attacks see."""

import numpy as np
import pytest
from latentwalk.metrics import exact_test, joint_test, shift_test
from latentwalk.metrics._privacy._joint import attack_statistics, column_statistics, relabel


def test_it_holds_its_size_over_dependent_attacks():
    rng = np.random.default_rng(0)
    p = []
    for run in range(200):
        one = rng.normal(size=80)
        exposures = [one, -one, one + 0.1 * rng.normal(size=80), rng.normal(size=80)]
        p.append(
            joint_test(exposures, np.arange(80) < 40, n_permutations=99, random_state=run).p_value
        )
    assert 2 <= np.sum(np.array(p) <= 0.05) <= 20


def test_it_sees_a_few_members_on_top_and_names_the_attack():
    is_member = np.arange(1000) < 500
    exposures = np.random.default_rng(0).normal(size=(3, 1000))
    exposures[1, :15] = -99
    found = joint_test(exposures, is_member, random_state=0)
    assert found.p_value <= 0.002 and found.adjusted.argmin() == 1
    assert (found.adjusted[[0, 2]] > 0.05).all()


def test_it_sees_a_shift_of_the_centre_that_the_tails_do_not_show():
    rng = np.random.default_rng(0)
    exposures = np.concatenate([rng.uniform(0, 0.8, 300), rng.uniform(0, 1, 300)])
    exposures[[0, 300]] = -1, -2
    is_member = np.arange(600) < 300
    assert exact_test(exposures[:300], exposures[300:]).p_near > 0.05
    assert joint_test([exposures], is_member, random_state=0).p_value <= 0.002
    assert shift_test([exposures], is_member)[0] < 1e-3


def test_subjects_are_relabelled_within_strata():
    strata = np.repeat([0, 1], [60, 60])
    members = np.concatenate([np.arange(60) < 50, np.arange(60) < 10])
    rng, p_values = np.random.default_rng(0), []
    for _ in range(30):
        exposures = rng.normal(size=120) + 2.0 * strata  # of the stratum, not of membership
        settings = {"n_permutations": 99, "random_state": 0}
        p_values.append(joint_test([exposures], members, strata=strata, **settings).p_value)
        assert joint_test([exposures], members, **settings).p_value <= 0.05
    assert np.mean(np.array(p_values) <= 0.1) <= 0.2 and np.mean(p_values) > 0.35
    told_apart = np.where(members, -1.0, 0.0) + 2.0 * strata
    assert joint_test([told_apart], members, strata=strata, random_state=0).p_value == 0.001


@pytest.mark.parametrize("digits", [0, 1, 6])
def test_its_tails_are_those_of_the_exact_test(digits):
    rng = np.random.default_rng(0)
    is_member = np.arange(250) < 150
    labels = relabel(is_member, None, 0)
    for _ in range(10):
        values = rng.normal(size=250).round(digits) - 0.8 * is_member * (rng.random(250) < 0.2)
        both = exact_test(values[:150], values[150:], fpr=0.05)
        found = attack_statistics(values[None], labels, 0.05)[0, 0]
        shift = shift_test(values, is_member)[0]
        assert found == pytest.approx(min(both.p_near, both.p_far, shift))


def test_an_attack_that_learns_from_labels_is_trained_for_each_labelling():
    rng = np.random.default_rng(0)
    labels = relabel(np.arange(90) < 50, None, 20, 0)
    exposures = rng.normal(size=labels.shape).round(1)
    found = column_statistics(exposures, labels, 0.02)
    one_by_one = [
        attack_statistics(exposures[None, :, j], labels[:, j : j + 1], 0.02)[0, 0]
        for j in range(21)
    ]
    np.testing.assert_allclose(found, one_by_one)
    blind = np.zeros((1, 90))
    # it knows its labels by heart, and so it does for each relabelling
    heart = joint_test(
        blind,
        labels[:, 0],
        retrained=lambda seen: -seen.astype(float),
        n_permutations=99,
        random_state=0,
    )
    assert heart.p_value == 1 and heart.adjusted.shape == (2,)

"""Within subgroups: a rare class that is copied whole is found, and the multiplicity is paid."""

import numpy as np
import pytest
from latentwalk.auditing import PrivacyAuditor
from latentwalk.metrics import Verdict

N, N_RARE = 400, 24


def population(rng, n=N):
    """Two large classes and a rare one."""
    return rng.normal(size=(n, 8)), np.where(np.arange(n) < N_RARE, "rare", "AB"[n % 2] + "x")


@pytest.fixture(scope="module")
def leaking():
    """Most of a rare class comes back: far under what is tolerated of all members."""
    rng = np.random.default_rng(0)
    (X, y), (H, y_out), (S, _) = (population(rng) for _ in range(3))
    S[:14] = X[:14] + 0.3 * rng.normal(size=(14, 8))
    auditor = PrivacyAuditor(random_state=0).fit(X, X_holdout=H)
    return auditor, S, y, y_out


def test_a_rare_class_that_is_copied_turns_the_verdict(leaking):
    auditor, S, y, y_out = leaking
    assert auditor.audit(S).n_exposed_lower <= 14
    report = auditor.audit(S, by={"class": (y, y_out)})
    rare = next(g for g in report.subgroups if g.value == "rare")
    assert (rare.by, rare.n_members, rare.n_holdout) == ("class", N_RARE, N_RARE)
    assert rare.p_value <= 0.01 and 1 < rare.n_exposed_lower <= 14
    assert report.verdict is Verdict.LEAK and "class = rare" in report.reason
    common = next(g for g in report.subgroups if g.value != "rare")
    assert common.p_value > 0.05 and common.n_exposed_lower == 0
    assert "class = rare" in str(report) and len(str(report).splitlines()) <= 25


def test_more_subgroups_cost_power_and_order_does_not_matter(leaking):
    auditor, S, y, y_out = leaking
    alone = auditor.audit(S, by={"class": (y, y_out)}).subgroups
    noise = [np.random.default_rng(1).integers(0, 8, N) for _ in range(2)]
    many = auditor.audit(S, by={"noise": tuple(noise), "class": (y, y_out)}).subgroups
    assert len(many) == len(alone) + 8
    p_values = [next(g for g in found if g.value == "rare").p_value for found in (alone, many)]
    np.testing.assert_allclose(p_values[1], p_values[0] * len(many) / len(alone))


def test_without_a_leak_few_runs_find_a_subgroup():
    n_found = 0
    for run in range(40):
        rng = np.random.default_rng([3, run])
        (X, y), (H, y_out), (S, _) = (population(rng, 120) for _ in range(3))
        report = (
            PrivacyAuditor(random_state=0)
            .fit(X, X_holdout=H)
            .audit(
                S,
                by={"class": (y, y_out), "sex": (rng.integers(0, 2, 120), rng.integers(0, 2, 120))},
            )
        )
        n_found += any(g.p_value <= 0.05 for g in report.subgroups)
    assert n_found <= 6


def test_a_subject_is_in_the_subgroups_of_its_records():
    rng = np.random.default_rng(0)
    X, H = rng.normal(size=(2, 120, 4))
    groups = np.arange(60).repeat(2)
    y = np.where(np.arange(120) % 2, "second", "first")
    y[:2] = "other"
    auditor = PrivacyAuditor(random_state=0).fit(
        X, X_holdout=H, groups=groups, groups_holdout=groups + 60
    )
    report = auditor.audit(rng.normal(size=(50, 4)), by={"view": (y, y[::-1])})
    sizes = {g.value: (g.n_members, g.n_holdout) for g in report.subgroups}
    assert sizes == {"first": (59, 59), "other": (1, 1), "second": (59, 59)}


def test_a_value_of_one_set_alone_is_listed_without_figures():
    rng = np.random.default_rng(0)
    X, H, S = rng.normal(size=(3, 60, 4))
    report = (
        PrivacyAuditor(random_state=0)
        .fit(X, X_holdout=H)
        .audit(S, by={"class": (np.arange(60) % 3, np.arange(60) % 2)})
    )
    only = report.subgroups[-1]
    assert (only.value, only.n_holdout, only.p_value) == ("2", 0, 1.0) and np.isnan(only.tpr.value)


def test_bad_input_is_named(leaking):
    auditor, S, y, y_out = leaking
    for given, message in [
        ((y, y_out[1:]), r"by\['class'\]\[1\] has shape"),
        ((y,), "has 1 parts"),
    ]:
        with pytest.raises(ValueError, match=message):
            auditor.audit(S, by={"class": given})
    X = np.random.default_rng(0).normal(size=(30, 3))
    with pytest.raises(ValueError, match="without X_holdout"):
        PrivacyAuditor().fit(X).audit(X[:5] + 1, by={"class": (np.arange(30), np.arange(30))})

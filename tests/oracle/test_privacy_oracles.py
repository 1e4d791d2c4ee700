"""Privacy figures against scikit-learn's, and intervals against statsmodels' where installed."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
from latentwalk.metrics import auc, one_run_epsilon, roc_points, tpr_at_fpr
from scipy.stats import beta
from sklearn.metrics import roc_auc_score, roc_curve


def exposures(n_members, n_holdout, *, ties):
    rng = np.random.default_rng(n_members)
    members, holdout = rng.normal(size=n_members) - 0.4, rng.normal(size=n_holdout)
    return (members.round(1), holdout.round(1)) if ties else (members, holdout)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(("n_members", "n_holdout"), [(300, 300), (40, 250), (1, 5)])
def test_auc(n_members, n_holdout, ties):
    members, holdout = exposures(n_members, n_holdout, ties=ties)
    is_member = np.repeat([1, 0], [n_members, n_holdout])
    expected = roc_auc_score(is_member, -np.concatenate([members, holdout]))
    assert auc(members, holdout).value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("ties", [False, True])
def test_roc_points(ties):
    members, holdout = exposures(120, 200, ties=ties)
    is_member = np.repeat([1, 0], [120, 200])
    fpr, tpr, _ = roc_curve(is_member, -np.concatenate([members, holdout]), drop_intermediate=False)
    targets = np.array([0.0, 0.005, 0.01, 0.013, 0.1, 0.5, 1.0])
    expected = [tpr[fpr <= target + 1e-12].max() for target in targets]
    np.testing.assert_allclose(roc_points(members, holdout, targets), expected, atol=1e-12)


def clopper_pearson(count, n, tail):
    module = pytest.importorskip(
        "statsmodels.stats.proportion", reason="statsmodels is not installed"
    )
    return module.proportion_confint(count, n, alpha=2 * tail, method="beta")


@pytest.mark.parametrize("n_holdout", [500, 1000])
@pytest.mark.parametrize("n_near", [0, 7, 400])
def test_tpr_interval(n_holdout, n_near):
    holdout = np.arange(float(n_holdout))
    members = np.where(np.arange(400) < n_near, -1.0, n_holdout / 2)
    ranks = np.arange(1, n_holdout + 1)
    fprs = {q: beta.ppf(q, ranks, n_holdout - ranks + 1) for q in (0.0125, 0.9875)}
    below, above = ranks[fprs[0.9875] <= 0.01].max(), ranks[fprs[0.0125] >= 0.01].min()
    found = tpr_at_fpr(members, holdout)
    counts = [int((members < holdout[rank - 1]).sum()) for rank in (below, above)]
    assert found.low == pytest.approx(clopper_pearson(counts[0], 400, 0.0125)[0], abs=1e-12)
    assert found.high == pytest.approx(clopper_pearson(counts[1], 400, 0.0125)[1], abs=1e-12)


@pytest.mark.parametrize(("n_correct", "n_guesses"), [(60, 80), (80, 80), (1320, 2000)])
def test_one_run_epsilon(n_correct, n_guesses):
    share = clopper_pearson(n_correct, n_guesses, 0.05)[0]
    found = one_run_epsilon(n_correct, n_guesses, 5000)
    assert found == pytest.approx(log(share / (1 - share)), abs=1e-8)

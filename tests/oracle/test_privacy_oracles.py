"""Privacy figures against scikit-learn's and, where installed, other packages'.

Where another package is wrong, its test shows by how much and why.
"""

from __future__ import annotations

from math import log

import numpy as np
import pytest
from latentwalk.auditing import ATTACKS
from latentwalk.metrics import auc, exposure, one_run_epsilon, roc_points, share_test, tpr_at_fpr
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


def torchmetrics_of(name, members, holdout, **options):
    """A figure of torchmetrics' for "near is a member"."""
    torch = pytest.importorskip("torch")
    reason = "torchmetrics is not installed"
    module = pytest.importorskip("torchmetrics.functional.classification", reason=reason)
    scores = -torch.tensor(np.concatenate([members, holdout]), dtype=torch.float32)
    is_member = torch.arange(len(scores)) < len(members)
    return getattr(module, name)(scores, is_member.long(), **options)


@pytest.mark.parametrize("ties", [False, True])
def test_torchmetrics(ties):
    members, holdout = exposures(200, 300, ties=ties)
    found = auc(members, holdout).value
    assert found == pytest.approx(
        float(torchmetrics_of("binary_auroc", members, holdout)), abs=1e-6
    )
    expected, _ = torchmetrics_of(
        "binary_sensitivity_at_specificity", members, holdout, min_specificity=0.9
    )
    assert roc_points(members, holdout, [0.1])[0] == pytest.approx(float(expected), abs=1e-6)


def test_torchmetrics_ties_large_distances():
    # scores outside [0, 1] go through a sigmoid, which is 0 in float32 from about -104 on
    members, holdout = 200 + np.arange(50.0), 250 + np.arange(50.0)
    assert auc(members, holdout).value == 1.0
    assert float(torchmetrics_of("binary_auroc", members, holdout)) == 0.5


def domias_function(name):
    reason = "domias is not installed"
    return getattr(pytest.importorskip("domias.baselines", reason=reason), name)


def attack_scores(name, X, synthetic, reference=None):
    return ATTACKS[name]().fit(synthetic, reference).score_samples(X)


def test_domias_nearest():
    rng = np.random.default_rng(0)
    X, synthetic = rng.normal(size=(60, 4)), rng.normal(size=(50, 4))
    published = domias_function("GAN_leaks")(X, synthetic)
    np.testing.assert_allclose(published, np.exp(-(exposure(X, synthetic) ** 2)), rtol=1e-9)
    np.testing.assert_array_equal(
        np.argsort(published), np.argsort(attack_scores("nearest", X, synthetic))
    )


def test_domias_ties_distances_that_underflow():
    # exp(-d^2) is 0 for every distance over 27.3: with 8-bit pixels, for all of them
    rng = np.random.default_rng(0)
    X, synthetic = 100 * rng.normal(size=(60, 20)), 100 * rng.normal(size=(50, 20))
    assert not domias_function("GAN_leaks")(X, synthetic).any()
    assert len(np.unique(attack_scores("nearest", X, synthetic))) == 60


def test_domias_density_ratio():
    rng = np.random.default_rng(0)
    X, synthetic, reference = (rng.normal(size=(n, 2)) for n in (60, 200, 200))
    _, published = domias_function("kde_baseline")(X, synthetic, reference)
    ours = attack_scores("DOMIAS", X, synthetic, reference)
    # one bandwidth for all directions in place of one for each
    assert np.corrcoef(np.log(published), ours)[0, 1] > 0.95


def overfitting_score(members, holdout, synthetic):
    """The DCR overfitting score of sdmetrics: 1 says that nothing was copied."""
    reason = "sdmetrics is not installed (it asks for pandas < 3)"
    module = pytest.importorskip("sdmetrics.single_table", reason=reason)
    pandas = pytest.importorskip("pandas")
    frames = [pandas.DataFrame(X, columns=["a", "b"]) for X in (members, synthetic, holdout)]
    columns = {name: {"sdtype": "numerical"} for name in "ab"}
    metadata = {"tables": {"records": {"columns": columns}}}
    return module.DCROverfittingProtection.compute(*frames, metadata, "records")


@pytest.mark.filterwarnings("ignore:Your real_validation_data contains:UserWarning")
@pytest.mark.parametrize("share", [1, 1 / 2, 1 / 4])
def test_sdmetrics_score_falls_with_the_number_of_held_out_records(share):
    rng = np.random.default_rng(0)
    n, corners = 600, [[0, 0], [1, 1]]  # which give all sets one range
    members, holdout, synthetic = (
        np.concatenate([rng.random(size=(k - 2, 2)), corners]) for k in (n, int(n * share), n)
    )
    # nothing was copied: the share of members among the nearest is that of the members
    expected = 2 * share / (1 + share)
    assert overfitting_score(members, holdout, synthetic[:-2]) == pytest.approx(expected, abs=0.06)
    both = np.concatenate([members, holdout])
    nearest = np.abs(synthetic[:, None] - both).sum(axis=2).argmin(axis=1)
    found = share_test(nearest, np.arange(len(both)) < n, random_state=0)
    assert found.expected == pytest.approx(1 / (1 + share), abs=1e-3) and found.p_value > 0.05


def test_sdmetrics_divides_distances_by_another_range_for_each_set():
    rng = np.random.default_rng(0)
    members, holdout, synthetic = rng.random(size=(3, 600, 2))
    plain = overfitting_score(members, holdout, synthetic)
    # one far member is near to nothing, and makes every distance to members small
    members[0] = 100
    assert overfitting_score(members, holdout, synthetic) < 0.1 < 0.9 < plain

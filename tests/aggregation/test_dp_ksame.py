"""The guarantee: what one patient can move, the noise that covers it, and what is never kept."""

from __future__ import annotations

import pickle
from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
import torch
from latentwalk import Generator
from latentwalk.aggregation import DPKSameAggregator, PrivacyLoss, lay_cells
from latentwalk.aggregation import _gaussian_privacy as privacy
from latentwalk.aggregation._fixed_cells import UNIT, CellSums, count_and_sum, draw_public
from latentwalk.aggregation._noisy_cells import add_cell_noise, noise_scales
from latentwalk.aggregation._prototypes import draw_distinct
from scipy.stats import norm
from sklearn.base import clone
from sklearn.metrics import roc_auc_score

pytest.importorskip("opendp", reason="the extra dp is not installed")
pytest.importorskip("dp_accounting", reason="the extra dp is not installed")

N_FEATURES = 6


@pytest.fixture(scope="module")
def generator():
    torch.manual_seed(0)
    decoder = torch.nn.Sequential(torch.nn.Linear(N_FEATURES, 64), torch.nn.Unflatten(1, (1, 8, 8)))
    return Generator.from_module(decoder, w_dim=N_FEATURES, image_shape=(1, 8, 8))


@pytest.fixture(scope="module")
def patients():
    """Latents of 120 patients with one to four images, two classes, some far out."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(120), rng.integers(1, 5, size=120))
    W = rng.normal(size=(len(groups), N_FEATURES)).astype(np.float32)
    W[::9] *= 4
    return W, (groups % 2).astype(int), groups


@pytest.fixture(scope="module")
def cells(generator):
    return lay_cells(generator, n_cells=3, n_axes=4)


def query(cells, patients, keep=None, max_classes=1):
    W, y, groups = patients if keep is None else (part[keep] for part in patients)
    return count_and_sum(cells, W, y, groups, n_classes=2, max_classes=max_classes)


def test_removing_a_patient_moves_one_cell_by_at_most_the_stated_sensitivity(cells, patients):
    whole, groups = query(cells, patients), patients[2]
    clipped = 0
    for patient in np.unique(groups):
        rest = query(cells, patients, groups != patient)
        change = whole.counts - rest.counts
        moved = np.argwhere(change)
        assert len(moved) == 1 and change.sum() == 1
        code, cell = moved[0]
        offset = whole.sums - rest.sums
        length = int(offset[code, cell] @ offset[code, cell])
        assert length <= UNIT**2
        clipped += length > 0.999 * UNIT**2
        offset[code, cell] = 0
        assert not offset.any()  # other cells unchanged, bit for bit
    assert clipped > 10  # the bound is reached: the test would see a missing clip


def test_a_patient_of_two_classes_counts_in_the_most_frequent_alone_unless_told(cells):
    W = np.zeros((3, N_FEATURES), np.float32)
    one = W, np.array([1, 1, 0]), np.zeros(3, int)
    assert query(cells, one).counts.sum(axis=1).tolist() == [0, 1]
    assert query(cells, one, max_classes=2).counts.sum(axis=1).tolist() == [1, 1]


def test_coordinates_of_a_row_do_not_depend_on_its_batch(cells, patients):
    together = cells.coordinates(patients[0])
    alone = np.concatenate([cells.coordinates(row[None]) for row in patients[0]])
    np.testing.assert_array_equal(together, alone)


def test_parts_and_sites_add_up_to_the_query_of_their_union(cells, patients, generator):
    W, y, groups = patients
    parts = [groups < 50, groups >= 50]
    total = query(cells, patients, parts[0]) + query(cells, patients, parts[1])
    whole = query(cells, patients)
    np.testing.assert_array_equal(total.counts, whole.counts)
    np.testing.assert_array_equal(total.sums, whole.sums)
    settings = {"k": 2, "cells": cells, "classes": [0, 1], "noise": None}
    union = DPKSameAggregator(generator, **settings).fit(W, y, groups=groups)
    parted = DPKSameAggregator(generator, **settings)
    for rows in parts:
        parted.partial_fit(W[rows], y[rows], groups=groups[rows])
    np.testing.assert_array_equal(parted.finish().prototypes_, union.prototypes_)
    sites = [
        DPKSameAggregator(generator, **settings).fit(W[r], y[r], groups=groups[r]) for r in parts
    ]
    np.testing.assert_array_equal(DPKSameAggregator.merge(sites).prototypes_, union.prototypes_)


def test_merged_sites_add_their_noise_and_keep_their_guarantee(generator, cells, patients):
    W, y, groups = patients
    settings = {"k": 2, "cells": cells, "classes": [0, 1], "mu": 2.0}
    sites = [
        DPKSameAggregator(generator, **settings).fit(W[r], y[r], groups=groups[r])
        for r in (groups < 60, groups >= 60)
    ]
    joined = DPKSameAggregator.merge(sites)
    assert joined.privacy_.mu == 2.0
    assert joined.noisy_.sum_scale == pytest.approx(sqrt(2) * sites[0].noisy_.sum_scale)
    assert joined.noisy_.margin > sites[0].noisy_.margin


def test_sites_that_clipped_elsewhere_are_not_merged(generator, cells, patients):
    W, y, groups = patients
    wider = replace(cells, radius=2 * cells.radius)
    sites = [
        DPKSameAggregator(generator, k=2, cells=c, mu=2.0).fit(W, y, groups=groups)
        for c in (cells, wider)
    ]
    with pytest.raises(ValueError, match="the sites have other cells"):
        DPKSameAggregator.merge(sites)
    with pytest.raises(ValueError, match="no sites to merge"):
        DPKSameAggregator.merge([])


def test_the_noise_pays_for_exactly_the_mu_that_was_asked_for():
    """OpenDP's own accounting of both queries: rho = mu^2 / 2."""
    dp = pytest.importorskip("opendp.prelude")
    dp.enable_features("contrib")
    for max_classes in (1, 3):
        counts, sums = noise_scales(0.7, max_classes)
        space = dp.vector_domain(dp.atom_domain(T="i64")), dp.l2_distance(T="f64")
        rho = dp.m.make_gaussian(*space, counts).map(sqrt(max_classes))
        rho += dp.m.make_gaussian(*space, sums * UNIT).map(sqrt(max_classes) * UNIT)
        assert rho == pytest.approx(0.7**2 / 2, rel=1e-9)


@pytest.mark.parametrize("max_classes", [1, 2])
def test_the_best_attack_on_the_noisy_cells_reaches_its_bound_and_no_more(cells, max_classes):
    """The likelihood ratio of a patient at the clipping bound: its AUC is Phi(mu / sqrt 2).

    Each cell is a run of its own: half of them hold the patient, who adds 1 and a radius.
    """
    mu, n_runs = 1.0, 6000
    present = np.arange(n_runs) < n_runs // 2
    exact = CellSums(
        np.tile(present.astype(np.int64), (max_classes, 1)),
        np.tile(present.astype(np.int64) * UNIT, (max_classes, 1))[:, :, None],
    )
    noisy = add_cell_noise(cells, exact, mu=mu, max_classes=max_classes)
    weights = 1 / noisy.count_scale**2, 1 / noisy.sum_scale**2
    score = weights[0] * noisy.counts + weights[1] * noisy.sums[:, :, 0] / UNIT
    area = roc_auc_score(present, score.sum(axis=0))
    assert area == pytest.approx(norm.cdf(mu / sqrt(2)), abs=0.025)  # 4 standard errors
    # and the deviations that are stated are those of the noise that was added
    absent = ~present
    assert noisy.counts[0, absent].std() == pytest.approx(noisy.count_scale, rel=0.06)
    assert (noisy.sums[0, absent, 0] / UNIT).std() == pytest.approx(noisy.sum_scale, rel=0.06)


def test_no_seed_reaches_the_noise(generator, cells, patients):
    W, y, groups = patients
    released = []
    for _ in range(2):
        np.random.seed(0)  # noqa: NPY002
        torch.manual_seed(0)
        aggregator = DPKSameAggregator(generator, k=2, cells=cells, mu=2.0, random_state=0)
        released.append(aggregator.fit(W, y, groups=groups).noisy_.sums)
    assert (released[0] != released[1]).mean() > 0.9


def test_exact_numbers_are_in_no_attribute_pickle_or_message(generator, cells, patients):
    W, y, groups = patients
    aggregator = DPKSameAggregator(generator, k=2, cells=cells, classes=[0, 1], mu=1.0)
    aggregator.partial_fit(W, y, groups=groups)
    with pytest.raises(ValueError, match="exact numbers of patients are held until finish"):
        pickle.dumps(aggregator)
    aggregator.finish()
    exact = query(cells, patients)
    kept = pickle.loads(pickle.dumps(aggregator))
    for name, value in {**vars(kept), **vars(kept.noisy_)}.items():
        if isinstance(value, np.ndarray) and value.shape == exact.counts.shape:
            assert not np.array_equal(value, exact.counts), name
        assert not isinstance(value, type(exact)), name
        assert not (isinstance(value, set) and value), name
    with pytest.raises(ValueError, match="nothing to finish"):
        aggregator.finish()


@pytest.mark.parametrize(
    ("mu", "tpr", "epsilons"),
    [
        (0.25, 0.019, (0.36, 0.59, 0.93)),
        (0.68, 0.050, (1.39, 1.96, 2.82)),
        (1.5, 0.204, (4.02, 5.22, 7.05)),
    ],
)
def test_the_three_readings_agree_with_the_published_conversions(mu, tpr, epsilons):
    assert PrivacyLoss(mu).tpr_bound == pytest.approx(tpr, abs=6e-4)
    for delta, epsilon in zip((1e-2, 1e-3, 1e-5), epsilons, strict=True):
        assert PrivacyLoss(mu, delta=delta).epsilon == pytest.approx(epsilon, abs=0.006)
    composed = PrivacyLoss(mu).compose(PrivacyLoss(mu))
    assert composed.mu == pytest.approx(mu * sqrt(2))


def test_each_way_to_ask_gives_the_same_guarantee(generator):
    by_tolerance = DPKSameAggregator(generator, tolerance=0.05).stated_loss()
    by_mu = DPKSameAggregator(generator, mu=by_tolerance.mu).stated_loss()
    by_epsilon = DPKSameAggregator(generator, epsilon=by_mu.epsilon, delta=1e-5).stated_loss()
    assert by_tolerance.mu == pytest.approx(0.6815, abs=1e-3)
    assert by_epsilon.mu == pytest.approx(by_mu.mu, rel=1e-4)
    assert "no attacker finds more than 5.0%" in str(by_tolerance)
    assert "nothing bounds" in str(DPKSameAggregator(generator, noise=None).stated_loss())


def test_a_row_gets_a_kept_prototype_of_its_class(generator, cells, patients):
    W, y, groups = patients
    aggregator = DPKSameAggregator(generator, k=12, cells=cells, noise=None)
    out = aggregator.fit_transform(W, y, groups=groups)
    assert out.shape == W.shape
    for code in (0, 1):
        own = aggregator.prototypes_[aggregator.prototype_targets_ == code]
        assert (out[y == code][:, None] == own).all(axis=2).any(axis=1).all()
    counts = query(cells, patients).counts
    assert len(aggregator.prototypes_) == (counts >= 12).sum()


def test_samples_are_the_generators_own_and_classes_are_drawn_by_the_noisy_numbers(
    generator, cells, patients
):
    W, y, groups = patients
    aggregator = DPKSameAggregator(generator, k=2, cells=cells, noise=None)
    aggregator.fit(W, y, groups=groups)
    drawn, targets = aggregator.sample(2000, random_state=0)
    share = aggregator.noisy_.counts[1].sum() / aggregator.noisy_.counts.sum()
    assert np.mean(targets == 1) == pytest.approx(share, abs=0.05)
    public = {row.tobytes() for row in draw_public(generator, 0)[0]}
    assert all(row.tobytes() in public for row in drawn)
    again, _ = aggregator.sample(2000, random_state=0)
    np.testing.assert_array_equal(drawn, again)


def test_no_sample_is_drawn_twice_by_one_class_or_by_two(generator):
    rng = np.random.default_rng(0)
    W, y = rng.normal(size=(600, N_FEATURES)).astype(np.float32), np.arange(600) % 2
    aggregator = DPKSameAggregator(generator, k=20, n_axes=6, noise=None).fit(W, y)
    drawn, targets = aggregator.sample(3000, random_state=0)
    assert len(np.unique(drawn, axis=0)) == 3000
    assert set(targets) == {0, 1}
    # more than there are
    assert len(aggregator.sample(12_000, random_state=0)[0]) == 12_000


def test_a_sample_that_does_not_fit_at_all_is_drawn_by_nobody():
    log_weights = np.array([0.0, -2000.0, 0.5, -2000.0, 0.0])  # e^-2000 is 0 as a float
    everything, rng = np.ones(5, bool), np.random.RandomState(0)
    assert sorted(draw_distinct(log_weights, everything, 3, rng)) == [0, 2, 4]
    assert set(draw_distinct(log_weights, everything, 9, rng)) <= {0, 2, 4}
    # the two that are left are enough for two, and not for three
    free = np.array([False, True, True, True, True])
    assert sorted(draw_distinct(log_weights, free, 2, rng)) == [2, 4]
    assert set(draw_distinct(log_weights, free, 3, rng)) <= {0, 2, 4}
    assert len(draw_distinct(log_weights, np.zeros(5, bool), 2, rng)) == 2


@pytest.mark.parametrize("mu", [None, 0.68])
def test_samples_of_a_class_lie_where_its_patients_lie(generator, mu):
    """Two classes at -1 and 1 on an axis: so are the samples, with and without noise."""
    rng = np.random.default_rng(0)
    y = np.arange(600) % 2
    W = rng.normal(size=(600, N_FEATURES)).astype(np.float32)
    W[:, 2] += 2 * y - 1
    noise = {"noise": None} if mu is None else {"mu": mu}
    aggregator = DPKSameAggregator(generator, k=20, n_axes=6, **noise).fit(W, y)
    drawn, targets = aggregator.sample(4000, random_state=0)
    means = np.stack([drawn[targets == c].mean(axis=0) for c in (0, 1)])
    # normal classes of unit variance: the ratio of the densities moves a class by 2
    assert means[1, 2] - means[0, 2] > 1.4
    others = np.delete(means[1] - means[0], 2)
    assert np.abs(others).max() < (0.35 if mu is None else 0.7)
    flat, labels = aggregator.sample(4000, contrast=0, random_state=0)
    assert abs(flat[labels == 1, 2].mean() - flat[labels == 0, 2].mean()) < 0.15


def test_the_patients_needed_for_a_cell_are_known_before_and_keep_it(generator):
    aggregator = DPKSameAggregator(generator, k=5, mu=1.0, n_axes=4)
    n = aggregator.patients_needed()
    assert n == 5 + 10  # two margins of 2.33 deviations of 2
    W = np.zeros((n, N_FEATURES), np.float32)
    kept = 0
    for _ in range(30):
        try:
            kept += len(aggregator.fit(W).prototypes_)
        except ValueError:
            continue
    assert kept >= 28


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mu": 1.0, "epsilon": 1.0}, "in one way"),
        ({"tolerance": None}, "one of them must be given"),
        ({"tolerance": 0.01}, "not above fpr"),
        ({"classes": [0]}, "1 classes that are not in classes"),
        ({"classes": []}, "a flat list that names each class once"),
        ({"classes": [0, 0, 1]}, "a flat list that names each class once"),
        ({"classes": [[0, 1]]}, "a flat list that names each class once"),
        ({"k": 1}, "'k' parameter"),
        ({"mu": float("inf")}, "'mu' parameter"),
        ({"mu": float("nan")}, "'mu' parameter"),
        ({"mu": 1e-9}, "no cell of 2 of 2 classes"),
        ({"n_axes": 7}, "more than the 6 latent features"),
        ({"k": 500, "mu": 1.0}, "no cell of 2 of 2 classes"),
    ],
)
def test_bad_requests_are_errors_that_say_what_to_do(generator, patients, settings, message):
    W, y, groups = patients
    with pytest.raises(ValueError, match=message):
        DPKSameAggregator(generator, **({"n_axes": 4, "n_cells": 2} | settings)).fit(
            W, y, groups=groups
        )


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (lambda W, y: (W, y + 0.5), "continuous values"),
        (lambda W, y: (W * np.nan, y), "contains NaN"),
        (lambda W, y: (W[:, :3], y), "W has 3 features; the generator's latents have 6"),
        (lambda W, y: (W, np.where(y == 0, np.nan, 1.0)), "missing values"),
    ],
)
def test_bad_rows_are_refused_before_any_noise_is_spent(generator, patients, rows, message):
    aggregator = DPKSameAggregator(generator, n_axes=4)
    with pytest.raises(ValueError, match=message):
        aggregator.fit(*rows(*patients[:2]))
    assert not hasattr(aggregator, "noisy_")


def test_cells_of_another_generator_are_refused(patients):
    decoder = torch.nn.Sequential(torch.nn.Linear(5, 64), torch.nn.Unflatten(1, (1, 8, 8)))
    other = Generator.from_module(decoder, w_dim=5, image_shape=(1, 8, 8))
    cells = lay_cells(other, n_cells=1, n_axes=3)
    own = torch.nn.Sequential(torch.nn.Linear(6, 64), torch.nn.Unflatten(1, (1, 8, 8)))
    generator = Generator.from_module(own, w_dim=6, image_shape=(1, 8, 8))
    with pytest.raises(ValueError, match="cells are for latents of 5 features, W has 6"):
        DPKSameAggregator(generator, cells=cells).fit(*patients[:2])


@pytest.mark.parametrize("wrong", [{"n_samples": 0}, {"n_samples": -1}, {"contrast": -1.0}])
def test_what_cannot_be_drawn_is_named(generator, cells, patients, wrong):
    aggregator = DPKSameAggregator(generator, k=2, cells=cells, noise=None).fit(*patients[:2])
    with pytest.raises(ValueError, match=next(iter(wrong))):
        aggregator.sample(**wrong)


def test_a_patient_in_two_parts_is_refused(generator, patients):
    W, y, groups = patients
    aggregator = DPKSameAggregator(generator, n_cells=2, n_axes=4, classes=[0, 1])
    aggregator.partial_fit(W[:20], y[:20], groups=groups[:20])
    with pytest.raises(ValueError, match="patients of this part were in an earlier one"):
        aggregator.partial_fit(W[:20], y[:20], groups=groups[:20])


def test_missing_packages_are_named_at_construction(generator, monkeypatch):
    monkeypatch.setattr(privacy, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install '\.\[dp\]'"):
        DPKSameAggregator(generator)
    assert DPKSameAggregator(generator, noise=None).noise is None


def test_clones_keep_the_request(generator):
    assert clone(DPKSameAggregator(generator, mu=0.5)).mu == 0.5

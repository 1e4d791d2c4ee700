"""KSameAggregator: guarantees, subjects, copies, classes, and what it keeps."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from joblib import parallel_config
from latentwalk import KSameAggregator
from latentwalk.aggregation import _cells
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks


@pytest.fixture
def latents():
    return np.random.default_rng(0).normal(size=(83, 6)).astype(np.float32)


def subjects_of(values):
    return len(np.unique(values))


def expected_failed_checks(estimator):
    if estimator.method != "mdav":
        return {}
    reason = "greedy groups are no cells, so that transform is nearest prototype instead"
    return {
        "check_transformer_data_not_an_array": reason,
        "check_transformer_general": reason,
    }


@parametrize_with_checks(
    [KSameAggregator(k=2), KSameAggregator(k=2, method="mdav")],
    expected_failed_checks=expected_failed_checks,
)
def test_sklearn_compatible(estimator, check):
    check(estimator)


def test_rows_become_the_means_of_their_groups(latents):
    aggregator = KSameAggregator(k=5)
    released = aggregator.fit_transform(latents)
    assert released.dtype == np.float32 and released.shape == latents.shape
    assert len(aggregator.prototypes_) == 83 // 5
    for group in range(83 // 5):
        members = aggregator.labels_ == group
        assert 5 <= members.sum() <= 9
        mean = latents[members].astype(float).mean(axis=0)
        np.testing.assert_allclose(aggregator.prototypes_[group], mean, rtol=1e-6, atol=1e-6)
        np.testing.assert_array_equal(
            released[members], np.tile(aggregator.prototypes_[group], (members.sum(), 1))
        )
    np.testing.assert_array_equal(aggregator.cluster_sizes_, np.bincount(aggregator.labels_))
    error = np.square(latents - released).sum()
    assert aggregator.inertia_ == pytest.approx(error, rel=1e-5)


def test_power_diagram_has_less_error_than_mdav():
    X = np.random.default_rng(1).normal(size=(300, 8))
    optimal, greedy = KSameAggregator(k=5).fit(X), KSameAggregator(k=5, method="mdav").fit(X)
    assert len(optimal.prototypes_) == len(greedy.prototypes_) == 60
    assert optimal.inertia_ < 0.96 * greedy.inertia_


@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e6])
@pytest.mark.parametrize("shift", [0.0, 100.0])
def test_transform_equals_fit_transform_in_one_class(latents, scale, shift):
    X = (latents + np.float32(shift)) * np.float32(scale)
    aggregator = KSameAggregator(k=3)
    released = aggregator.fit_transform(X)
    np.testing.assert_array_equal(aggregator.transform(X), released)
    np.testing.assert_array_equal(aggregator.transform(X[7:8]), released[7:8])


def test_transform_equals_fit_transform_across_blocks(monkeypatch):
    monkeypatch.setattr(_cells, "MAX_BLOCK", 120)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 4)).astype(np.float32) ** 3
    aggregator = KSameAggregator(k=4, random_state=0)
    released = aggregator.fit_transform(X)
    assert len(aggregator._cells[0].centers) > 4
    assert aggregator.cluster_sizes_.min() >= 4 and aggregator.cluster_sizes_.max() <= 7
    np.testing.assert_array_equal(aggregator.transform(X), released)
    with parallel_config(backend="threading"):
        side_by_side = clone(aggregator).set_params(n_jobs=2).fit(X)
    np.testing.assert_array_equal(side_by_side.prototypes_, aggregator.prototypes_)


def test_mirrored_points_tie_and_are_told_apart():
    grid = np.stack(np.meshgrid(np.arange(8.0), np.arange(8.0)), -1).reshape(-1, 2)
    aggregator = KSameAggregator(k=3, random_state=0)
    released = aggregator.fit_transform(grid)
    assert aggregator.cluster_sizes_.min() >= 3 and aggregator.cluster_sizes_.max() <= 5
    np.testing.assert_array_equal(aggregator.transform(grid), released)


def test_a_patient_moves_and_weighs_as_one():
    rng = np.random.default_rng(0)
    patient = np.concatenate([np.zeros(100, int), np.arange(1, 24)])
    X = rng.normal(size=(len(patient), 3))
    X[:100] += rng.normal(size=3) * 3
    aggregator = KSameAggregator(k=4).fit(X, groups=patient)
    assert len(np.unique(aggregator.labels_[:100])) == 1
    np.testing.assert_array_equal(aggregator.cluster_sizes_, 4)
    group = aggregator.labels_[0]
    others = X[100:][aggregator.labels_[100:] == group]
    assert len(others) == 3
    mean = np.vstack([X[:100].mean(axis=0), others]).mean(axis=0)
    np.testing.assert_allclose(aggregator.prototypes_[group], mean, rtol=1e-5)


def test_ids_count_as_patients_not_rows(latents):
    with pytest.raises(ValueError, match=r"too few subjects \(all rows: 4\); 5 are needed"):
        KSameAggregator(k=5).fit(latents, groups=np.arange(83) % 4)


def test_groups_stay_within_class_even_where_classes_overlap(latents):
    y = np.array(["a", "b", "c"])[np.arange(83) % 3]
    patient = np.arange(83) // 2
    aggregator = KSameAggregator(k=4)
    released = aggregator.fit_transform(latents, y, groups=patient)
    np.testing.assert_array_equal(aggregator.prototype_targets_[aggregator.labels_], y)
    for group in range(len(aggregator.prototypes_)):
        assert subjects_of(patient[aggregator.labels_ == group]) >= 4
    assert (aggregator.transform(latents) != released).any()


def test_copies_move_as_one_count_once_and_weigh_once(latents):
    X = np.vstack([latents, np.repeat(latents[:1], 30, axis=0)])
    aggregator = KSameAggregator(k=5)
    released = aggregator.fit_transform(X)
    group = aggregator.labels_[0]
    members = np.flatnonzero(aggregator.labels_ == group)
    assert set(range(83, 113)) <= set(members)
    distinct = np.unique(X[members], axis=0)
    assert len(distinct) >= 5 and aggregator.cluster_sizes_[group] == len(distinct) + 30
    np.testing.assert_allclose(aggregator.prototypes_[group], distinct.mean(axis=0), atol=1e-6)
    np.testing.assert_array_equal(aggregator.transform(X), released)


def test_patients_who_share_a_copy_move_together(latents):
    patient = np.arange(83)
    X = np.vstack([latents, latents[:1]])
    aggregator = KSameAggregator(k=5).fit(X, groups=np.append(patient, 50))
    assert aggregator.labels_[0] == aggregator.labels_[50] == aggregator.labels_[83]


def test_fewer_distinct_rows_than_k_are_one_group():
    X = np.repeat(np.eye(3, dtype=np.float32), 4, axis=0)
    aggregator = KSameAggregator(k=5).fit(X)
    np.testing.assert_array_equal(aggregator.labels_, 0)
    np.testing.assert_array_equal(aggregator.cluster_sizes_, [12])


def test_a_small_class_is_an_error_that_names_it_and_says_what_a_path_needs(latents):
    y = np.where(np.arange(83) < 3, "rare", "common")
    message = r"class rare: 3\); 5 are needed .*twice as many for a path.* leave their rows out"
    with pytest.raises(ValueError, match=message):
        KSameAggregator(k=5).fit(latents, y)


def test_progress_is_shown_when_asked_for(latents, capfd):
    KSameAggregator(k=5).fit(latents)
    assert capfd.readouterr().err == ""
    KSameAggregator(k=5, verbose=True).fit(latents)
    assert "groups: 100%" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"k": 1}, "'k' parameter"),
        ({"method": "greedy"}, "'method' parameter"),
        ({"X": np.full((83, 6), np.nan)}, "NaN"),
        ({"groups": np.r_[np.nan, np.arange(82)]}, "groups has 1 missing"),
        ({"groups": np.arange(82)}, r"groups has shape \(82,\)"),
        ({"y": [None] + ["a"] * 82}, "y has 1 missing"),
        ({"y": np.r_[np.nan, np.zeros(82)]}, "y has 1 missing"),
        ({"y": np.linspace(0, 1, 83)}, "continuous"),
        ({"y": np.zeros(82)}, r"y has shape \(82,\)"),
    ],
)
def test_bad_input(latents, change, match):
    params = {name: change[name] for name in ("k", "method") if name in change}
    data = {"X": latents, "y": None, "groups": None} | {
        name: value for name, value in change.items() if name not in params
    }
    with pytest.raises(ValueError, match=match):
        KSameAggregator(**params).fit(data["X"], data["y"], groups=data["groups"])


def test_the_pickle_holds_no_row_and_no_id(latents):
    y, patient = np.arange(83) % 2, np.array([f"patient-{i // 2:04d}" for i in range(83)])
    aggregator = KSameAggregator(k=4).fit(latents, y, groups=patient)
    held = pickle.dumps(aggregator)
    for row in latents:
        assert row.tobytes() not in held and row.astype(np.float64).tobytes() not in held
        assert row[:2].tobytes() not in held and row[:1].astype(np.float64).tobytes() not in held
    assert b"patient-" not in held and patient[0].encode("utf-32-le") not in held
    np.testing.assert_array_equal(
        pickle.loads(held).transform(latents), aggregator.transform(latents)
    )


def test_groups_reach_it_through_a_pipeline(latents):
    patient = np.arange(83) // 3
    pipe = Pipeline([("same", FunctionTransformer()), ("ksame", KSameAggregator(k=4))])
    released = pipe.fit_transform(latents, ksame__groups=patient)
    direct = KSameAggregator(k=4).fit_transform(latents, groups=patient)
    np.testing.assert_array_equal(released, direct)
    with sklearn.config_context(enable_metadata_routing=True):
        routed = Pipeline(
            [
                ("same", FunctionTransformer()),
                ("ksame", KSameAggregator(k=4).set_fit_request(groups=True)),
            ]
        )
        np.testing.assert_array_equal(routed.fit_transform(latents, groups=patient), direct)


def test_names_and_frames_pass_through(latents):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(latents, columns=list("abcdef"), index=np.arange(83) + 7)
    released = KSameAggregator(k=4).set_output(transform="pandas").fit_transform(frame)
    assert list(released.columns) == list("abcdef") and list(released.index) == list(frame.index)


@st.composite
def data_sets(draw):
    k = draw(st.integers(2, 5))
    n = draw(st.sampled_from([k, 2 * k - 1, 2 * k, 3 * k]) | st.integers(k, 45))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    X = rng.normal(size=(n, draw(st.integers(1, 4))))
    kind = draw(st.sampled_from(["plain", "grid", "constant column", "copies", "outlier", "flat"]))
    if kind == "grid":
        X = np.round(X)
    elif kind == "constant column":
        X[:, 0] = 3.0
    elif kind == "copies":
        X = X[rng.integers(0, max(n // 2, 1), n)]
    elif kind == "outlier":
        X[0] *= 1e4
    elif kind == "flat":
        X[:] = 1.0
    n_classes = draw(st.integers(1, 3))
    y = rng.integers(0, n_classes, n) if n_classes > 1 else None
    groups = rng.integers(0, n, n) ** 2 // n if draw(st.booleans()) else None
    return k, X.astype(np.float32), y, groups


@settings(max_examples=60, deadline=None)
@given(data_sets(), st.sampled_from(["power_diagram", "mdav"]))
def test_guarantees_hold_whatever_the_data(data, method):
    k, X, y, groups = data
    patient = np.arange(len(X)) if groups is None else groups
    target = np.zeros(len(X), int) if y is None else y
    per_class = {c: subjects_of(patient[target == c]) for c in np.unique(target)}
    aggregator = KSameAggregator(k=k, method=method, random_state=0)
    if min(per_class.values()) < k:
        with pytest.raises(ValueError, match="too few subjects"):
            aggregator.fit(X, y, groups=groups)
        return
    released = aggregator.fit_transform(X, y, groups=groups)
    labels = aggregator.labels_
    copies = len(np.unique(X, axis=0)) < len(X)
    for group, size in enumerate(aggregator.cluster_sizes_):
        members = labels == group
        assert size == subjects_of(patient[members]) >= k
        assert copies or size <= 2 * k - 1
        assert subjects_of(target[members]) == 1
        assert (released[members] == aggregator.prototypes_[group]).all()
    for c in np.unique(target):
        for one in np.unique(patient[target == c]):
            assert subjects_of(labels[(target == c) & (patient == one)]) == 1
        for row in X[target == c]:
            same = (target == c) & (row == X).all(axis=1)
            assert subjects_of(labels[same]) == 1
    if y is None and groups is None and method == "power_diagram":
        np.testing.assert_array_equal(aggregator.transform(X), released)

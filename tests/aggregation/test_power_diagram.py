"""The linear programs, the power diagram and MDAV under the aggregator."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from latentwalk.aggregation import _power_diagram, mdav, power_diagram
from latentwalk.aggregation._blocks import _cut, coarse_blocks
from latentwalk.aggregation._guarantees import check_guarantees
from latentwalk.aggregation._linear_programs import assign, separate
from latentwalk.aggregation._subjects import fuse_units, group_means


def error(X, labels):
    return np.square(X - group_means(X, labels)[labels]).sum()


def all_edges(n_points, n_sites):
    return np.repeat(np.arange(n_points), n_sites), np.tile(np.arange(n_sites), n_points)


def nearest_cells(X, sites, weights):
    return (np.square(X[:, None] - sites).sum(axis=-1) - weights).argmin(axis=1)


def test_assignment_is_the_cheapest_of_all():
    rng = np.random.default_rng(0)
    for _ in range(5):
        costs = rng.uniform(size=(6, 3))
        labels = assign(*all_edges(6, 3), costs.ravel(), (6, 3), k=2)
        best = min(
            costs[np.arange(6), list(p)].sum() for p in set(permutations([0, 0, 1, 1, 2, 2]))
        )
        assert costs[np.arange(6), labels].sum() == pytest.approx(best)
        np.testing.assert_array_equal(np.bincount(labels), 2)


def test_infeasible_candidates_are_an_error():
    points, sites = np.arange(4), np.zeros(4, dtype=int)
    with pytest.raises(RuntimeError, match="assignment program ended without a solution"):
        assign(points, sites, np.ones(4), (4, 2), k=2)


def test_weights_keep_half_of_the_widest_margin_and_are_nearest_to_equal():
    # on a line, sites 0 and 4: |x - 4|^2 - x^2 = 16 - 8x is 0 at 2 and -8 at 3. With 1 and 2 at the
    # left site a difference of 4 of the weights is in the middle, at a margin of 4; 2 is half of
    # it. With 3 at the left site too the margin is negative for equal weights.
    X, sites = np.array([1.0, 2.0, 3.0, 6.0]), np.array([0.0, 4.0])
    costs = np.square(X[:, None] - sites).ravel() / 10
    weights, margin = separate(*all_edges(4, 2), costs, np.array([0, 0, 1, 1]), 2)
    assert margin == pytest.approx(0.4)
    np.testing.assert_allclose(weights, [0.1, -0.1], atol=1e-8)
    weights, margin = separate(*all_edges(4, 2), costs, np.array([0, 0, 0, 1]), 2)
    assert margin == pytest.approx(1.0)
    np.testing.assert_allclose(weights, [0.65, -0.65], atol=1e-8)


def test_no_margin_where_points_tie():
    costs = np.array([[1.0, 1.0], [1.0, 1.0]])
    margin = separate(*all_edges(2, 2), costs.ravel(), np.array([0, 1]), 2)[1]
    assert margin == pytest.approx(0, abs=1e-8)


@pytest.mark.parametrize(("n", "k"), [(5, 5), (9, 5), (10, 5), (44, 3), (101, 7)])
def test_groups_are_cells_of_k_to_2k_minus_1(n, k):
    X = np.random.default_rng(n).normal(size=(n, 3))
    greedy, diagram = mdav(X, k), power_diagram(X, k)
    for labels in (greedy, diagram.labels):
        sizes = np.bincount(labels)
        assert len(sizes) == n // k and sizes.min() >= k and sizes.max() <= 2 * k - 1
    np.testing.assert_array_equal(nearest_cells(X, diagram.sites, diagram.weights), diagram.labels)
    assert error(X, diagram.labels) <= error(X, greedy) + 1e-9


def test_groups_are_optimal_for_their_sites():
    X = np.random.default_rng(3).normal(size=(60, 2))
    diagram = power_diagram(X, 4)
    costs = np.square(X[:, None] - diagram.sites).sum(axis=-1)
    best = assign(*all_edges(60, 15), costs.ravel(), (60, 15), k=4)
    own = costs[np.arange(60), diagram.labels].sum()
    assert own == pytest.approx(costs[np.arange(60), best].sum())


def test_missing_candidates_are_opened(monkeypatch):
    X = np.random.default_rng(4).normal(size=(240, 6))
    start = mdav(X, 3)
    case = (X, group_means(X, start), start, 3, np.random.RandomState(0))
    wide = _power_diagram._optimal_cells(*case)
    monkeypatch.setattr(_power_diagram, "N_CANDIDATES", 2)
    solved = []
    monkeypatch.setattr(
        _power_diagram, "assign", lambda *args, **kw: solved.append(1) or assign(*args, **kw)
    )
    narrow = _power_diagram._optimal_cells(*case)
    assert len(solved) > 1
    np.testing.assert_array_equal(nearest_cells(X, narrow.sites, narrow.weights), narrow.labels)
    np.testing.assert_array_equal(narrow.labels, wide.labels)


def test_edges_that_never_settle_are_an_error(monkeypatch):
    monkeypatch.setattr(_power_diagram, "N_CANDIDATES", 1)
    monkeypatch.setattr(_power_diagram, "MAX_CUTS", 1)
    with pytest.raises(RuntimeError, match="did not settle"):
        power_diagram(np.random.default_rng(4).normal(size=(240, 6)), 3)


def test_sites_that_coincide_are_told_apart():
    X = np.random.default_rng(0).normal(size=(12, 2))
    labels = np.arange(12) % 2
    X -= group_means(X, labels)[labels]
    diagram = power_diagram(X, 4, init=labels, random_state=0)
    assert np.bincount(diagram.labels).min() >= 4
    np.testing.assert_array_equal(nearest_cells(X, diagram.sites, diagram.weights), diagram.labels)


def test_an_outlier_does_not_take_a_group_of_its_own():
    X = np.random.default_rng(0).normal(size=(41, 3))
    X[0] = 1e5
    diagram = power_diagram(X, 4)
    assert np.bincount(diagram.labels).min() >= 4
    np.testing.assert_array_equal(nearest_cells(X, diagram.sites, diagram.weights), diagram.labels)


def test_mdav_takes_the_extremes_first():
    X = np.array([[0.0], [0.3], [10.0], [10.1], [4.0], [4.5], [5.0]])
    np.testing.assert_array_equal(mdav(X, 2), [1, 1, 0, 0, 2, 2, 2])


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda X: mdav(X[:2], 3), "X has 2 points"),
        (lambda X: power_diagram(X[:2], 3), "X has 2 points"),
        (lambda X: power_diagram(X, 3, max_iter=0), "max_iter=0"),
        (lambda X: power_diagram(X, 3, init=[0, 1]), "init has shape"),
        (lambda X: power_diagram(X, 3, init=[0, 1, 1, 1, 1, 1]), "a group of 1"),
    ],
)
def test_bad_input(call, match):
    with pytest.raises(ValueError, match=match):
        call(np.arange(12.0).reshape(6, 2))


def test_blocks_are_voronoi_cells_of_means_of_k():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(900, 2)), rng.normal(size=(3, 2)) + 100])
    blocks = coarse_blocks(X, 5, max_size=150, random_state=np.random.RandomState(0))
    sizes = np.bincount(blocks.labels)
    assert sizes.min() >= 5 and sizes.max() <= 150 and len(blocks.centers) >= 7
    distances = np.square(X[:, None] - blocks.centers).sum(axis=-1)
    np.testing.assert_array_equal(distances.argmin(axis=1), blocks.labels)
    # the three far rows are fewer than k: none is near a center made of them
    assert np.abs(blocks.centers).max() < 50


GOOD = {"labels": [0, 0, 0, 1, 1, 1], "rows": [range(6)], "subjects": range(6), "units": [range(6)]}


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({}, None),
        ({"labels": [0, 0, 1, 1, 1, 1]}, "fewer than 3 subjects"),
        ({"labels": [0] * 6}, "6 subjects or more"),
        ({"labels": [0, 0, 0, -1, 1, 1]}, "has no group"),
        ({"subjects": [0, 0, 1, 2, 3, 4]}, "fewer than 3 subjects"),
        ({"subjects": [0, 1, 2, 0, 4, 5]}, "in two groups"),
        ({"units": [[0, 1, 2, 0, 4, 5]]}, "in two groups"),
        ({"units": [[0, 0, 1, 2, 3, 4]]}, "fewer than 3 rows"),
        (
            {"labels": [0] * 6, "rows": [range(3), range(3, 6)], "units": [range(3), range(3)]},
            "another class's",
        ),
        ({"rows": [range(3)], "units": [range(3)]}, "a row is in no class"),
    ],
)
def test_a_broken_guarantee_is_an_error(change, match):
    case = GOOD | change
    args = (
        np.array(case["labels"]),
        [np.array(r) for r in case["rows"]],
        np.array(case["subjects"]),
        [np.array(u) for u in case["units"]],
    )
    if match is None:
        check_guarantees(*args, 3)
    else:
        with pytest.raises(RuntimeError, match=match):
            check_guarantees(*args, 3)


def test_a_center_is_never_the_mean_of_fewer_than_k():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(200, 2)), rng.normal(size=(3, 2)) + 100])
    centers = _cut(X, 5, 50, np.random.RandomState(0))
    assert len(centers) > 4 and np.abs(centers).max() < 50


def test_sites_at_one_place_are_displaced():
    X = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    sites, labels = np.ones((2, 2)), np.array([0, 1, 0, 1])
    with_spread = np.vstack([sites, [[-9.0, -9.0]]])
    X, labels = np.vstack([X, [[-9.0, -8.0], [-8.0, -9.0]]]), np.append(labels, [2, 2])
    rng = np.random.RandomState(0)
    diagram = _power_diagram._optimal_cells(X, with_spread, labels, 2, rng)
    np.testing.assert_array_equal(np.bincount(diagram.labels), 2)
    np.testing.assert_array_equal(nearest_cells(X, diagram.sites, diagram.weights), diagram.labels)
    np.testing.assert_allclose(diagram.sites, with_spread, atol=0.1)


def test_a_unit_is_the_mean_of_its_subjects_means():
    X = np.array([[0.0, 1.0], [6.0, 1.0], [3.0, 4.0], [-0.0, 1.0], [8.0, 8.0]], dtype=np.float32)
    units = fuse_units(X, np.array([7, 7, 7, 2, 5]))
    # subject 7 has mean (3, 2); its first row is also that of subject 2: (0, 1)
    assert units.labels[0] == units.labels[1] == units.labels[2] == units.labels[3]
    np.testing.assert_allclose(units.points[units.labels[0]], [1.5, 1.5])
    np.testing.assert_allclose(units.points[units.labels[4]], [8.0, 8.0])

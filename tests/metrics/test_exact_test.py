"""The exact test and its bound, against enumeration of all orders and simulation."""

from itertools import combinations

import numpy as np
import pytest
from latentwalk.metrics import (
    exact_test,
    n_exposed_lower,
    rank_p_value,
    smallest_detectable_leak,
)
from latentwalk.metrics._privacy._exact import ranks_to_test
from scipy.stats import nhypergeom


def orders(n, m):
    """Every split of n + m ranks into members and held-out, all equally likely."""
    for chosen in combinations(range(n + m), n):
        members = np.zeros(n + m, dtype=bool)
        members[list(chosen)] = True
        yield np.flatnonzero(members).astype(float), np.flatnonzero(~members).astype(float)


@pytest.mark.parametrize(("n", "m", "r"), [(4, 5, 1), (4, 5, 3), (5, 3, 2), (3, 6, 6)])
def test_rank_p_value_is_the_enumerated_tail(n, m, r):
    counts = np.array([(t < np.sort(h)[r - 1]).sum() for t, h in orders(n, m)])
    for k in range(n + 1):
        assert rank_p_value(k, n, m, r) == pytest.approx((counts >= k).mean())


def test_rank_p_value_keeps_a_tail_that_one_minus_the_cdf_loses():
    p = float(rank_p_value(100, 1000, 1000, 1))
    exact = np.prod([(1000 - i) / (2000 - i) for i in range(100)])
    assert p == pytest.approx(exact, rel=1e-9)
    assert p < 1e-30 < abs(nhypergeom.sf(99, 2000, 1000, 1)) + 1e-29


@pytest.mark.parametrize(("n", "m", "fpr"), [(6, 6, 0.3), (4, 8, 0.25), (8, 4, 0.4)])
@pytest.mark.parametrize("level", [0.01, 0.05, 0.1, 0.3])
def test_size_over_all_orders(n, m, fpr, level):
    results = [exact_test(t, h, fpr=fpr) for t, h in orders(n, m)]
    for side in ("p_value", "p_near", "p_far"):
        assert np.mean([getattr(r, side) <= level for r in results]) <= level


def test_ties_count_against_a_finding():
    assert exact_test(np.zeros(50), np.zeros(50)).p_value == 1.0


def test_both_directions_are_seen():
    rng = np.random.default_rng(0)
    t, h = rng.normal(size=300), rng.normal(size=300)
    near = exact_test(np.concatenate([t[20:], np.full(20, -9.0)]), h)
    hole = exact_test(t[t > np.quantile(t, 0.1)], h)
    assert near.p_near < 0.001 and near.p_far > 0.2
    assert hole.p_far < 0.001 and hole.p_near > 0.2
    for result, side in ((near, near.p_near), (hole, hole.p_far)):
        assert result.p_value == 2 * side


def test_repeated_draws_join_as_twice_the_mean():
    rng = np.random.default_rng(0)
    t, h = rng.normal(size=(3, 40)) - 0.8, rng.normal(size=(3, 40))
    each = [exact_test(a, b).p_near for a, b in zip(t, h, strict=True)]
    assert exact_test(t, h).p_near == pytest.approx(min(1, 2 * np.mean(each)))


def bound_by_scan(t, h, alpha, fpr):
    """The definition, without bisection."""
    n, m = len(t), len(h)
    ranks = ranks_to_test(m, fpr)
    weights = (1.0,) if len(ranks) == 1 else (0.65, 0.35)
    for L in range(n + 1):
        ps = [
            rank_p_value((t < np.sort(h)[r - 1]).sum() - L, n - L, m, r) / w
            for r, w in zip(ranks, weights, strict=True)
        ]
        if min(ps) > alpha:
            return L
    return n


def test_lower_bound_is_its_definition_and_agrees_with_the_test():
    rng = np.random.default_rng(1)
    for shift in (0.0, 0.5, 1.0, 3.0):
        t, h = rng.normal(size=60) - shift, rng.normal(size=80)
        bound = n_exposed_lower(t, h, alpha=0.05, fpr=0.05)
        assert bound == bound_by_scan(t, h, 0.05, 0.05)
        assert (bound > 0) == (exact_test(t, h, fpr=0.05).p_near <= 0.05)


@pytest.mark.parametrize(("n", "m", "n_leaked"), [(5, 6, 0), (6, 6, 2)])
@pytest.mark.parametrize("alpha", [0.02, 0.1, 0.3])
def test_lower_bound_over_all_orders(n, m, n_leaked, alpha):
    # the leaked are nearest of all, the others and the held-out records in any order
    exceeded = [
        n_exposed_lower(np.append(t, np.full(n_leaked, -1.0)), h, alpha=alpha, fpr=0.3) > n_leaked
        for t, h in orders(n - n_leaked, m)
    ]
    assert np.mean(exceeded) <= alpha
    assert alpha < 0.3 or np.mean(exceeded) > 0  # a void bound would never exceed


@pytest.mark.parametrize("n_leaked", [0, 5, 60])
def test_lower_bound_covers(n_leaked):
    rng = np.random.default_rng(2)
    bounds = []
    for _ in range(400):
        t, h = rng.normal(size=300), rng.normal(size=250)
        t[:n_leaked] = -10
        bounds.append(n_exposed_lower(t, h, alpha=0.05))
    # 400 runs at 5 %: 33 is the 99.9 % quantile
    assert np.sum(np.array(bounds) > n_leaked) <= 33
    assert n_leaked < 60 or np.median(bounds) > 50


def test_smallest_detectable_leak_is_found_and_less_is_not():
    rng = np.random.default_rng(3)
    n, m, alpha = 200, 150, 0.025
    n_smallest = round(smallest_detectable_leak(n, m, alpha=alpha) * n)
    h = rng.normal(size=m)
    others = np.full(n, 99.0)  # the worst case: no other member helps
    for n_leaked, found in ((n_smallest, True), (n_smallest - 1, False)):
        t = others.copy()
        t[:n_leaked] = -99
        assert (exact_test(t, h).p_near <= alpha) is found


@pytest.mark.parametrize(
    ("m", "share"), [(50, 0.073), (100, 0.039), (200, 0.021), (500, 0.010), (1000, 0.006)]
)
def test_published_detection_limits(m, share):
    # r = 1 alone at .025, as the table of the method was computed
    counts = np.arange(1, 1001)
    smallest = counts[rank_p_value(counts, 1000, m, 1) <= 0.025][0]
    assert smallest / 1000 == pytest.approx(share, abs=0.0006)


def test_too_few_to_detect_anything():
    assert np.isnan(smallest_detectable_leak(2, 2, alpha=0.01))


def test_nan_exposures_are_refused():
    with pytest.raises(ValueError, match="none NaN"):
        exact_test([np.nan, 1.0], [1.0])

"""The exact test within strata, against enumeration of all labellings and simulation."""

from itertools import combinations, product

import numpy as np
import pytest
from latentwalk.metrics import exact_test, n_exposed_lower, rank_p_value, smallest_detectable_leak
from latentwalk.metrics._privacy._strata import (
    Leading,
    _table,
    _tail,
    find_leading,
    least_favourable,
    n_certain,
    stratified_p_value,
)


def labellings(places, n):
    """Every choice of n[s] members among the subjects of stratum s."""
    where = [np.flatnonzero(places == s) for s in range(len(n))]
    for chosen in product(*(combinations(w, k) for w, k in zip(where, n, strict=True))):
        members = np.zeros(len(places), dtype=bool)
        members[[i for part in chosen for i in part]] = True
        yield members


@pytest.mark.parametrize("r", [1, 2, 3])
@pytest.mark.parametrize("places", [[0, 1, 1, 0, 0, 1, 1, 0, 0], [1, 1, 1, 0, 0, 0, 0, 1, 1]])
def test_p_value_is_the_enumerated_tail(r, places):
    places, values, n = np.array(places), np.arange(9.0), np.array([3, 2])
    m = np.bincount(places) - n
    found = []
    for members in labellings(places, n):
        t, h = values[members], values[~members]
        led = find_leading(t, h, (places[members], places[~members]), r, 2)
        found.append((led.before.sum(), stratified_p_value(led, n, m)))
    counts, p_values = np.array(found).T
    for count, p_value in found:
        assert p_value == pytest.approx((counts >= count).mean())
    assert all((p_values <= level).mean() <= level for level in (0.05, 0.1, 0.3))


def test_one_stratum_is_the_plain_test():
    led = Leading(4, np.array([9]), np.array([12]))
    plain = float(rank_p_value(9, 40, 30, 4))
    assert stratified_p_value(led, np.array([40]), np.array([30])) == pytest.approx(plain)
    removed = float(rank_p_value(6, 37, 30, 4))
    assert stratified_p_value(led, np.array([40]), np.array([30]), 3) == pytest.approx(removed)
    t, h = np.random.default_rng(0).normal(size=(2, 60))
    same = exact_test(t, h, strata=(np.zeros(60, int), np.zeros(60, int)))
    assert same == exact_test(t, h)


def test_what_is_taken_away_is_the_worst_choice():
    rng = np.random.default_rng(0)
    for _ in range(60):
        n, m = rng.integers(3, 20, size=(2, 3))
        before = rng.integers(0, np.minimum(n, 6) + 1)
        others = np.minimum(rng.multinomial(rng.integers(0, 3), np.ones(3) / 3), m)
        led = Leading(1 + int(others.sum()), before, before + others)
        total = int(rng.integers(0, max(1, before.sum())))
        every = [
            _tail(n - np.array(gone), m, led.both - np.array(gone), led.r)
            for gone in product(*(range(b + 1) for b in before))
            if sum(gone) == total
        ]
        found = stratified_p_value(led, n, m, total)
        assert found == pytest.approx(max(every) if before.sum() > total else 1.0)


def test_a_leak_is_certain_wherever_it_is():
    rng = np.random.default_rng(1)
    for _ in range(10):
        n, m = rng.integers(4, 12, size=(2, 3))
        r = int(rng.integers(1, 4))
        tables = [_table(*sizes, r) for sizes in zip(n, m, strict=True)]
        for count in range(1, 5):
            every = [
                _tail(n, m, np.array(both), r)
                for both in product(*(range(s + 1) for s in n + m))
                if sum(both) == count + r - 1
            ]
            assert least_favourable(tables, count + r - 1) == pytest.approx(max(every))
        certain = n_certain(n, m, r, 0.05)
        if certain is not None and certain > 1:
            assert least_favourable(tables, certain + r - 1) <= 0.05
            assert least_favourable(tables, certain + r - 2) > 0.05
    alike = smallest_detectable_leak([500, 500], [500, 500], alpha=0.025)
    assert alike == smallest_detectable_leak(1000, 1000, alpha=0.025)
    assert smallest_detectable_leak([900, 100], [100, 900], alpha=0.025) > alike
    assert np.isnan(smallest_detectable_leak([2, 2], [2, 2], alpha=0.025))


def uneven(rng, n_few, n_exposed=0):
    """Strata of other shares in the two sets, and of other exposures."""
    few, many = [n_few, 200 - n_few], [200 - n_few, n_few]
    strata = np.repeat([0, 1], few), np.repeat([0, 1], many)
    t, h = (rng.exponential(size=200) / (1 + 4 * s) for s in strata)
    t[rng.permutation(200)[:n_exposed]] = 0.0
    return t, h, strata


def test_size_where_only_strata_are_exchangeable():
    rng = np.random.default_rng(0)
    within, pooled = [], []
    for _ in range(200):
        t, h, strata = uneven(rng, 10)
        within.append(exact_test(t, h, strata=strata).p_value <= 0.05)
        pooled.append(exact_test(t, h).p_value <= 0.05)
    assert np.mean(within) <= 0.08 < 0.3 < np.mean(pooled)


def test_bound_within_strata():
    rng = np.random.default_rng(0)
    bounds = []
    for _ in range(60):
        t, h, strata = uneven(rng, 80, n_exposed=40)
        bounds.append(n_exposed_lower(t, h, alpha=0.05, strata=strata))
        side = exact_test(t, h, strata=strata).p_near
        assert (side <= 0.05) == (bounds[-1] > 0)
    assert np.mean(np.array(bounds) > 40) <= 0.1 and np.median(bounds) >= 25


@pytest.mark.parametrize("strata", [([0, 1], [0]), ([0, 1, 0.5], [0, 0]), ([0, 1, -1], [0, 0])])
def test_strata_are_checked(strata):
    with pytest.raises(ValueError, match="strata have shape"):
        exact_test([1.0, 2.0, 3.0], [1.0, 2.0], strata=strata)


def test_more_strata_than_can_be_tried_are_refused():
    many = np.arange(60) % 12
    with pytest.raises(ValueError, match="strata number 12; expected at most 7"):
        exact_test(np.arange(60.0), np.arange(60.0) + 0.5, strata=(many, many))
    with pytest.raises(ValueError, match="strata number 12"):
        smallest_detectable_leak([9] * 12, [9] * 12)

"""The one-run audit: its formula by enumeration, its level by simulation."""

from itertools import product
from math import comb, exp, log

import numpy as np
import pytest
from latentwalk.metrics import (
    gaussian_epsilon,
    one_run_audit,
    one_run_epsilon,
    one_run_epsilon_f,
    one_run_mu,
    one_run_p_value,
)
from scipy.stats import beta, norm


@pytest.mark.parametrize(("v", "r", "m"), [(0, 4, 9), (3, 4, 9), (4, 4, 4), (7, 12, 30)])
@pytest.mark.parametrize("epsilon", [0.0, 0.4, 2.0])
@pytest.mark.parametrize("delta", [0.0, 1e-3])
def test_p_value_by_enumeration(v, r, m, epsilon, delta):
    q = exp(epsilon) / (1 + exp(epsilon))
    pmf = [comb(r, w) * q**w * (1 - q) ** (r - w) for w in range(r + 1)]
    alpha = max(sum(pmf[max(v - i, 0) : v]) / i for i in range(1, m + 1))
    expected = min(1.0, sum(pmf[v:]) + 2 * m * delta * alpha)
    assert one_run_p_value(v, r, m, epsilon, delta=delta) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("v", "r", "confidence"), [(90, 100, 0.95), (66, 100, 0.9), (30, 30, 0.99)]
)
def test_pure_bound_is_clopper_pearson(v, r, confidence):
    share = beta.ppf(1 - confidence, v, r - v + 1)
    found = one_run_epsilon(v, r, 500, confidence=confidence)
    assert found == pytest.approx(log(share / (1 - share)), abs=1e-8)


# printed in the paper: Appendix D, and figure 11 of section 7, whose last digit is cut off
def test_figures_of_the_paper():
    assert one_run_p_value(75, 100, 100, log(3)) == pytest.approx(0.553, abs=5e-4)
    for v, r, m, delta, printed in (
        (75, 100, 100, 0.0, 0.702),
        (75, 100, 100, 1e-4, 0.699),
        (75, 100, 1000, 1e-4, 0.673),
        (1439, 1510, 100_000, 1e-5, 2.6755),
    ):
        assert one_run_epsilon(v, r, m, delta=delta) == pytest.approx(printed, abs=5e-4)


# figures that others published of their own audits, for 500 canaries and delta = 1e-5
@pytest.mark.parametrize(
    ("v", "r", "confidence", "published"),
    [
        (100, 100, 0.95, 3.4791953936219215),
        (100, 100, 0.99, 3.023197554051876),
        (60, 100, 0.95, 0.05073561053723097),
        (23, 35, 0.95, 0.014548719860613346),
    ],
)
def test_published_figures(v, r, confidence, published):
    found = one_run_epsilon(v, r, 500, delta=1e-5, confidence=confidence)
    assert found == pytest.approx(published, abs=1e-7)


def test_rejected_epsilons_are_an_interval():
    # so that the first crossing is the bound, whatever the bisection meets
    for v, r, delta in product((20, 45, 60), (60,), (0.0, 1e-5, 1e-3, 1e-2)):
        p = [one_run_p_value(v, r, 100, e, delta=delta) for e in np.linspace(0, 8, 161)]
        rejected = np.array(p) < 0.05
        assert not np.any(~rejected[:-1] & rejected[1:])


@pytest.mark.parametrize("epsilon", [0.0, 1.0])
def test_the_bound_holds_for_randomised_response(epsilon):
    rng = np.random.default_rng(0)
    exceeded = 0
    for _ in range(400):
        included = rng.random(200) < 0.5
        told = np.where(rng.random(200) < 1 / (1 + exp(epsilon)), ~included, included)
        scores = told + 1e-3 * rng.random(200)
        result = one_run_audit(scores, included, n_positive=40, n_negative=40)
        exceeded += result.epsilon_lower > epsilon
    assert 2 <= exceeded <= 30  # 20 at the most are expected; a void bound would never exceed


def test_ties_count_against_the_audit():
    included = np.arange(40) < 20
    tied = one_run_audit(np.zeros(40), included, n_positive=20, n_negative=20)
    assert tied.n_correct == 0
    block = one_run_audit(np.zeros(40), included, n_positive=30, n_negative=0)
    assert block.n_correct == 10
    assert block == one_run_audit(np.zeros(40), included[::-1], n_positive=30, n_negative=0)


def test_both_kinds_of_guess_and_abstention():
    scores = np.array([5.0, 4.0, 3.0, 2.0, 1.0, 0.0])
    included = np.array([True, False, True, False, True, False])
    result = one_run_audit(scores, included, n_positive=2, n_negative=1)
    assert (result.n_correct, result.n_guesses, result.n_canaries) == (2, 3, 6)
    # delta is paid for every canary, guessed or not
    few, many = (one_run_epsilon(95, 100, m, delta=1e-4) for m in (100, 1000))
    assert 0 < many < few


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: one_run_p_value(3, 2, 5, 1.0), "n_correct=3"),
        (lambda: one_run_p_value(1, 2, 5, -1.0), "epsilon=-1.0"),
        (lambda: one_run_p_value(1, 2, 5, 1.0, delta=2), "delta=2"),
        (lambda: one_run_epsilon(1, 2, 5, confidence=95), "confidence=95"),
        (lambda: one_run_audit([1.0, np.nan], [True, False], n_positive=1, n_negative=0), "NaN"),
        (lambda: one_run_audit([1.0, 2.0], [1, 0], n_positive=1, n_negative=0), "dtype int"),
        (lambda: one_run_audit([1.0], [True], n_positive=1, n_negative=1), "the 1 canaries"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def gaussian_release(mu, seed, m=1000):
    """Canaries in directions of their own, with N(0, 1): exactly mu-GDP."""
    rng = np.random.default_rng(seed)
    included = rng.random(m) < 0.5
    return mu * included + rng.normal(size=m), included


@pytest.mark.parametrize(("mu", "at_least"), [(1.0, 0.4), (2.5, 1.0)])
def test_the_gaussian_bound_holds_and_gets_near(mu, at_least):
    found = [
        one_run_audit(*gaussian_release(mu, seed), n_positive=60, n_negative=60, delta=1e-5)
        for seed in range(60)
    ]
    bounds = np.array([one.mu_lower for one in found])
    assert (bounds > mu).mean() <= 0.1 and np.median(bounds) > at_least
    epsilon = gaussian_epsilon(mu, 1e-5)
    converted = np.array([gaussian_epsilon(bound, 1e-5) for bound in bounds])
    steinke, by_f = np.array([(one.epsilon_lower, one.epsilon_lower_f) for one in found]).T
    assert (steinke > epsilon).mean() <= 0.1 and (by_f > epsilon).mean() <= 0.1
    # who may assume a Gaussian mechanism learns more from the same guesses
    assert np.median(converted) > 1.3 * np.median(steinke)


def test_the_bound_by_trade_off_holds_where_it_is_nearly_tight():
    """Randomised response is exactly epsilon-private, and its guesses are coins of e^eps."""
    for epsilon in (0.5, 2.0):
        rights = np.random.default_rng(1).binomial(400, 1 / (1 + np.exp(-epsilon)), 200)
        bounds = {int(v): one_run_epsilon_f(int(v), 400, 400) for v in set(rights)}
        over = np.mean([bounds[int(v)] > epsilon for v in rights])
        assert 0.01 <= over <= 0.09


def test_a_large_delta_costs_less_by_the_trade_off_function():
    counts = 90, 100, 1000
    pure = one_run_epsilon_f(*counts)
    assert pure == pytest.approx(one_run_epsilon(*counts), abs=0.05)
    assert one_run_epsilon(*counts, delta=1e-3) < 0.5 < 1.5 < one_run_epsilon_f(*counts, delta=1e-3)
    deltas = [one_run_epsilon_f(*counts, delta=delta) for delta in (0, 1e-4, 1e-3, 1e-2, 1.0)]
    assert deltas == sorted(deltas, reverse=True) and deltas[-1] == 0
    assert one_run_mu(0, 0, 5) == one_run_mu(50, 100, 1000) == one_run_epsilon_f(0, 9, 9) == 0


def test_epsilon_of_gaussian_privacy_is_where_two_normals_say_so():
    for mu, delta in ((0.3, 1e-6), (1.0, 1e-5), (4.0, 0.01)):
        epsilon = gaussian_epsilon(mu, delta)
        # the likelihood ratio of N(mu, 1) to N(0, 1) is over e^eps where x > eps / mu + mu / 2
        cut = epsilon / mu + mu / 2
        spent = norm.sf(cut - mu) - np.exp(epsilon) * norm.sf(cut)
        assert spent == pytest.approx(delta, rel=1e-6)
    assert gaussian_epsilon(0.0, 1e-5) == 0 and gaussian_epsilon(1.0, 0.0) == np.inf

"""The attacks that set a release against records of others: their formulas, by hand."""

import numpy as np
import pytest
from latentwalk.auditing import ATTACKS, PrivacyAuditor
from latentwalk.metrics import auc
from sklearn.base import clone
from sklearn.neighbors import KernelDensity

NAMES = ["DPI", "Gen-LRA", "LOGAN"]


def normal(n, seed, d=4):
    return np.random.default_rng(seed).normal(size=(n, d))


@pytest.mark.parametrize("name", NAMES)
def test_no_signal_without_a_leak(name):
    members, holdout, reference = normal(300, 0), normal(300, 1), normal(300, 2)
    parameters = {"n_steps": 100} if name == "LOGAN" else {}
    attack = clone(ATTACKS[name](**parameters)).fit(normal(300, 3), reference)
    found = auc(-attack.score_samples(members), -attack.score_samples(holdout))
    assert found.low < 0.5 < found.high


@pytest.mark.parametrize("name", NAMES)
def test_reference_is_asked_for(name):
    with pytest.raises(ValueError, match="needs X_reference"):
        ATTACKS[name]().fit(normal(5, 0))


def test_gen_lra_is_the_ratio_of_two_densities():
    release, reference, X = normal(40, 0, 2), normal(60, 1, 2), normal(7, 2, 2)
    attack = ATTACKS["Gen-LRA"](k=5, n_components=2).fit(release, reference)
    seen = np.concatenate([release, reference])
    center = seen.mean(axis=0)
    axes = np.linalg.svd(seen - center, full_matrices=False)[2].T
    spread = ((seen - center) @ axes).std(axis=0)
    S, R, T = (((rows - center) @ axes) / spread for rows in (release, reference, X))
    width = len(R) ** (-1 / 6)
    expected = []
    for x in T:
        near = S[np.argsort(np.linalg.norm(S - x, axis=1))[:5]]
        both = [
            KernelDensity(bandwidth=width).fit(rows).score(near) for rows in (R, np.vstack([R, x]))
        ]
        expected.append(both[1] - both[0])
    np.testing.assert_allclose(attack.score_samples(X), expected, rtol=1e-6)


def test_dpi_counts_the_release_among_the_neighbours():
    release, reference, X = normal(30, 0), normal(50, 1), normal(9, 2)
    pooled = np.concatenate([release, reference])
    order = np.argsort(np.linalg.norm(X[:, None] - pooled, axis=2), axis=1)[:, :20]
    found = ATTACKS["DPI"]().fit(release, reference).score_samples(X)
    np.testing.assert_allclose(found, (order < 30).sum(axis=1) / 20)
    # fewer records than neighbours: the share of all
    few = ATTACKS["DPI"](k=99).fit(release, reference).score_samples(X)
    np.testing.assert_allclose(few, 30 / 80)


def test_discriminator_sees_what_no_hyperplane_does():
    # the release is a ring around the reference
    angle = np.random.default_rng(0).uniform(0, 2 * np.pi, 300)
    ring = 3 * np.column_stack([np.cos(angle), np.sin(angle)])
    reference = normal(300, 1, 2)
    inside, outside = normal(100, 2, 2), ring[:100] + 0.1 * normal(100, 3, 2)
    attacks = {"LOGAN": ATTACKS["LOGAN"](n_steps=100), "classifier": ATTACKS["classifier"]()}
    found = {}
    for name, attack in attacks.items():
        attack.fit(ring[100:], reference)
        found[name] = auc(*(-attack.score_samples(rows) for rows in (outside, inside))).value
    assert found["LOGAN"] > 0.9 > 0.7 > found["classifier"]
    again = clone(attacks["LOGAN"]).fit(ring[100:], reference)
    np.testing.assert_array_equal(
        again.score_samples(inside), attacks["LOGAN"].score_samples(inside)
    )


def test_an_audit_hands_them_the_reference():
    X = normal(240, 0)
    auditor = PrivacyAuditor(random_state=0).fit(X[:80], X_holdout=X[80:160], X_reference=X[160:])
    report = auditor.audit(X[:80] + 0.01, attacks=["DPI", "Gen-LRA"])
    found = {name: report.find(name, "features") for name in ("DPI", "Gen-LRA")}
    assert found["DPI"].p_shift <= 0.05  # by itself
    assert found["Gen-LRA"].p_adjusted <= 0.00125

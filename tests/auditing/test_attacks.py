"""Attacks find what each is aimed at; the maximum over them holds its size."""

import numpy as np
import pytest
from latentwalk.auditing import (
    ATTACKS,
    PrivacyAuditor,
    audit_stages,
    planted_positives,
    recommend_k,
    register_attack,
)
from latentwalk.metrics import Verdict, auc
from sklearn.base import clone


def normal(n, seed, d=4):
    return np.random.default_rng(seed).normal(size=(n, d))


@pytest.mark.parametrize(
    "name",
    [
        n
        for n, attack in ATTACKS.items()
        if n not in ("absence", "local mean") and not attack.needs and not attack.sees_records
    ],
)
def test_attacks_find_noisy_members(name):
    members, holdout, reference = normal(150, 0), normal(150, 1), normal(300, 2)
    release = members + 0.1 * normal(150, 3)
    attack = clone(ATTACKS[name]()).fit(release, reference)
    t, h = attack.score_samples(members), attack.score_samples(holdout)
    # members' scores are the larger; the classifier sees only what is linear
    assert auc(-t, -h).value > (0.5 if name == "classifier" else 0.6)


def test_local_mean_finds_a_member_whose_noises_cancel():
    member, other = np.zeros((1, 3)), np.full((1, 3), 10.0)
    noise = np.array([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0], [-1.0, -1.0, 1.0], [-1.0, -1.0, -1.0]])
    attack = clone(ATTACKS["local mean"](k=4)).fit(np.concatenate([noise, other + 1]))
    np.testing.assert_allclose(attack.score_samples(member), [0.0])
    assert ATTACKS["nearest"]().fit(noise).score_samples(member)[0] < -1.5
    assert attack.score_samples(other)[0] < -1


def test_absence_is_the_nearest_reversed():
    release, X = normal(50, 0), normal(30, 1)
    near, far = (ATTACKS[n]().fit(release).score_samples(X) for n in ("nearest", "absence"))
    np.testing.assert_array_equal(near, -far)


def test_attacks_by_name_join_the_panel_and_its_verdict():
    X = normal(400, 0)
    groups = np.arange(200) // 2
    auditor = PrivacyAuditor(random_state=0).fit(
        X[:200], X_holdout=X[200:], groups=groups, groups_holdout=groups + 1000
    )
    names = [n for n, a in ATTACKS.items() if not (a.needs_reference or a.needs or n == "parts")]
    report = auditor.audit(X[:200] + 0.01, attacks=names)
    assert {r.attack for r in report.attacks} == set(names)
    assert {r.subjects for r in report.attacks} == {"nearest image", "mean of images"}
    assert report.p_value <= 0.01 and not {*names} & {name for name, _ in report.not_run}
    assert auditor.audit(normal(100, 9), attacks=names).p_value > 0.05
    with pytest.raises(ValueError, match="expected names among"):
        auditor.audit(X[:9], attacks=["unknown"])
    with pytest.raises(ValueError, match="needs X_reference"):
        auditor.audit(X[:9], attacks=["DOMIAS"])
    with pytest.raises(ValueError, match="without X_holdout"):
        PrivacyAuditor().fit(X).audit(X[:9], attacks=["absence"])


def test_an_attack_that_only_a_name_brings_in_can_turn_the_verdict():
    # members sit in a hole of the release: far is a member, and their best image hides it
    rng = np.random.default_rng(0)

    @register_attack("knows the first value")
    class First(ATTACKS["nearest"]):
        def score_samples(self, X):
            return X[:, 0]

    try:
        # built in as far as the panel can tell: it does not join by itself
        First.__module__ = "latentwalk.trial"
        X, H, S = rng.normal(size=(3, 500, 4))
        auditor = PrivacyAuditor(random_state=0).fit(X, X_holdout=H)
        quiet = auditor.audit(S)
        assert quiet.p_value > 0.05 and ("knows the first value", "not in the quick panel") in (
            quiet.not_run
        )
        order = np.argsort(-np.concatenate([X, H])[:, 0])
        pooled = np.concatenate([X, H])
        X[:], H[:] = pooled[order[:500]], pooled[order[500:]]
        biased = PrivacyAuditor(random_state=0).fit(X, X_holdout=H)
        named = biased.audit(S, attacks="knows the first value")
        assert named.headline.attack == "knows the first value"
        assert named.p_value <= 0.05 and named.n_exposed_lower > 400
    finally:
        del ATTACKS["knows the first value"]


def test_the_headline_is_the_first_attack_of_the_report():
    X, H, S = normal(300, 0), normal(300, 1), normal(300, 2)
    for n_copied in (0, 6, 60):
        release = np.concatenate([X[:n_copied] + 0.02, S])
        auditor = PrivacyAuditor(random_state=0).fit(X, X_holdout=H)
        report = auditor.audit(release)
        assert report.headline is report.attacks[0]
        rejecting = [r.p_adjusted <= 0.05 for r in report.attacks]
        assert rejecting == sorted(rejecting, reverse=True)
        shown = [r.n_exposed_lower for r in report.attacks if r.p_adjusted <= 0.05]
        assert shown == sorted(shown, reverse=True)
        assert report.n_exposed_lower == max([*shown, 0])


def test_a_name_is_registered_once():
    with pytest.raises(ValueError, match="registered already"):
        register_attack("nearest")(ATTACKS["nearest"])


def smooth(n, seed):
    coarse = np.random.default_rng(seed).random((n, 1, 4, 4))
    return coarse.repeat(3, axis=2).repeat(3, axis=3).astype(np.float32)


@pytest.fixture(scope="module")
def image_auditor():
    members, holdout, release = smooth(300, 0), smooth(300, 1), smooth(200, 2)
    return PrivacyAuditor(random_state=0).fit(members, X_holdout=holdout), members, release


@pytest.mark.parametrize(
    ("how", "found"), [("noise", True), ("shift", True), ("jpeg", True), ("flip", True)]
)
def test_planted_copies(image_auditor, how, found):
    auditor, members, release = image_auditor
    n_planted = planted_positives(auditor, release, members, how=how, random_state=0)
    assert (n_planted is not None) is found
    if found:
        assert n_planted <= 50


def test_planted_copies_that_no_view_knows_are_not_found(image_auditor):
    _, members, release = image_auditor
    blind = PrivacyAuditor(lambda X: X.mean(axis=(2, 3)), random_state=0)
    blind.fit(members, X_holdout=smooth(300, 1))
    assert planted_positives(blind, release, members, counts=[1, 2], random_state=0) is None


def test_planted_copies_need_a_release_that_gives_nothing_away(image_auditor):
    auditor, members, release = image_auditor
    as_bytes = [np.rint(255 * rows).astype(np.uint8) for rows in (release, members)]
    assert planted_positives(auditor, *as_bytes, random_state=0) <= 50
    leaking = np.concatenate([release, members[:60] + 1e-3 * (members[:60] < 0.5)])
    with pytest.raises(ValueError, match="with nothing planted"):
        planted_positives(auditor, leaking, members, random_state=0)


@pytest.mark.parametrize("how", ["shift", "flip"])
def test_features_are_not_shifted_or_mirrored(how):
    auditor = PrivacyAuditor(random_state=0).fit(normal(30, 0), X_holdout=normal(30, 1))
    with pytest.raises(ValueError, match=f"how='{how}' is for images, "):
        planted_positives(auditor, normal(9, 2), normal(30, 0), how=how)


def test_mirrored_copies_are_found_where_mirror_images_are_alike(image_auditor):
    _, members, release = image_auditor

    def mirrored(X):
        return X + X[..., ::-1]

    auditor = PrivacyAuditor(mirrored, random_state=0).fit(members, X_holdout=smooth(300, 1))
    assert planted_positives(auditor, release, members, how="flip", random_state=0) <= 50


def test_the_ladder_names_the_stage(image_auditor):
    auditor, members, release = image_auditor
    stages = {"samples": release, "inversions": np.clip(members + 0.01, 0, 1)}
    ladder = audit_stages(auditor, stages, guided_by={"samples": ["pixels"]})
    assert list(ladder) == ["samples", "inversions"]
    assert ladder["samples"].guided_by == ("pixels",)
    assert ladder["inversions"].verdict is Verdict.LEAK
    with pytest.raises(ValueError, match="guided_by names stages"):
        audit_stages(auditor, stages, guided_by={"walk": ["pixels"]})
    assert recommend_k({2: ladder["inversions"]}) is None

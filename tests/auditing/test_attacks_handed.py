"""Attacks that hold more than the release: each finds its planted leak, and none without one."""

import numpy as np
import pytest
from latentwalk.auditing import ATTACKS, AttackerKnowledge, PrivacyAuditor
from latentwalk.metrics import auc, membership_accuracy
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier


def normal(n, seed, d=6):
    return np.random.default_rng(seed).normal(size=(n, d))


def found(attack, members, holdout, **labels):
    """AUC with its interval; both sets in one call, as the audit does."""
    scores = attack.score_samples(np.concatenate([members, holdout]), **labels)
    return auc(-scores[: len(members)], -scores[len(members) :])


MEMBERS, HOLDOUT, UNRELATED = normal(200, 0, 40), normal(200, 1, 40), normal(300, 2, 40)


def test_residual_is_small_where_the_generator_was_fitted():
    overfit, apart = PCA(30).fit(MEMBERS[:100]), PCA(30).fit(UNRELATED)
    planted = ATTACKS["inversion residual"]().fit(MEMBERS[:1], inverter=overfit)
    assert found(planted, MEMBERS[:100], HOLDOUT).low > 0.7
    clean = ATTACKS["inversion residual"]().fit(MEMBERS[:1], inverter=apart)
    rate = found(clean, MEMBERS, HOLDOUT)
    assert rate.low < 0.5 < rate.high
    # the residual itself, by hand: what is outside of the plane
    outside = MEMBERS - apart.mean_
    outside = outside - outside @ apart.components_.T @ apart.components_
    np.testing.assert_allclose(
        clean.score_samples(MEMBERS), -np.sqrt((outside**2).mean(axis=1)), rtol=1e-6
    )


def test_latent_distance_sees_through_what_latents_do_not_hold():
    # the release copies the members' first values; the others, larger, are drawn afresh
    inverter = PCA(4).fit(UNRELATED * np.r_[np.full(4, 3.0), np.ones(36)])
    members, holdout = (
        rows * np.r_[np.full(4, 3.0), np.full(36, 2.0)] for rows in (MEMBERS, HOLDOUT)
    )
    release = members.copy()
    latents = inverter.transform(members)
    release = (
        inverter.inverse_transform(latents)
        + 9 * (np.eye(40) - inverter.components_.T @ inverter.components_)[0]
    )
    attack = ATTACKS["latent distance"]().fit(release, inverter=inverter)
    assert found(attack, members, holdout).low > 0.95
    given = ATTACKS["latent distance"]().fit(release, inverter=inverter, latents=latents)
    np.testing.assert_allclose(given.score_samples(members), 0, atol=1e-5)
    clean = ATTACKS["latent distance"]().fit(3 * UNRELATED, inverter=inverter)
    rate = found(clean, members, holdout)
    assert rate.low < 0.5 < rate.high
    with pytest.raises(ValueError, match="latents have 3 features a row; the inverter gives 4"):
        ATTACKS["latent distance"]().fit(
            release, inverter=inverter, latents=latents[:, :3]
        ).score_samples(members)


def labelled(n, seed):
    """Labels that are noise: a classifier can only learn them by heart."""
    return normal(n, seed), np.random.default_rng(seed + 100).integers(0, 2, n)


@pytest.mark.parametrize("copied", [True, False])
def test_downstream_classifier_of_a_copy(copied):
    (members, y), (holdout, y_holdout), (others, y_others) = (labelled(400, s) for s in range(3))
    release, labels = (members, y) if copied else (others, y_others)
    classifier = KNeighborsClassifier(5).fit(release, labels)
    attack = ATTACKS["downstream"]().fit(release, classifier=classifier)
    t, h = attack.score_samples(members, y), attack.score_samples(holdout, y_holdout)
    accuracy = membership_accuracy(t, h, random_state=0).value
    rate = auc(-t, -h)
    if copied:
        assert rate.low > 0.6
        assert accuracy > 0.57
    else:
        assert rate.low < 0.5 < rate.high
        assert abs(accuracy - 0.5) < 0.04


def test_downstream_scores_are_the_log_probabilities():
    X, y = labelled(60, 0)
    names = np.array(["b", "a"])[y]
    classifier = LogisticRegression().fit(X, names)
    attack = ATTACKS["downstream"]().fit(X, classifier=classifier)
    proba = classifier.predict_proba(X)
    own = np.where(names == "a", proba[:, 0], proba[:, 1])
    np.testing.assert_allclose(attack.score_samples(X, names), np.log(own))
    np.testing.assert_allclose(attack.score_samples(X), np.log(proba.max(axis=1)))
    with pytest.raises(ValueError, match="one of the classes"):
        attack.score_samples(X, np.full(60, "c"))


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("inversion residual", "needs inverter"),
        ("latent distance", "needs inverter"),
        ("downstream", "needs classifier"),
    ],
)
def test_what_is_missing_is_named(name, match):
    with pytest.raises(ValueError, match=match):
        ATTACKS[name]().fit(MEMBERS)
    auditor = PrivacyAuditor(random_state=0).fit(MEMBERS, X_holdout=HOLDOUT)
    with pytest.raises(ValueError, match=f"{name}.*{match}"):
        auditor.audit(UNRELATED, attacks=[name])
    handed = {match.removeprefix("needs "): object()}
    with pytest.raises(TypeError, match="is of type object without"):
        ATTACKS[name]().fit(MEMBERS, **handed)


def test_an_audit_with_all_that_was_handed_over():
    X, y = labelled(360, 0)
    groups = np.arange(120) // 2
    auditor = PrivacyAuditor(random_state=0).fit(
        X[:120],
        X_holdout=X[120:240],
        X_reference=X[240:],
        groups=groups,
        groups_holdout=groups + 60,
        groups_reference=groups + 120,
    )
    release = X[:120] + 0.01
    classifier = KNeighborsClassifier(3).fit(release, y[:120])
    records = {"X": X[:120], "X_holdout": X[120:240]}
    knowledge = AttackerKnowledge(
        **records,
        inverter=PCA(4).fit(release),
        classifier=classifier,
        y=y[:120],
        y_holdout=y[120:240],
    )
    names = [name for name in ATTACKS if ATTACKS[name].needs]
    report = auditor.audit(release, attacks=names, knowledge=knowledge)
    spaces = {r.attack: r.view for r in report.attacks if r.attack in names}
    assert {n for n, s in spaces.items() if s == "records"} == {
        "inversion residual",
        "latent distance",
        "downstream",
    }
    assert set(spaces) == set(names)
    assert report.p_value <= 0.01
    # without a word on names, what was not handed over is left out
    some = auditor.audit(release, knowledge=AttackerKnowledge(**records, classifier=classifier))
    assert {r.attack for r in some.attacks if ATTACKS[r.attack].needs} == {"downstream"}
    for given, message in (
        ({"X": X[:120], "classifier": classifier}, "knowledge has no X_holdout"),
        ({**records, "X": X[1:121], "classifier": classifier}, r"knowledge\.X is not the array"),
        ({**records, "classifier": classifier, "y": y[:120]}, "belong together"),
        ({**records, "classifier": classifier, "y": y[:9], "y_holdout": y[:9]}, "y has shape"),
    ):
        with pytest.raises(ValueError, match=message):
            auditor.audit(release, knowledge=AttackerKnowledge(**given))


def test_members_and_held_out_are_scored_in_one_call():
    # the radius of the count depends on what is scored with it
    X = normal(240, 0)
    auditor = PrivacyAuditor(random_state=0).fit(X[:120], X_holdout=X[120:])
    release = np.concatenate([X[:60] + 0.1, normal(60, 9)])
    report = auditor.audit(release, attacks=["Monte Carlo"])
    scores = ATTACKS["Monte Carlo"]().fit(release).score_samples(X)
    assert report.find("Monte Carlo", "features").auc == auc(-scores[:120], -scores[120:])

"""Re-identification: a metric of pairs finds what plain distances do not."""

import numpy as np
import pytest
from latentwalk.auditing import ATTACKS, PrivacyAuditor
from latentwalk.metrics import auc

NAMES = ["re-identification", "retrained re-identification"]


def images(n_subjects, seed, n_each=2):
    """Two values are a subject's own; six larger ones change with every image."""
    rng = np.random.default_rng(seed)
    own = rng.normal(size=(n_subjects, 2)).repeat(n_each, axis=0)
    passing = 3 * rng.normal(size=(n_subjects * n_each, 6))
    own = own + 0.02 * rng.normal(size=own.shape)
    return np.column_stack([own, passing]), np.arange(n_subjects).repeat(n_each)


def rate_of(attack, members, holdout):
    scores = attack.score_samples(np.concatenate([members, holdout]))
    return auc(-scores[: len(members)], -scores[len(members) :])


REFERENCE, GROUPS = images(80, 0)


@pytest.mark.parametrize("name", NAMES)
def test_another_image_of_a_member_is_linked(name):
    (members, _), (holdout, _) = images(60, 1), images(60, 2)
    # the release holds one image of each member, and the attacker another
    attack = ATTACKS[name]().fit(members[::2], REFERENCE, groups_reference=GROUPS)
    assert rate_of(attack, members[1::2], holdout[1::2]).low > 0.6
    blind = ATTACKS["nearest"]().fit(members[::2])
    assert rate_of(blind, members[1::2], holdout[1::2]).value < 0.62


@pytest.mark.parametrize("name", NAMES)
def test_no_signal_without_a_leak(name):
    (members, _), (holdout, _), (others, _) = images(100, 1), images(100, 2), images(80, 3)
    attack = ATTACKS[name]().fit(others, REFERENCE, groups_reference=GROUPS)
    rate = rate_of(attack, members[::2], holdout[::2])
    assert rate.low < 0.5 < rate.high


def test_the_retrained_attacker_sees_through_a_change_of_domain():
    (members, _), (holdout, _) = images(60, 1), images(60, 2)
    release = 0.5 * members[::2] + np.r_[np.full(2, 3.0), np.zeros(6)]
    first, again = (
        rate_of(
            ATTACKS[name]().fit(release, REFERENCE, groups_reference=GROUPS),
            members[::2],
            holdout[::2],
        )
        for name in NAMES
    )
    assert first.low < 0.6
    assert again.low > first.high


def test_identification_counts_the_nearest_other_image():
    attack = ATTACKS[NAMES[0]]().fit(REFERENCE[:5], REFERENCE, groups_reference=GROUPS)
    X, groups = images(40, 5)
    single = images(1, 6, n_each=1)[0]
    result = attack.identification(np.concatenate([X, single]), [*groups, 99])
    rows = attack.transform(np.concatenate([X, single]))
    apart = np.linalg.norm(rows[:, None] - rows, axis=2) + 1e9 * np.eye(81)
    right = np.append(groups, 99)[apart.argmin(axis=1)][:80] == groups
    np.testing.assert_allclose(result, (right.mean(), 1 / 80, 80))
    assert result.rate > 0.5
    # the same images under other names: an attacker that knows nobody is seen to
    shuffled = np.random.default_rng(0).permutation(groups)
    assert attack.identification(X, shuffled).rate < 0.1
    # equal images: oneself is never the nearest
    twice = attack.identification(np.concatenate([X, X]), np.concatenate([groups, groups + 40]))
    assert twice.rate < 0.1


@pytest.mark.parametrize("name", NAMES)
def test_bad_input(name):
    with pytest.raises(ValueError, match="needs X_reference"):
        ATTACKS[name]().fit(REFERENCE)
    with pytest.raises(ValueError, match="needs groups_reference"):
        ATTACKS[name]().fit(REFERENCE, REFERENCE)
    with pytest.raises(ValueError, match="160 subjects with at most 1 records"):
        ATTACKS[name]().fit(REFERENCE, REFERENCE, groups_reference=np.arange(160))
    with pytest.raises(ValueError, match="groups_reference has shape"):
        ATTACKS[name]().fit(REFERENCE, REFERENCE, groups_reference=GROUPS[1:])
    attack = ATTACKS[name]().fit(REFERENCE, REFERENCE, groups_reference=GROUPS)
    with pytest.raises(ValueError, match="no subject with two records"):
        attack.identification(REFERENCE, np.arange(160))
    X = images(20, 7)[0]
    auditor = PrivacyAuditor(random_state=0).fit(X[:20], X_holdout=X[20:])
    with pytest.raises(ValueError, match="needs X_reference: fit the auditor"):
        auditor.audit(X, attacks=[name])

"""Two releases of the same people: what can be subtracted is found, and no more."""

import numpy as np
import pytest
from latentwalk import KSameAggregator
from latentwalk.auditing import PrivacyAuditor, audit_repeated_release
from latentwalk.auditing._repeated import differences
from latentwalk.metrics import Verdict


@pytest.fixture(scope="module")
def auditor_and_members():
    X = np.random.default_rng(0).normal(size=(900, 16)).astype(np.float32)
    return PrivacyAuditor(random_state=0).fit(X[:500], X_holdout=X[500:]), X[:500]


def means(X, k):
    return KSameAggregator(k=k, random_state=0).fit(X).prototypes_


def test_groups_that_nest_give_their_difference_away(auditor_and_members):
    auditor, X = auditor_and_members
    found = audit_repeated_release(auditor, means(X, 5), means(X, 6))
    assert not (found.first.n_copies or found.second.n_copies)
    assert found.verdict is Verdict.LEAK and found.differences.n_copies >= 5
    assert found.reason.startswith("Differences: ") and "copy" in found.reason
    title, head, *rows = str(found).splitlines()
    assert "LEAK" in title and "Copies" in head and len(rows) == 3


def test_the_order_of_the_releases_does_not_matter(auditor_and_members):
    auditor, X = auditor_and_members
    small, large = means(X, 5), means(X, 6)
    counts = {
        audit_repeated_release(auditor, *pair, factors=[5]).differences.n_copies
        for pair in ((small, large), (large, small))
    }
    assert len(counts) == 1 and counts.pop() >= 5


def test_the_record_of_who_joined_a_group_is_computed_exactly(auditor_and_members):
    auditor, X = auditor_and_members
    groups = X[:300].reshape(50, 6, 16)
    pair = groups[:, :5].mean(axis=1), groups.mean(axis=1)
    made = np.concatenate([*differences(auditor.cohorts_, *pair, [5.0])])
    apart = np.linalg.norm(made[:, None] - groups[:, 5], axis=2).min(axis=0)
    # most averages have the one with the same people for their nearest
    assert (apart < 1e-5).sum() >= 40


def test_images_are_subtracted_as_images():
    images = np.random.default_rng(0).integers(0, 256, (700, 1, 6, 6)).astype(np.uint8)
    auditor = PrivacyAuditor(random_state=0).fit(images[:400], X_holdout=images[400:])
    groups = images[:240].reshape(80, 3, 1, 6, 6) / 255
    pair = groups[:, :2].mean(axis=1).astype(np.float32), groups.mean(axis=1).astype(np.float32)
    found = audit_repeated_release(auditor, *pair, factors=[2])
    assert found.verdict is Verdict.LEAK and found.differences.n_copies >= 60


def test_releases_that_leak_nothing_are_rarely_accused():
    n_found = 0
    for run in range(30):
        rng = np.random.default_rng(run)
        X, H, first, second = (rng.normal(size=(n, 8)) for n in (200, 200, 60, 60))
        auditor = PrivacyAuditor(random_state=run).fit(X, X_holdout=H)
        found = audit_repeated_release(auditor, first, second)
        n_found += found.verdict in (Verdict.LEAK, Verdict.SIGNAL)
    assert n_found <= 5
    assert auditor.alpha == 0.05  # it is the copy that is stricter
    assert found.first.settings.alpha == pytest.approx(0.05 / 3)


@pytest.mark.parametrize("factors", [[], [0.0], [np.nan], [-1.0]])
def test_bad_factors_are_named(auditor_and_members, factors):
    auditor, X = auditor_and_members
    with pytest.raises(ValueError, match="expected one positive number or more"):
        audit_repeated_release(auditor, X[:9] + 1, X[:9] + 2, factors=factors)


def test_held_out_records_are_needed(auditor_and_members):
    _, X = auditor_and_members
    with pytest.raises(ValueError, match="without X_holdout"):
        audit_repeated_release(PrivacyAuditor().fit(X), X[:9] + 1, X[:9] + 2)

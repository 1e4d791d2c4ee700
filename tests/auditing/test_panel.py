"""The panel finds copies that one distance does not, and its verdict is of all its attacks."""

from dataclasses import replace

import numpy as np
import pytest
from latentwalk.auditing import (
    ATTACKS,
    PANELS,
    MembershipAttack,
    PrivacyAuditor,
    register_attack,
)
from latentwalk.metrics import Verdict
from scipy.ndimage import gaussian_filter


def textures(n, seed):
    noise = np.random.default_rng(seed).normal(size=(n, 1, 12, 12))
    smooth = gaussian_filter(noise, (0, 0, 1, 1))
    return np.clip(0.5 + 0.8 * smooth, 0, 1).astype(np.float32)


@pytest.fixture(scope="module")
def auditor():
    return PrivacyAuditor(random_state=0).fit(textures(320, 0), X_holdout=textures(320, 1))


@pytest.mark.parametrize(
    "disguise",
    [lambda X: 0.6 * X, lambda X: X[..., ::-1], lambda X: np.rot90(X, 1, axes=(2, 3))],
    ids=["darker", "mirrored", "turned"],
)
def test_disguised_copies_are_a_leak(auditor, disguise):
    release = np.concatenate([textures(200, 2), disguise(textures(320, 0)[:40])])
    report = auditor.audit(release)
    assert report.verdict is Verdict.LEAK and 25 <= report.n_exposed_lower <= 40
    for view in ("contrast", "high-pass"):
        found = report.find("nearest", f"pixels, {view}, flips and turns")
        assert found.p_adjusted < 1e-6 and found.n_exposed_lower >= 25
    assert report.find("nearest", "pixels").n_exposed_lower == 0


def test_a_release_of_others_is_not(auditor):
    p_values = [auditor.audit(textures(200, 10 + run)).p_value for run in range(12)]
    assert sum(p <= 0.05 for p in p_values) <= 2


def people(n, seed, n_images=4, d=24):
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(n), n_images)
    return rng.normal(size=(n, d))[codes] + rng.normal(size=(len(codes), d)), codes


def test_the_mean_of_a_subject_finds_averages():
    (X, groups), (H, others) = people(240, 0), people(240, 1)
    means = X.reshape(240, -1).reshape(80, 3, 4, 24).mean(axis=(1, 2))  # of three subjects each
    auditor = PrivacyAuditor(random_state=0)
    auditor.fit(X, X_holdout=H, groups=groups, groups_holdout=others + 1000)
    report = auditor.audit(means)
    assert report.verdict is Verdict.LEAK and report.headline.subjects == "mean of images"
    assert {r.subjects for r in report.attacks} == {"nearest image", "mean of images"}


def coarse_and_fine(n, seed):
    """Records of 34 large and 66 small features."""
    return np.random.default_rng(seed).normal(size=(n, 100)) * np.repeat([9.0, 1.0], [34, 66])


def test_means_that_show_in_fine_components_alone_are_found():
    X, X_holdout, release = (coarse_and_fine(n, seed) for seed, n in ((3, 200), (4, 200), (5, 100)))
    release[:, 34:] = X.reshape(100, 2, 100).mean(axis=1)[:, 34:]
    auditor = PrivacyAuditor(random_state=0).fit(X, X_holdout=X_holdout)
    report = auditor.audit(release)
    assert report.verdict is Verdict.LEAK and report.headline.view == "features, whitened 100"
    coarse = replace(PANELS["quick"], widths=(16, 32))
    assert auditor.set_params(panel=coarse).audit(release).p_value > 0.05


def test_a_whitened_view_is_named_by_the_components_that_few_records_have():
    X, X_holdout, release = (coarse_and_fine(n, seed) for seed, n in enumerate((103, 50, 60)))
    auditor = PrivacyAuditor(random_state=0).fit(X, X_holdout=X_holdout)
    views = {result.view for result in auditor.audit(release).attacks}
    # a component for each four records
    assert views == {"features", "features, whitened 32", "features, whitened 38"}


def test_an_attack_of_the_users_own_joins_and_counts(auditor):
    @register_attack("bright")
    class Bright(MembershipAttack):
        def score_samples(self, X):
            return X.mean(axis=1)

    try:
        names = {r.attack for r in auditor.audit(textures(50, 3)).attacks}
        assert "bright" in names
    finally:
        del ATTACKS["bright"]


def test_the_full_panel_has_more_and_learns():
    auditor = PrivacyAuditor(panel="full", random_state=0)
    auditor.fit(textures(90, 0), X_holdout=textures(90, 1), X_reference=textures(80, 2))
    report = auditor.audit(np.concatenate([textures(60, 3), textures(90, 0)[:30]]))
    names = {r.attack for r in report.attacks}
    assert {"parts", "DOMIAS", "learned from all", "calibrated nearest"} <= names
    learned = next(r for r in report.attacks if r.attack == "learned from all")
    assert learned.p_adjusted <= 0.05 and np.isnan(learned.test.p_value)
    assert {c.name for c in report.controls} == {"two-sample classifier", "sham release"}


@pytest.mark.parametrize("with_reference", [True, False])
def test_a_held_out_set_with_noise_is_invalid(with_reference):
    noisy = textures(200, 1) + 12 / 255 * np.random.default_rng(5).normal(size=(200, 1, 12, 12))
    reference = textures(150, 2) if with_reference else None
    auditor = PrivacyAuditor(random_state=0)
    auditor.fit(
        textures(200, 0), X_holdout=np.clip(noisy, 0, 1).astype(np.float32), X_reference=reference
    )
    assert auditor.audit(textures(100, 3)).verdict is Verdict.INVALID


def test_a_guided_space_marks_all_its_views(auditor):
    report = auditor.audit(textures(100, 4), guided_by="pixels")
    assert all(r.guided for r in report.attacks) and report.tpr_high == 1
    assert report.verdict is Verdict.UNDERPOWERED and "guided" in report.reason
    assert "feature space" in report.advice and "held-out" not in report.advice

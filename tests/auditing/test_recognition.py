"""The attackers' strength: what the views recognise among real images, beside chance."""

import numpy as np
import pytest
import torch
from latentwalk.auditing import PrivacyAuditor
from latentwalk.metrics import Verdict


def people(n, seed, noise, n_images=2):
    rng = np.random.default_rng(seed)
    codes = np.arange(n).repeat(n_images)
    return rng.normal(size=(n, 12))[codes] + noise * rng.normal(size=(len(codes), 12)), codes


def audited(noise, n_images=2):
    (X, groups), (H, others) = (people(150, seed, noise, n_images) for seed in (0, 1))
    auditor = PrivacyAuditor(random_state=0).fit(
        X, X_holdout=H, groups=groups, groups_holdout=others + 150
    )
    return auditor.audit(np.random.default_rng(2).normal(size=(80, 12)))


def test_who_is_recognised_is_counted_by_hand():
    H, groups = people(150, 1, 0.8)
    found = {one.view: one for one in audited(0.8).recognition}
    apart = np.linalg.norm(H[:, None] - H, axis=2) + 1e9 * np.eye(300)
    rate = (groups[apart.argmin(axis=1)] == groups).mean()
    plain = found["features"]
    assert plain.rate == pytest.approx(rate) and 0.1 < rate < 0.9
    assert (plain.chance, plain.n_records) == (pytest.approx(1 / 299), 300)


def test_the_best_view_comes_first_and_is_printed():
    report = audited(0.4)
    rates = [one.rate for one in report.recognition]
    assert rates == sorted(rates, reverse=True) and len(rates) >= 2
    assert f"{rates[0]:.2%}" in str(report)


def test_nobody_is_recognised_where_images_share_nothing():
    assert audited(30.0).recognition[0].rate < 0.05


def test_people_with_one_record_cannot_be_asked_about():
    report = audited(0.4, n_images=1)
    assert report.recognition == () and "two records" in str(report)


class Reidentification(torch.nn.Module):
    """In place of a network that has learnt what images of one person share."""

    def forward(self, images):  # (n, 1, 12, 12), float in [0, 1]
        return images[:, 0, :4, :4].flatten(1)


def portraits(n, seed, n_images=2):
    """A faint corner is a person's own; the rest is another picture each time."""
    rng = np.random.default_rng(seed)
    codes = np.arange(n).repeat(n_images)
    images = rng.random((len(codes), 1, 12, 12))
    own = 0.1 * rng.random((n, 4, 4)) + 0.45
    images[:, 0, :4, :4] = own[codes] + 0.01 * rng.normal(size=(len(codes), 4, 4))
    return np.clip(images, 0, 1).astype(np.float32), codes


def test_a_network_of_the_users_own_is_a_view_that_recognises_and_finds():
    (X, groups), (H, others) = portraits(320, 0), portraits(320, 1)
    release = portraits(200, 2)[0]
    # the corner of fifty members, in somebody else's image
    release[:50, 0, :4, :4] = X[1:100:2, 0, :4, :4]
    reports = {}
    for name, features in (
        ("pixels", "pixels"),
        ("both", {"pixels": "pixels", "re-identification": Reidentification()}),
    ):
        auditor = PrivacyAuditor(features, random_state=0)
        auditor.fit(X, X_holdout=H, groups=groups, groups_holdout=others + 320)
        reports[name] = auditor.audit(release)
    assert reports["pixels"].recognition[0].rate < 0.1
    assert reports["pixels"].verdict not in (Verdict.LEAK, Verdict.SIGNAL)
    best = reports["both"].recognition[0]
    assert best.view.startswith("re-identification") and best.rate > 0.9
    assert reports["both"].verdict is Verdict.LEAK
    assert reports["both"].headline.view.startswith("re-identification")

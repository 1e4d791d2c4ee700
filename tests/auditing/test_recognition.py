"""The attackers' strength: what the views recognise among real images, beside chance."""

import numpy as np
import pytest
from latentwalk.auditing import PrivacyAuditor


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

"""Whose records an audit is of: subjects of all sets, what guided, and what is kept."""

import pickle
import warnings

import numpy as np
import pytest
from latentwalk.auditing import ATTACKS, MembershipAttack, PrivacyAuditor, register_attack
from latentwalk.features import LPIPSFeatures
from latentwalk.metrics import exposure
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import Pipeline


def normal(n, seed, d=6):
    return np.random.default_rng(seed).normal(size=(n, d))


def images(n, seed):
    return np.random.default_rng(seed).integers(0, 256, size=(n, 3, 8, 8), dtype=np.uint8)


@pytest.mark.parametrize("name", ["groups_holdout", "groups_reference"])
def test_no_two_sets_share_a_subject(name):
    sets = {"X_holdout": normal(20, 1), "X_reference": normal(20, 2)}
    ids = {"groups": np.arange(20), "groups_holdout": np.arange(20, 40)}
    ids["groups_reference"] = np.arange(40, 60)
    PrivacyAuditor().fit(normal(20, 0), **sets, **ids)
    for other in ids:
        if other != name:
            shared = ids | {name: np.append(ids[name][1:], ids[other][:1])}
            with pytest.raises(ValueError, match="1 subjects are in groups"):
                PrivacyAuditor().fit(normal(20, 0), **sets, **shared)
    with pytest.raises(ValueError, match=f"{name} is missing"):
        PrivacyAuditor().fit(normal(20, 0), **sets, **(ids | {name: None}))


def test_ids_that_differ_in_zeros_alone_are_a_warning():
    ids = [f"{i:03d}" for i in range(1, 21)]
    given = {"X_holdout": normal(20, 1), "groups": ids}
    others = ["7", *(f"b{i}" for i in range(19))]
    with pytest.warns(UserWarning, match="1 ids in groups and in groups_holdout differ only in"):
        PrivacyAuditor().fit(normal(20, 0), **given, groups_holdout=others)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        PrivacyAuditor().fit(normal(20, 0), **given, groups_holdout=["070", *others[1:]])


def test_the_auditor_asks_the_pipeline_what_guided_it():
    class Walk(BaseEstimator):
        guided_spaces_ = ("pixels", "a network of the user's own")

    pipe = Pipeline([("other", "passthrough"), ("walk", Walk())])
    auditor = PrivacyAuditor(["pixels", lambda X: X.mean(axis=(2, 3))], random_state=0)
    auditor.fit(images(60, 0), X_holdout=images(60, 1))
    release = images(30, 2)
    assert auditor.audit(release).guided_by == ()
    assert auditor.audit(release, pipeline=pipe).guided_by == ("pixels",)
    assert auditor.audit(release, pipeline=Walk()).guided_by == ("pixels",)
    both = auditor.audit(release, pipeline=pipe, guided_by="callable")
    assert both.guided_by == ("pixels", "callable")
    assert [s.guided for s in both.spaces] == [True, True]
    named = PrivacyAuditor({"full": "pixels"}).fit(images(60, 0), X_holdout=images(60, 1))
    assert named.audit(release, pipeline=pipe).guided_by == ("full",)


def test_one_attribute_holds_what_is_real():
    auditor = PrivacyAuditor(random_state=0).fit(normal(60, 0), X_holdout=normal(60, 1))
    before = set(vars(clone(auditor)))
    held = {name: pickle.dumps(value) for name, value in vars(auditor).items()}
    member = normal(60, 0)[7].tobytes()
    assert [name for name, stored in held.items() if member in stored] == ["cohorts_"]
    auditor.forget()
    assert set(vars(auditor)) - before <= {"image_shape_", "n_features_in_"}


def test_members_and_held_out_records_are_held_once():
    X = np.random.default_rng(0).normal(size=(40, 5))
    auditor = PrivacyAuditor(random_state=0).fit(X[:25], X_holdout=X[25:])
    cohorts = auditor.cohorts_
    whole = cohorts.real("features")
    np.testing.assert_array_equal(whole, X)
    assert np.shares_memory(whole, cohorts.members.features["features"])
    again = pickle.loads(pickle.dumps(auditor)).cohorts_
    np.testing.assert_array_equal(again.real("features"), X)


def test_lpips_rows_are_in_half_precision_and_attacks_of_others_get_float32():
    rng = np.random.default_rng(0)
    X, H, release = (rng.integers(0, 256, (40, 1, 16, 16), dtype=np.uint8) for _ in range(3))
    release[:10] = X[:10]
    seen = []

    @register_attack("watch")
    class Watch(MembershipAttack):
        def score_samples(self, X):
            seen.extend([X.dtype, self.synthetic_.dtype])
            return -self._nearest(X)[0][:, 0]

    try:
        auditor = PrivacyAuditor("lpips", random_state=0).fit(X, X_holdout=H)
        report = auditor.audit(release)
    finally:
        del ATTACKS["watch"]
    assert auditor.cohorts_.members.features["lpips"].dtype == np.float16
    assert seen and set(seen) == {np.dtype(np.float32)}
    exact = exposure(*(LPIPSFeatures().transform(rows) for rows in (X, release)))
    kept = exposure(auditor.cohorts_.members.features["lpips"], LPIPSFeatures().transform(release))
    np.testing.assert_allclose(kept[10:], exact[10:], rtol=1e-3)
    assert report.n_exposed_lower > 0 and report.find("watch", "lpips").auc.value > 0.55

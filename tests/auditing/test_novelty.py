"""PrivacyAuditor as a novelty detector: left-out members, and a place in a Pipeline."""

import numpy as np
import pytest
import sklearn
from latentwalk.auditing import PrivacyAuditor
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.pipeline import Pipeline


def normal(n, seed, d=6):
    return np.random.default_rng(seed).normal(size=(n, d))


def images(n, seed):
    return np.random.default_rng(seed).integers(0, 256, size=(n, 3, 8, 8), dtype=np.uint8)


def test_left_out_members_are_no_neighbours_of_their_own():
    X = np.concatenate([normal(80, 0), normal(3, 5), normal(3, 5)])
    auditor = PrivacyAuditor(random_state=0)
    table = auditor.fit_transform(X, X_holdout=normal(120, 1))
    for row in (0, 40, 81):  # as if the others were released, and this one the only member
        others = np.delete(np.arange(len(X)), row)
        apart = np.linalg.norm(X[others] - X[row], axis=1)
        assert table[row, 0] == pytest.approx(apart.min(), abs=1e-6)
        assert table[row, 1] == others[apart.argmin()]
    assert (table[:80, 6] == 0).all() and (table[80:, 6] == 1).all() and (table[:80, 0] > 0).all()
    flags = PrivacyAuditor(random_state=0).fit_predict(X, X_holdout=normal(120, 1))
    assert (flags[80:] == -1).all() and (flags[:80] == 1).mean() > 0.9
    # transform sees a member as a copy of itself
    assert (auditor.transform(X)[:, 0] == 0).all()
    copies = np.repeat(normal(1, 3), 60, axis=0)
    assert (PrivacyAuditor().fit_transform(np.concatenate([X, copies]))[86:, 0] == 0).all()
    with pytest.raises(ValueError, match="without X_holdout"):
        PrivacyAuditor().fit_predict(X)


def test_left_out_collisions_are_those_of_the_others_released():
    X, H = normal(60, 0), normal(200, 1)
    table = PrivacyAuditor(random_state=0, fpr=0.05).fit_transform(X, X_holdout=H)
    apart = np.linalg.norm(X[:, None] - X, axis=2) + np.diag(np.full(60, np.inf))
    of_holdout = np.linalg.norm(H[:, None] - X, axis=2).min(axis=1)
    p = (1 + (of_holdout <= apart.min(axis=1)[:, None]).sum(axis=1)) / 201
    expected = [
        min((p[t] for t in range(60) if apart[t].argmin() == row), default=1) for row in range(60)
    ]
    np.testing.assert_allclose(table[:, 4], expected)
    np.testing.assert_array_equal(table[:, 5], np.array(expected) <= 0.05)


def test_it_chains_behind_a_feature_extractor():
    class Coarse(TransformerMixin, BaseEstimator):
        """Means over blocks of 4 x 4 pixels."""

        def fit(self, X, y=None):
            self.n_features_in_ = 3
            return self

        def transform(self, X):
            blocks = X.reshape(len(X), 3, 2, 4, 2, 4) / 255
            return blocks.mean(axis=(3, 5)).reshape(len(X), -1)

    X, H, release = images(120, 0), images(130, 1), images(40, 2)
    with sklearn.config_context(enable_metadata_routing=True):
        auditor = PrivacyAuditor(random_state=0).set_fit_request(X_holdout=True)
        pipe = Pipeline([("features", Coarse()), ("audit", auditor)], transform_input=["X_holdout"])
        pipe.fit(X, X_holdout=H)
        left_out = clone(pipe).fit_transform(X, X_holdout=H)
    coarse = Coarse()
    alone = PrivacyAuditor(random_state=0).fit(coarse.transform(X), X_holdout=coarse.transform(H))
    np.testing.assert_array_equal(
        pipe.transform(release), alone.transform(coarse.transform(release))
    )
    np.testing.assert_array_equal(pipe.predict(release), alone.predict(coarse.transform(release)))
    assert pipe["audit"].audit(coarse.transform(release)) == alone.audit(coarse.transform(release))
    assert (left_out[:, 0] > 0).all()


def test_predict_needs_held_out_records_and_says_so():
    auditor = PrivacyAuditor().fit(normal(20, 0))
    with pytest.raises(AttributeError) as error:
        auditor.predict(normal(3, 1))
    assert "fit with X_holdout" in str(error.value.__cause__)

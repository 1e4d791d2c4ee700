"""Shadow releases find the members of averages, and nothing where nothing is released."""

import latentwalk as lw
import numpy as np
import pytest
from latentwalk.auditing import shadow_audit
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import Pipeline


class Same(TransformerMixin, BaseEstimator):
    """Latents that are their own images, in place of a generator."""

    generator = None

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        return np.asarray(X)

    inverse_transform = transform


class Noise(BaseEstimator):
    """Releases latents of nobody."""

    def fit_transform(self, X, y=None, *, groups=None):
        self.prototypes_ = np.random.default_rng(len(X)).normal(size=X.shape)
        return self.prototypes_

    fit = fit_transform
    transform = fit_transform


def pipeline(aggregator):
    aggregator.prototypes_ = None  # the mark of a fitted one
    decoder = Same().fit(None)
    return Pipeline([("invert", Same()), ("ksame", aggregator), ("decode", decoder)])


def latents(n, seed=0, d=16):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def test_every_attack_finds_the_members_of_averages():
    pipe = pipeline(lw.KSameAggregator(k=5, random_state=0))
    for result in shadow_audit(pipe, latents(400), random_state=0).results:
        assert result.p_value < 1e-6
        assert result.auc.value > 0.75
        assert 0 < result.n_exposed_lower <= 200


def test_a_release_of_nobody_is_found_at_the_level():
    p_values = [
        [
            r.p_value
            for r in shadow_audit(
                pipeline(Noise()), latents(120, seed), random_state=seed, n_shadows=6
            ).results
        ]
        for seed in range(40)
    ]
    assert (np.array(p_values) <= 0.05).mean(axis=0).max() <= 0.125


def test_whole_subjects_are_in_or_out_and_within_their_class():
    seen = []

    class Watch(Noise):
        def fit_transform(self, X, y=None, *, groups=None):
            seen.append((np.unique(groups), np.bincount(y)))
            return super().fit_transform(X, y, groups=groups)

    groups, y = np.repeat(np.arange(60), 2), np.repeat([0, 1], [40, 80])
    found = shadow_audit(
        pipeline(Watch()), latents(120), y, groups=groups, n_shadows=4, random_state=0
    )
    assert found.n_subjects == 60
    assert len(seen) == 5
    for subjects, n_rows in seen:
        assert len(subjects) == 30
        np.testing.assert_array_equal(n_rows, [20, 40])


def test_what_cannot_be_shadowed_is_refused():
    with pytest.raises(ValueError, match="n_shadows=3; expected at least 4"):
        shadow_audit(pipeline(Noise()), latents(20), n_shadows=3)
    with pytest.raises(ValueError, match="no aggregator"):
        shadow_audit(Pipeline([("invert", Same()), ("decode", Same().fit(None))]), latents(20))

"""Choosing under a bound, the front of a grid, and filling up rare classes."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from latentwalk.evaluation import SyntheticSampler, refit_under_bound
from latentwalk.inspection import ParetoDisplay
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

RESULTS = {
    "mean_test_utility": np.array([0.9, 0.7, 0.75, np.nan]),
    "mean_test_privacy": np.array([-0.5, -0.1, -0.2, -0.01]),
    "params": [{"release__ksame__k": k} for k in (2, 5, 10, 20)],
}


def test_the_best_utility_under_the_bound_is_taken():
    assert refit_under_bound(0.2)(RESULTS) == 2
    assert refit_under_bound(0.15)(RESULTS) == 1
    assert refit_under_bound(1.0)(RESULTS) == 0
    with pytest.warns(UserWarning, match=r"no setting exposes at most 0.001"):
        assert refit_under_bound(0.001)(RESULTS) == 3


def test_a_search_refits_what_the_bound_allows():
    X, y = np.zeros((40, 2)), np.arange(40) % 4 == 0

    def exposure(estimator, X, y=None):
        return -0.5 if estimator.strategy == "most_frequent" else -0.05

    search = GridSearchCV(
        DummyClassifier(random_state=0),
        {"strategy": ["most_frequent", "uniform"]},
        scoring={"utility": "accuracy", "privacy": exposure},
        refit=refit_under_bound(0.1),
    ).fit(X, y)
    assert search.best_params_ == {"strategy": "uniform"}
    display = ParetoDisplay.from_estimator(search, bound=0.1)
    assert [text.get_text() for text in display.ax_.texts] == [
        "strategy=most_frequent",
        "strategy=uniform",
    ]
    plt.close(display.figure_)
    with pytest.raises(ValueError, match=r"no score 'accuracy'; its scores are \['utility'"):
        ParetoDisplay.from_estimator(search, utility="accuracy")


def test_the_front_has_what_nothing_beats():
    display = ParetoDisplay(exposure=[0.3, 0.1, 0.1, 0.2, 0.4], utility=[0.8, 0.6, 0.7, 0.7, 0.8])
    assert display.front().tolist() == [2, 0]


class Middle(TransformerMixin, BaseEstimator):
    """Stands for a walk: samples are means of the rows that it was fitted on, and carry them."""

    def fit(self, X, y=None, *, groups=None, X_real=None):
        self.mean_ = X.mean(axis=0)
        self.n_groups_ = len(set(groups))
        assert len(X_real) == len(X)
        return self

    def transform(self, X):
        return X

    def sample(self, n, X_real=None):
        return np.repeat(self.mean_[None], n, axis=0), np.zeros(n)


class Same(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        check_is_fitted(self)
        return X


RELEASE = Pipeline([("walk", Middle()), ("decode", Same())])


def test_rare_classes_are_filled_up_from_their_own_rows():
    y = np.repeat(["many", "few", "fewer"], [20, 8, 4])
    X = np.repeat([0.1, 0.5, 0.9], [20, 8, 4])[:, None] * np.ones((32, 3))
    sampler = SyntheticSampler(RELEASE)
    X_more, y_more = sampler.fit_resample(X, y, groups=np.arange(32))
    assert sampler.n_sampled_ == {"few": 12, "fewer": 16, "many": 0}
    np.testing.assert_allclose(X_more[:32], X, rtol=1e-6)
    assert {name: int((y_more == name).sum()) for name in set(y)} == dict.fromkeys(set(y), 20)
    np.testing.assert_allclose(X_more[32:][y_more[32:] == "few"], 0.5, rtol=1e-6)
    np.testing.assert_allclose(X_more[32:][y_more[32:] == "fewer"], 0.9, rtol=1e-6)
    assert not hasattr(RELEASE["walk"], "mean_")


def test_images_keep_their_form_and_a_class_its_least_number():
    X, y = np.zeros((12, 1, 2, 2), np.uint8), np.arange(12) % 3 == 0
    X_more, y_more = SyntheticSampler(RELEASE, sampling_strategy={True: 6}).fit_resample(X, y)
    assert X_more.shape == (14, 1, 2, 2) and X_more.dtype == np.float32 and y_more.sum() == 6
    for strategy in ({True: 2}, {"other": 9}):
        with pytest.raises(ValueError, match="asks for a class that y has not, or for fewer"):
            SyntheticSampler(RELEASE, sampling_strategy=strategy).fit_resample(X, y)
    with pytest.raises(ValueError, match="sampling_strategy"):
        SyntheticSampler(RELEASE, sampling_strategy="most").fit_resample(X, y)

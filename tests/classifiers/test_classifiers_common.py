"""scikit-learn's own checks, on plain features."""

from __future__ import annotations

from latentwalk import IdentityClassifier, LabelClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

QUICK = {"max_iter": 10, "width": 8, "learning_rate": 0.03, "label_smoothing": 0.0}


@parametrize_with_checks([IdentityClassifier(**QUICK), LabelClassifier(**QUICK)])
def test_sklearn_checks(estimator, check):
    check(estimator)

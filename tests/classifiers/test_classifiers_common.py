"""scikit-learn's own checks, on plain features."""

from __future__ import annotations

from latentwalk import IdentityClassifier, LabelClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

QUICK = {"max_iter": 10, "width": 8, "learning_rate": 0.03, "label_smoothing": 0.0}


REPEATED_ROWS = {
    "check_sample_weight_equivalence_on_dense_data": "a repeated row is drawn in other "
    "batches than a row of double weight: the nets agree on average, and not bit for bit"
}


@parametrize_with_checks(
    [IdentityClassifier(**QUICK), LabelClassifier(**QUICK)],
    expected_failed_checks=lambda guide: (
        REPEATED_ROWS if isinstance(guide, LabelClassifier) else {}
    ),
)
def test_sklearn_checks(estimator, check):
    check(estimator)

"""Evaluation: what is known before a run, and what scikit-learn's own tools can score after it.

`check_pipeline` names everything that would fail an hour later. `TrainOnSynthetic` puts a release
and a classifier where cross-validation and grid search expect one estimator: it learns from
synthetic images and is scored on real ones; the privacy scores read the audit it keeps.
`privacy_statement` says what a pipeline guarantees, and `draw_release` draws images under it.
"""

from latentwalk.evaluation._check_pipeline import check_pipeline
from latentwalk.evaluation._guarantee import PrivacyStatement, draw_release, privacy_statement
from latentwalk.evaluation._scores import (
    neg_collision_rate_score,
    neg_n_exposed_score,
    neg_tpr_score,
)
from latentwalk.evaluation._train_on_synthetic import TrainOnSynthetic
from latentwalk.evaluation._tstr import tstr_score

__all__ = [
    "PrivacyStatement",
    "TrainOnSynthetic",
    "check_pipeline",
    "draw_release",
    "neg_collision_rate_score",
    "neg_n_exposed_score",
    "neg_tpr_score",
    "privacy_statement",
    "tstr_score",
]

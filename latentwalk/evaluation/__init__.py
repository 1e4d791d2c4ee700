"""Evaluation: checks before a run, and scores for scikit-learn's tools after it.

`check_pipeline` finds what would fail an hour later. `TrainOnSynthetic` makes one estimator of a
release and a classifier, for cross-validation and grid search: it learns from synthetic images and
is scored on real ones. The privacy scores read the audit that it keeps, and `refit_under_bound`
takes the best utility under a bound. `SyntheticSampler` fills up rare classes. `privacy_statement`
says what a pipeline guarantees, and `draw_release` draws images under it.
"""

from latentwalk.evaluation._check_pipeline import check_pipeline
from latentwalk.evaluation._guarantee import PrivacyStatement, draw_release, privacy_statement
from latentwalk.evaluation._refit import refit_under_bound
from latentwalk.evaluation._sampler import SyntheticSampler
from latentwalk.evaluation._scores import (
    neg_collision_rate_score,
    neg_n_exposed_score,
    neg_tpr_score,
)
from latentwalk.evaluation._train_on_synthetic import TrainOnSynthetic
from latentwalk.evaluation._tstr import tstr_score

__all__ = [
    "PrivacyStatement",
    "SyntheticSampler",
    "TrainOnSynthetic",
    "check_pipeline",
    "draw_release",
    "neg_collision_rate_score",
    "neg_n_exposed_score",
    "neg_tpr_score",
    "privacy_statement",
    "refit_under_bound",
    "tstr_score",
]

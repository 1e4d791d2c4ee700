"""Pure functions that measure a release against real images: privacy, fidelity, diversity.

Privacy compares members, on whom everything was trained, with held-out subjects: see `exposure`,
`exact_test`, `n_exposed_lower`, `tpr_at_fpr` and the `verdict` from them.
"""

from latentwalk.metrics._fidelity._common import Metric, SmallSampleWarning
from latentwalk.metrics._fidelity._distances import frechet_distance, kernel_distance
from latentwalk.metrics._fidelity._diversity import vendi_score
from latentwalk.metrics._fidelity._feature_likelihood import feature_likelihood_gap
from latentwalk.metrics._fidelity._manifold import (
    coverage,
    density,
    improved_precision,
    improved_recall,
)
from latentwalk.metrics._fidelity._novelty import (
    authenticity,
    data_copying_score,
    mean_minimum_distance,
)
from latentwalk.metrics._fidelity._report import FidelityReport, FidelityRow, fidelity_report
from latentwalk.metrics._fidelity._support import alpha_precision, beta_recall
from latentwalk.metrics._privacy._conformal import (
    benjamini_hochberg,
    conformal_p_values,
    holm,
    n_holdout_to_certify,
)
from latentwalk.metrics._privacy._copies import find_copies
from latentwalk.metrics._privacy._duplicates import (
    exact_duplicates,
    keys_digest,
    match_keys,
    n_repeated,
    row_keys,
)
from latentwalk.metrics._privacy._exact import (
    ExactTest,
    exact_test,
    n_exposed_lower,
    rank_p_value,
    smallest_detectable_leak,
)
from latentwalk.metrics._privacy._exposure import exposure, subject_minima
from latentwalk.metrics._privacy._joint import JointTest, joint_test, relabel, shift_test
from latentwalk.metrics._privacy._membership_accuracy import MembershipAccuracy, membership_accuracy
from latentwalk.metrics._privacy._one_run import (
    OneRunAudit,
    one_run_audit,
    one_run_epsilon,
    one_run_p_value,
)
from latentwalk.metrics._privacy._one_run_f import (
    gaussian_epsilon,
    one_run_epsilon_f,
    one_run_mu,
)
from latentwalk.metrics._privacy._power import (
    PatientsNeeded,
    chance_of_no_evidence,
    patients_needed,
)
from latentwalk.metrics._privacy._roc import Rate, auc, roc_points, tpr_at_fpr
from latentwalk.metrics._privacy._share import ShareTest, share_test
from latentwalk.metrics._privacy._verdict import Verdict, verdict

__all__ = [
    "ExactTest",
    "FidelityReport",
    "FidelityRow",
    "JointTest",
    "MembershipAccuracy",
    "Metric",
    "OneRunAudit",
    "PatientsNeeded",
    "Rate",
    "ShareTest",
    "SmallSampleWarning",
    "Verdict",
    "alpha_precision",
    "auc",
    "authenticity",
    "benjamini_hochberg",
    "beta_recall",
    "chance_of_no_evidence",
    "conformal_p_values",
    "coverage",
    "data_copying_score",
    "density",
    "exact_duplicates",
    "exact_test",
    "exposure",
    "feature_likelihood_gap",
    "fidelity_report",
    "find_copies",
    "frechet_distance",
    "gaussian_epsilon",
    "holm",
    "improved_precision",
    "improved_recall",
    "joint_test",
    "kernel_distance",
    "keys_digest",
    "match_keys",
    "mean_minimum_distance",
    "membership_accuracy",
    "n_exposed_lower",
    "n_holdout_to_certify",
    "n_repeated",
    "one_run_audit",
    "one_run_epsilon",
    "one_run_epsilon_f",
    "one_run_mu",
    "one_run_p_value",
    "patients_needed",
    "rank_p_value",
    "relabel",
    "roc_points",
    "row_keys",
    "share_test",
    "shift_test",
    "smallest_detectable_leak",
    "subject_minima",
    "tpr_at_fpr",
    "vendi_score",
    "verdict",
]

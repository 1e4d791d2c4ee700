"""Members' against held-out subjects' reconstruction errors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from latentwalk.auditing._auditor import PrivacyAuditor
from latentwalk.auditing._results import InversionGap
from latentwalk.metrics import auc, exact_test


def inversion_gap(
    auditor: PrivacyAuditor, errors: ArrayLike, errors_holdout: ArrayLike
) -> InversionGap:
    """Test whether an inversion reconstructs members better than held-out subjects.

    A generator and its encoder fit what they were trained on. If members have lower errors,
    anybody who holds both can tell members from others, whatever was made of the latents.

    Parameters
    ----------
    auditor : PrivacyAuditor
        Fitted with held-out records: it knows whose rows they are.
    errors : array-like of shape (n_samples,)
        A reconstruction error for each row of the members, such as
        ``inverter.reconstruction_error(X, W)``.
    errors_holdout : array-like of shape (n_holdout,)
        The same for the held-out rows, inverted by the same inverter with the same parameters.

    Returns
    -------
    gap : InversionGap
        Aggregates.

    Raises
    ------
    ValueError
        For errors of another length, NaN, or an auditor without held-out records.

    Notes
    -----
    The test is `latentwalk.metrics.exact_test`, as for exposures. It compares the lowest and the
    highest errors. A shift of all errors shows in the AUC and its interval.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.auditing import PrivacyAuditor, inversion_gap
    >>> rng = np.random.default_rng(0)
    >>> auditor = PrivacyAuditor(random_state=0)
    >>> auditor = auditor.fit(rng.normal(size=(200, 3)), X_holdout=rng.normal(size=(200, 3)))
    >>> gap = inversion_gap(auditor, rng.normal(3, 1, 200), rng.normal(5, 1, 200))
    >>> gap.test.p_near < 0.001, gap.auc.value > 0.8
    (True, True)
    """
    check_is_fitted(auditor)
    cohorts = auditor.cohorts_
    members, holdout = cohorts.pair
    both = np.concatenate(
        [
            _check_errors(errors, len(members), "errors"),
            _check_errors(errors_holdout, len(holdout), "errors_holdout"),
        ]
    )
    means = [float(values.mean()) for values in cohorts.split(cohorts.draws.smallest(both))]
    t, h = cohorts.by_subject(both)
    return InversionGap(
        mean_members=means[0],
        mean_holdout=means[1],
        test=exact_test(t, h, fpr=auditor.fpr, strata=cohorts.draws.strata),
        auc=auc(t, h, confidence=1 - auditor.alpha),
    )


def _check_errors(values: Any, n_rows: int, name: str) -> NDArray[np.float64]:
    errors = np.asarray(values, dtype=np.float64)
    if errors.shape != (n_rows,):
        raise ValueError(
            f"{name} has shape {errors.shape}; expected ({n_rows},), an error for each row that "
            "the auditor was fitted on"
        )
    if not np.isfinite(errors).all():
        raise ValueError(f"{name} contains NaN or infinite values")
    return errors

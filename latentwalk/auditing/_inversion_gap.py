"""Members' against held-out subjects' reconstruction errors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from latentwalk.auditing._auditor import PrivacyAuditor
from latentwalk.auditing._draws import by_subject, smallest
from latentwalk.auditing._figures import draw_confidence, middle
from latentwalk.auditing._results import InversionGap
from latentwalk.metrics import auc, exact_test


def inversion_gap(
    auditor: PrivacyAuditor, errors: ArrayLike, errors_holdout: ArrayLike
) -> InversionGap:
    """Test whether an inversion reconstructs members better than held-out subjects.

    A generator, and an encoder trained beside it, fit what they were trained on. Where members
    come out with lower errors, whoever holds both can tell members by that alone, whatever was
    made of the latents afterwards.

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
    The test is that of exposures, `latentwalk.metrics.exact_test`: it looks at the lowest errors
    and the highest. A shift of all errors shows in the AUC and its interval.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.auditing import PrivacyAuditor, inversion_gap
    >>> rng = np.random.default_rng(0)
    >>> auditor = PrivacyAuditor(random_state=0)
    >>> auditor = auditor.fit(rng.normal(size=(200, 3)), X_holdout=rng.normal(size=(200, 3)))
    >>> gap = inversion_gap(auditor, rng.normal(3, 1, 200), rng.normal(5, 1, 200))
    >>> gap.p_near < 0.001, gap.auc > 0.8
    (True, True)
    """
    check_is_fitted(auditor)
    if auditor.holdout_ is None:
        raise ValueError(
            "the auditor was fitted without X_holdout; errors of members alone say nothing about "
            "membership"
        )
    sets = (
        (errors, auditor.members_, "errors"),
        (errors_holdout, auditor.holdout_, "errors_holdout"),
    )
    values = [_check_errors(found, len(real.codes), name) for found, real, name in sets]
    both = np.concatenate(values), auditor.members_, auditor.holdout_, auditor._plan
    members, holdout = by_subject(*both)
    test = exact_test(members, holdout, fpr=auditor.fpr, strata=auditor._plan.strata)
    confidence = draw_confidence(len(members), auditor.alpha)
    areas = np.array(
        [auc(t, h, confidence=confidence) for t, h in zip(members, holdout, strict=True)]
    )
    means = [float(rows.mean()) for rows in smallest(*both)]
    return InversionGap(
        mean_members=means[0],
        mean_holdout=means[1],
        p_value=test.p_value,
        p_near=test.p_near,
        p_far=test.p_far,
        auc=float(areas[:, 0].mean()),
        auc_interval=middle(areas),
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

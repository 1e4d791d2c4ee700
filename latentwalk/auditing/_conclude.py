"""From the figures of each feature space to one report."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from latentwalk.auditing._controls import Control
from latentwalk.auditing._figures import SpaceFigures
from latentwalk.auditing._report import AuditReport, AuditSets
from latentwalk.metrics import (
    Verdict,
    n_holdout_to_certify,
    smallest_detectable_leak,
    verdict,
)

ADVICE = {
    Verdict.LEAK: "Do not release. Use a larger k, or train the generator with fewer steps or "
    "more subjects; audit_stages shows which stage exposes them.",
    Verdict.SIGNAL: "Decide on the size of the effect: compare the interval of the true-positive "
    "rate with what is tolerated, and see audit_stages for where it comes from.",
    Verdict.NO_EVIDENCE: "This audit found nothing larger than its detection limit. It speaks of "
    "distances in the audited feature spaces alone.",
    Verdict.UNDERPOWERED: "Audit with more held-out subjects, or in a feature space that had no "
    "part in making the release.",
    Verdict.INVALID: "Split members and held-out subjects at random, by subject and within "
    "classes, and audit again.",
}


def conclude(
    spaces: Sequence[SpaceFigures],
    controls: tuple[Control, ...],
    sets: AuditSets,
    guided_by: tuple[str, ...],
    *,
    sizes: tuple[NDArray[np.intp], NDArray[np.intp]],
    n_duplicates: int,
    n_repeated: int,
    alpha: float,
    fpr: float,
    tolerance: float,
    digest: str,
) -> AuditReport:
    """Return the report: the worst figures, and the verdict on them."""
    n_spaces = len(spaces)
    p_value, p_near, p_far = (
        min(1.0, n_spaces * min(getattr(s, name) for s in spaces))
        for name in ("p_value", "p_near", "p_far")
    )
    worst = max(spaces, key=lambda s: s.tpr_interval[1])
    largest = max(spaces, key=lambda s: s.auc)
    bound = max(s.n_exposed_lower for s in spaces)
    word, reason = verdict(
        p_value=p_value,
        n_exposed_lower=bound,
        n_members=sets.n_members,
        tpr_high=worst.tpr_interval[1],
        n_duplicates=n_duplicates,
        failed_controls=[c.name for c in controls if not c.passed],
        has_unguided_space=any(not s.guided for s in spaces),
        alpha=alpha,
        tolerance=tolerance,
    )
    # twice the mean of the draws' p-values costs a factor of two at worst
    level = alpha / (2 * n_spaces) / (1 if sets.n_draws == 1 else 2)
    return AuditReport(
        verdict=word,
        reason=reason,
        advice=ADVICE[word],
        p_value=p_value,
        p_near=p_near,
        p_far=p_far,
        n_exposed_lower=bound,
        tpr=worst.tpr,
        tpr_interval=worst.tpr_interval,
        auc=largest.auc,
        auc_interval=largest.auc_interval,
        collision_rate=max(s.collision_rate for s in spaces),
        mean_minimum_distance=spaces[0].mean_minimum_distance,
        smallest_detectable_leak=smallest_detectable_leak(*sizes, alpha=level, fpr=fpr),
        n_duplicates=n_duplicates,
        n_repeated=n_repeated,
        certified=sets.n_holdout >= n_holdout_to_certify(fpr, 1 - alpha),
        alpha=alpha,
        fpr=fpr,
        tolerance=tolerance,
        sets=sets,
        spaces=tuple(spaces),
        guided_by=guided_by,
        controls=controls,
        _digest=digest,
    )


def describe(
    mean_minimum_distance: float,
    sets: AuditSets,
    guided_by: tuple[str, ...],
    *,
    n_duplicates: int,
    n_repeated: int,
    alpha: float,
    fpr: float,
    tolerance: float,
    digest: str,
) -> AuditReport:
    """Return the report of an audit without held-out records: no verdict."""
    nan = float("nan")
    return AuditReport(
        verdict=None,
        reason="Without held-out records there is no verdict: nothing tells what is near by "
        "chance from what is copied.",
        advice="Hold out subjects that nothing was trained on, and give them as X_holdout.",
        p_value=nan,
        p_near=nan,
        p_far=nan,
        n_exposed_lower=None,
        tpr=nan,
        tpr_interval=(nan, nan),
        auc=nan,
        auc_interval=(nan, nan),
        collision_rate=nan,
        mean_minimum_distance=mean_minimum_distance,
        smallest_detectable_leak=nan,
        n_duplicates=n_duplicates,
        n_repeated=n_repeated,
        certified=False,
        alpha=alpha,
        fpr=fpr,
        tolerance=tolerance,
        sets=sets,
        spaces=(),
        guided_by=guided_by,
        controls=(),
        _digest=digest,
    )

"""From exposures to figures: of each attack, and of the distances in each feature space."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latentwalk.auditing._cohorts import Cohorts
from latentwalk.auditing._nearness import Nearness
from latentwalk.auditing._panel import JOINT_SHARE, LEARNED, Attempts
from latentwalk.auditing._results import ROC_FPRS, AttackResult, AuditSettings, SpaceFigures
from latentwalk.auditing._sights import NEAREST
from latentwalk.metrics import (
    ExactTest,
    auc,
    conformal_p_values,
    exact_test,
    n_exposed_lower,
    roc_points,
    shift_test,
    smallest_detectable_leak,
    tpr_at_fpr,
)

N_BINS = 24
NAN = float("nan")


def measure_attacks(
    cohorts: Cohorts, attempts: Attempts, guided: tuple[str, ...], settings: AuditSettings
) -> tuple[AttackResult, ...]:
    """Return the figures of each attack, the headline first.

    Attacks that reject come before others, and unguided views before guided ones. Then the bound on
    exposed members counts, then the p-value, then the true-positive rate.
    """
    shifts = shift_test(attempts.exposures, cohorts.is_member, strata=cohorts.strata)
    found = zip(attempts.names, attempts.exposures, shifts, attempts.joint.adjusted, strict=True)
    results = [
        measure_attack(cohorts, exposures, settings, len(shifts), name, guided, (shift, joint))
        for name, exposures, shift, joint in found
    ]
    return tuple(sorted(results, key=lambda result: _order(result, settings.alpha)))


def _order(result: AttackResult, alpha: float) -> tuple[float, ...]:
    return (
        result.p_adjusted > alpha,
        result.guided,
        -result.n_exposed_lower,
        result.p_adjusted,
        -result.tpr.value,
        result.p_shift,
    )


def measure_attack(
    cohorts: Cohorts,
    exposures: NDArray[np.float64],
    settings: AuditSettings,
    n_attacks: int,
    name: tuple[str, str, str],
    guided: tuple[str, ...],
    p_values: tuple[float, float],
) -> AttackResult:
    """Return the figures of one attack of `n_attacks`, with its shift and joint p-values."""
    (t, h), strata = cohorts.split(exposures), cohorts.draws.strata
    fpr, confidence, level = settings.fpr, 1 - settings.alpha, settings.alpha / n_attacks
    attack, view, subjects = name
    test, bound, adjusted = ExactTest(NAN, NAN, NAN), 0, p_values[1] / JOINT_SHARE
    if attack != LEARNED:
        test = exact_test(t, h, fpr=fpr, strata=strata)
        # Bonferroni knows no smallest p-value, and how subjects lie in their strata
        adjusted = min(adjusted, n_attacks * test.p_value / (1 - JOINT_SHARE))
        # the bound is positive exactly where the near side rejects
        if test.p_near <= level and adjusted <= settings.alpha:
            bound = n_exposed_lower(t, h, alpha=level, fpr=fpr, strata=strata)
    return AttackResult(
        attack=attack,
        view=view,
        subjects=subjects,
        guided=any(view == space or view.startswith(f"{space}, ") for space in guided),
        test=test,
        p_shift=float(p_values[0]),
        p_adjusted=float(min(1.0, adjusted)),
        n_exposed_lower=bound,
        tpr=tpr_at_fpr(t, h, fpr=fpr, confidence=confidence),
        auc=auc(t, h, confidence=confidence),
    )


def detection_limit(cohorts: Cohorts, attempts: Attempts, settings: AuditSettings) -> float:
    """Return the share of members whose exposure to any one attack is certain to be found.

    With one stratum by the level that the joint test leaves to an attack, else by Bonferroni.
    """
    if len(cohorts.draws.n_images) == 1:
        level = attempts.joint.level
    else:
        level = (1 - JOINT_SHARE) * settings.alpha / (2 * len(attempts.names))
    return smallest_detectable_leak(*cohorts.draws.sizes, alpha=level, fpr=settings.fpr)


def measure_spaces(
    cohorts: Cohorts,
    attempts: Attempts,
    near: Nearness,
    guided: tuple[str, ...],
    settings: AuditSettings,
) -> tuple[SpaceFigures, ...]:
    """Return the distances in each feature space as it is."""
    rows = dict(zip(attempts.names, attempts.exposures, strict=True))
    return tuple(
        measure_space(
            cohorts, space, rows["nearest", space, NEAREST], near, space in guided, settings
        )
        for space in cohorts.spaces
    )


def measure_space(
    cohorts: Cohorts,
    space: str,
    exposures: NDArray[np.float64],
    near: Nearness,
    guided: bool,
    settings: AuditSettings,
) -> SpaceFigures:
    """Return the figures of one space, for exposures of subjects to the release."""
    (t, h), sham = cohorts.split(exposures), cohorts.sham.get(space)
    shown = [t, h, *([] if sham is None else [sham[0]])]
    bins = np.histogram_bin_edges(np.concatenate(shown), N_BINS)
    confidence = 1 - settings.alpha
    rates = [tpr_at_fpr(t, h, fpr=rate, confidence=confidence) for rate in ROC_FPRS]
    collided = float((conformal_p_values(t, h) <= settings.fpr).mean())
    return SpaceFigures(
        space=space,
        guided=guided,
        collision_rate=collided if can_collide(len(h), settings.fpr) else NAN,
        mean_minimum_distance=near.mean_minimum[space],
        mean_minimum_distance_holdout=cohorts.holdout_distances[space],
        roc=_floats(roc_points(t, h, ROC_FPRS)),
        roc_low=tuple(rate.low for rate in rates),
        roc_high=tuple(rate.high for rate in rates),
        bins=_floats(bins),
        member_counts=_shares(t, bins),
        holdout_counts=_shares(h, bins),
        sham_counts=() if sham is None else _shares(sham[0], bins),
    )


def can_collide(n_holdout: int, fpr: float) -> bool:
    """Whether there are held-out subjects enough for a conformal p-value of `fpr`."""
    return fpr * (n_holdout + 1) >= 1 - 1e-9


def _floats(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(v) for v in values)


def _shares(values: NDArray[np.float64], bins: NDArray[np.float64]) -> tuple[float, ...]:
    return _floats(np.histogram(values, bins)[0] / len(values))

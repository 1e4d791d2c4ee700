"""The figures of an audit in each feature space."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentwalk.auditing._cohorts import Cohorts, Pair
from latentwalk.auditing._nearness import Nearness
from latentwalk.auditing._results import ROC_FPRS, AuditSettings, SpaceFigures
from latentwalk.metrics import (
    auc,
    conformal_p_values,
    exact_test,
    n_exposed_lower,
    roc_points,
    tpr_at_fpr,
)

N_BINS = 24


def measure_spaces(
    cohorts: Cohorts, near: Nearness, guided: tuple[str, ...], settings: AuditSettings
) -> tuple[SpaceFigures, ...]:
    """Return the figures in each feature space, as a release gave the exposures in `near`."""
    return tuple(
        measure_space(
            cohorts.by_subject(values),
            settings,
            n_spaces=len(near.exposures),
            strata=cohorts.draws.strata,
            sham=cohorts.sham.get(space),
            space=space,
            guided=space in guided,
            mean_minimum_distance=near.mean_minimum[space],
            mean_minimum_distance_holdout=cohorts.holdout_distances[space],
        )
        for space, values in near.exposures.items()
    )


def measure_space(
    exposures: Pair,
    settings: AuditSettings,
    *,
    n_spaces: int,
    strata: tuple[NDArray[np.intp], NDArray[np.intp]] | None = None,
    sham: Pair | None = None,
    **described: Any,
) -> SpaceFigures:
    """Return the figures for the exposures of members and held-out subjects, in `strata`."""
    members, holdout = exposures
    fpr, confidence = settings.fpr, 1 - settings.alpha
    level = settings.alpha / (2 * n_spaces)  # two directions in each space
    rates = [tpr_at_fpr(*exposures, fpr=rate, confidence=confidence) for rate in ROC_FPRS]
    shown = [members, holdout, *([] if sham is None else [sham[0]])]
    bins = np.histogram_bin_edges(np.concatenate(shown), N_BINS)
    collided = float((conformal_p_values(members, holdout) <= fpr).mean())
    return SpaceFigures(
        test=exact_test(members, holdout, fpr=fpr, strata=strata),
        n_exposed_lower=n_exposed_lower(members, holdout, alpha=level, fpr=fpr, strata=strata),
        tpr=tpr_at_fpr(members, holdout, fpr=fpr, confidence=confidence),
        auc=auc(members, holdout, confidence=confidence),
        collision_rate=collided if can_collide(len(holdout), fpr) else float("nan"),
        roc=_floats(roc_points(members, holdout, ROC_FPRS)),
        roc_low=tuple(rate.low for rate in rates),
        roc_high=tuple(rate.high for rate in rates),
        bins=_floats(bins),
        member_counts=_shares(members, bins),
        holdout_counts=_shares(holdout, bins),
        sham_counts=() if sham is None else _shares(sham[0], bins),
        **described,
    )


def can_collide(n_holdout: int, fpr: float) -> bool:
    """Whether there are held-out subjects enough for a conformal p-value of `fpr`."""
    return fpr * (n_holdout + 1) >= 1 - 1e-9


def _floats(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(v) for v in values)


def _shares(values: NDArray[np.float64], bins: NDArray[np.float64]) -> tuple[float, ...]:
    return _floats(np.histogram(values, bins)[0] / len(values))

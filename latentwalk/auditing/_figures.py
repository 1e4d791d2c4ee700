"""The figures of an audit in one feature space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentwalk.metrics import (
    auc,
    conformal_p_values,
    exact_test,
    n_exposed_lower,
    roc_points,
    tpr_at_fpr,
)

ROC_FPRS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
N_BINS = 24


@dataclass(frozen=True)
class SpaceFigures:
    """What the audit found in one feature space. Subjects are the units.

    Attributes
    ----------
    space : str
        The feature space.
    guided : bool
        Whether it guided or selected the release.
    p_value, p_near, p_far : float
        The exact test: both directions, members nearer, members farther.
    n_exposed_lower : int
        Lower bound on the exposed members, at the level left after directions and spaces.
    tpr, tpr_interval : float and pair of float
        True-positive rate at the audited false-positive rate. Lower is better.
    auc, auc_interval : float and pair of float
        0.5 is chance; lower than 0.5 is the hole that selection leaves.
    collision_rate : float
        Members nearer than all but the audited share of held-out subjects; that share itself is
        chance. NaN where there are too few held-out subjects for any.
    mean_minimum_distance : float
        Mean over synthetic records of the distance to the nearest member (mmL in the LPIPS
        space). Higher is farther; the next figure is what it compares with.
    mean_minimum_distance_holdout : float
        The same from held-out records to the nearest member.
    roc, roc_low, roc_high : tuple of float
        True-positive rates at `ROC_FPRS`, and at each of them the interval of one rate.
    bins, member_counts, holdout_counts : tuple
        Histogram of exposures: edges, and shares of members and held-out subjects.
    sham_counts : tuple of float
        Shares of members, over the same edges, by their distance to the nearest reference record:
        what a release that nobody's data made would give. Empty without reference records.
    """

    space: str
    guided: bool
    p_value: float
    p_near: float
    p_far: float
    n_exposed_lower: int
    tpr: float
    tpr_interval: tuple[float, float]
    auc: float
    auc_interval: tuple[float, float]
    collision_rate: float
    mean_minimum_distance: float
    mean_minimum_distance_holdout: float
    roc: tuple[float, ...]
    roc_low: tuple[float, ...]
    roc_high: tuple[float, ...]
    bins: tuple[float, ...]
    member_counts: tuple[float, ...]
    holdout_counts: tuple[float, ...]
    sham_counts: tuple[float, ...]


def measure_space(
    members: NDArray[np.float64],
    holdout: NDArray[np.float64],
    *,
    alpha: float,
    fpr: float,
    n_spaces: int,
    strata: tuple[NDArray[np.intp], NDArray[np.intp]] | None = None,
    sham: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
    **described: Any,
) -> SpaceFigures:
    """Return the figures for exposures of shape (n_draws, n_subjects), subjects in `strata`.

    Over repeated draws p-values are joined as twice their mean, intervals as the medians of
    bounds with half the error, and point figures as means.
    """
    confidence = draw_confidence(len(members), alpha)
    pairs = list(zip(members, holdout, strict=True))
    test = exact_test(members, holdout, fpr=fpr, strata=strata)
    level = alpha / (2 * n_spaces)
    bound = n_exposed_lower(members, holdout, alpha=level, fpr=fpr, strata=strata)
    rates = np.array([tpr_at_fpr(t, h, fpr=fpr, confidence=confidence) for t, h in pairs])
    areas = np.array([auc(t, h, confidence=confidence) for t, h in pairs])
    collided = [(conformal_p_values(t, h) <= fpr).mean() for t, h in pairs]
    band = _band(pairs, confidence)
    shown = [members[0], holdout[0], *([] if sham is None else [sham[0][0]])]
    bins = np.histogram_bin_edges(np.concatenate(shown), N_BINS)
    return SpaceFigures(
        p_value=test.p_value,
        p_near=test.p_near,
        p_far=test.p_far,
        n_exposed_lower=bound,
        tpr=float(rates[:, 0].mean()),
        tpr_interval=middle(rates),
        auc=float(areas[:, 0].mean()),
        auc_interval=middle(areas),
        collision_rate=float(np.mean(collided)) if can_collide(holdout, fpr) else float("nan"),
        roc=_floats(np.mean([roc_points(t, h, ROC_FPRS) for t, h in pairs], axis=0)),
        roc_low=_floats(band[:, 0]),
        roc_high=_floats(band[:, 1]),
        bins=_floats(bins),
        member_counts=_shares(members[0], bins),
        holdout_counts=_shares(holdout[0], bins),
        sham_counts=() if sham is None else _shares(sham[0][0], bins),
        **described,
    )


def can_collide(holdout: NDArray[np.float64], fpr: float) -> bool:
    """Whether there are held-out subjects enough for a conformal p-value of `fpr`."""
    return fpr * (holdout.shape[1] + 1) >= 1 - 1e-9


def _band(
    pairs: list[tuple[NDArray[np.float64], NDArray[np.float64]]], confidence: float
) -> NDArray[np.float64]:
    """The interval of the true-positive rate at each of `ROC_FPRS`, of shape (n_rates, 2)."""
    rates = [
        [tpr_at_fpr(t, h, fpr=fpr, confidence=confidence) for t, h in pairs] for fpr in ROC_FPRS
    ]
    return np.array([middle(np.array(draws)) for draws in rates])


def draw_confidence(n_draws: int, alpha: float) -> float:
    """The confidence of each draw's interval, of which `middle` gives the joint one."""
    return 1 - alpha if n_draws == 1 else 1 - alpha / 2


def middle(rates: NDArray[np.float64]) -> tuple[float, float]:
    """The median bounds of rows (value, low, high), one for each draw."""
    low, high = np.median(rates[:, 1:], axis=0)
    return float(low), float(high)


def _floats(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(v) for v in values)


def _shares(values: NDArray[np.float64], bins: NDArray[np.float64]) -> tuple[float, ...]:
    return _floats(np.histogram(values, bins)[0] / len(values))

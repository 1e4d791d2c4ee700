"""Equal numbers of images from every subject, and what is computed on them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentwalk.auditing._controls import Control, classifier_p_value, judge, sham_p_value
from latentwalk.auditing._report import AuditSets
from latentwalk.auditing._sets import RealSet
from latentwalk.metrics import exposure, subject_minima

Exposures = dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]


class DrawPlan(NamedTuple):
    """How images are drawn from the subjects of both sets."""

    n_images: int
    n_draws: int
    seed: int


def draw_plan(members: RealSet, holdout: RealSet | None, n_draws: int, seed: int) -> DrawPlan:
    """Return the plan: one draw where every subject has the same number of images."""
    counts = np.concatenate([np.bincount(s.codes) for s in (members, holdout) if s is not None])
    n_images = int(counts.min())
    return DrawPlan(n_images, 1 if (counts == n_images).all() else int(n_draws), seed)


def subject_exposures(
    space: str, synthetic: NDArray[Any], members: RealSet, holdout: RealSet, plan: DrawPlan
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return exposures of member and held-out subjects, of shape (n_draws, n_subjects)."""
    both = np.concatenate([members.features[space], holdout.features[space]])
    # one index of the release serves both sets
    return by_subject(exposure(both, synthetic), members, holdout, plan)


def by_subject(
    values: NDArray[np.float64], members: RealSet, holdout: RealSet, plan: DrawPlan
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return values of records, members first, as those of subjects: (n_draws, n_subjects) each."""
    n_members = len(members.codes)
    return minima(values[:n_members], members, plan), minima(values[n_members:], holdout, plan)


def run_controls(
    members: RealSet,
    holdout: RealSet | None,
    reference: RealSet | None,
    plan: DrawPlan,
    fpr: float,
) -> tuple[tuple[Control, ...], Exposures]:
    """Return the controls that the sets allow, and the exposures to the sham release."""
    if holdout is None:
        return (), {}
    first = next(iter(members.features))
    p_values = {
        "two-sample classifier": classifier_p_value(
            members.features[first],
            holdout.features[first],
            members.codes,
            holdout.codes,
            n_images=plan.n_images,
            random_state=plan.seed,
        )
    }
    sham: Exposures = {}
    if reference is not None:
        sham = {
            space: subject_exposures(space, rows, members, holdout, plan)
            for space, rows in reference.features.items()
        }
        p_values["sham release"] = sham_p_value(sham, fpr)
    return judge(p_values), sham


def count_sets(
    members: RealSet,
    holdout: RealSet | None,
    reference: RealSet | None,
    plan: DrawPlan,
    n_synthetic: int,
) -> AuditSets:
    """Return how many there are of what."""
    return AuditSets(
        n_members=int(members.codes.max()) + 1,
        n_holdout=0 if holdout is None else int(holdout.codes.max()) + 1,
        n_member_images=len(members.codes),
        n_holdout_images=0 if holdout is None else len(holdout.codes),
        n_reference_images=0 if reference is None else len(reference.codes),
        n_synthetic=n_synthetic,
        images_per_subject=plan.n_images,
        n_draws=plan.n_draws,
    )


def minima(values: NDArray[np.float64], real: RealSet, plan: DrawPlan) -> NDArray[np.float64]:
    """Return each subject's smallest value in each draw, of shape (n_draws, n_subjects)."""
    return subject_minima(
        values,
        real.codes,
        n_images=plan.n_images,
        n_draws=plan.n_draws,
        random_state=plan.seed,
    )

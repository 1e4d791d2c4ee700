"""How many images are drawn from every subject, and what is computed on them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentwalk.auditing._cohorts import RealSet
from latentwalk.auditing._controls import Control, classifier_p_value, judge, sham_p_value
from latentwalk.auditing._report import AuditSets
from latentwalk.metrics import exposure, subject_minima

MOST_STRATA, FEWEST = 5, 5
Exposures = dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]


class DrawPlan(NamedTuple):
    """How images are drawn from the subjects of both sets.

    A minimum over more images is smaller, so subjects are compared within strata: as many images
    are drawn from each subject of a stratum, the fewest that one has.

    Attributes
    ----------
    strata : pair of ndarray of shape (n_members,), (n_holdout,)
        The stratum of each subject.
    n_images : ndarray of int of shape (n_strata,)
        Images drawn from a subject.
    n_draws : int
        1 where every subject has that many images.
    seed : int
        Of the draws.
    """

    strata: tuple[NDArray[np.intp], NDArray[np.intp]]
    n_images: NDArray[np.intp]
    n_draws: int
    seed: int

    @property
    def sizes(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Subjects of members and of held-out records, by stratum."""
        n, m = (np.bincount(s, minlength=len(self.n_images)) for s in self.strata)
        return n, m


def draw_plan(members: RealSet, holdout: RealSet | None, n_draws: int, seed: int) -> DrawPlan:
    """Return the plan; it depends on the numbers of images alone."""
    counts = np.bincount(members.codes)
    others = counts[:0] if holdout is None else np.bincount(holdout.codes)
    n_images = fewest_images(counts, others)
    first, second = (np.searchsorted(n_images, c, side="right") - 1 for c in (counts, others))
    left = (counts > n_images[first]).any() or (others > n_images[second]).any()
    return DrawPlan((first, second), n_images, int(n_draws) if left else 1, seed)


def fewest_images(counts: NDArray[np.intp], others: NDArray[np.intp]) -> NDArray[np.intp]:
    """The fewest images of a subject in each stratum, chosen to draw as many as can be.

    A stratum is split where that keeps most images, counted as logarithms, while each part has
    `FEWEST` subjects of either set.
    """
    values = np.unique(np.concatenate([counts, others]))
    n, m = (
        np.bincount(np.searchsorted(values, c), minlength=len(values)) for c in (counts, others)
    )

    def kept(starts: list[int]) -> float:
        """Logarithms of the images drawn; none where a stratum is too small."""
        sizes = np.add.reduceat(n, starts), np.add.reduceat(m, starts)
        if len(starts) > 1 and min(s.min() for s in sizes) < FEWEST:
            return -np.inf
        return float((sum(sizes) * np.log(values[starts])).sum())

    starts = [0]
    while len(starts) < MOST_STRATA:
        splits = [sorted([*starts, i]) for i in range(len(values)) if i not in starts]
        best = max(splits, key=kept, default=starts)
        if kept(best) <= kept(starts):
            break
        starts = best
    return values[starts]


def by_subject(
    values: NDArray[np.float64], members: RealSet, holdout: RealSet, plan: DrawPlan
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return distances of records, members first, as those of subjects: (n_draws, n_subjects) each.

    Subjects with more images are nearer; where there are several strata, the distances are
    brought to the same median in each.
    """
    t, h = smallest(values, members, holdout, plan)
    if len(plan.n_images) == 1:
        return t, h
    medians = stratum_medians(t, h, plan)
    middle = np.median(np.concatenate([t, h], axis=1), axis=1, keepdims=True)
    scale = np.divide(middle, medians, out=np.ones_like(medians), where=medians > 0)
    return t * scale[:, plan.strata[0]], h * scale[:, plan.strata[1]]


def smallest(
    values: NDArray[np.float64], members: RealSet, holdout: RealSet, plan: DrawPlan
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each subject's smallest value over its drawn images, in each draw."""
    n_members = len(members.codes)
    parts = (values[:n_members], members.codes), (values[n_members:], holdout.codes)
    t, h = (
        subject_minima(
            part,
            codes,
            n_images=plan.n_images[strata],
            n_draws=plan.n_draws,
            random_state=plan.seed,
        )
        for (part, codes), strata in zip(parts, plan.strata, strict=True)
    )
    return t, h


def stratum_medians(
    t: NDArray[np.float64], h: NDArray[np.float64], plan: DrawPlan
) -> NDArray[np.float64]:
    """Medians over both sets, of shape (n_draws, n_strata)."""
    both, strata = np.concatenate([t, h], axis=1), np.concatenate(plan.strata)
    of_strata = [np.median(both[:, strata == s], axis=1) for s in range(len(plan.n_images))]
    return np.stack(of_strata, axis=1)


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
            n_images=int(plan.n_images.min()),
            random_state=plan.seed,
        )
    }
    sham: Exposures = {}
    if reference is not None:
        sham = {
            space: _exposures(space, rows, members, holdout, plan)
            for space, rows in reference.features.items()
        }
        p_values["sham release"] = sham_p_value(sham, plan.strata, fpr)
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
        images_per_subject=int(plan.n_images.min()),
        n_strata=len(plan.n_images),
        n_draws=plan.n_draws,
    )


def _exposures(
    space: str, synthetic: NDArray[Any], members: RealSet, holdout: RealSet, plan: DrawPlan
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    both = np.concatenate([members.features[space], holdout.features[space]])
    # one index of the release serves both sets
    return by_subject(exposure(both, synthetic), members, holdout, plan)

"""The stages of make_release, from the sets of a study to an audited result."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Memory
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from latentwalk.auditing import audit_pipeline, recommend_k
from latentwalk.evaluation import check_pipeline
from latentwalk.generators import Generator
from latentwalk.release._estimate import expected_seconds, release_stage
from latentwalk.release._progress import Progress
from latentwalk.release._recipe import (
    build_pipeline,
    fit_auditor,
    fit_guides,
    fit_params,
    measure_fidelity,
    measure_utility,
    train_generator,
)
from latentwalk.release._results import ReleaseResult
from latentwalk.release._study import Cohort, Study
from latentwalk.utils import check_class_sizes

CANDIDATES = (5, 10, 20)


@dataclass(frozen=True)
class Settings:
    """What does not depend on the data.

    Attributes
    ----------
    ks : tuple of int
        The sizes of groups to try, in rising order.
    guides : dict of str to estimator
        The guides of the walk by their parameter; cloned.
    auditor, classifier : estimator
        What judges privacy, and what judges utility; cloned.
    step_params : dict
        Parameters of the pipeline's steps.
    ladder : bool
        Whether the stages of the pipeline are audited too.
    random_state : int
        The seed.
    verbose : bool
        Whether stages are shown.
    """

    ks: tuple[int, ...]
    guides: dict[str, Any]
    auditor: Any
    classifier: Any
    step_params: dict[str, Any]
    ladder: bool
    random_state: int
    verbose: bool


def run(study: Study, generator: Any, settings: Settings, cache: Path) -> tuple[ReleaseResult, Any]:
    """Return the result, of which nothing is written yet, and the auditor that judged it."""
    members, ks = study.members, settings.ks
    check_class_sizes(members.y, members.groups, 2 * ks[0], why=f"for two groups of k={ks[0]}")
    # what the audit refuses is refused before anything is trained
    judge = fit_auditor(settings.auditor, members, study.audit, study.reference)
    if not isinstance(generator, Generator):
        generator = train_generator(generator, study, cache)
    check(study, generator, settings, cache)
    seconds = expected_seconds(generator, study, ks, ladder=settings.ladder)
    progress = Progress(seconds, settings.verbose)
    with progress.stage("guides"):
        memory = Memory(cache / "guides", verbose=0)
        guides = fit_guides(settings.guides, members, memory)
    made, calibration = make_all(study, generator, guides, settings, cache, progress)
    k = choose_k(calibration) if calibration else ks[0]
    pipeline, X_syn = made[k]
    with progress.stage("audit"):
        ladder = audit_stages(judge, pipeline, X_syn, study, settings)
        report = audit_release(judge, pipeline, X_syn, study)
        if ladder:
            staged = ladder["release"]
            report = replace(report, ladder=staged.ladder, inversion_gap=staged.inversion_gap)
    with progress.stage("fidelity and utility"):
        fidelity = measure_fidelity(X_syn, study)
        utility = measure_utility(X_syn, study, settings.classifier)
    result = ReleaseResult(
        X=X_syn,
        y=members.y,
        k=k,
        report=report,
        calibration=calibration,
        ladder=ladder,
        fidelity=fidelity,
        utility=utility,
        pipeline=pipeline,
        generator=generator,
    )
    return result, judge


def check(study: Study, generator: Generator, settings: Settings, cache: Path) -> None:
    """Raise for what would fail after the guides were trained."""
    members, guides = study.members, settings.guides
    pipe = build_pipeline(generator, guides, settings.ks[0], cache=cache, random_state=0)
    pipe.set_params(**settings.step_params)
    check_pipeline(pipe, members.X, members.y, members.groups, **fit_params(members))


def make_all(
    study: Study,
    generator: Generator,
    guides: dict[str, Any],
    settings: Settings,
    cache: Path,
    progress: Progress,
) -> tuple[dict[int, tuple[Pipeline, NDArray[Any]]], dict[int, Any]]:
    """Return a fitted pipeline and its images for each k, and the audits that choose one.

    A k without enough checked points is left out with a warning, unless no other one is left.
    """
    made: dict[int, tuple[Pipeline, NDArray[Any]]] = {}
    calibration: dict[int, Any] = {}
    members, auditor = study.members, None
    if len(settings.ks) > 1:
        auditor = fit_auditor(settings.auditor, members, study.calibration, study.reference)
    for k in settings.ks:
        pipe = build_pipeline(generator, guides, k, cache=cache, random_state=settings.random_state)
        pipe.set_params(**settings.step_params)
        with progress.stage(release_stage(k)):
            try:
                X_syn = pipe.fit_transform(members.X, members.y, **fit_params(members))
            except ValueError as error:
                if k == settings.ks[-1] and not made:
                    raise
                warnings.warn(f"k={k} is left out: {error}", UserWarning, stacklevel=4)
                continue
            made[k] = pipe, X_syn
            if auditor is not None:
                calibration[k] = auditor.audit(X_syn, pipeline=pipe)
    return made, calibration


def choose_k(calibration: Mapping[int, Any]) -> int:
    """Return the smallest k that is tolerated, else that shows nothing, else the largest."""
    tolerated = recommend_k(calibration)
    if tolerated is not None:
        return tolerated
    silent = [k for k, report in calibration.items() if report.p_value > report.settings.alpha]
    return min(silent, default=max(calibration))


def audit_release(judge: Any, pipeline: Pipeline, X_syn: NDArray[Any], study: Study) -> Any:
    """Return the audit of a release, by class too, and of what it tells about the classes."""
    y, y_holdout = study.members.y, study.audit.y
    if y is None or y_holdout is None or len(np.unique(y)) < 2:
        return judge.audit(X_syn, pipeline=pipeline)
    return judge.audit(
        X_syn,
        pipeline=pipeline,
        by={"class": (y, y_holdout)},
        attributes={"class": (y, y, y_holdout)},
    )


def audit_stages(
    judge: Any, pipeline: Pipeline, X_syn: NDArray[Any], study: Study, settings: Settings
) -> Mapping[str, Any]:
    """Return the audits of the stages of a pipeline, if they are asked for."""
    if not settings.ladder:
        return {}
    return audit_pipeline(
        judge,
        pipeline,
        study.members.X,
        X_syn,
        X_holdout=study.audit.X,
        random_state=settings.random_state,
    )


def candidates(k: Any, members: Cohort) -> tuple[int, ...]:
    """Return the sizes of groups to try: those given, or those that the classes allow.

    Raises
    ------
    ValueError
        When k is not one integer or more from 2 on.
    """
    if isinstance(k, str) and k == "auto":
        most = smallest_class(members) // 2
        return tuple(one for one in CANDIDATES if one <= most) or CANDIDATES[:1]
    values = np.atleast_1d(np.asarray(k))
    if values.dtype.kind not in "iu" or values.ndim != 1 or len(values) == 0 or values.min() < 2:
        raise ValueError(f"k={k!r}; expected an integer of 2 or more, several of them, or 'auto'")
    return tuple(sorted(set(values.tolist())))


def smallest_class(cohort: Cohort) -> int:
    """Return the number of patients of the class that has the fewest."""
    codes = np.zeros(len(cohort.X), np.intp) if cohort.codes is None else cohort.codes
    pairs = np.unique(np.column_stack([codes, cohort.groups]), axis=0)
    return int(np.bincount(pairs[:, 0]).min())

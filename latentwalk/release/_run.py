"""The stages of make_release, from the sets of a study to an audited result."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Memory
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from latentwalk.auditing import audit_pipeline
from latentwalk.evaluation import check_pipeline
from latentwalk.generators import Generator
from latentwalk.release._estimate import calibration_stage, expected_stages, walk_stage
from latentwalk.release._group_sizes import GroupSizes, choose_k
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


@dataclass(frozen=True)
class Settings:
    """What does not depend on the data.

    Attributes
    ----------
    sizes : GroupSizes
        The sizes of groups to try.
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

    sizes: GroupSizes
    guides: dict[str, Any]
    auditor: Any
    classifier: Any
    step_params: dict[str, Any]
    ladder: bool
    random_state: int
    verbose: bool


def run(study: Study, generator: Any, settings: Settings, cache: Path) -> tuple[ReleaseResult, Any]:
    """Return the result, of which nothing is written yet, and the auditor that judged it."""
    members, sizes = study.members, settings.sizes
    why = f"for two groups of k={sizes.least}"
    check_class_sizes(members.y, members.groups, 2 * sizes.least, why=why)
    # what the audit refuses is refused before anything is trained
    started = time.perf_counter()
    judge = fit_auditor(settings.auditor, members, study.audit, study.reference)
    judging = time.perf_counter() - started
    if not isinstance(generator, Generator):
        generator = train_generator(generator, study, cache)
    pipe = new_pipeline(generator, settings.guides, sizes.least, settings, cache)
    # what would fail after the guides were trained fails now
    check_pipeline(pipe, members.X, members.y, members.groups, **fit_params(members))
    stages = expected_stages(pipe, study, sizes, ladder=settings.ladder, judging=judging)
    progress = Progress(stages, settings.verbose)
    with progress.stage("guides"):
        memory = Memory(cache / "guides", verbose=0)
        guides = fit_guides(settings.guides, members, memory)
    with progress.stage("inversion"):
        invert(pipe, members)
    made, calibration = make_all(study, generator, guides, settings, cache, progress)
    k = choose_k(calibration) if calibration else max(made)
    pipeline, X_syn = made[k]
    with progress.stage("audit"):
        ladder = audit_stages(judge, pipeline, X_syn, study, settings)
        report = audit_release(judge, pipeline, X_syn, members.y, study)
        if ladder:
            staged = ladder["release"]
            report = replace(report, ladder=staged.ladder, inversion_gap=staged.inversion_gap)
    with progress.stage("fidelity and utility"):
        fidelity = measure_fidelity(X_syn, study)
        utility = measure_utility(X_syn, members.y, study, settings.classifier)
    result = ReleaseResult(
        X=X_syn,
        y=members.y,
        k=k,
        k_reason=settings.sizes.reason(k, calibration),
        report=report,
        calibration=calibration,
        ladder=ladder,
        fidelity=fidelity,
        utility=utility,
        pipeline=pipeline,
        generator=generator,
    )
    return result, judge


def new_pipeline(
    generator: Generator, guides: dict[str, Any], k: int, settings: Settings, cache: Path
) -> Pipeline:
    """Return the pipeline with the parameters that were asked for; it is not fitted yet."""
    pipe = build_pipeline(
        generator,
        guides,
        k,
        cache=cache,
        random_state=settings.random_state,
        verbose=settings.verbose,
    )
    return pipe.set_params(**settings.step_params)


def invert(pipe: Pipeline, members: Cohort) -> None:
    """Put the latents into the cache of the pipeline: they are the same for every k."""
    alone = Pipeline([pipe.steps[0], ("latents", "passthrough")], memory=pipe.memory)
    alone.fit(members.X, members.y)


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
    Where no audit can choose, the largest k that works is the only one.
    """
    made: dict[int, tuple[Pipeline, NDArray[Any]]] = {}
    calibration: dict[int, Any] = {}
    members, auditor, sizes = study.members, None, settings.sizes
    if sizes.judged:
        auditor = fit_auditor(settings.auditor, members, study.calibration, study.reference)
    for k in sizes.in_order:
        pipe = new_pipeline(generator, guides, k, settings, cache)
        with progress.stage(walk_stage(k)):
            try:
                X_syn = pipe.fit_transform(members.X, members.y, **fit_params(members))
            except ValueError as error:
                if k == sizes.in_order[-1] and not made:
                    raise
                warnings.warn(f"k={k} is left out: {error}", UserWarning, stacklevel=4)
                progress.leave_out(calibration_stage(k))
                continue
            made[k] = pipe, X_syn
        if auditor is None:
            break
        with progress.stage(calibration_stage(k)):
            calibration[k] = auditor.audit(X_syn, pipeline=pipe)
    return made, calibration


def audit_release(
    judge: Any, pipeline: Pipeline, X_syn: NDArray[Any], y_syn: NDArray[Any] | None, study: Study
) -> Any:
    """Return the audit of a release, by class too, and of what it tells about the classes."""
    y, y_holdout = study.members.y, study.audit.y
    if y_syn is None or y is None or y_holdout is None or len(np.unique(y_syn)) < 2:
        return judge.audit(X_syn, pipeline=pipeline)
    return judge.audit(
        X_syn,
        pipeline=pipeline,
        by={"class": (y, y_holdout)},
        attributes={"class": (y_syn, y, y_holdout)},
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

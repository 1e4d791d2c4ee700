"""The stages of make_release under a guarantee: noisy cells, drawn images, an internal audit."""

from __future__ import annotations

import time
from numbers import Integral
from pathlib import Path
from typing import Any

from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import check_scalar

from latentwalk.aggregation import DPKSameAggregator
from latentwalk.evaluation import check_pipeline, draw_release, privacy_statement
from latentwalk.generators import GANDecoder, Generator
from latentwalk.inversion import GANInverter
from latentwalk.release._estimate import DRAW, expected_draw
from latentwalk.release._progress import Progress
from latentwalk.release._recipe import fit_auditor, measure_fidelity, measure_utility
from latentwalk.release._results import ReleaseResult
from latentwalk.release._run import Settings, audit_release
from latentwalk.release._study import Study


def run_guaranteed(
    study: Study,
    generator: Any,
    guarantee: DPKSameAggregator,
    n_images: int,
    settings: Settings,
    cache: Path,
) -> tuple[ReleaseResult, Any]:
    """Return the drawn result, of which nothing is written yet, and the auditor that judged it.

    Raises
    ------
    ValueError
        Before any work, for everything that would void the guarantee.
    """
    check_scalar(n_images, "n_images", Integral, min_val=1)
    members = study.members
    started = time.perf_counter()
    judge = fit_auditor(settings.auditor, members, study.audit, study.reference)
    judging = time.perf_counter() - started
    pipe = build_guaranteed(generator, guarantee, settings, cache)
    check_pipeline(pipe, members.X, members.y, members.groups, ksame__groups=members.groups)
    stages = expected_draw(pipe, study, judging=judging)
    progress = Progress(stages, settings.verbose)
    with progress.stage(DRAW):
        pipe.fit(members.X, members.y, ksame__groups=members.groups)
        X_syn, y_drawn, statement = draw_release(pipe, n_images, random_state=settings.random_state)
    y_syn = None if members.y is None else y_drawn
    with progress.stage("audit"):
        report = audit_release(judge, pipe, X_syn, y_syn, study)
    with progress.stage("fidelity and utility"):
        fidelity = measure_fidelity(X_syn, study)
        utility = measure_utility(X_syn, y_syn, study, settings.classifier)
    result = ReleaseResult(
        X=X_syn,
        y=y_syn,
        k=guarantee.k,
        k_reason="asked for with the guarantee",
        report=report,
        calibration={},
        ladder={},
        fidelity=fidelity,
        utility=utility,
        pipeline=pipe,
        generator=generator,
        statement=statement,
    )
    return result, judge


def build_guaranteed(
    generator: Any, guarantee: DPKSameAggregator, settings: Settings, cache: Path
) -> Pipeline:
    """Return the pipeline that is not fitted yet; raises where its guarantee would be void."""
    if not isinstance(generator, Generator):
        raise ValueError(
            f"generator is a {type(generator).__name__}, which would be trained on the members: a "
            "guarantee needs a generator of other patients; train one on them first"
        )
    alone = generator.using(batch_size=1)  # each latent is a function of its own image
    inverter = GANInverter(
        alone,
        cache_dir=cache / "latents",
        random_state=settings.random_state,
        verbose=settings.verbose,
    )
    noisy = clone(guarantee).set_params(generator=alone)
    steps = [("invert", inverter), ("ksame", noisy), ("decode", GANDecoder(generator))]
    pipe = Pipeline(steps).set_params(**settings.step_params)
    statement = privacy_statement(pipe)
    if not statement.holds:
        raise ValueError(f"the guarantee would be void: {'; '.join(statement.voided_by)}")
    return pipe

"""How long the stages of a release will take: guesses from two short trials on this machine.

The speed of the generator is measured for a second. The speed of the audit is known from the time
that it took to look at the real images. What the guesses are off by, the first stages show.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import torch
from sklearn.pipeline import Pipeline

from latentwalk.generators import Generator
from latentwalk.release._group_sizes import GroupSizes
from latentwalk.release._progress import Stage
from latentwalk.release._recipe import sees_lpips
from latentwalk.release._study import Study

# Work in images through the generator and back.
ENCODER_BATCH = 64 / 2  # a training step of the encoder
INVERSION_STEPS = 15  # an image takes until it converges
LPIPS_FACTOR = 2.5  # what the perceptual loss adds to an inversion
WALK_STEPS = 20
WALK_FACTOR = 1.5  # a step of a point: guides and generator, in low precision
GUIDE_IMAGES = 30 / 4  # an image in all epochs of a small net
# Work in fits of the auditor, which look at each real image once.
AUDIT_FITS = 1.0
LADDER_AUDITS = 6
MEASURE_FITS = 0.5
TRIAL = 16
DRAW = "inversion, noisy cells and the images drawn from them"
LEAST_SECONDS = 1.0


def expected_stages(
    pipe: Pipeline,
    study: Study,
    sizes: GroupSizes,
    *,
    ladder: bool,
    judging: float,
) -> Iterator[Stage]:
    """Yield the stages in their order, with the seconds that each is guessed to take.

    Parameters
    ----------
    pipe : Pipeline
        It is asked for its generator and its parameters.
    study : Study
        It is asked for numbers of images and patients.
    sizes : GroupSizes
        The sizes of groups that will be made, and whether each of them is audited.
    ladder : bool
        Whether the stages of the pipeline are audited too.
    judging : float
        The seconds that the auditor's fit took.
    """
    params, members = pipe.get_params(), study.members
    pace = seconds_an_image(params["invert__generator"])
    n_images, n_guides = len(members.X), 1 + (members.y is not None)
    yield Stage("guides", "guides", pace * GUIDE_IMAGES * n_guides * n_images)
    yield Stage("inversion", "inversion", pace * inversion_images(params, members.X))
    path = WALK_STEPS * WALK_FACTOR + params.get("walk__n_points", 50) / 2
    for k in sizes.to_make:
        walk = path * members.n_patients / k + n_images
        yield Stage(walk_stage(k), "walk", pace * walk)
        if sizes.judged:
            yield Stage(calibration_stage(k), "audit", AUDIT_FITS * judging)
    yield from _judgement(1 + LADDER_AUDITS * ladder, judging)


def expected_draw(pipe: Pipeline, study: Study, *, judging: float) -> Iterator[Stage]:
    """Yield the stages of a release under a guarantee; see `expected_stages`."""
    params = pipe.get_params()
    pace = seconds_an_image(params["invert__generator"])
    yield Stage(DRAW, "inversion", pace * inversion_images(params, study.members.X))
    yield from _judgement(1, judging)


def _judgement(n_audits: int, judging: float) -> Iterator[Stage]:
    yield Stage("audit", "audit", n_audits * AUDIT_FITS * judging)
    yield Stage("fidelity and utility", "measures", MEASURE_FITS * judging)


def inversion_images(params: dict[str, Any], X: Any) -> float:
    """Return the work of an inversion in images through the generator, and back."""
    loss = params.get("invert__loss", "auto")
    is_perceptual = loss == "lpips" or (loss == "auto" and sees_lpips(X))
    steps = min(INVERSION_STEPS, params.get("invert__max_iter", INVERSION_STEPS))
    factor = LPIPS_FACTOR if is_perceptual else 1.0
    return ENCODER_BATCH * params.get("invert__encoder_iter", 500) + steps * factor * len(X)


def walk_stage(k: int) -> str:
    """Return the name of the stage that makes images with groups of k."""
    return f"images with groups of k = {k}"


def calibration_stage(k: int) -> str:
    """Return the name of the stage that audits them on the calibration patients."""
    return f"their audit on the calibration patients, k = {k}"


def seconds_an_image(generator: Generator) -> float:
    """Return the seconds of an image through the generator and its gradient back.

    The mean over a second or more, so that what else the machine does counts too.
    """
    size = TRIAL if generator.batch_size == "auto" else min(TRIAL, int(generator.batch_size))
    latents = torch.zeros(size, generator.n_latent_features, device=generator.device)
    times: list[float] = []
    while len(times) < 3 or sum(times[1:]) < LEAST_SECONDS:  # the first one loads the network
        started = time.perf_counter()
        point = latents.clone().requires_grad_()
        generator.decode(point).sum().backward()  # type: ignore[no-untyped-call]
        if latents.is_cuda:
            torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return sum(times[1:]) / len(times[1:]) / size

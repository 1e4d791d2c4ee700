"""How long a release will take, from the speed of the generator on this machine."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch

from latentwalk.generators import Generator
from latentwalk.release._recipe import sees_lpips
from latentwalk.release._study import Study

# Work in images through the generator and back, as counted from the defaults of the steps.
ENCODER_IMAGES = 500 * 64 / 2  # forward alone
INVERSION_STEPS = 30  # an image takes until it converges
LPIPS_FACTOR = 2.5  # what the perceptual loss adds to an inversion
WALK_IMAGES = 20 * 4 + 50  # a path: its steps, and the check of its points
GUIDE_IMAGES = 30 / 4  # an image in all epochs of a small net
FEATURE_IMAGES = 2  # an image through the networks of the audit
TRIAL = 16
LEAST_SECONDS = 1.0


def expected_seconds(
    generator: Generator, study: Study, ks: Sequence[int], *, ladder: bool
) -> dict[str, float]:
    """Return the seconds that each stage is expected to take, by name and in order."""
    pace, members = seconds_an_image(generator), study.members
    n_all = sum(len(c.X) for c in (members, study.calibration, study.reference, study.audit))
    perceptual = LPIPS_FACTOR if sees_lpips(members.X) else 1.0
    inversion = ENCODER_IMAGES + INVERSION_STEPS * perceptual * len(members.X)
    stages = {"guides": GUIDE_IMAGES * (1 + (members.y is not None)) * len(members.X)}
    for n, k in enumerate(ks):
        walk = WALK_IMAGES * members.n_patients / k
        stages[release_stage(k)] = walk + (0 if n else inversion) + FEATURE_IMAGES * n_all
    stages["audit"] = FEATURE_IMAGES * n_all * (6 if ladder else 1)
    stages["fidelity and utility"] = FEATURE_IMAGES * n_all + 2 * GUIDE_IMAGES * len(members.X)
    return {name: pace * images for name, images in stages.items()}


def release_stage(k: int) -> str:
    """Return the name of the stage that makes images with groups of k."""
    return f"images with groups of k = {k}"


def seconds_an_image(generator: Generator) -> float:
    """Return the seconds of an image through the generator and its gradient back.

    The mean over a second or more, so that what else the machine does counts too.
    """
    latents = torch.zeros(TRIAL, generator.n_latent_features, device=generator.device)
    times: list[float] = []
    while len(times) < 3 or sum(times[1:]) < LEAST_SECONDS:  # the first one loads the network
        started = time.perf_counter()
        point = latents.clone().requires_grad_()
        generator.decode(point).sum().backward()  # type: ignore[no-untyped-call]
        if latents.is_cuda:
            torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return sum(times[1:]) / len(times[1:]) / TRIAL

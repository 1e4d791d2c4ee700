"""The optimiser of paths: Adam on a few points of many paths, drawn anew in each step."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentwalk.utils import autocast, to_numpy, to_tensor
from latentwalk.utils._batching import batch_rows
from latentwalk.utils._blocks import run_rows
from latentwalk.walking._guides import Guides
from latentwalk.walking._losses import Objective
from latentwalk.walking._problem import WalkProblem
from latentwalk.walking._repulsion import Anchors, Repulsion

AUTO_IMAGES = 64
BETAS = (0.9, 0.99)
# gradients in these units are far above it; below, Adam would amplify float noise
EPSILON = 1e-4
# a path leaves the batch when the mean objective of 10 steps is not lower than before by this much
WINDOW, TOLERANCE = 10, 1e-4


@dataclass(frozen=True)
class Schedule:
    """Steps of Adam."""

    n_steps: int
    n_times: int  # points of a path in a step
    rate: float  # first step of the cosine schedule, relative to the distance of the ends


# the fewest that reach their objective: benchmarks/walk.py --ablation, tables in the user guide
WORST_POINT = Schedule(20, 4, 0.05)
PLAN = Schedule(25, 4, 0.1)  # within 2 % of 500 published steps
PLAN_WITH_CLASSES = Schedule(100, 8, 0.2)  # the class term takes longer ways


@dataclass(frozen=True)
class Walk:
    """Everything that a walk needs besides its paths.

    Parameters
    ----------
    generator : Generator
        Decodes latents. Its device, precision and batch size are used.
    guides : Guides
        The guides.
    objective : Objective
        What is minimised.
    schedule : Schedule
        The steps of Adam.
    seed : int
        Seed of the times.
    precision : {"float32", "bfloat16"}
        The generator's precision here. A worker may resolve "auto" otherwise.
    repulsion : Repulsion or None
        The hinge away from real images.
    n_jobs : int or None
        Blocks of batches of paths in parallel.
    verbose : bool or int
        Show a progress bar.
    """

    generator: Any
    guides: Guides
    objective: Objective
    schedule: Schedule
    seed: int
    precision: str
    repulsion: Repulsion | None = None
    n_jobs: int | None = None
    verbose: bool | int = False

    def heavier(self, factor: float) -> Walk:
        """Return the walk with `factor` times the identity weight."""
        weight = self.objective.identity_weight * factor
        return replace(self, objective=replace(self.objective, identity_weight=weight))

    def decode(self, latents: Tensor) -> Tensor:
        """Decode for a step, in the generator's precision; measurements decode in float32."""
        with autocast(self.precision, self.generator.device):
            images: Tensor = self.generator.decode(latents).float()
        return images


def make_schedule(objective: str, with_classes: bool, max_iter: int | str) -> Schedule:
    """Return the steps of an objective; `max_iter` replaces their number unless it is "auto"."""
    if objective == "linear":
        return replace(WORST_POINT, n_steps=0)
    plan = PLAN_WITH_CLASSES if with_classes else PLAN
    schedule = plan if objective == "plan" else WORST_POINT
    return schedule if max_iter == "auto" else replace(schedule, n_steps=int(max_iter))


def walk_paths(
    walk: Walk,
    ends: NDArray[np.float32],
    codes: NDArray[np.intp],
    start: NDArray[np.float32],
    n_points: int,
) -> tuple[NDArray[np.float32], int]:
    """Return better coefficients of paths, batch by batch.

    Parameters
    ----------
    walk : Walk
        How.
    ends : ndarray of shape (n_paths, 2, n_features)
        The ends.
    codes : ndarray of shape (n_paths,)
        The class of each path.
    start : ndarray of shape (n_paths, n_modes, n_features)
        The coefficients to start from.
    n_points : int
        Points of a path, ends included.

    Returns
    -------
    coefficients : ndarray of shape (n_paths, n_modes, n_features)
        The coefficients of the walked paths.
    n_iter : int
        The most steps that a batch took.
    """
    if walk.schedule.n_steps == 0:
        return start, 0
    targets = walk.guides.targets(codes)
    parts = run_rows(
        partial(_walk_batch, walk, n_points),
        [ends, start] if targets is None else [ends, start, targets],
        n_jobs=walk.n_jobs,
        batch_size=_paths_at_once(walk),
        device=walk.generator.device,
        desc="walk paths",
        verbose=walk.verbose,
    )
    walked, n_steps = zip(*parts, strict=True)
    return np.concatenate(walked), max(n_steps)


def _walk_batch(
    walk: Walk,
    n_points: int,
    ends: NDArray[np.float32],
    start: NDArray[np.float32],
    targets: NDArray[np.intp] | None = None,
) -> tuple[NDArray[np.float32], int]:
    """The coefficients of some paths, and the steps that were taken."""
    device = walk.generator.device
    problem = WalkProblem(
        walk.decode,
        walk.guides.to(device),
        walk.objective,
        to_tensor(ends, device),
        None if targets is None else torch.as_tensor(targets, device=device),
        n_points,
        _images_at_once(walk),
        None if walk.repulsion is None else Anchors(walk.repulsion, walk.decode),
    )
    walked, n_steps = adam(problem, to_tensor(start, device), walk.schedule, walk.seed)
    return to_numpy(walked), n_steps


def _images_at_once(walk: Walk) -> int:
    size = walk.generator.batch_size
    return AUTO_IMAGES * 8 if size == "auto" else int(size)


def _paths_at_once(walk: Walk) -> int | str:
    """The number of paths of a batch; on an accelerator "auto" starts large and is halved."""
    size = walk.generator.batch_size
    if size == "auto" and walk.generator.device.type != "cpu":
        return "auto"
    images = batch_rows(walk.generator.image_shape) if size == "auto" else int(size)
    return max(images // walk.schedule.n_times, 1)


def stratified_times(n_times: int, n_points: int, generator: torch.Generator) -> Tensor:
    """Return one time drawn in each stratum of the cells of the inner points, (n_times,)."""
    draws = (torch.arange(n_times) + torch.rand(n_times, generator=generator)) / n_times
    margin = 0.5 / (n_points - 1)
    return margin + draws * (1 - 2 * margin)


def adam(
    problem: WalkProblem, coefficients: Tensor, schedule: Schedule, seed: int
) -> tuple[Tensor, int]:
    """Return better coefficients, by Adam on points that are drawn anew in each step.

    All paths of a step share its times, and a path that no longer improves leaves the batch. So the
    result of a path does not depend on its batch.

    Parameters
    ----------
    problem : WalkProblem
        The paths.
    coefficients : Tensor of shape (n_paths, n_modes, n_features)
        The start.
    schedule : Schedule
        The steps.
    seed : int
        Seed of the times.

    Returns
    -------
    coefficients : Tensor of shape (n_paths, n_modes, n_features)
        Detached.
    n_iter : int
        Steps that were taken.
    """
    coefficients = coefficients.clone()
    first, second = torch.zeros_like(coefficients), torch.zeros_like(coefficients)
    generator = torch.Generator().manual_seed(seed)
    active = torch.arange(len(coefficients), device=coefficients.device)
    window = torch.zeros(len(coefficients), device=coefficients.device)
    previous = torch.full_like(window, math.inf)
    # a step moves each feature by the rate: this makes it the length over all features
    unit = schedule.rate / math.sqrt(coefficients.shape[2])
    for step in range(schedule.n_steps):
        times = stratified_times(schedule.n_times, problem.n_points, generator)
        current = coefficients[active].requires_grad_()
        values = problem.value(active, current, times.to(coefficients.device))
        gradient = torch.autograd.grad(values.sum(), current)[0]
        first[active] = BETAS[0] * first[active] + (1 - BETAS[0]) * gradient
        second[active] = BETAS[1] * second[active] + (1 - BETAS[1]) * gradient.square()
        rate = unit * 0.5 * (1 + math.cos(math.pi * step / schedule.n_steps))
        mean = first[active] / (1 - BETAS[0] ** (step + 1))
        spread = (second[active] / (1 - BETAS[1] ** (step + 1))).sqrt()
        coefficients[active] -= rate * mean / (spread + EPSILON)
        window[active] += values.detach()
        if (step + 1) % WINDOW == 0:
            going = previous[active] - window[active] / WINDOW > TOLERANCE
            previous[active], window[active] = window[active] / WINDOW, 0.0
            active = active[going]
            if len(active) == 0:
                break
    return coefficients, step + 1

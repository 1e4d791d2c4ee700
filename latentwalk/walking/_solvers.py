"""Two ways to walk: stochastic points for many paths at once, and L-BFGS for one path."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from latentwalk.walking._path import inner_times
from latentwalk.walking._problem import WalkProblem

BETAS = (0.9, 0.99)
WINDOW = 10
# gradients in these units are far above it; below, Adam would amplify float noise
EPSILON = 1e-4


def stratified_times(n_times: int, n_points: int, generator: torch.Generator) -> Tensor:
    """Return times drawn one a stratum, over the cells of the inner points, (n_times,)."""
    draws = (torch.arange(n_times) + torch.rand(n_times, generator=generator)) / n_times
    margin = 0.5 / (n_points - 1)
    return margin + draws * (1 - 2 * margin)


def solve_adam(
    problem: WalkProblem,
    coefficients: Tensor,
    *,
    max_iter: int,
    learning_rate: float,
    points_per_step: int,
    tol: float,
    seed: int,
) -> tuple[Tensor, int]:
    """Return better coefficients, by Adam on points that are drawn afresh in each step.

    All paths of a step share its times, and a path that no longer improves leaves the batch, so
    that a path's result does not depend on its batch.

    Parameters
    ----------
    problem : WalkProblem
        The paths.
    coefficients : Tensor of shape (n_paths, n_modes, n_features)
        The start.
    max_iter : int
        Steps.
    learning_rate : float
        First step of the cosine schedule, in root mean square over a latent's features, relative
        to the distance between the ends.
    points_per_step : int
        Points of a path in a step.
    tol : float
        A path stops when its objective, averaged over 10 steps, improves by less.
    seed : int
        Of the times.

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
    unit = learning_rate / math.sqrt(coefficients.shape[2])
    for step in range(max_iter):
        times = stratified_times(points_per_step, problem.n_points, generator)
        current = coefficients[active].requires_grad_()
        values = problem.value(active, current, times.to(coefficients.device))
        gradient = torch.autograd.grad(values.sum(), current)[0]
        first[active] = BETAS[0] * first[active] + (1 - BETAS[0]) * gradient
        second[active] = BETAS[1] * second[active] + (1 - BETAS[1]) * gradient.square()
        rate = unit * 0.5 * (1 + math.cos(math.pi * step / max_iter))
        mean = first[active] / (1 - BETAS[0] ** (step + 1))
        spread = (second[active] / (1 - BETAS[1] ** (step + 1))).sqrt()
        coefficients[active] -= rate * mean / (spread + EPSILON)
        window[active] += values.detach()
        if (step + 1) % WINDOW == 0:
            going = previous[active] - window[active] / WINDOW > tol
            previous[active], window[active] = window[active] / WINDOW, 0.0
            active = active[going]
            if len(active) == 0:
                break
    return coefficients, step + 1


def solve_lbfgs(
    problem: WalkProblem, coefficients: Tensor, *, max_iter: int, tol: float
) -> tuple[Tensor, int]:
    """Return better coefficients, by L-BFGS on all inner points of one path after the other.

    Paths are not batched: they would share one line search.

    Parameters
    ----------
    problem : WalkProblem
        The paths.
    coefficients : Tensor of shape (n_paths, n_modes, n_features)
        The start.
    max_iter : int
        Evaluations of the objective a path.
    tol : float
        A path stops when its objective improves by less.

    Returns
    -------
    coefficients : Tensor of shape (n_paths, n_modes, n_features)
        Detached.
    n_iter : int
        The most evaluations that a path took.
    """
    times = inner_times(problem.n_points, coefficients.device)
    parts, n_iter = [], 0
    for path in torch.split(torch.arange(len(coefficients), device=coefficients.device), 1):
        current = coefficients[path].clone().requires_grad_()
        solver = torch.optim.LBFGS(
            [current],
            max_iter=max_iter,
            max_eval=max_iter,
            tolerance_change=tol,
            line_search_fn="strong_wolfe",
        )

        def closure(path: Tensor = path, current: Tensor = current) -> Tensor:
            value = problem.value(path, current, times).sum()
            current.grad = torch.autograd.grad(value, current)[0]
            return value.detach()

        solver.step(closure)  # type: ignore[no-untyped-call]
        parts.append(current.detach())
        n_iter = max(n_iter, solver.state[current]["func_evals"])
    return torch.cat(parts), n_iter

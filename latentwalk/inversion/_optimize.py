"""Batched optimisation in which every row follows its own trajectory."""

from __future__ import annotations

from math import cos, pi
from typing import NamedTuple

import torch
from torch import Tensor

from latentwalk.inversion._objective import Objective
from latentwalk.inversion._preconditioner import apply, apply_transposed

BETAS = (0.9, 0.999)
EPSILON = 1e-10
CYCLE = 10


class Optimized(NamedTuple):
    """A row each: the best latents seen, steps taken, and whether the row stopped gaining."""

    latents: Tensor
    n_iter: Tensor
    converged: Tensor


def optimize_latents(
    objective: Objective,
    images: Tensor,
    start: Tensor,
    P: Tensor,
    *,
    max_iter: int,
    learning_rate: float,
    tol: float,
) -> Optimized:
    """Minimise the objective of every row by cycles of Adam.

    A row whose objective fell by less than `tol` (relative) in a cycle leaves the batch, so that
    later cycles are spent on the rows that still gain. Nothing is shared between rows: values
    are summed and Adam is element-wise, so a row's result is that of its own run.

    Parameters
    ----------
    objective : Objective
        What is minimised.
    images : Tensor of shape (n, c, h, w)
        Targets in [0, 1].
    start : Tensor of shape (n, n_features)
        Latents to start from.
    P : Tensor
        Of `preconditioner`.
    max_iter : int
        Steps a row at most, in cycles of 10.
    learning_rate : float
        First step of a cycle, as a share of the row's error then; a cosine takes it to 0.
    tol : float
        See above.

    Returns
    -------
    result : Optimized
        No row is worse than its start.
    """
    with torch.no_grad():
        target = objective.features(images)
        best = objective(start, target)
    latents, rows = start.clone(), torch.arange(len(start), device=start.device)
    n_iter = torch.zeros(len(start), dtype=torch.int64, device=start.device)
    done = 0
    while done < max_iter and len(rows):
        steps = min(CYCLE, max_iter - done)
        found, value = adam_cycle(
            objective, target[rows], latents[rows], best[rows], P, steps, learning_rate
        )
        gains = value < best[rows] * (1 - tol)
        latents[rows], best[rows] = found, value
        done += steps
        n_iter[rows] = done
        rows = rows[gains]
    converged = torch.ones(len(start), dtype=torch.bool, device=start.device)
    converged[rows] = False
    return Optimized(latents, n_iter, converged)


def adam_cycle(
    objective: Objective,
    target: Tensor,
    start: Tensor,
    value: Tensor,
    P: Tensor,
    n_steps: int,
    learning_rate: float,
) -> tuple[Tensor, Tensor]:
    """One cosine cycle of Adam in the preconditioned coordinates; the best point of each row.

    Kingma and Ba, ICLR 2015; the cycles are those of Loshchilov and Hutter, ICLR 2017.
    """
    best, lowest = start.clone(), value.clone()
    # a step moves an image by a share of its own error: the end of every row is approached
    size = learning_rate * value.sqrt()[:, None]

    def keep(point: Tensor, value: Tensor) -> None:
        better = value < lowest
        best[better], lowest[better] = point[better], value[better]

    u, first, second = (torch.zeros_like(start) for _ in range(3))
    point = start
    for step in range(n_steps):
        value, gradient = objective.gradient(point, target)
        keep(point, value)
        gradient = apply_transposed(P, gradient)
        first = BETAS[0] * first + (1 - BETAS[0]) * gradient
        second = BETAS[1] * second + (1 - BETAS[1]) * gradient.square()
        rate = size * (1 + cos(pi * step / n_steps)) / 2
        scale = (second / (1 - BETAS[1] ** (step + 1))).sqrt() + EPSILON
        u = u - rate * first / (1 - BETAS[0] ** (step + 1)) / scale
        point = start + apply(P, u)
    with torch.no_grad():
        keep(point, objective(point, target))
    return best, lowest

"""Batched optimisation in which every row follows its own trajectory."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from latentwalk.inversion._lbfgs import RowSearch
from latentwalk.inversion._objective import Objective

WINDOW = 5


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
    tol: float,
    min_rows: int = 1,
) -> Optimized:
    """Minimise the objective of every row by L-BFGS.

    A row whose objective fell by less than `tol` (relative) in five steps leaves the batch, so that
    later steps are spent on the rows that still gain. Nothing is shared between rows, so a row's
    result is that of its own run.

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
        Steps a row at most; each evaluates the objective and its gradient once.
    tol : float
        See above.
    min_rows : int, default=1
        Smaller batches are filled up, see `RowSearch`.

    Returns
    -------
    result : Optimized
        No row is worse than its start.
    """
    search = RowSearch(objective, images, start, P, min_rows=min_rows)
    latents, rows = start.clone(), torch.arange(len(start), device=start.device)
    n_iter = torch.zeros(len(start), dtype=torch.int64, device=start.device)
    done = 0
    while done < max_iter and len(rows):
        before, steps = search.value, min(WINDOW, max_iter - done)
        for _ in range(steps):
            search.advance()
        done += steps
        latents[rows], n_iter[rows] = search.latents(), done
        gains = search.value < before * (1 - tol) ** (steps / WINDOW)
        rows = rows[gains]
        search.keep(gains)
    converged = torch.ones(len(start), dtype=torch.bool, device=start.device)
    converged[rows] = False
    return Optimized(latents, n_iter, converged)

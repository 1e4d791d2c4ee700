"""L-BFGS for many rows at once, each on its own (Liu and Nocedal, 1989)."""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

import torch
from torch import Tensor

from latentwalk.inversion._objective import Objective
from latentwalk.inversion._preconditioner import apply, apply_transposed

MEMORY = 10  # pairs that are remembered
FIRST_STEP = 0.3  # of the root of the row's value, in coordinates of unit curvature
SHORTEN = 0.7
SUFFICIENT_DECREASE = 1e-4  # c_1 of Armijo's condition
LEAST_COSINE = 1e-8  # between step and change: below it a pair holds rounding and not curvature
WINDOW = 5  # steps over which a row's gain is measured


class Optimized(NamedTuple):
    """For each row: its best latents, its number of steps, and whether it converged."""

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
    later steps are spent on the rows that still gain. Rows share nothing, so the result of a row is
    the same as in a run of its own.

    Parameters
    ----------
    objective : Objective
        What is minimised.
    images : Tensor of shape (n, c, h, w)
        Targets in [0, 1].
    start : Tensor of shape (n, n_features)
        Latents to start from.
    P : Tensor
        Coordinates, see `preconditioner`.
    max_iter : int
        Steps of a row at most; each evaluates the objective and its gradient once.
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


class Pair(NamedTuple):
    """A step s, the change y of the gradient along it, and rho = 1 / (s . y); or zeros."""

    s: Tensor  # (n, n_features)
    y: Tensor  # (n, n_features)
    rho: Tensor  # (n,)


class RowSearch:
    """The state of a search in coordinates u, where latents are ``start + P u``.

    A step that does not lower a row's value is not taken and the next one is shorter. Its gradient
    still shows the curvature there, which the search needs after a step that was too long.

    Networks with kinks amplify rounding errors, so rounding must not depend on the batch. All steps
    between latents and gradients are in double precision, and the networks get at least `min_rows`
    rows, since kernels round differently in small batches.
    """

    def __init__(
        self, objective: Objective, images: Tensor, start: Tensor, P: Tensor, *, min_rows: int
    ) -> None:
        self.objective, self.min_rows = objective, min_rows
        full = fill(images, min_rows).contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            self.target = objective.features(full)[: len(images)]
        self.start, self.P = start.double(), P.double()
        self.u = torch.zeros_like(self.start)
        self.value, self.gradient = self._evaluate(self.u)
        norm = self.gradient.norm(dim=1).clamp_min(1e-30)
        # gamma of H_0 = gamma I; before anything is known of the curvature it makes the first step
        # a share of the row's own error
        self.gamma = FIRST_STEP * self.value.sqrt() * sqrt(start.shape[1]) / norm
        self.length = torch.ones_like(self.value)
        self.pairs: list[Pair] = []

    def latents(self) -> Tensor:
        """Return the best latents of each row, (n, n_features)."""
        return self._latents(self.u)

    def advance(self) -> None:
        """Try one step in every row."""
        s = self.length[:, None] * self._direction()
        value, gradient = self._evaluate(self.u + s)
        slope = (self.gradient * s).sum(1)
        better = value <= self.value + SUFFICIENT_DECREASE * slope
        self._learn(s, gradient - self.gradient)
        self.length = torch.where(better, 1.0, SHORTEN * self.length)
        self.u = torch.where(better[:, None], self.u + s, self.u)
        self.value = torch.where(better, value, self.value)
        self.gradient = torch.where(better[:, None], gradient, self.gradient)

    def keep(self, rows: Tensor) -> None:
        """Go on with some of the rows, a boolean mask."""
        for name in ("target", "start", "u", "value", "gradient", "gamma", "length"):
            setattr(self, name, getattr(self, name)[rows])
        self.pairs = [Pair(*(part[rows] for part in pair)) for pair in self.pairs]

    def _latents(self, u: Tensor) -> Tensor:
        return (self.start + apply(self.P, u)).float()

    def _evaluate(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """Return values (n,) and gradients in the coordinates (n, n_features)."""
        latents, target = (fill(part, self.min_rows) for part in (self._latents(u), self.target))
        value, gradient = self.objective.gradient(latents, target)
        n = len(u)
        return value[:n].double(), apply_transposed(self.P, gradient[:n].double())

    def _learn(self, s: Tensor, y: Tensor) -> None:
        """Remember the curvature along the step of each row in which it is positive."""
        sy, yy = (s * y).sum(1), y.square().sum(1)
        curved = sy > LEAST_COSINE * s.norm(dim=1) * yy.sqrt()
        s, y = (torch.where(curved[:, None], part, 0.0) for part in (s, y))
        self.gamma = torch.where(curved, sy / yy, self.gamma)
        self.pairs.append(Pair(s, y, torch.where(curved, 1 / sy, 0.0)))
        del self.pairs[:-MEMORY]

    def _direction(self) -> Tensor:
        """Return -H g by the two-loop recursion, with H the inverse curvature of the pairs."""
        q, alphas = -self.gradient, []
        for s, y, rho in reversed(self.pairs):
            alpha = rho * (s * q).sum(1)
            q = q - alpha[:, None] * y
            alphas.append(alpha)
        r = self.gamma[:, None] * q
        for (s, y, rho), alpha in zip(self.pairs, reversed(alphas), strict=True):
            beta = rho * (y * r).sum(1)
            r = r + (alpha - beta)[:, None] * s
        return r


def fill(rows: Tensor, n: int) -> Tensor:
    """Repeat the last row until there are n."""
    if len(rows) >= n:
        return rows
    return torch.cat([rows, rows[-1:].expand(n - len(rows), *rows.shape[1:])])

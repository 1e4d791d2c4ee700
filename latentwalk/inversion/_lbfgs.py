"""L-BFGS for many rows at once, each on its own (Liu and Nocedal, 1989)."""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

import torch
from torch import Tensor

from latentwalk.inversion._objective import Objective
from latentwalk.inversion._preconditioner import apply, apply_transposed

MEMORY = 10
FIRST_STEP = 0.3
SHORTEN = 0.7
SUFFICIENT_DECREASE = 1e-4
LEAST_COSINE = 1e-8


class Pair(NamedTuple):
    """A step, the change of the gradient along it, and the inverse of their product; or zeros."""

    step: Tensor  # (n, n_features)
    change: Tensor  # (n, n_features)
    rho: Tensor  # (n,)


class RowSearch:
    """The state of a search in coordinates u, where latents are ``start + P u``.

    A step that does not lower a row's value is not taken and the next one is shorter. Its gradient
    still says how the objective curves there, which is what steps too long have to learn.

    Networks with kinks make much of little, so that rounding must not depend on the batch: all that
    happens between latents and gradients is in double precision, and the networks see at least
    `min_rows` rows, since kernels round otherwise in the smallest batches.
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
        # before anything is known of the curvature: a share of the row's own error
        self.scale = FIRST_STEP * self.value.sqrt() * sqrt(start.shape[1]) / norm
        self.length = torch.ones_like(self.value)
        self.pairs: list[Pair] = []

    def latents(self) -> Tensor:
        """The best latents of each row, (n, n_features)."""
        return self._latents(self.u)

    def advance(self) -> None:
        """Try one step in every row."""
        step = self.length[:, None] * self._direction()
        value, gradient = self._evaluate(self.u + step)
        slope = (self.gradient * step).sum(1)
        better = value <= self.value + SUFFICIENT_DECREASE * slope
        self._learn(step, gradient - self.gradient)
        self.length = torch.where(better, 1.0, SHORTEN * self.length)
        self.u = torch.where(better[:, None], self.u + step, self.u)
        self.value = torch.where(better, value, self.value)
        self.gradient = torch.where(better[:, None], gradient, self.gradient)

    def keep(self, rows: Tensor) -> None:
        """Go on with some of the rows, a boolean mask."""
        for name in ("target", "start", "u", "value", "gradient", "scale", "length"):
            setattr(self, name, getattr(self, name)[rows])
        self.pairs = [Pair(*(part[rows] for part in pair)) for pair in self.pairs]

    def _latents(self, u: Tensor) -> Tensor:
        return (self.start + apply(self.P, u)).float()

    def _evaluate(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """Values and gradients in the coordinates."""
        latents, target = (fill(part, self.min_rows) for part in (self._latents(u), self.target))
        value, gradient = self.objective.gradient(latents, target)
        n = len(u)
        return value[:n].double(), apply_transposed(self.P, gradient[:n].double())

    def _learn(self, step: Tensor, change: Tensor) -> None:
        """Remember the curvature along the step of each row in which it is positive."""
        product, squared = (step * change).sum(1), change.square().sum(1)
        curved = product > LEAST_COSINE * step.norm(dim=1) * squared.sqrt()
        step, change = (torch.where(curved[:, None], part, 0.0) for part in (step, change))
        self.scale = torch.where(curved, product / squared, self.scale)
        self.pairs.append(Pair(step, change, torch.where(curved, 1 / product, 0.0)))
        del self.pairs[:-MEMORY]

    def _direction(self) -> Tensor:
        """Minus the gradient times the inverse curvature that the pairs describe."""
        direction, factors = -self.gradient, []
        for pair in reversed(self.pairs):
            factor = pair.rho * (pair.step * direction).sum(1)
            direction = direction - factor[:, None] * pair.change
            factors.append(factor)
        direction = self.scale[:, None] * direction
        for pair, factor in zip(self.pairs, reversed(factors), strict=True):
            excess = factor - pair.rho * (pair.change * direction).sum(1)
            direction = direction + excess[:, None] * pair.step
        return direction


def fill(rows: Tensor, n: int) -> Tensor:
    """Repeat the last row until there are n."""
    if len(rows) >= n:
        return rows
    return torch.cat([rows, rows[-1:].expand(n - len(rows), *rows.shape[1:])])

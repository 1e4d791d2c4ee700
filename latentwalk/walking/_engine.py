"""Many paths: batched walks, and walks again where a bound was missed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentwalk.utils import autocast, map_batches, to_numpy, to_tensor
from latentwalk.utils._guides import Guide
from latentwalk.walking._losses import Objective
from latentwalk.walking._path import path_points
from latentwalk.walking._problem import WalkProblem
from latentwalk.walking._repulsion import Anchors, Repulsion
from latentwalk.walking._solvers import solve_adam, solve_lbfgs

AUTO_IMAGES = 64


@dataclass(frozen=True)
class WalkEngine:
    """Everything a walk needs but its ends; the fields are the walker's parameters."""

    decode: Callable[[Tensor], Tensor]
    identity: Guide | None
    label: Guide | None
    objective: Objective
    n_points: int
    n_modes: int
    solver: str
    max_iter: int
    learning_rate: float
    points_per_step: int
    tol: float
    batch_size: int | str
    device: torch.device
    seed: int
    verbose: bool | int
    repulsion: Repulsion | None = None
    precision: str = "float32"

    def heavier(self, factor: float) -> WalkEngine:
        """Return an engine with `factor` times the identity weight."""
        weight = self.objective.identity_weight * factor
        return replace(self, objective=replace(self.objective, identity_weight=weight))

    def walk(
        self,
        ends: NDArray[np.float32],
        targets: NDArray[np.intp] | None,
        start: NDArray[np.float32],
    ) -> tuple[NDArray[np.float32], int]:
        """Return the coefficients of the walks from those of `start`, and the most steps taken."""
        if self.objective.name == "linear" or self.max_iter == 0:
            return start, 0
        n_iter = [0]

        def rows(part: slice) -> NDArray[Any]:
            wanted = None if targets is None else torch.as_tensor(targets[part], device=self.device)
            problem = WalkProblem(
                self._decode,
                self.identity,
                self.label,
                to_tensor(ends[part], self.device),
                wanted,
                self.objective,
                self.n_points,
                self._images(),
                None if self.repulsion is None else Anchors(self.repulsion, self._decode),
            )
            walked, n_steps = self._solve(problem, to_tensor(start[part], self.device))
            n_iter.append(n_steps)
            return to_numpy(walked)

        walked = map_batches(
            rows,
            len(ends),
            batch_size=self._paths(),
            device=self.device,
            desc="walk paths",
            verbose=self.verbose,
        )
        return walked, max(n_iter)

    def _decode(self, latents: Tensor) -> Tensor:
        """Decode for a step, in its precision; what is measured is decoded in float32."""
        with autocast(self.precision, self.device):
            return self.decode(latents).float()

    def _solve(self, problem: WalkProblem, start: Tensor) -> tuple[Tensor, int]:
        if self.solver == "lbfgs":
            return solve_lbfgs(problem, start, max_iter=self.max_iter, tol=self.tol)
        return solve_adam(
            problem,
            start,
            max_iter=self.max_iter,
            learning_rate=self.learning_rate,
            points_per_step=self.points_per_step,
            tol=self.tol,
            seed=self.seed,
        )

    def _images(self) -> int:
        """Images at once in a step."""
        return AUTO_IMAGES * 8 if self.batch_size == "auto" else int(self.batch_size)

    def _paths(self) -> int | str:
        """Paths at once; on an accelerator "auto" is left to halving."""
        if self.batch_size == "auto" and self.device.type != "cpu":
            return "auto"
        images = AUTO_IMAGES if self.batch_size == "auto" else int(self.batch_size)
        return max(images // self.points_per_step, 1)


def path_latents(
    ends: NDArray[np.float32],
    coefficients: NDArray[np.float32],
    times: NDArray[np.floating],
    n_points: int,
) -> NDArray[np.float32]:
    """Return the points of paths at some times, (n_paths, n_times, n_features)."""
    moments = torch.as_tensor(times, dtype=torch.float32)
    return to_numpy(path_points(to_tensor(ends), to_tensor(coefficients), moments, n_points))

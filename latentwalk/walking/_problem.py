"""Paths, generator and guides put together: what a solver evaluates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from latentwalk.walking._guides import Guide
from latentwalk.walking._losses import Objective, plan_terms, worst_point_terms
from latentwalk.walking._path import end_distances, path_points, relative_energy


@dataclass(frozen=True)
class WalkProblem:
    """A batch of paths between fixed ends.

    Parameters
    ----------
    decode : callable
        Latents (n, n_features) to images in [0, 1], differentiable.
    identity, label : Guide or None
        The guides.
    ends : Tensor of shape (n_paths, 2, n_features)
        The ends.
    targets : Tensor of shape (n_paths,) or None
        Logit of each path's class in the label guide.
    objective : Objective
        What is minimised.
    n_points : int
        Points of a path, ends included.
    batch_size : int
        Images at once; more are recomputed in the backward pass, chunk by chunk.
    """

    decode: Callable[[Tensor], Tensor]
    identity: Guide | None
    label: Guide | None
    ends: Tensor
    targets: Tensor | None
    objective: Objective
    n_points: int
    batch_size: int

    def terms(
        self, paths: Tensor, coefficients: Tensor, times: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return distance, identity and label terms of the paths with these numbers."""
        ends = self.ends[paths]
        latents = path_points(ends, coefficients, times, self.n_points)
        identity, target = self._log_proba(latents, paths)
        energy = relative_energy(coefficients)
        if self.objective.name == "plan":
            squared = end_distances(ends).square()
            return plan_terms(energy, squared, times, self.n_points, identity, target)
        return worst_point_terms(energy, identity, target, self.objective)

    def value(self, paths: Tensor, coefficients: Tensor, times: Tensor) -> Tensor:
        """Return the objective of each path, (n_paths,)."""
        distance, identity, label = self.terms(paths, coefficients, times)
        return distance + identity + label

    def _log_proba(self, latents: Tensor, paths: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Identity log probabilities (n_paths, n_times, n_identities) and those of the class."""
        n_paths, n_times = latents.shape[:2]
        flat = latents.reshape(n_paths * n_times, -1)
        targets = None if self.targets is None else self.targets[paths].repeat_interleave(n_times)
        parts = []
        for rows in torch.split(torch.arange(len(flat), device=flat.device), self.batch_size):
            wanted = None if targets is None else targets[rows]
            if len(rows) < len(flat):
                parts.append(checkpoint(self._guide, flat[rows], wanted, use_reentrant=False))
            else:
                parts.append(self._guide(flat[rows], wanted))
        identity = None if self.identity is None else torch.cat([p[0] for p in parts])
        target = None if self.label is None or targets is None else torch.cat([p[1] for p in parts])
        return (
            None if identity is None else identity.reshape(n_paths, n_times, -1),
            None if target is None else target.reshape(n_paths, n_times),
        )

    def _guide(self, latents: Tensor, targets: Tensor | None) -> tuple[Tensor, Tensor]:
        """What the guides say of latents; empty where there is no guide."""
        images = self.decode(latents)
        empty = latents.new_zeros(0)
        identity = empty if self.identity is None else self.identity.log_proba(images)
        if self.label is None or targets is None:
            return identity, empty
        return identity, self.label.log_proba(images).gather(1, targets[:, None])[:, 0]

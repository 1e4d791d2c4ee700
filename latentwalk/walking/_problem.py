"""The function that the optimiser evaluates: paths, generator, guides and objective."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from latentwalk.walking._guides import Guides
from latentwalk.walking._losses import Objective, plan_terms, worst_point_terms
from latentwalk.walking._repulsion import Anchors
from latentwalk.walking._sine_basis import end_distances, path_points, relative_energy


class Seen(NamedTuple):
    """Outputs of the guides and the repulsion for points; None without them."""

    identity: Tensor | None  # (n_paths, n_times, n_identities) log probabilities
    target: Tensor | None  # (n_paths, n_times) log probability of the path's class
    hinge: Tensor | None  # (n_paths, n_times) see `Repulsion.hinge`


@dataclass(frozen=True)
class WalkProblem:
    """A batch of paths between fixed ends.

    Parameters
    ----------
    decode : callable
        Latents (n, n_features) to images in [0, 1], differentiable.
    guides : Guides
        The guides.
    objective : Objective
        What is minimised.
    ends : Tensor of shape (n_paths, 2, n_features)
        The ends.
    targets : Tensor of shape (n_paths,) or None
        Logit of each path's class in the label guide.
    n_points : int
        Points of a path, ends included.
    batch_size : int
        Images at a time. More images are split into chunks, which are recomputed in the backward
        pass.
    anchors : Anchors or None
        The real images to keep away from.
    """

    decode: Callable[[Tensor], Tensor]
    guides: Guides
    objective: Objective
    ends: Tensor
    targets: Tensor | None
    n_points: int
    batch_size: int
    anchors: Anchors | None = None

    def terms(
        self, paths: Tensor, coefficients: Tensor, times: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return distance, identity and label terms of the paths with these row numbers."""
        return self._terms(paths, coefficients, times)[0]

    def value(self, paths: Tensor, coefficients: Tensor, times: Tensor) -> Tensor:
        """Return the objective of each path, (n_paths,)."""
        (distance, identity, label), hinge = self._terms(paths, coefficients, times)
        value = distance + identity + label
        if self.anchors is None or hinge is None:
            return value
        return value + self.anchors.repulsion.weight * hinge.mean(dim=1)

    def _terms(
        self, paths: Tensor, coefficients: Tensor, times: Tensor
    ) -> tuple[tuple[Tensor, Tensor, Tensor], Tensor | None]:
        """The terms of the objective, and the hinge of each point."""
        ends = self.ends[paths]
        latents = path_points(ends, coefficients, times, self.n_points)
        identity, target, hinge = self._see(latents, paths)
        energy = relative_energy(coefficients)
        if self.objective.name == "plan":
            squared = end_distances(ends).square()
            terms = plan_terms(energy, squared, times, self.n_points, identity, target)
        else:
            terms = worst_point_terms(energy, identity, target, self.objective)
        return terms, hinge

    def _see(self, latents: Tensor, paths: Tensor) -> Seen:
        """Decode points (n_paths, n_times, n_features) and apply guides and repulsion."""
        n_paths, n_times = latents.shape[:2]
        near = None
        if self.anchors is not None:
            near = self.anchors.of(paths, latents, self.batch_size)
        flat = latents.reshape(n_paths * n_times, -1)
        targets = None if self.targets is None else self.targets[paths].repeat_interleave(n_times)
        parts = []
        for rows in torch.split(torch.arange(len(flat), device=flat.device), self.batch_size):
            wanted = None if targets is None else targets[rows]
            real = None if near is None else near[rows]
            if len(rows) < len(flat):
                parts.append(checkpoint(self._look, flat[rows], wanted, real, use_reentrant=False))
            else:
                parts.append(self._look(flat[rows], wanted, real))
        joined = (
            None
            if part[0] is None
            else torch.cat(part).reshape(n_paths, n_times, *part[0].shape[1:])
            for part in zip(*parts, strict=True)
        )
        return Seen(*joined)

    def _look(self, latents: Tensor, targets: Tensor | None, near: Tensor | None) -> Seen:
        """Outputs of guides and repulsion for latents (n, n_features)."""
        images = self.decode(latents)
        phi_id, phi_class = self.guides.identity, self.guides.label
        identity = None if phi_id is None else phi_id.log_proba(images)
        target = hinge = None
        if phi_class is not None and targets is not None:
            target = phi_class.log_proba(images).gather(1, targets[:, None])[:, 0]
        if self.anchors is not None and near is not None:
            hinge = self.anchors.repulsion.hinge(images, near)
        return Seen(identity, target, hinge)

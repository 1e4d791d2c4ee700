"""What a walk minimises: the published objective in closed form, and ours."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

CHUNK = 4
PLAN_IDENTITY_WEIGHT = 0.1
SHARPNESS = 4.0


@dataclass(frozen=True)
class Objective:
    """The name and the weights of an objective; see `path_objective`."""

    name: str
    identity_weight: float = 1.0
    class_weight: float = 1.0
    length_weight: float = 1.0


def uniform_divergence(log_proba: Tensor) -> Tensor:
    """Return KL(uniform || p) over the last axis: 0 for an image nobody is recognised in."""
    return -math.log(log_proba.shape[-1]) - log_proba.mean(dim=-1)


def chunk_weights(n_inner: int, device: torch.device | str = "cpu") -> Tensor:
    """Return one over the size of each inner point's chunk of four, (n_inner,).

    The published code sums means over consecutive chunks of four images, so a short last chunk
    weighs more.
    """
    index = torch.arange(n_inner, device=device)
    sizes = torch.clamp(n_inner - index // CHUNK * CHUNK, max=CHUNK)
    return 1.0 / sizes


def plan_terms(
    energy: Tensor,
    squared_distance: Tensor,
    times: Tensor,
    n_points: int,
    identity: Tensor | None,
    target: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the published objective's three terms for each path, weighted as published.

    Parameters
    ----------
    energy : Tensor of shape (n_paths,)
        Relative to the straight line, see `relative_energy`.
    squared_distance : Tensor of shape (n_paths,)
        Between the ends.
    times : Tensor of shape (n_times,)
        Of the evaluated points. With the times of all inner points the terms are exact; other
        times stand for them, each for an equal share.
    n_points : int
        Points of the path, ends included.
    identity : Tensor of shape (n_paths, n_times, n_identities) or None
        Log probabilities of the identity guide.
    target : Tensor of shape (n_paths, n_times) or None
        Log probability of the path's class.

    Returns
    -------
    distance, identity, label : Tensor of shape (n_paths,)
        The objective is their sum.

    References
    ----------
    Pennisi et al., MICCAI 2023, arXiv:2307.02984, equations 1 to 4.
    """
    nearest = (times * (n_points - 1)).round().long().clamp(1, n_points - 2) - 1
    weights = chunk_weights(n_points - 2, times.device)[nearest]
    weights = weights.to(energy.dtype) * ((n_points - 2) / len(times))
    distance = squared_distance * energy / (n_points - 1)
    nothing = torch.zeros_like(distance)
    divergence = nothing if identity is None else uniform_divergence(identity) @ weights
    label = nothing if target is None else -target @ weights
    return distance, PLAN_IDENTITY_WEIGHT * divergence, label


def soft_maximum(values: Tensor, sharpness: float = SHARPNESS) -> Tensor:
    """Return a smooth maximum over the last axis, between the mean and the maximum."""
    count = math.log(values.shape[-1])
    return (torch.logsumexp(sharpness * values, dim=-1) - count) / sharpness


def worst_point_terms(
    energy: Tensor, identity: Tensor | None, target: Tensor | None, objective: Objective
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the default objective's three weighted terms for each path.

    The identity term is a smooth maximum, over the points, of the log of the highest identity
    probability: a mean over the points, as published, falls while the worst point rises. The
    length term does not change with the number of points or the scale of the latents.

    Parameters
    ----------
    energy, identity, target
        As in `plan_terms`.
    objective : Objective
        The weights.

    Returns
    -------
    distance, identity, label : Tensor of shape (n_paths,)
        The objective is their sum.
    """
    nothing = torch.zeros_like(energy)
    worst = nothing if identity is None else soft_maximum(identity.amax(dim=-1))
    label = nothing if target is None else -target.mean(dim=-1)
    return (
        objective.length_weight * (energy - 1),
        objective.identity_weight * worst,
        objective.class_weight * label,
    )

"""The objectives of a walk: the published one in closed form, and the default.

PLAN (Pennisi et al., MICCAI 2023, arXiv:2307.02984) walks from w_1 = w_a to w_T = w_b and minimises

    L       = L_dist + 0.1 L_id + L_class
    L_dist  = sum_i |w_{i+1} - w_i|^2
    L_id    = sum over chunks of 4 points of the mean of KL(U(1/N) || phi_id(G(w_i)))
    L_class = sum over chunks of 4 points of the mean of -log phi_class(G(w_i))[y]

over the inner points, with N identities, the generator G, the guides phi_id and phi_class, and the
class y of the path. The chunks are those of the published code.
"""

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
    """Name of an objective, and the weights of "worst-point"."""

    name: str
    identity_weight: float = 1.0
    class_weight: float = 1.0


def uniform_divergence(log_proba: Tensor) -> Tensor:
    """Return ``KL(U(1/N) || p)`` over the last axis: 0 for an image in which nobody is recognised.

    KL(U || p) = sum_n (1/N) (log(1/N) - log p_n) = -log N - mean_n(log p_n)
    """
    return -math.log(log_proba.shape[-1]) - log_proba.mean(dim=-1)


def chunk_weights(n_inner: int, device: torch.device | str = "cpu") -> Tensor:
    """Return one over the size of the chunk of four of each inner point, (n_inner,).

    A sum of means over chunks is a sum over points with these weights. The last chunk may be
    shorter, and its points weigh more.
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
    """Return the three terms of the published objective for each path, weighted as published.

    Parameters
    ----------
    energy : Tensor of shape (n_paths,)
        Energy over that of the straight line, see `relative_energy`.
    squared_distance : Tensor of shape (n_paths,)
        Squared distance ``|w_b - w_a|^2`` between the ends.
    times : Tensor of shape (n_times,)
        Times of the evaluated points. With the times of all inner points the terms are exact. A
        smaller number is a sample, in which each point has an equal weight.
    n_points : int
        Points T of the path, ends included.
    identity : Tensor of shape (n_paths, n_times, n_identities) or None
        Log probabilities of phi_id.
    target : Tensor of shape (n_paths, n_times) or None
        Log probability of the path's class by phi_class.

    Returns
    -------
    distance, identity, label : Tensor of shape (n_paths,)
        ``L_dist``, ``0.1 L_id`` and ``L_class``.
    """
    nearest = (times * (n_points - 1)).round().long().clamp(1, n_points - 2) - 1
    weights = chunk_weights(n_points - 2, times.device)[nearest]
    weights = weights.to(energy.dtype) * ((n_points - 2) / len(times))  # (n_times,)
    distance = squared_distance * energy / (n_points - 1)  # L_dist, see `_sine_basis`
    nothing = torch.zeros_like(distance)
    divergence = nothing if identity is None else uniform_divergence(identity) @ weights
    label = nothing if target is None else -target @ weights
    return distance, PLAN_IDENTITY_WEIGHT * divergence, label


def soft_maximum(values: Tensor, sharpness: float = SHARPNESS) -> Tensor:
    """Return a smooth maximum over the last axis, between the mean and the maximum.

    log(mean_t exp(s v_t)) / s, with the sharpness s
    """
    count = math.log(values.shape[-1])
    return (torch.logsumexp(sharpness * values, dim=-1) - count) / sharpness


def worst_point_terms(
    energy: Tensor, identity: Tensor | None, target: Tensor | None, objective: Objective
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the three weighted terms of the default objective for each path.

    The identity term is a smooth maximum, over the points, of the log of the highest identity
    probability: a mean over the points, as published, can fall while the worst point rises. The
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
    return energy - 1, objective.identity_weight * worst, objective.class_weight * label

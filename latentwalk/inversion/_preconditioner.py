"""Coordinates in which all latent directions change the image equally.

An image moves a hundred times more along some directions of W than along others, and none of them
is an axis. The mean Gauss-Newton curvature of the objective over the generator's samples gives
coordinates in which they are alike, so that a search starts with nothing left to learn but how a
row differs from the mean.
"""

from __future__ import annotations

import torch
from torch import Tensor

from latentwalk.inversion._objective import Objective
from latentwalk.inversion._prior import draw_latents, widen

N_PROBES = 512
BATCH_SIZE = 64
FULL_WIDTH = 2048
DAMPING = 0.05


def preconditioner(objective: Objective, spread: float, rng: torch.Generator) -> Tensor:
    """Return P of shape (n_features, n_features) such that w = P u has unit curvature in u.

    u is scaled so that a step of s in every coordinate changes the objective's features by s in
    root mean square. Above 2,048 latent features only the diagonal is used: P is (n_features,).

    Parameters
    ----------
    objective : Objective
        What is minimised.
    spread : float
        Of `feature_spread`; scales the damping.
    rng : torch.Generator
        Draws latents and random directions in feature space: the mean outer product of their
        gradients is the curvature.
    """
    gradients = torch.cat(
        [_probe(objective, rng) for _ in range(N_PROBES // BATCH_SIZE)]
    ).double()  # (n_probes, n_features)
    n_features = gradients.shape[1]
    prior = (
        (DAMPING * spread + objective.regularization) / objective.std.double().square() / n_features
    )
    if n_features > FULL_WIDTH:
        curvature = gradients.square().mean(0) + prior
        return (curvature * n_features).rsqrt().float()
    curvature = gradients.T @ gradients / len(gradients) + prior.diag()
    values, vectors = torch.linalg.eigh(curvature)
    return (vectors * (values * n_features).rsqrt()).float()


@torch.no_grad()
def feature_spread(objective: Objective, rng: torch.Generator) -> float:
    """Return the mean squared distance of the generator's samples from their mean."""
    features = torch.cat(
        [
            objective.features(objective.images(part))
            for (part,) in objective.batches(_draw(objective, rng))
        ]
    )
    return float((features - features.mean(0)).square().sum(1).mean())


def apply(P: Tensor, u: Tensor) -> Tensor:
    """Return the latent steps of coordinates u of shape (n, n_features)."""
    return u * P if P.ndim == 1 else u @ P.T


def apply_transposed(P: Tensor, gradient: Tensor) -> Tensor:
    """Return the gradient in the coordinates."""
    return gradient * P if P.ndim == 1 else gradient @ P


def _probe(objective: Objective, rng: torch.Generator) -> Tensor:
    latents = _draw(objective, rng).requires_grad_(True)
    found = []
    for (part,) in objective.batches(latents):
        features = objective.features(objective.images(part))
        direction = torch.randn(features.shape, generator=rng, device=rng.device)
        found.append(torch.autograd.grad((features * direction).sum(), part)[0])
    return torch.cat(found)


def _draw(objective: Objective, rng: torch.Generator) -> Tensor:
    return widen(draw_latents(objective.generator, BATCH_SIZE, rng), objective.generator)

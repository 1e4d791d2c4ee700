"""Coordinates in which all latent directions change the image equally.

An image changes a hundred times more along some directions of W than along others, and these
directions are not the axes. In the coordinates u of ``w = w_0 + P u`` the mean curvature of the
objective over the generator's samples is the identity. A search only has to learn how the curvature
of its row differs from the mean.

With the features ``phi`` of the objective and the Jacobian ``J = d phi(G(w)) / d w``, the
Gauss-Newton curvature of ``|phi(G(w)) - phi(x)|^2 / 2`` is ``J^T J``. J is never formed: for
``v ~ N(0, I)`` the gradient of ``v . phi(G(w))`` is ``g = J^T v``, and ``E[g g^T] = J^T J``.
"""

from __future__ import annotations

import torch
from torch import Tensor

from latentwalk.inversion._objective import Objective
from latentwalk.utils._torch import check_made

N_PROBES = 512
BATCH_SIZE = 64
FULL_WIDTH = 2048  # an eigendecomposition costs the cube of this
DAMPING = 0.05  # directions along which no probe moves the image would get endless steps


def preconditioner(objective: Objective, spread: float, rng: torch.Generator) -> Tensor:
    """Return P of shape (n_features, n_features) such that w = P u has unit curvature in u.

    u is scaled so that a step of s in every coordinate changes the objective's features by s in
    root mean square. Above 2,048 latent features only the diagonal is used: P is (n_features,).

    Parameters
    ----------
    objective : Objective
        What is minimised.
    spread : float
        Result of `feature_spread`; scales the damping.
    rng : torch.Generator
        Draws the latents w and the directions v.
    """
    probes = [_probe(objective, rng) for _ in range(N_PROBES // BATCH_SIZE)]
    g = torch.cat(probes).double()  # (n_probes, n_features)
    n_features = g.shape[1]
    # D: curvature of the regularisation, and of the damping in its form
    weight = DAMPING * spread + objective.regularization
    D = weight / objective.std.double().square() / n_features  # (n_features,)
    if n_features > FULL_WIDTH:
        H = g.square().mean(0) + D  # diagonal of J^T J + D
        return (H * n_features).rsqrt().float()
    H = g.T @ g / len(g) + D.diag()  # (n_features, n_features)
    values, Q = torch.linalg.eigh(H)  # H = Q diag(values) Q^T
    return (Q * (values * n_features).rsqrt()).float()  # P^T H P = I / n_features


@torch.no_grad()
def feature_spread(objective: Objective, rng: torch.Generator) -> float:
    """Return the mean squared distance of the generator's samples from their mean.

    Raises
    ------
    ValueError
        For samples with NaN or infinite values.
    """
    latents = objective.draw(BATCH_SIZE, rng)
    batches = (check_made(objective.images(w)) for (w,) in objective.batches(latents))
    features = torch.cat([objective.features(images) for images in batches])
    return float((features - features.mean(0)).square().sum(1).mean())


def apply(P: Tensor, u: Tensor) -> Tensor:
    """Return the latent steps P u of coordinates u of shape (n, n_features)."""
    return u * P if P.ndim == 1 else u @ P.T


def apply_transposed(P: Tensor, gradient: Tensor) -> Tensor:
    """Return the gradient P^T g in the coordinates."""
    return gradient * P if P.ndim == 1 else gradient @ P


def _probe(objective: Objective, rng: torch.Generator) -> Tensor:
    """Return g = J^T v at new latents, (BATCH_SIZE, n_features)."""
    latents = objective.draw(BATCH_SIZE, rng).requires_grad_(True)
    gradients = []
    for (w,) in objective.batches(latents):
        phi = objective.features(objective.images(w))
        v = torch.randn(phi.shape, generator=rng, device=rng.device)
        gradients.append(torch.autograd.grad((phi * v).sum(), w)[0])
    return torch.cat(gradients)

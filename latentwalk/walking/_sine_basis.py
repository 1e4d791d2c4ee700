"""Paths as straight lines and offsets in a sine basis.

A path of T points from a to b is

    X(t) = a + t (b - a) + |b - a| sum_j s_j(t) c_j
    s_j(t) = sqrt(2) sin(j pi t) / ((T - 1) sqrt(lambda_j))
    lambda_j = 4 sin^2(j pi / (2 (T - 1)))

with t = 0, 1 / (T - 1), .., 1. The published length term is ``L_dist = sum_i |w_{i+1} - w_i|^2``
over the points w_i. Its Hessian is the Laplacian of the path, a tridiagonal matrix with the
eigenvalues lambda_j and the eigenvectors ``sin(j pi t)``. In the coefficients c it is

    L_dist = |b - a|^2 (1 + |c|^2) / (T - 1)

so the stiff part of the objective has become round, and all coefficients have one scale.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def sine_basis(times: Tensor, n_modes: int, n_points: int) -> Tensor:
    """Return the basis at some times.

    Parameters
    ----------
    times : Tensor of shape (n_times,)
        Values of t in [0, 1]; the basis is 0 at both ends.
    n_modes : int
        Number of waves j = 1 to n_modes. With ``n_points - 2`` the basis spans all paths between
        fixed ends.
    n_points : int
        Points T of the path, ends included.

    Returns
    -------
    basis : Tensor of shape (n_times, n_modes)
        s_j(t), in the dtype of `times`.
    """
    j = torch.arange(1, n_modes + 1, device=times.device, dtype=times.dtype)
    roots = 2 * torch.sin(j * math.pi / (2 * (n_points - 1)))  # sqrt(lambda_j)
    # in floats sin(pi) is not 0, and the ends must stay the prototypes exactly
    waves = torch.sin(math.pi * times[:, None] * j) * (times < 1)[:, None]
    return math.sqrt(2) * waves / ((n_points - 1) * roots)


def path_points(ends: Tensor, coefficients: Tensor, times: Tensor, n_points: int) -> Tensor:
    """Return points of paths.

    Parameters
    ----------
    ends : Tensor of shape (n_paths, 2, n_features)
        The ends a and b.
    coefficients : Tensor of shape (n_paths, n_modes, n_features)
        The coefficients c; zero is the straight line.
    times : Tensor of shape (n_times,)
        Values of t in [0, 1].
    n_points : int
        Points T of the path, ends included.

    Returns
    -------
    points : Tensor of shape (n_paths, n_times, n_features)
        X(t): exactly the ends where t is 0 and 1.
    """
    a, b = ends[:, :1], ends[:, 1:]
    line = torch.lerp(a, b, times[None, :, None])  # (n_paths, n_times, n_features)
    basis = sine_basis(times, coefficients.shape[1], n_points)
    offsets = torch.einsum("tj,pjd->ptd", basis, coefficients)
    return line + end_distances(ends)[:, None, None] * offsets


def end_distances(ends: Tensor) -> Tensor:
    """Return the distance ``|b - a|`` between the ends of each path, (n_paths,)."""
    return (ends[:, 1] - ends[:, 0]).norm(dim=1)


def relative_energy(coefficients: Tensor) -> Tensor:
    """Return the energy of each path over that of its straight line, ``1 + |c|^2``, (n_paths,)."""
    return 1 + coefficients.square().sum(dim=(1, 2))

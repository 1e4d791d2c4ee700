"""Paths as straight lines and offsets in a sine basis.

A path of T points is ``X(t) = a + t (b - a) + |b - a| sum_j s_j(t) c_j`` with
``s_j(t) = sqrt(2) sin(j pi t) / ((T - 1) sqrt(lambda_j))`` and
``lambda_j = 4 sin^2(j pi / (2 (T - 1)))``, the eigenvalues of the path Laplacian. In these
coefficients the path's energy is ``|b - a|^2 (1 + |c|^2) / (T - 1)``: the stiff part of the
objective has become round, and does not change with the scale of the latents.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def inner_times(n_points: int, device: torch.device | str = "cpu") -> Tensor:
    """Return the times of the ``n_points - 2`` inner points, evenly spaced in (0, 1)."""
    return torch.arange(1, n_points - 1, device=device) / (n_points - 1)


def sine_basis(times: Tensor, n_modes: int, n_points: int) -> Tensor:
    """Return the basis at some times.

    Parameters
    ----------
    times : Tensor of shape (n_times,)
        In [0, 1]; the basis is 0 at both ends.
    n_modes : int
        At most ``n_points - 2``, where it spans all paths with fixed ends.
    n_points : int
        Points of the path, ends included.

    Returns
    -------
    basis : Tensor of shape (n_times, n_modes)
        In the dtype of `times`.
    """
    modes = torch.arange(1, n_modes + 1, device=times.device, dtype=times.dtype)
    roots = 2 * torch.sin(modes * math.pi / (2 * (n_points - 1)))  # sqrt(lambda_j)
    # in floats sin(pi) is not 0, and the ends must stay the prototypes exactly
    waves = torch.sin(math.pi * times[:, None] * modes) * (times < 1)[:, None]
    return math.sqrt(2) * waves / ((n_points - 1) * roots)


def path_points(ends: Tensor, coefficients: Tensor, times: Tensor, n_points: int) -> Tensor:
    """Return points of paths.

    Parameters
    ----------
    ends : Tensor of shape (n_paths, 2, n_features)
        First and last points.
    coefficients : Tensor of shape (n_paths, n_modes, n_features)
        Zero is the straight line.
    times : Tensor of shape (n_times,)
        In [0, 1].
    n_points : int
        Points of the path, ends included.

    Returns
    -------
    points : Tensor of shape (n_paths, n_times, n_features)
        The ends exactly where the times are 0 and 1.
    """
    first, last = ends[:, :1], ends[:, 1:]
    line = torch.lerp(first, last, times[None, :, None])
    basis = sine_basis(times, coefficients.shape[1], n_points)
    offsets = torch.einsum("tj,pjd->ptd", basis, coefficients)
    return line + end_distances(ends)[:, None, None] * offsets


def end_distances(ends: Tensor) -> Tensor:
    """Return the distance between the ends of each path, (n_paths,)."""
    return (ends[:, 1] - ends[:, 0]).norm(dim=1)


def relative_energy(coefficients: Tensor) -> Tensor:
    """Return each path's energy over that of its straight line, (n_paths,): 1 or more."""
    return 1 + coefficients.square().sum(dim=(1, 2))

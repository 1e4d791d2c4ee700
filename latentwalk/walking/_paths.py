"""Paths as frozen values, and the three steps that make and change them.

`lay_paths` joins prototypes by straight lines, `optimise` walks them, and `redraw` takes more
points from them. Each takes paths and gives new ones; nothing is changed in place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from latentwalk.utils import to_numpy, to_tensor
from latentwalk.walking._examine import Bounds, Examiner, Figures, Points
from latentwalk.walking._optimise import Walk, walk_paths
from latentwalk.walking._prototypes import Prototypes, class_tours
from latentwalk.walking._sine_basis import path_points

# 16 waves reach the objective of all 48, at half of the time: benchmarks/walk.py --ablation
N_MODES = 16
# paths over the bound are walked again with 4 and then 16 times the identity weight
N_RETRIES, RETRY_FACTOR = 2, 4.0

Ints = NDArray[np.intp]


@dataclass(frozen=True)
class Paths:
    """Paths between prototypes of one class, and the measurements of their points.

    Parameters
    ----------
    ends : ndarray of shape (n_paths, 2, n_features)
        The prototypes that each path joins.
    coefficients : ndarray of shape (n_paths, n_modes, n_features)
        Offsets from the straight line, in the sine basis.
    codes : ndarray of shape (n_paths,)
        The class of each path.
    pairs : ndarray of shape (n_paths, 2)
        Row numbers of the ends among the prototypes.
    points : ndarray of shape (n_paths, n_points, n_features)
        Evenly spaced points, ends included.
    figures : Figures of shape (n_paths, n_points)
        The measurements of the points; NaN before they are made.
    """

    ends: NDArray[np.float32]
    coefficients: NDArray[np.float32]
    codes: Ints
    pairs: Ints
    points: NDArray[np.float32]
    figures: Figures

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, rows: Any) -> Paths:
        return Paths(*(value[rows] for value in vars(self).values()))

    @property
    def n_points(self) -> int:
        """Points of a path, ends included."""
        return self.points.shape[1]

    def at(self, times: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the points at some times, (n_paths, n_times, n_features)."""
        moments = torch.as_tensor(times, dtype=torch.float32)
        ends, coefficients = to_tensor(self.ends), to_tensor(self.coefficients)
        return to_numpy(path_points(ends, coefficients, moments, self.n_points))

    def refused(self, bounds: Bounds) -> NDArray[np.bool_]:
        """Return the inner points that are over a bound, (n_paths, n_points)."""
        inner = np.zeros(self.figures.identity.shape, bool)
        inner[:, 1:-1] = True
        return inner & ~bounds.accept(self.figures)

    def inner_points(self, bounds: Bounds) -> Points:
        """Return all points but the ends, a row for each."""
        accepted = ~self.refused(bounds)
        path, index = np.nonzero(np.ones_like(accepted[:, 1:-1]))
        cell = path, index + 1
        times = cell[1] / (self.n_points - 1)
        return Points(path, times, self.points[cell], self.figures[cell], accepted[cell])


def lay_paths(prototypes: Prototypes, n_points: int, rng: np.random.RandomState) -> Paths:
    """Return straight lines along a tour of the prototypes of each class.

    Parameters
    ----------
    prototypes : Prototypes
        At least two in each class.
    n_points : int
        Points of a path, ends included.
    rng : RandomState
        Draws where tours start.

    Returns
    -------
    paths : Paths
        Not measured.
    """
    pairs = class_tours(prototypes.latents, prototypes.codes, rng)
    ends = prototypes.latents[pairs]
    n_modes = min(N_MODES, n_points - 2)
    straight = np.zeros((len(pairs), n_modes, ends.shape[2]), np.float32)
    nothing = np.full((len(pairs), n_points), np.nan)
    paths = Paths(
        ends,
        straight,
        prototypes.codes[pairs[:, 0]],
        pairs,
        np.empty((len(pairs), n_points, ends.shape[2]), np.float32),
        Figures(nothing, nothing, nothing),
    )
    return replace(paths, points=paths.at(np.linspace(0, 1, n_points)))


def optimise(paths: Paths, walk: Walk, examiner: Examiner, bounds: Bounds) -> tuple[Paths, int]:
    """Return the paths walked and measured, and the most steps that one took.

    Paths with points over ``bounds.max_identity`` are walked further with more identity weight. The
    new path is kept if fewer of its points are over the bound.
    """
    paths, n_iter = _walked(paths, walk, examiner)
    if bounds.max_identity is None or walk.objective.name != "worst-point":
        return paths, n_iter
    for retry in range(N_RETRIES):
        n_over = _n_over(paths, bounds.max_identity)
        missed = np.flatnonzero(n_over)
        if len(missed) == 0:
            break
        heavier = walk.heavier(RETRY_FACTOR ** (retry + 1))
        again, n_steps = _walked(paths[missed], heavier, examiner)
        better = _n_over(again, bounds.max_identity) < n_over[missed]
        paths, n_iter = _put(paths, missed[better], again[better]), max(n_iter, n_steps)
    return paths, n_iter


def redraw(
    paths: Paths, rows: Ints, examiner: Examiner, bounds: Bounds, rng: np.random.RandomState
) -> Points:
    """Return newly drawn and measured points of some paths, one in each gap of the inner points."""
    n_gaps = max(paths.n_points - 3, 1)
    times = (1 + np.arange(n_gaps) + rng.rand(n_gaps)) / (paths.n_points - 1)
    latents = paths[rows].at(times).reshape(-1, paths.ends.shape[2])
    path = rows.repeat(n_gaps)
    figures = examiner.measure(latents, paths.codes[path])
    return Points(path, np.tile(times, len(rows)), latents, figures, bounds.accept(figures))


def _walked(paths: Paths, walk: Walk, examiner: Examiner) -> tuple[Paths, int]:
    """The paths walked further from their coefficients, and measured."""
    n_points = paths.n_points
    coefficients, n_iter = walk_paths(walk, paths.ends, paths.codes, paths.coefficients, n_points)
    paths = replace(paths, coefficients=coefficients)
    points = paths.at(np.linspace(0, 1, n_points))
    figures = examiner.measure(points.reshape(-1, points.shape[2]), paths.codes.repeat(n_points))
    return replace(paths, points=points, figures=figures.reshape(len(paths), n_points)), n_iter


def _n_over(paths: Paths, max_identity: float) -> Ints:
    """Number of inner points over the bound, (n_paths,)."""
    return (paths.figures.identity[:, 1:-1] > max_identity).sum(axis=1)


def _put(paths: Paths, rows: Ints, others: Paths) -> Paths:
    """The paths with some rows replaced."""

    def joined(old: Any, new: Any) -> Any:
        if isinstance(old, Figures):
            pairs = zip(vars(old).values(), vars(new).values(), strict=True)
            return Figures(*(joined(*pair) for pair in pairs))
        changed = old.copy()
        changed[rows] = new
        return changed

    pairs = zip(vars(paths).values(), vars(others).values(), strict=True)
    return Paths(*(joined(*pair) for pair in pairs))

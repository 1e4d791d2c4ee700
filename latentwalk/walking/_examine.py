"""The measurements of a point before its release."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentwalk.neighbors import ExactNeighbors
from latentwalk.utils import map_rows, to_numpy, to_tensor
from latentwalk.utils._torch import check_made
from latentwalk.walking._guides import Guides

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Figures:
    """The measurements of points: arrays of one shape, NaN for what could not be measured."""

    identity: Floats  # highest identity posterior
    label: Floats  # posterior of the path's class
    distance: Floats  # root mean square pixel difference to the nearest real image

    def __getitem__(self, rows: Any) -> Figures:
        return Figures(self.identity[rows], self.label[rows], self.distance[rows])

    def reshape(self, *shape: int) -> Figures:
        """Return the same figures in another shape."""
        return Figures(*(getattr(self, field.name).reshape(shape) for field in fields(self)))


@dataclass(frozen=True)
class Points:
    """Points on paths with their measurements, a row for each point."""

    path: NDArray[np.intp]  # (n,)
    time: Floats  # (n,)
    latent: NDArray[np.float32]  # (n, n_features)
    figures: Figures  # (n,)
    accepted: NDArray[np.bool_]  # (n,)

    def __getitem__(self, rows: Any) -> Points:
        return Points(*(getattr(self, field.name)[rows] for field in fields(self)))

    def __len__(self) -> int:
        return len(self.time)

    @property
    def risk(self) -> Floats:
        """What selection minimises: the identity posterior, or the distance from the middle."""
        identity = self.figures.identity
        return np.where(np.isnan(identity), np.abs(self.time - 0.5), identity)

    def index(self, n_points: int) -> NDArray[np.intp]:
        """Return the nearest of the evenly spaced points of the path, (n,)."""
        return np.rint(self.time * (n_points - 1)).astype(np.intp)

    def joined(self, other: Points) -> Points:
        """Return the rows of both."""
        both = zip(vars(self.figures).values(), vars(other.figures).values(), strict=True)
        return Points(
            np.concatenate([self.path, other.path]),
            np.concatenate([self.time, other.time]),
            np.concatenate([self.latent, other.latent]),
            Figures(*(np.concatenate(pair) for pair in both)),
            np.concatenate([self.accepted, other.accepted]),
        )


@dataclass(frozen=True)
class Bounds:
    """The limits beyond which a point is not released."""

    max_identity: float | None
    duplicate_distance: float

    def accept(self, figures: Figures) -> NDArray[np.bool_]:
        """Return which points may be released; figures that were not measured are not bounded."""
        fit = ~(figures.distance <= self.duplicate_distance)
        if self.max_identity is not None:
            fit &= ~(figures.identity > self.max_identity)
        return fit

    def __str__(self) -> str:
        distance = f"duplicate_distance={self.duplicate_distance}"
        if self.max_identity is None:
            return distance
        return f"max_identity={self.max_identity} and {distance}"

    @property
    def remedy(self) -> str:
        """What to change when too few points are within the bounds."""
        bounded = self.max_identity is not None
        ways = ["max_identity", "identity_weight"] if bounded else []
        return f"Take a larger {', '.join([*ways, 'n_points'])}, or a larger k before the walk"


class Examiner:
    """Measures latents: identity posterior, class posterior, nearest real image.

    Parameters
    ----------
    generator : Generator
        Decodes latents, in float32.
    guides : Guides
        The guides.
    X_real : ndarray of shape (n_real, n_channels, height, width) or None
        Checked real images. They live as long as the examiner, and no fitted attribute holds the
        examiner.
    n_jobs : int or None
        Blocks of batches in parallel.
    verbose : bool or int
        Show a progress bar.
    """

    def __init__(
        self,
        generator: Any,
        guides: Guides,
        X_real: NDArray[Any] | None,
        *,
        n_jobs: int | None = None,
        verbose: bool | int = False,
    ) -> None:
        self.generator, self.guides = generator, guides
        self.n_jobs, self.verbose = n_jobs, verbose
        self.neighbors: ExactNeighbors | None = None
        if X_real is not None:
            rows = to_numpy(to_tensor(X_real.reshape(len(X_real), -1).copy()))
            self.neighbors = ExactNeighbors(rows)

    @property
    def has_real(self) -> bool:
        """Whether nearest distances can be measured."""
        return self.neighbors is not None

    def measure(self, latents: NDArray[np.float32], codes: NDArray[np.intp]) -> Figures:
        """Return the figures of latents (n, n_features) of some classes (n,)."""
        targets = self.guides.targets(codes)
        measured = map_rows(
            self._measure_batch,
            [latents] if targets is None else [latents, targets],
            n_jobs=self.n_jobs,
            batch_size=self.generator.batch_size,
            device=self.generator.device,
            desc="check points",
            verbose=self.verbose,
        )
        return Figures(*measured.T)

    @torch.no_grad()
    def _measure_batch(
        self, latents: NDArray[np.float32], targets: NDArray[np.intp] | None = None
    ) -> Floats:
        """The three figures as columns, (n, 3)."""
        device = self.generator.device
        self.guides.to(device)
        images = check_made(self.generator.render(to_tensor(latents, device)))
        return np.column_stack(
            [self._identity(images), self._label(images, targets), self._distance(images)]
        )

    def _identity(self, images: Tensor) -> Floats:
        phi_id = self.guides.identity
        if phi_id is None:
            return np.full(len(images), np.nan)
        return to_numpy(phi_id.log_proba(images).amax(dim=1).double().exp())

    def _label(self, images: Tensor, targets: NDArray[np.intp] | None) -> Floats:
        phi_class = self.guides.label
        if phi_class is None or targets is None:
            return np.full(len(images), np.nan)
        wanted = torch.as_tensor(targets, device=images.device)[:, None]
        return to_numpy(phi_class.log_proba(images).gather(1, wanted)[:, 0].double().exp())

    def _distance(self, images: Tensor) -> Floats:
        if self.neighbors is None:
            return np.full(len(images), np.nan)
        flat = to_numpy(images.flatten(1))
        return self.neighbors.kneighbors(flat)[0][:, 0] / np.sqrt(flat.shape[1])

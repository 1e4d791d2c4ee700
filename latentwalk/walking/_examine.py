"""What is measured of a point before it may be released."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentwalk.neighbors import ExactNeighbors
from latentwalk.utils import map_batches, to_numpy, to_tensor
from latentwalk.utils._guides import Guide

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Points:
    """Latents on paths with what was measured of them, a row each."""

    path: NDArray[np.intp]
    time: Floats
    latent: NDArray[np.float32]
    identity: Floats
    label: Floats
    distance: Floats
    accepted: NDArray[np.bool_]

    def __getitem__(self, rows: Any) -> Points:
        return Points(*(getattr(self, field.name)[rows] for field in fields(self)))

    def __len__(self) -> int:
        return len(self.time)

    @property
    def risk(self) -> Floats:
        """What points are ranked by: the identity posterior, or else how far from the middle."""
        return np.where(np.isnan(self.identity), np.abs(self.time - 0.5), self.identity)

    def index(self, n_points: int) -> NDArray[np.intp]:
        """Return the nearest of the path's points, (n,)."""
        return np.rint(self.time * (n_points - 1)).astype(np.intp)

    def joined(self, other: Points) -> Points:
        """Return the rows of both."""
        pairs = [(getattr(self, f.name), getattr(other, f.name)) for f in fields(self)]
        return Points(*(np.concatenate(pair) for pair in pairs))


@dataclass(frozen=True)
class Bounds:
    """What makes a point unfit for release."""

    max_identity: float | None
    duplicate_distance: float

    def accept(self, identity: Floats, distance: Floats) -> NDArray[np.bool_]:
        """Return which points may be released; figures that are NaN were not measured."""
        fit = ~(distance <= self.duplicate_distance)
        if self.max_identity is not None:
            fit &= ~(identity > self.max_identity)
        return fit


class Examiner:
    """Measures latents: identity posterior, class posterior, nearest real image.

    Parameters
    ----------
    decode : callable
        Latents (n, n_features) to images in [0, 1].
    identity, label : Guide or None
        The guides.
    X_real : ndarray of shape (n_real, n_channels, height, width) or None
        Checked real images; they live as long as the examiner, which no fitted attribute holds.
    device : torch.device
        Where to work.
    batch_size : int or "auto"
        Images at once.
    verbose : bool or int
        Show a progress bar.
    """

    def __init__(
        self,
        decode: Callable[[Tensor], Tensor],
        identity: Guide | None,
        label: Guide | None,
        X_real: NDArray[Any] | None,
        *,
        device: torch.device,
        batch_size: int | str,
        verbose: bool | int,
    ) -> None:
        self.decode, self.identity, self.label = decode, identity, label
        self.device, self.batch_size, self.verbose = device, batch_size, verbose
        self.neighbors: ExactNeighbors | None = None
        if X_real is not None:
            rows = to_numpy(to_tensor(X_real.reshape(len(X_real), -1).copy()))
            self.neighbors = ExactNeighbors(rows)

    @property
    def has_real(self) -> bool:
        """Whether nearest distances can be measured."""
        return self.neighbors is not None

    def measure(self, latents: NDArray[np.float32], targets: NDArray[np.intp] | None) -> Floats:
        """Return highest identity posterior, class posterior and nearest distance, (n, 3).

        What cannot be measured (no guide, no real images) is NaN. The distance is the root mean
        square difference of pixels in [0, 1] to the nearest real image.
        """

        def rows(part: slice) -> Floats:
            with torch.no_grad():
                images = self.decode(to_tensor(latents[part].copy(), self.device))
                wanted = None if targets is None else targets[part]
                return np.column_stack(
                    [self._identity(images), self._label(images, wanted), self._distance(images)]
                )

        return map_batches(
            rows,
            len(latents),
            batch_size=self.batch_size,
            device=self.device,
            desc="check points",
            verbose=self.verbose,
        )

    def images(self, latents: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what the latents show, (n, n_channels, height, width)."""

        def rows(part: slice) -> NDArray[np.float32]:
            with torch.no_grad():
                return to_numpy(self.decode(to_tensor(latents[part].copy(), self.device)))

        size, device = self.batch_size, self.device
        return map_batches(rows, len(latents), batch_size=size, device=device)

    def _identity(self, images: Tensor) -> Floats:
        if self.identity is None:
            return np.full(len(images), np.nan)
        return to_numpy(self.identity.log_proba(images).amax(dim=1).double().exp())

    def _label(self, images: Tensor, targets: NDArray[np.intp] | None) -> Floats:
        if self.label is None or targets is None:
            return np.full(len(images), np.nan)
        wanted = torch.as_tensor(targets, device=images.device)[:, None]
        return to_numpy(self.label.log_proba(images).gather(1, wanted)[:, 0].double().exp())

    def _distance(self, images: Tensor) -> Floats:
        if self.neighbors is None:
            return np.full(len(images), np.nan)
        flat = to_numpy(images.flatten(1))
        return self.neighbors.kneighbors(flat)[0][:, 0] / np.sqrt(flat.shape[1])

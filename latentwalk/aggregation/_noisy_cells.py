"""What may leave the exact numbers of the cells: noisy numbers, and prototypes made of them."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, isfinite, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from latentwalk.aggregation._fixed_cells import UNIT, CellSums, FixedCells, Integers
from latentwalk.aggregation._gaussian_privacy import add_noise

# Share of mu^2 that pays for the counts. They decide which cells are kept and divide the sums, so
# they need less precision than the sums, which are the prototypes.
COUNT_SHARE = 0.25
# Probability that a kept cell holds fewer than k patients.
K_FAILURE = 0.01


@dataclass(frozen=True)
class NoisyCells:
    """Numbers of patients and sums of offsets, after the noise: everything here may be known.

    Attributes
    ----------
    cells : FixedCells
        The public parts.
    counts : ndarray of int64 of shape (n_classes, n_cells)
        Noisy numbers of patients; they may be negative.
    sums : ndarray of int64 of shape (n_classes, n_cells, n_axes)
        Noisy sums of offsets, in steps of ``cells.radius / 2**20``.
    count_scale, sum_scale : float
        Deviations of the noise of a number, and of a coordinate of a sum in radii.
    """

    cells: FixedCells
    counts: Integers
    sums: Integers
    count_scale: float
    sum_scale: float

    @property
    def margin(self) -> float:
        """What a noisy number must have over k, so that the true one has k."""
        return certainty_margin(self.count_scale)

    def kept(self, k: int) -> NDArray[np.intp]:
        """Return class and cell of each cell that shows k patients, (n_kept, 2)."""
        return np.argwhere(self.counts >= k + self.margin)

    def prototype(self, code: int, cell: int) -> NDArray[np.float32]:
        """Return the centre plus the noisy mean offset, shrunk by what noise alone would give."""
        number = float(self.counts[code, cell])
        offset = self.sums[code, cell] / UNIT * self.cells.radius / number  # (n_axes,)
        variance = (self.cells.radius * self.sum_scale / number) ** 2  # of each coordinate
        squared = max(float(offset @ offset), 1e-300)
        # positive-part James-Stein: lowers the expected squared error from 3 axes on
        shrinkage = max(0.0, 1 - max(len(offset) - 2, 0) * variance / squared)
        centre = self.cells.latents[self.cells.layout(code), cell]
        return (centre + shrinkage * offset @ self.cells.inverse).astype(np.float32)

    def __add__(self, other: NoisyCells) -> NoisyCells:
        """Join the numbers of two sites with the same cells and no patient in common."""
        return NoisyCells(
            self.cells,
            self.counts + other.counts,
            self.sums + other.sums,
            hypot(self.count_scale, other.count_scale),
            hypot(self.sum_scale, other.sum_scale),
        )


def add_cell_noise(
    cells: FixedCells, exact: CellSums, *, mu: float, max_classes: int
) -> NoisyCells:
    """Add the noise that makes exact numbers mu-GDP for a patient.

    Parameters
    ----------
    cells : FixedCells
        The cells.
    exact : CellSums
        Of `count_and_sum`.
    mu : float
        Infinity adds nothing.
    max_classes : int
        Classes to which a patient contributed at most.

    Returns
    -------
    noisy : NoisyCells
        One patient changes c = `max_classes` numbers by 1 and c sums by a radius, so that
        ``mu^2 = c (1 / count_scale^2 + 1 / sum_scale^2)``.
    """
    count_scale, sum_scale = noise_scales(mu, max_classes)
    counts, sums = exact.counts, exact.sums
    if isfinite(mu):
        counts, sums = add_noise(counts, count_scale), add_noise(sums, sum_scale * UNIT)
    return NoisyCells(cells, counts, sums, count_scale, sum_scale)


def noise_scales(mu: float, max_classes: int) -> tuple[float, float]:
    """Return the deviations of the noise of numbers and of sums (in radii); 0 without noise."""
    root = sqrt(max_classes) / mu
    return root / sqrt(COUNT_SHARE), root / sqrt(1 - COUNT_SHARE)


def certainty_margin(count_scale: float) -> float:
    """Return what noise of this deviation stays under with probability 1 - ``K_FAILURE``."""
    return float(norm.ppf(1 - K_FAILURE)) * count_scale

"""Kept cells, their prototypes, and latents that are drawn by them: all after the noise.

Nothing here sees a private number. A prototype is the centre of a cell plus its noisy mean offset.
The prototypes of a class, weighted by their noisy numbers, stand for where its patients lie.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from latentwalk.aggregation._fixed_cells import FixedCells, Floats
from latentwalk.aggregation._noisy_cells import NoisyCells


@dataclass(frozen=True)
class Prototypes:
    """Noisy means of the cells that show k patients.

    Attributes
    ----------
    cells : FixedCells
        The public parts.
    kept : ndarray of int of shape (n_prototypes, 2)
        Class and cell of each.
    latents : ndarray of shape (n_prototypes, n_features)
        Float32.
    numbers : ndarray of int64 of shape (n_prototypes,)
        Noisy numbers of patients.
    """

    cells: FixedCells
    kept: NDArray[np.intp]
    latents: NDArray[np.float32]
    numbers: NDArray[np.int64]

    def nearest(
        self, rows: NDArray[np.float32], codes: NDArray[np.intp] | None
    ) -> NDArray[np.float32]:
        """Return the prototype of each row's cell, else the nearest, in the class if it is known.

        Parameters
        ----------
        rows : ndarray of shape (n_samples, n_features)
            Latents.
        codes : ndarray of int of shape (n_samples,) or None
            Their classes.
        """
        at, places = self.cells.coordinates(rows), self.cells.coordinates(self.latents)
        own = {(code, cell): i for i, (code, cell) in enumerate(self.kept.tolist())}
        chosen = np.empty(len(rows), np.intp)
        for i, point in enumerate(at):
            distances = np.square(places - point).sum(axis=1)
            chosen[i] = distances.argmin()
            if codes is None:
                continue
            code = int(codes[i])
            of_class = np.where(self.kept[:, 0] == code, distances, np.inf).argmin()
            cell = int(self.cells.nearest(point[None], code)[0])
            chosen[i] = own.get((code, cell), of_class)
        return self.latents[chosen]

    def draw(
        self,
        n_samples: int,
        public: NDArray[np.float32],
        contrast: float,
        rng: np.random.RandomState,
    ) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
        """Draw the generator's own samples, those of each class by how well they fit it.

        The class of a row is drawn by the noisy numbers. Its latent is one of the generator's
        samples w, drawn with a probability that is proportional to (p(w | class) / p(w | the other
        classes))^contrast. No sample is drawn twice, unless too few of them have a probability.

        Parameters
        ----------
        n_samples : int
            How many.
        public : ndarray of shape (n_layouts, n_public, n_features)
            Samples of the generator.
        contrast : float
            Exponent of the ratio.
        rng : RandomState
            Draws.

        Returns
        -------
        latents : ndarray of shape (n_samples, n_features)
            Float32.
        codes : ndarray of int of shape (n_samples,)
            Their classes.
        """
        totals = np.bincount(self.kept[:, 0], weights=self.numbers)
        codes = rng.choice(len(totals), size=n_samples, p=totals / totals.sum())
        latents = np.empty((n_samples, public.shape[-1]), np.float32)
        is_free = np.ones(public.shape[:2], bool)  # classes may share a layout
        for code in np.unique(codes).tolist():
            layout, wanted = self.cells.layout(code), np.flatnonzero(codes == code)
            log_weights = contrast * self._log_ratio(public[layout], code)
            chosen = draw_distinct(log_weights, is_free[layout], len(wanted), rng)
            is_free[layout, chosen] = False
            latents[wanted] = public[layout, chosen]
        return latents, codes

    def _log_ratio(self, samples: NDArray[np.float32], code: int) -> Floats:
        """The log of p(w | class) / p(w | other classes), or / p(w) where there is one class."""
        points = (samples - self.cells.mean) @ self.cells.axes.T
        places = self.cells.coordinates(self.latents)
        own = self.kept[:, 0] == code
        if own.all():
            centres = self.cells.centres[self.cells.layout(code)]
            rest = log_mixture(points, centres, np.ones(len(centres)))
        else:
            rest = log_mixture(points, places[~own], self.numbers[~own])
        return log_mixture(points, places[own], self.numbers[own]) - rest


def keep_cells(noisy: NoisyCells, k: int) -> Prototypes:
    """Keep the cells that show k patients through the noise, and place their prototypes.

    Raises
    ------
    ValueError
        When a class has no such cell.

    Warns
    -----
    UserWarning
        When less than half of the cells are kept.
    """
    kept, (n_classes, n_cells) = noisy.kept(k), noisy.counts.shape
    n_lost = n_classes - len(np.unique(kept[:, 0]))
    if n_lost:
        raise ValueError(
            f"no cell of {n_lost} of {n_classes} classes shows {k} patients through the noise (a "
            f"noisy {k + noisy.margin:.1f} is needed); take fewer cells than n_cells={n_cells}, a "
            "smaller k or a larger tolerance. The patients' loss is spent all the same"
        )
    if len(kept) < noisy.counts.size / 2:
        warnings.warn(
            f"{len(kept)} of {noisy.counts.size} cells were kept; fewer cells would keep more "
            "patients",
            stacklevel=5,
        )
    latents = np.array([noisy.prototype(*pair) for pair in kept])
    return Prototypes(noisy.cells, kept, latents, noisy.counts[tuple(kept.T)])


def draw_distinct(
    log_weights: Floats, is_free: NDArray[np.bool_], n: int, rng: np.random.RandomState
) -> NDArray[np.intp]:
    """Draw positions by their weights: distinct free ones, as long as enough have a weight.

    Parameters
    ----------
    log_weights : ndarray of shape (n_positions,)
        Up to a constant.
    is_free : ndarray of bool of shape (n_positions,)
        Positions that were not drawn before.
    n : int
        How many.
    rng : RandomState
        Draws.

    Returns
    -------
    chosen : ndarray of int of shape (n,)
        With repeats, and over all positions, where fewer than n free ones have a weight over 0.
    """
    free = np.where(is_free, log_weights, -np.inf)
    if is_free.any():
        weights = np.exp(free - logsumexp(free))
        if np.count_nonzero(weights) >= n:
            return rng.choice(len(weights), size=n, replace=False, p=weights / weights.sum())
    weights = np.exp(log_weights - logsumexp(log_weights))
    return rng.choice(len(weights), size=n, p=weights / weights.sum())


def log_mixture(points: Floats, places: Floats, numbers: NDArray[np.number]) -> Floats:
    """Return the log density of points, up to a constant, with unit variance around places.

    Parameters
    ----------
    points : ndarray of shape (n_points, n_axes)
        Whitened coordinates.
    places : ndarray of shape (n_places, n_axes)
        Means of the parts of the mixture.
    numbers : ndarray of shape (n_places,)
        Their weights, which need not sum to 1.
    """
    squared = (
        np.square(points).sum(axis=1)[:, None]
        - 2 * points @ places.T
        + np.square(places).sum(axis=1)
    )  # (n_points, n_places)
    shares = numbers / numbers.sum()
    return np.asarray(logsumexp(np.log(shares) - squared / 2, axis=1))

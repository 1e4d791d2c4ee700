"""Cells that no private row moves, and what one patient may add to them.

Everything here but `count_and_sum` is public: it depends on the generator and a public seed. In
the coordinates of the cells the generator's own latents have unit variance in each of `n_axes`
directions. A patient adds 1 to one number and a vector of length at most 1 (in units of `radius`)
to one sum. Sums are kept as integers, in steps of 2^-20 of the radius: they are exact, so that
one patient's share is bounded exactly and the sums of two hospitals are those of their union.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

UNIT = 2**20  # integer steps of a sum in one radius
N_PUBLIC = 10_000  # samples of the generator for each of its classes
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class FixedCells:
    """Cells of the latent space, laid on the generator's own samples.

    Attributes
    ----------
    mean : ndarray of shape (n_features,)
        Of the generator's latents.
    axes : ndarray of shape (n_axes, n_features)
        Orthonormal directions, each divided by the deviation of the latents along it.
    inverse : ndarray of shape (n_axes, n_features)
        Latent steps of one deviation along each axis.
    centres : ndarray of shape (n_layouts, n_cells, n_axes)
        Centres of the cells; a layout for each class of a class-conditional generator, else one.
    latents : ndarray of shape (n_layouts, n_cells, n_features)
        Mean latent of the generator's samples in each cell.
    radius : float
        Length to which a patient's offset from its centre is clipped.
    """

    mean: Floats
    axes: Floats
    inverse: Floats
    centres: Floats
    latents: Floats
    radius: float

    def equals(self, other: FixedCells) -> bool:
        """Return whether all public parts are the same, bit for bit."""
        return all(np.array_equal(value, getattr(other, n)) for n, value in vars(self).items())

    @property
    def n_cells(self) -> int:
        """Cells of a class."""
        return self.centres.shape[1]

    def layout(self, code: int) -> int:
        """Return which layout a class has."""
        return code if len(self.centres) > 1 else 0

    def coordinates(self, W: NDArray[Any]) -> Floats:
        """Return whitened coordinates of latents, (n_samples, n_axes), each row by itself.

        One product for each row: a product of all rows at once may round a row otherwise than
        alone, and a row must depend on nothing but itself.
        """
        return np.array([self.axes @ (row - self.mean) for row in W.astype(np.float64)]).reshape(
            len(W), len(self.axes)
        )

    def nearest(self, coordinates: Floats, code: int) -> NDArray[np.intp]:
        """Return the cell of each row in the layout of a class, (n_samples,)."""
        centres = self.centres[self.layout(code)]
        return np.array(
            [np.square(centres - row).sum(axis=1).argmin() for row in coordinates], np.intp
        )


@dataclass(frozen=True)
class CellSums:
    """Patients of each cell and the sums of their clipped offsets: exact, and private.

    Attributes
    ----------
    counts : ndarray of int64 of shape (n_classes, n_cells)
        Patients.
    sums : ndarray of int64 of shape (n_classes, n_cells, n_axes)
        Offsets from the centres in steps of ``radius / UNIT``.
    """

    counts: Integers
    sums: Integers

    def __add__(self, other: CellSums) -> CellSums:
        return CellSums(self.counts + other.counts, self.sums + other.sums)


def draw_public(generator: Any, seed: int) -> NDArray[np.float32]:
    """Return the generator's own latents, (n_layouts, N_PUBLIC, n_features)."""
    import torch  # k-same without noise does not wait for it

    drawn = []
    for code in range(max(1, generator.n_classes)):
        rng = np.random.RandomState(seed + code)
        z = torch.as_tensor(rng.normal(size=(N_PUBLIC, generator.z_dim)).astype(np.float32))
        if generator.latent_space == "z":
            drawn.append(z.numpy())
            continue
        y = np.full(N_PUBLIC, code) if generator.n_classes else None
        with torch.no_grad():
            w = generator.mapping(z.to(generator.device), y).cpu().numpy()
        repeats = generator.num_ws if generator.latent_space == "w+" else 1
        drawn.append(np.tile(w, repeats))
    return np.stack(drawn)


def lay_cells(generator: Any, *, n_cells: int = 8, n_axes: int = 16, seed: int = 0) -> FixedCells:
    """Lay cells on the generator's own samples.

    Parameters
    ----------
    generator : Generator
        The network; no private row is read.
    n_cells : int, default=8
        Cells of each class.
    n_axes : int, default=16
        Axes that are kept. First come the directions between the means of the generator's
        classes, where it has classes, then its principal axes.
    seed : int, default=0
        Public.

    Returns
    -------
    cells : FixedCells
        Public parts of `DPKSameAggregator`. Sites that add up their numbers must share them.

    Raises
    ------
    ValueError
        When the latents have fewer directions than `n_axes`.
    """
    samples = draw_public(generator, seed).astype(np.float64)
    means = samples.mean(axis=1)  # (n_layouts, n_features)
    mean = means.mean(axis=0)
    basis = _principal_axes(samples - means[:, None], means - mean, n_axes)
    spread = ((samples - mean) @ basis.T).std(axis=(0, 1))  # (n_axes,)
    axes, inverse = basis / spread[:, None], basis * spread[:, None]
    coordinates = (samples - mean) @ axes.T  # (n_layouts, N_PUBLIC, n_axes)
    centres, latents, lengths = [], [], []
    for rows, points in zip(samples, coordinates, strict=True):
        fitted = KMeans(n_cells, n_init=4, random_state=seed).fit(points)
        centres.append(fitted.cluster_centers_)
        latents.append(np.stack([rows[fitted.labels_ == c].mean(axis=0) for c in range(n_cells)]))
        lengths.append(np.linalg.norm(points - fitted.cluster_centers_[fitted.labels_], axis=1))
    return FixedCells(
        mean, axes, inverse, np.stack(centres), np.stack(latents), float(np.median(lengths))
    )


def count_and_sum(
    cells: FixedCells,
    W: NDArray[Any],
    codes: NDArray[np.intp],
    subjects: NDArray[np.intp],
    *,
    n_classes: int,
    max_classes: int,
) -> CellSums:
    """Count the patients of each cell and add up their clipped offsets.

    Parameters
    ----------
    cells : FixedCells
        The cells.
    W : ndarray of shape (n_samples, n_features)
        Latents.
    codes, subjects : ndarray of int of shape (n_samples,)
        Class and patient of each row.
    n_classes : int
        Classes.
    max_classes : int
        Classes to which one patient contributes, the most frequent ones.

    Returns
    -------
    sums : CellSums
        One patient changes at most `max_classes` counts by 1 and as many sums by vectors of a
        length of at most ``UNIT``.
    """
    shape = (n_classes, cells.n_cells)
    counts, sums = np.zeros(shape, np.int64), np.zeros((*shape, len(cells.axes)), np.int64)
    coordinates = cells.coordinates(W)
    for code, rows in counted_rows(codes, subjects, max_classes):
        record = coordinates[rows].mean(axis=0)  # of a patient in a class
        cell = int(cells.nearest(record[None], code)[0])
        counts[code, cell] += 1
        sums[code, cell] += _clip(record - cells.centres[cells.layout(code), cell], cells.radius)
    return CellSums(counts, sums)


def counted_rows(
    codes: NDArray[np.intp], subjects: NDArray[np.intp], max_classes: int
) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Yield the classes in which each patient counts, with the patient's rows of the class."""
    order = np.argsort(subjects, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(subjects[order])) + 1):
        for code in _most_frequent(codes[rows], max_classes):
            yield code, rows[codes[rows] == code]


def check_public(generator: Any, cells: FixedCells | None, n_features: int, n_classes: int) -> None:
    """Raise unless generator, given cells and latents have one width and the same classes.

    Raises
    ------
    ValueError
        For another number of features or classes.
    """
    width, classes = generator.n_latent_features, generator.n_classes
    if width != n_features:
        raise ValueError(f"W has {n_features} features; the generator's latents have {width}")
    if classes and classes != n_classes:
        raise ValueError(
            f"the generator has {classes} classes, y has {n_classes}; pass classes=[...] with the "
            "generator's, in their order"
        )
    if cells is not None and cells.latents.shape[-1] != n_features:
        raise ValueError(
            f"cells are for latents of {cells.latents.shape[-1]} features, W has {n_features}; lay "
            "them with lay_cells(generator) of this generator"
        )


def _principal_axes(residuals: Floats, between: Floats, n_axes: int) -> Floats:
    """Orthonormal directions: between class means first, then of most variance within them."""
    n_features = residuals.shape[-1]
    if n_axes > n_features:
        raise ValueError(f"n_axes={n_axes} is more than the {n_features} latent features")
    _, sizes, directions = np.linalg.svd(between, full_matrices=False)
    first = directions[sizes > 1e-6 * max(sizes.max(), 1e-12)][:n_axes]
    flat = residuals.reshape(-1, n_features)
    flat = flat - (flat @ first.T) @ first
    values, vectors = np.linalg.eigh(flat.T @ flat / len(flat))
    rest = vectors[:, ::-1].T[: n_axes - len(first)]
    if len(rest) and values[::-1][len(rest) - 1] <= 1e-9 * values[-1]:
        raise ValueError(f"n_axes={n_axes} is more than the directions in which the latents vary")
    return np.concatenate([first, rest])


def _most_frequent(codes: NDArray[np.intp], n: int) -> list[int]:
    """The n most frequent classes of a patient; the lower code first where they tie."""
    names, numbers = np.unique(codes, return_counts=True)
    return [int(c) for c in names[np.argsort(-numbers, kind="stable")[:n]]]


def _clip(offset: Floats, radius: float) -> Integers:
    """An offset as integers, of a length of at most UNIT."""
    length = float(np.linalg.norm(offset))
    # a hair under 1, so that rounding cannot carry the length over the bound
    scale = UNIT / radius * min(1.0, radius / max(length, 1e-300)) * (1 - 1e-12)
    clipped = np.trunc(offset * scale).astype(np.int64)  # towards zero: never longer
    if int(clipped @ clipped) > UNIT**2:
        raise RuntimeError("a clipped offset is longer than its bound; please report this")
    return clipped

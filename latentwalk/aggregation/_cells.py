"""The cells of each class: a row lies in its nearest block, and in the nearest power cell there."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from latentwalk.aggregation._blocks import Blocks, coarse_blocks
from latentwalk.aggregation._mdav import mdav
from latentwalk.aggregation._power_diagram import PowerDiagram, power_diagram
from latentwalk.aggregation._subjects import group_means
from latentwalk.neighbors import ExactNeighbors
from latentwalk.utils import progress

MAX_BLOCK = 10_000

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


class ClassCells(NamedTuple):
    """The cells of one class: the centers of its blocks, and a power diagram for each block."""

    centers: Floats  # (n_blocks, n_features)
    sites: tuple[Floats, ...]  # one (n_cells, n_features) a block
    weights: tuple[Floats, ...]  # one (n_cells,) a block

    @property
    def n_cells(self) -> int:
        """The number of cells over all blocks."""
        return sum(map(len, self.weights))

    def nearest(self, X: NDArray[Any]) -> tuple[Floats, Ints]:
        """Return the least power distance of each row, and its cell, numbered over the blocks."""
        block = ExactNeighbors(self.centers).kneighbors(X)[1][:, 0]
        distances, cells = np.empty(len(X)), np.empty(len(X), dtype=np.intp)
        first = np.cumsum([0, *map(len, self.weights)])
        for b in np.unique(block):
            rows = block == b
            search = ExactNeighbors(self.sites[b], weights=self.weights[b])
            distance, cell = search.kneighbors(X[rows])
            distances[rows], cells[rows] = distance[:, 0], cell[:, 0] + first[b]
        return distances, cells


def nearest_cell(classes: list[ClassCells], X: NDArray[Any]) -> Ints:
    """Return the nearest cell of each row over all classes, numbered over the classes."""
    best, cells, first = np.full(len(X), np.inf), np.zeros(len(X), dtype=np.intp), 0
    for one in classes:
        distance, cell = one.nearest(X)
        nearer = distance < best
        best[nearer], cells[nearer] = distance[nearer], cell[nearer] + first
        first += one.n_cells
    return cells


def fit_cells(
    points: list[Floats],
    k: int,
    method: str,
    *,
    n_jobs: int | None,
    random_state: Any,
    verbose: bool | int,
) -> tuple[list[Ints], list[ClassCells]]:
    """Group the points of each class; blocks are independent jobs.

    Parameters
    ----------
    points : list of ndarray of shape (n_points, n_features)
        The distinct points of each class.
    k : int
        The smallest number of points in a group. A class with fewer is one group.
    method : {"power_diagram", "mdav"}
        What forms the groups.
    n_jobs : int or None
        Blocks grouped at the same time, see joblib.
    random_state : int, RandomState or None
        Seeds the blocks and the ties.
    verbose : bool or int
        Show a progress bar.

    Returns
    -------
    labels : list of ndarray of shape (n_points,)
        The cell of each point, numbered within its class.
    cells : list of ClassCells
        The cells of each class.
    """
    rng = check_random_state(random_state)
    blocks = [coarse_blocks(X, k, max_size=MAX_BLOCK, random_state=rng) for X in points]
    n_blocks = sum(len(b.centers) for b in blocks)
    seeds = iter(rng.randint(np.iinfo(np.int32).max, size=n_blocks))
    # a generator: joblib takes the points of a block when it starts, and no copy of all is held
    jobs = (
        delayed(_group)(X[b.labels == i], k, method, next(seeds))
        for X, b in zip(points, blocks, strict=True)
        for i in range(len(b.centers))
    )
    bar = progress(jobs, desc="groups", verbose=verbose, total=n_blocks)
    diagrams = iter(Parallel(n_jobs=n_jobs)(bar))
    joined = [_join(b, [next(diagrams) for _ in b.centers]) for b in blocks]
    return [labels for labels, _ in joined], [cells for _, cells in joined]


def _join(blocks: Blocks, diagrams: list[PowerDiagram]) -> tuple[Ints, ClassCells]:
    """The labels and cells of a class from the power diagrams of its blocks."""
    labels, first = np.empty(len(blocks.labels), dtype=np.intp), 0
    for block, diagram in enumerate(diagrams):
        labels[blocks.labels == block] = diagram.labels + first
        first += len(diagram.weights)
    sites, weights = zip(*((d.sites, d.weights) for d in diagrams), strict=True)
    return labels, ClassCells(blocks.centers, sites, weights)


def _group(X: Floats, k: int, method: str, seed: int) -> PowerDiagram:
    """Cut the points of a block into groups of at least k."""
    if len(X) < 2 * k:
        return _without_weights(X, np.zeros(len(X), dtype=np.intp))
    if method == "mdav":
        return _without_weights(X, mdav(X, k))
    return power_diagram(X, k, random_state=seed)


def _without_weights(X: Floats, labels: Ints) -> PowerDiagram:
    sites = group_means(X, labels)
    return PowerDiagram(labels, sites, np.zeros(len(sites)))

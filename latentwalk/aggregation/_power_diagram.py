"""Groups of at least k with the least squared error: the cells of a power diagram."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from latentwalk.aggregation._linear_programs import assign, separate
from latentwalk.aggregation._mdav import mdav
from latentwalk.aggregation._subjects import group_means
from latentwalk.neighbors import ExactNeighbors

N_CANDIDATES = 20  # nearest sites of each point that the first program may assign it to
# In the first rounds a site is the mean of `width * k` points. The mean of a small group holds on
# to its members. A wider mean lets points move: the error falls by a further 2 to 6 %.
WIDTHS = (2.0, 1.5)
N_OPENED = 5  # edges opened at once for a point that another cell claims
MAX_CUTS = 50  # rounds of opened edges
# Displacement of sites that tie, as a share of the largest deviation of a site. Points that mirror
# each other at two sites tie.
JITTERS = (0.0, 1e-7, 1e-5, 1e-3)

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


class PowerDiagram(NamedTuple):
    """Cells: a point x lies in the cell of the site s_j of least ``|x - s_j|^2 - w_j``."""

    labels: Ints  # (n_points,), the cell of each point that was grouped
    sites: Floats  # (n_cells, n_features), s_j
    weights: Floats  # (n_cells,), w_j, with mean 0


def power_diagram(
    X: ArrayLike,
    k: int,
    *,
    init: ArrayLike | None = None,
    max_iter: int = 1,
    random_state: int | np.random.RandomState | None = None,
) -> PowerDiagram:
    """Group distinct points by the least squared distance to sites, at least k in each group.

    For given sites the best groups of at least k points are the optimum of a transportation
    problem. Its dual variables are the weights of a power diagram, so sites and weights alone
    reproduce the groups. Groups and sites are improved in turn. A site is the mean of its group. In
    the first two rounds it is the mean of the 2k and the 1.5k points nearest to that mean, which
    frees points from the small groups of the start. The error never exceeds that of the start
    (except by the displacement of ties). There are as many groups as `init` has, by default
    ``n_points // k`` groups of k to 2k - 1 points.

    Parameters
    ----------
    X : array-like of shape (n_points, n_features)
        Distinct points, at least k.
    k : int
        The smallest number of points in a group.
    init : array-like of shape (n_points,), default=None
        The groups to start from, numbered from 0, each of at least k; None is `mdav`.
    max_iter : int, default=1
        The largest number of rounds after the first two. The rounds end when the groups no longer
        change. More rounds lower the error by a few tenths of a percent.
    random_state : int, RandomState or None, default=None
        Draws the small displacement of sites that breaks ties; it has no effect without ties.

    Returns
    -------
    diagram : PowerDiagram
        Labels, sites and weights. The labels are the nearest cells of the points, up to points
        so close together that float64 cannot tell their power distances apart.

    Raises
    ------
    ValueError
        For fewer than k points, or a group of `init` under k.
    RuntimeError
        When a linear program does not solve.

    References
    ----------
    F. Aurenhammer, F. Hoffmann and B. Aronov, "Minkowski-type theorems and least-squares
    clustering", Algorithmica 20 (1998). S. Borgwardt, A. Brieden and P. Gritzmann, "An LP-based
    k-means algorithm for balancing weighted point sets", EJOR 263 (2017).

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.aggregation import power_diagram
    >>> X = np.array([[0.0], [1.0], [2.0], [7.0], [8.0]])
    >>> diagram = power_diagram(X, k=2)
    >>> diagram.labels, diagram.sites.ravel()
    (array([1, 1, 1, 0, 0]), array([7.5, 1. ]))
    """
    X = np.asarray(X, dtype=np.float64)
    labels = mdav(X, k) if init is None else _check_init(init, len(X), k)
    rng = check_random_state(random_state)
    if max_iter < 1:
        raise ValueError(f"max_iter={max_iter!r}; expected a positive integer")
    moved = labels
    for width in WIDTHS:
        # these sites are not kept: the first candidates are enough, and no weights are needed
        sites = _wide_means(X, moved, int(width * k))
        points, ends = np.divmod(_candidates(X, sites, moved), len(sites))
        costs = _squared_distances(X, sites, points, ends)
        moved = assign(points, ends, costs / costs.mean(), (len(X), len(sites)), k)
    diagram = _improve(X, moved, k, max_iter, rng)
    if _error(X, diagram.labels) > _error(X, labels):
        diagram = _improve(X, labels, k, max_iter + len(WIDTHS), rng)
    return diagram


def _wide_means(X: Floats, labels: Ints, n_near: int) -> Floats:
    """For each group, the mean of the points nearest to its mean, of any group."""
    means = group_means(X, labels)
    nearest = ExactNeighbors(X).kneighbors(means, min(n_near, len(X)))[1]
    return np.stack([X[points].mean(axis=0) for points in nearest])


def _improve(
    X: Floats, labels: Ints, k: int, max_iter: int, rng: np.random.RandomState
) -> PowerDiagram:
    """Update groups and their means in turn, until the groups stay."""
    for _ in range(max_iter):
        diagram = _optimal_cells(X, group_means(X, labels), labels, k, rng)
        if np.array_equal(diagram.labels, labels):
            break
        labels = diagram.labels
    return diagram


def _error(X: Floats, labels: Ints) -> float:
    """The sum of squared distances to the means of the groups."""
    # sum |x - m|^2 = sum |x|^2 - sum n_j |m_j|^2, and only the last term depends on the groups
    means = group_means(X - X.mean(axis=0), labels)
    return -float(np.bincount(labels) @ np.square(means).sum(axis=1))


def _check_init(init: ArrayLike, n_points: int, k: int) -> Ints:
    labels = np.asarray(init, dtype=np.intp)
    if labels.shape != (n_points,) or labels.min() < 0:
        raise ValueError(f"init has shape {labels.shape}; expected ({n_points},) groups from 0 on")
    if np.bincount(labels).min() < k:
        raise ValueError(f"init has a group of {np.bincount(labels).min()}; k={k} is the least")
    return labels


def _optimal_cells(
    X: Floats, sites: Floats, labels: Ints, k: int, rng: np.random.RandomState
) -> PowerDiagram:
    """The best groups for these sites, and weights that reproduce them.

    Points that mirror each other at two sites tie. Sites in general position leave no ties among
    distinct points. So sites that tie are displaced, as little as necessary.
    """
    if len(sites) == 1:
        return PowerDiagram(np.zeros(len(X), dtype=np.intp), sites, np.zeros(1))
    spread = float(np.abs(sites - sites.mean(axis=0)).max())
    best, fewest = None, len(X) + 1
    for jitter in JITTERS:
        moved = sites + jitter * spread * rng.standard_normal(sites.shape) if jitter else sites
        diagram, n_tied = _cells(X, moved, labels, k)
        if n_tied < fewest:
            best, fewest = diagram, n_tied
        if n_tied == 0:
            break
    if best is None:
        raise RuntimeError("no assignment was found")
    return best


def _cells(X: Floats, sites: Floats, labels: Ints, k: int) -> tuple[PowerDiagram, int]:
    """Solve over the nearest sites of each point, and open any edge that the result violates.

    Returns the diagram and the number of points that tie. For these the nearest cell is another
    one although that edge was open.
    """
    n_sites = len(sites)
    open_edges = _candidates(X, sites, labels)
    for _ in range(MAX_CUTS):
        points, ends = np.divmod(open_edges, n_sites)
        costs = _squared_distances(X, sites, points, ends)
        scale = float(costs.mean())
        assigned = assign(points, ends, costs / scale, (len(X), n_sites), k)
        weights = separate(points, ends, costs / scale, assigned, n_sites)[0] * scale
        cells = ExactNeighbors(sites, weights=weights).kneighbors(X, min(N_OPENED, n_sites))[1]
        wrong = np.flatnonzero(cells[:, 0] != assigned)
        n_open = len(open_edges)
        open_edges = np.union1d(open_edges, wrong[:, None] * n_sites + cells[wrong])
        if len(open_edges) == n_open:
            return PowerDiagram(assigned, sites, weights), len(wrong)
    raise RuntimeError(f"the groups did not settle within {MAX_CUTS} rounds of opened edges")


def _candidates(X: Floats, sites: Floats, labels: Ints) -> Ints:
    """Edges from each point to its nearest sites, as sorted numbers point * n_sites + site.

    Each point keeps the edge to its current site, so the current groups are feasible.
    """
    nearest = ExactNeighbors(sites).kneighbors(X, min(N_CANDIDATES, len(sites)))[1]
    ends = np.column_stack([nearest, labels])
    return np.unique(np.arange(len(X))[:, None] * len(sites) + ends)


def _squared_distances(X: Floats, sites: Floats, points: Ints, ends: Ints) -> Floats:
    """Squared lengths of the edges, by differences, in blocks that fit into memory."""
    squared = np.empty(len(points))
    step = max(1, 2**23 // X.shape[1])
    for start in range(0, len(points), step):
        block = slice(start, start + step)
        difference = X[points[block]] - sites[ends[block]]
        squared[block] = np.einsum("ij,ij->i", difference, difference)
    return squared

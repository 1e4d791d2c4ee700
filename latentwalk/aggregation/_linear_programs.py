"""The two linear programs of a power diagram: the assignment, and the weights that explain it.

Symbols, as in the papers: point i, sites j and a, the cost ``c_ij = |x_i - s_j|^2`` of the edge
(i, j), the weight ``w_j`` of a site. Point i lies in the cell of the site j of least
``c_ij - w_j``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import csr_array

TOLERANCE = 1e-10
LARGEST_MARGIN = 1.0

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


def assign(points: Ints, sites: Ints, costs: Floats, shape: tuple[int, int], k: int) -> Ints:
    """Assign each point to a site at the least total cost, at least k points to each site.

    Minimise ``sum_ij c_ij z_ij`` over ``z_ij >= 0`` where ``sum_j z_ij = 1`` for each point i and
    ``sum_i z_ij >= k`` for each site j. This is a transportation problem: its vertices are
    integral, and a simplex method ends at a vertex, so no point is split.

    Parameters
    ----------
    points, sites : ndarray of shape (n_edges,)
        The edges that are open, sorted by point.
    costs : ndarray of shape (n_edges,)
        The cost of each edge.
    shape : tuple (n_points, n_sites)
    k : int
        The smallest number of points of a site.

    Returns
    -------
    labels : ndarray of shape (n_points,)
        The site of each point.

    Raises
    ------
    RuntimeError
        When no assignment over these edges fills every site.
    """
    n_points, n_sites = shape
    each, ones = np.arange(len(costs)), np.ones(len(costs))
    result = linprog(  # one variable z_ij for each edge
        costs,
        A_eq=csr_array((ones, (points, each)), shape=(n_points, len(costs))),
        b_eq=np.ones(n_points),
        A_ub=csr_array((-ones, (sites, each)), shape=(n_sites, len(costs))),
        b_ub=np.full(n_sites, -float(k)),
        method="highs-ds",
        options={"dual_feasibility_tolerance": TOLERANCE},
    )
    chosen = _solution(result, "assignment") > 0.5
    if not np.array_equal(points[chosen], np.arange(n_points)):
        raise RuntimeError("the assignment program gave no integral vertex")
    return sites[chosen]


def separate(
    points: Ints, sites: Ints, costs: Floats, labels: Ints, n_sites: int
) -> tuple[Floats, float]:
    """Find weights under which the site of each point is the cheapest, by a wide margin.

    Maximise t, at most `LARGEST_MARGIN`, over weights w where ``c_ij - w_j >= c_ia - w_a + t`` for
    each point i of site a and each open edge (i, j). Of all points of a with an edge to j only the
    tightest binds, ``slack_aj = min_i (c_ij - c_ia)``. So the program has a row
    ``w_j - w_a + t <= slack_aj`` for each pair of sites, and not for each edge. Of the weights that
    keep half of the widest margin, those nearest to equal are taken.

    Returns
    -------
    weights : ndarray of shape (n_sites,)
        With mean 0.
    margin : float
        The widest t: positive if the weights tell the site of every point, 0 for ties.
    """
    source, gap = labels[points], costs - own_costs(points, sites, costs, labels)
    other = source != sites
    if not other.any():
        return np.zeros(n_sites), LARGEST_MARGIN
    pair = source[other] * n_sites + sites[other]
    order = np.lexsort((gap[other], pair))
    pair, first = np.unique(pair[order], return_index=True)
    slack = gap[other][order][first]
    each, ones = np.arange(len(pair)), np.ones(len(pair))
    # w_j, w_a and t of each row
    columns = np.concatenate([pair % n_sites, pair // n_sites, np.full(len(pair), n_sites)])
    values = np.concatenate([ones, -ones, ones])
    program = {
        "c": np.append(np.zeros(n_sites), -1.0),
        "A_ub": csr_array((values, (np.tile(each, 3), columns)), shape=(len(pair), n_sites + 1)),
        "b_ub": slack,
        "bounds": [(None, None)] * n_sites + [(None, LARGEST_MARGIN)],
        "options": {"primal_feasibility_tolerance": TOLERANCE},
    }
    result = linprog(**program, method="highs-ipm")
    if result.status != 0:
        # ties leave no interior for this method; the simplex method is slower and needs none
        result = linprog(**program, method="highs-ds")
    margin = float(_solution(result, "weight")[-1])
    weights = _flattest(pair // n_sites, pair % n_sites, slack - min(margin, margin / 2), n_sites)
    return weights - weights.mean(), margin


def _flattest(source: Ints, target: Ints, slack: Floats, n_sites: int) -> Floats:
    """The largest weights of at most 0 with ``w_target <= w_source + slack``.

    A vertex of the program has weights far from 0 wherever no row binds them. Their cells would
    claim points far outside the open edges. Here a weight is lowered only as far as a row asks.
    These are shortest paths from a common source: the algorithm of Bellman and Ford.
    """
    order = np.argsort(target, kind="stable")
    source, target, slack = source[order], target[order], slack[order]
    first = np.flatnonzero(np.diff(target, prepend=-1))
    weights = np.zeros(n_sites)
    for _ in range(n_sites):
        bound = np.minimum.reduceat(weights[source] + slack, first)
        lower = bound < weights[target[first]]
        if not lower.any():
            break
        weights[target[first][lower]] = bound[lower]
    return weights


def own_costs(points: Ints, sites: Ints, costs: Floats, labels: Ints) -> Floats:
    """Return, for each edge, the cost of the site that its point is assigned to."""
    own = sites == labels[points]
    cost = np.full(len(labels), np.nan)
    cost[points[own]] = costs[own]
    return cost[points]


def _solution(result: Any, program: str) -> Floats:
    """The solution, or an error that says how the solver ended."""
    if result.status != 0:
        raise RuntimeError(f"the {program} program ended without a solution: {result.message}")
    return np.asarray(result.x, dtype=np.float64)

"""Exact nearest neighbours: float32 candidates, ranked and proven in float64."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentwalk.neighbors._index import CandidateIndex, LastBuilt, make_index
from latentwalk.neighbors._rows import (
    check_rows,
    check_weights,
    power_of_two_scale,
    row_mean,
    slices,
)

EXTRA_CANDIDATES = 8
# the bound's terms beside the features: rounding the rows, the sums of norms, the lift
ROUNDING_TERMS = 8
UNIT_ROUNDOFF = 2.0**-24
SMALLEST_NORMAL = 2.0**-126
LARGEST = 2.0**50

COPIES = LastBuilt()  # indices of copies that came from elsewhere: a worker gets one with each task

Neighbors = tuple[NDArray[np.float64], NDArray[np.intp]]


class ExactNeighbors:
    """Nearest reference rows in Euclidean or power distance, exact to float64.

    A flat float32 index over the centred references proposes ``n_neighbors + 8`` candidates.
    They are ranked again by differences taken in float64 from the rows as given, so an exact
    duplicate has distance exactly 0, and equal distances are ordered by row number. With u the
    unit roundoff and d the number of features, a float32 squared distance between x and y is off by
    at most about ``(d + 8) u (|x| + |y|)^2``. More candidates are fetched until the last one is
    beyond the k-th distance by at least this much. So the answer is that of a float64 search over
    all rows. It does not depend on faiss's rounding, on threads, or on how queries are batched.

    The references are kept as they are (no copy), besides their float32 copy in the index. A
    process that has searched must not be forked.

    Parameters
    ----------
    references : array-like of shape (n_references, n_features)
        Finite numbers of any real dtype; a memory map is read in blocks.
    weights : array-like of shape (n_references,), default=None
        The weights of a power diagram. Distances are then ``|x - s|^2 - weight``, which is what
        `kneighbors` returns and may be negative.

    Raises
    ------
    ValueError
        For a wrong shape, no rows, or NaN or infinite values.

    References
    ----------
    M. Douze et al., "The Faiss library", arXiv 2401.08281. F. Aurenhammer, "Power diagrams",
    SIAM J. Comput. 16 (1987), for the lift to one more dimension. N. Higham, "Accuracy and
    Stability of Numerical Algorithms", section 3.1, for the bound.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.neighbors import ExactNeighbors
    >>> references = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]])
    >>> distances, indices = ExactNeighbors(references).kneighbors([[0.0, 0.0]], 2)
    >>> distances, indices
    (array([[0., 1.]]), array([[0, 2]]))
    >>> ExactNeighbors(references).kneighbors(references[:1], exclude=[0])
    (array([[1.]]), array([[2]]))
    """

    def __init__(self, references: ArrayLike, *, weights: ArrayLike | None = None) -> None:
        self.references = check_rows(references, "references")
        self.weights = None if weights is None else check_weights(weights, len(self.references))
        self._center = row_mean(self.references)
        self._scale = power_of_two_scale(self.references, self._center)
        self._lift = None if self.weights is None else np.sqrt(self.weights.max() - self.weights)
        self._token = uuid4().hex  # the same in every copy
        self._index = self._build()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_index"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._index = COPIES.get(self._token, self._build)

    def kneighbors(
        self, X: ArrayLike, n_neighbors: int = 1, *, exclude: ArrayLike | None = None
    ) -> Neighbors:
        """Return the nearest references of each row of `X`, nearest first.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)
            Finite numbers; a memory map is read in blocks.
        n_neighbors : int, default=1
            How many, at most the number of references (one less with `exclude`).
        exclude : array-like of int of shape (n_queries,), default=None
            For each query, the row number of a reference that is not returned, such as the query
            itself; -1 excludes none. Equal rows with other numbers are returned.

        Returns
        -------
        distances : ndarray of shape (n_queries, n_neighbors)
            Float64. Euclidean distances, or power distances if `weights` were given.
        indices : ndarray of shape (n_queries, n_neighbors)
            Row numbers of the references; of equal distances, the lowest number first.

        Raises
        ------
        ValueError
            For a wrong shape or width, NaN or infinite values, or too few references.
        """
        X = check_rows(X, "X", self.references.shape[1])
        banned = self._check_exclude(exclude, len(X))
        self._check_n_neighbors(n_neighbors, exclude is not None)
        distances = np.empty((len(X), n_neighbors))
        indices = np.empty((len(X), n_neighbors), dtype=np.intp)
        for rows in slices(len(X), X.shape[1] * 12):
            distances[rows], indices[rows] = self._search(X[rows], n_neighbors, banned[rows])
        return (np.sqrt(distances) if self.weights is None else distances), indices

    def _build(self) -> CandidateIndex:
        index = make_index(self.references.shape[1] + (self._lift is not None))
        for rows in slices(len(self.references), self.references.shape[1] * 12):
            index.add(self._embed(self.references[rows], self._lift, rows))
        return index

    def _embed(
        self, rows: NDArray[Any], lift: NDArray[np.float64] | None, where: slice
    ) -> NDArray[np.float32]:
        """Rows for the index: centred, scaled, and with the lift of the weights."""
        embedded = (rows.astype(np.float64) - self._center) * self._scale
        if self._lift is not None:
            extra = np.zeros(len(rows)) if lift is None else lift[where] * self._scale
            embedded = np.column_stack([embedded, extra])
        # nothing overflows, and a query's distances only shrink: the bound of `_reach` still holds
        return np.clip(embedded, -LARGEST, LARGEST).astype(np.float32)

    def _search(self, X: NDArray[Any], k: int, banned: NDArray[np.intp]) -> Neighbors:
        """Squared (or power) distances and row numbers, candidates added until proven."""
        distances = np.empty((len(X), k))
        indices = np.empty((len(X), k), dtype=np.intp)
        queries = self._embed(X, None, slice(None))
        unproven = np.arange(len(X))
        n_candidates = k + EXTRA_CANDIDATES
        while len(unproven):
            candidates, last = self._propose(queries[unproven], n_candidates)
            best = self._rank(X[unproven], candidates, k, banned[unproven])
            distances[unproven], indices[unproven] = best
            reach = self._reach(queries[unproven], best[0][:, -1])
            unproven = unproven[last <= reach]
            n_candidates *= 4
        return distances, indices

    def _propose(
        self, queries: NDArray[np.float32], n_candidates: int
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Candidates, and the index's squared distance of the last; inf if all rows are in."""
        n_references = len(self.references)
        if n_candidates >= n_references:
            shape = (len(queries), n_references)
            return np.broadcast_to(np.arange(n_references), shape), np.full(len(queries), np.inf)
        squared, candidates = self._index.search(queries, n_candidates)
        return candidates, squared[:, -1].astype(np.float64)

    def _rank(
        self,
        X: NDArray[Any],
        candidates: NDArray[np.intp],
        k: int,
        banned: NDArray[np.intp],
    ) -> Neighbors:
        """The best k candidates of each row, by float64 differences of the rows as given."""
        distances = np.empty((len(X), k))
        indices = np.empty((len(X), k), dtype=np.intp)
        for rows in slices(len(X), candidates.shape[1] * X.shape[1] * 8):
            numbers = candidates[rows]  # (n_rows, n_candidates)
            exact = self._distances(X[rows], numbers)
            exact[numbers == banned[rows, None]] = np.inf
            order = np.lexsort((numbers, exact))[:, :k]  # by distance, then by number
            distances[rows] = np.take_along_axis(exact, order, axis=1)
            indices[rows] = np.take_along_axis(numbers, order, axis=1)
        return distances, indices

    def _distances(self, X: NDArray[Any], candidates: NDArray[np.intp]) -> NDArray[np.float64]:
        exact = np.empty(candidates.shape)
        for columns in slices(candidates.shape[1], X.size * 8):
            difference = self.references[candidates[:, columns]].astype(np.float64)
            difference -= X[:, None, :]
            exact[:, columns] = np.square(difference, out=difference).sum(axis=-1)
        return exact if self.weights is None else exact - self.weights[candidates]

    def _reach(self, queries: NDArray[np.float32], kth: NDArray[np.float64]) -> NDArray[np.float64]:
        """A bound on the index's squared distance of any row that is as near as the k-th.

        A row at distance r of x has a norm of at most |x| + r, so its float32 squared distance is
        at most ``r^2 + error * (2 |x| + r)^2``, which grows with r.
        """
        n_terms = queries.shape[1] + ROUNDING_TERMS
        roundoff = min(n_terms * UNIT_ROUNDOFF, 0.5)
        lifted = kth if self.weights is None else kth + self.weights.max()
        squared = np.maximum(lifted, 0) * self._scale**2
        norm = np.linalg.norm(queries.astype(np.float64), axis=1)
        error = roundoff / (1 - roundoff) * (2 * norm + np.sqrt(squared)) ** 2
        reach: NDArray[np.float64] = squared + error + n_terms * SMALLEST_NORMAL
        return reach

    def _check_n_neighbors(self, n_neighbors: int, excluding: bool) -> None:
        available = len(self.references) - excluding
        if not 1 <= n_neighbors <= available:
            others = " other than the excluded one" if excluding else ""
            raise ValueError(
                f"n_neighbors={n_neighbors!r}; expected 1 to {available}, the references{others}"
            )

    def _check_exclude(self, exclude: ArrayLike | None, n_queries: int) -> NDArray[np.intp]:
        if exclude is None:
            return np.full(n_queries, -1)
        banned = np.asarray(exclude)
        if banned.shape != (n_queries,) or banned.dtype.kind not in "iu":
            raise ValueError(
                f"exclude has shape {banned.shape} and dtype {banned.dtype}; expected integers of "
                f"shape ({n_queries},), a reference for each query or -1"
            )
        if banned.min() < -1 or banned.max() >= len(self.references):
            raise ValueError(
                f"exclude has values in [{banned.min()}, {banned.max()}]; expected -1 to "
                f"{len(self.references) - 1}"
            )
        return banned.astype(np.intp)

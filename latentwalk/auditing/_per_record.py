"""The table with a row for each synthetic record."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentwalk.auditing._cohorts import RealSet
from latentwalk.auditing._nearness import read_chunks
from latentwalk.metrics import conformal_p_values, match_keys
from latentwalk.neighbors import ExactNeighbors

COLUMNS = (
    "member_distance",
    "nearest_member",
    "density_ratio",
    "holdout_distance",
    "collision_p",
    "collision",
    "duplicate",
)
(
    MEMBER_DISTANCE,
    NEAREST_MEMBER,
    DENSITY_RATIO,
    HOLDOUT_DISTANCE,
    COLLISION_P,
    COLLISION,
    DUPLICATE,
) = range(len(COLUMNS))
N_NEAREST = 50


def row_table(
    spaces: dict[str, Any],
    X_syn: NDArray[Any],
    index: ExactNeighbors,
    members: RealSet,
    holdout: RealSet | None,
    fpr: float,
) -> NDArray[np.float64]:
    """Return the table of `PrivacyAuditor.transform`, columns as in `COLUMNS`.

    `spaces` has one feature space, and `index` its members. One chunk of the release is held at a
    time; the table is as if it were searched whole.
    """
    (space,) = spaces
    table = np.full((len(X_syn), len(COLUMNS)), np.nan)
    against = None if holdout is None else AgainstHoldout(space, members, holdout)
    for part, keys, features in read_chunks(spaces, X_syn):
        rows = features[space]
        table[part, : DENSITY_RATIO + 1] = _to_members(index, rows)
        table[part, DUPLICATE] = match_keys(keys, members.keys) >= 0
        if against is not None:
            table[part, HOLDOUT_DISTANCE] = against.distances(rows, part.start)
    if against is not None:
        table[:, COLLISION_P] = against.collision_p_values(len(X_syn))
        table[:, COLLISION] = table[:, COLLISION_P] <= fpr
    return table


def is_flagged(table: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether a synthetic record collides with a member or copies one."""
    flagged: NDArray[np.bool_] = (table[:, [COLLISION, DUPLICATE]] == 1).any(axis=1)
    return flagged


def _to_members(index: ExactNeighbors, rows: NDArray[Any]) -> NDArray[np.float64]:
    """Distance to the nearest member, its row, and the ratio to the typical distance."""
    distances, nearest = index.kneighbors(rows, min(N_NEAREST, len(index.references)))
    typical = 0.5 * distances.mean(axis=1)
    ratio = np.divide(distances[:, 0], typical, out=np.zeros(len(rows)), where=typical > 0)
    return np.column_stack([distances[:, 0], nearest[:, 0], ratio])


class AgainstHoldout:
    """Synthetic records beside held-out ones, and members' nearest beside these, over chunks."""

    def __init__(self, space: str, members: RealSet, holdout: RealSet) -> None:
        self._real = np.concatenate([s.features[space] for s in (members, holdout)])
        self._index = ExactNeighbors(holdout.features[space])
        self._n_members, self._codes = len(members.codes), holdout.codes
        self._nearest = np.full(len(self._real), np.inf), np.zeros(len(self._real), dtype=np.intp)

    def distances(self, rows: NDArray[Any], start: int) -> NDArray[np.float64]:
        """Distances to held-out records of the records that begin at row `start`."""
        distances, nearest = ExactNeighbors(rows).kneighbors(self._real)
        nearer = distances[:, 0] < self._nearest[0]
        self._nearest[0][nearer] = distances[nearer, 0]
        self._nearest[1][nearer] = start + nearest[nearer, 0]
        to_holdout: NDArray[np.float64] = self._index.kneighbors(rows)[0][:, 0]
        return to_holdout

    def collision_p_values(self, n_synthetic: int) -> NDArray[np.float64]:
        """For each synthetic record, the smallest p-value of the members that it is nearest to.

        The p-value of a member's record compares it with the mean over a held-out subject's
        records, which is what one record drawn from each subject gives on average.
        """
        p_values, n = np.ones(n_synthetic), self._n_members
        weights = 1 / np.bincount(self._codes)[self._codes]
        distances, rows = self._nearest
        of_members = _weighted_p_values(distances[:n], distances[n:], weights)
        np.minimum.at(p_values, rows[:n], of_members)
        return p_values


def _weighted_p_values(
    members: NDArray[np.float64], holdout: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Conformal p-values where a subject's records share a weight of one."""
    if (weights == 1).all():
        return conformal_p_values(members, holdout)
    order = np.argsort(holdout)
    reached = np.concatenate([[0.0], np.cumsum(weights[order])])
    as_near = reached[np.searchsorted(holdout[order], members, side="right")]
    p_values: NDArray[np.float64] = (1 + as_near) / (1 + reached[-1])
    return p_values

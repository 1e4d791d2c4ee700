"""What must never be released: rows about single records, and real records next to synthetic ones.

Everything else in this folder gives aggregates. A row for each synthetic record tells an attacker
which records are near to a member (ReconSyn, arXiv 2312.05114).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentwalk.auditing._cohorts import Cohort, Cohorts
from latentwalk.auditing._nearness import read_chunks
from latentwalk.metrics import conformal_p_values, match_keys
from latentwalk.neighbors import ExactNeighbors

N_NEAREST = 50


class Column(IntEnum):
    """The columns of `PrivacyAuditor.transform`, in their order."""

    MEMBER_DISTANCE = 0
    NEAREST_MEMBER = 1
    DENSITY_RATIO = 2
    HOLDOUT_DISTANCE = 3
    COLLISION_P = 4
    COLLISION = 5
    DUPLICATE = 6


COLUMNS = tuple(column.name.lower() for column in Column)


@dataclass(frozen=True)
class NearestMatches:
    """The synthetic records that are nearest to a member, nearest first.

    It holds real records: it must never be released.

    Attributes
    ----------
    synthetic_rows, member_rows : ndarray of shape (n_matches,)
        Rows of the release and of the members.
    distances : ndarray of shape (n_matches,)
        In the auditor's first feature space.
    synthetic, members : ndarray of shape (n_matches, ...)
        The records.
    """

    synthetic_rows: NDArray[Any]
    member_rows: NDArray[Any]
    distances: NDArray[Any]
    synthetic: NDArray[Any]
    members: NDArray[Any]


def row_table(cohorts: Cohorts, X_syn: NDArray[Any], fpr: float) -> NDArray[np.float64]:
    """Return the table of `PrivacyAuditor.transform`, in the first feature space.

    One chunk of the release is held at a time. The table is as if it were searched whole.
    """
    space = next(iter(cohorts.spaces))
    members, holdout = cohorts.members, cohorts.holdout
    table = np.full((len(X_syn), len(Column)), np.nan)
    against = None if holdout is None else AgainstHoldout(space, members, holdout)
    for chunk in read_chunks({space: cohorts.spaces[space]}, X_syn):
        rows = chunk.features[space]
        table[chunk.part, : Column.HOLDOUT_DISTANCE] = _to_members(cohorts.indices[space], rows)
        table[chunk.part, Column.DUPLICATE] = match_keys(chunk.keys, members.keys) >= 0
        if against is not None:
            table[chunk.part, Column.HOLDOUT_DISTANCE] = against.distances(rows, chunk.part.start)
    if against is not None:
        table[:, Column.COLLISION_P] = against.collision_p_values(len(X_syn))
        table[:, Column.COLLISION] = table[:, Column.COLLISION_P] <= fpr
    return table


def member_table(cohorts: Cohorts, fpr: float) -> NDArray[np.float64]:
    """Return the table of the members themselves, each against the others.

    A record is never its own neighbour, as in `sklearn.neighbors.LocalOutlierFactor`. It counts as
    a duplicate where another member equals it.
    """
    space = next(iter(cohorts.spaces))
    members, holdout = cohorts.members, cohorts.holdout
    rows = members.features[space]
    table = np.full((len(rows), len(Column)), np.nan)
    n_near = min(N_NEAREST, len(rows) - 1)
    if n_near:
        others = cohorts.indices[space].kneighbors(rows, n_near, exclude=np.arange(len(rows)))
        table[:, : Column.HOLDOUT_DISTANCE] = _near_columns(*others)
    place, counts = np.unique(members.keys, return_inverse=True, return_counts=True)[1:]
    table[:, Column.DUPLICATE] = counts[place] > 1
    if holdout is not None:
        against = ExactNeighbors(holdout.features[space])
        table[:, Column.HOLDOUT_DISTANCE] = against.kneighbors(rows)[0][:, 0]
        p_values = _left_out_p_values(rows, table, members, holdout.features[space], holdout.codes)
        table[:, Column.COLLISION_P] = p_values
        table[:, Column.COLLISION] = p_values <= fpr
    return table


def _left_out_p_values(
    rows: NDArray[Any],
    table: NDArray[np.float64],
    members: Cohort,
    holdout: NDArray[Any],
    codes: NDArray[np.intp],
) -> NDArray[np.float64]:
    """For each member as if released: the smallest p-value of the members it is nearest to."""
    p_values = np.ones(len(rows))
    if np.isnan(table[:, Column.NEAREST_MEMBER]).any():  # a single member
        return p_values
    to_members = ExactNeighbors(rows).kneighbors(holdout)[0][:, 0]
    weights = 1 / np.bincount(codes)[codes]
    of_members = _weighted_p_values(table[:, Column.MEMBER_DISTANCE], to_members, weights)
    nearest = table[:, Column.NEAREST_MEMBER].astype(np.intp)
    np.minimum.at(p_values, nearest, of_members)
    return p_values


def is_flagged(table: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether a record collides with a member or copies one."""
    flagged: NDArray[np.bool_] = (table[:, [Column.COLLISION, Column.DUPLICATE]] == 1).any(axis=1)
    return flagged


def match_nearest(
    table: NDArray[np.float64], X_syn: NDArray[Any], X: NDArray[Any], n_matches: int
) -> NearestMatches:
    """Return the synthetic records nearest to a member, with that member; each member once."""
    distances = table[:, Column.MEMBER_DISTANCE]
    order = np.argsort(distances, kind="stable")
    nearest = table[order, Column.NEAREST_MEMBER].astype(np.intp)
    order = order[np.sort(np.unique(nearest, return_index=True)[1])][:n_matches]
    nearest = table[order, Column.NEAREST_MEMBER].astype(np.intp)
    return NearestMatches(order, nearest, distances[order], X_syn[order], X[nearest])


def _to_members(index: ExactNeighbors, rows: NDArray[Any]) -> NDArray[np.float64]:
    return _near_columns(*index.kneighbors(rows, min(N_NEAREST, len(index.references))))


def _near_columns(distances: NDArray[np.float64], nearest: NDArray[np.intp]) -> NDArray[np.float64]:
    """Distance to the nearest member, its row, and the ratio to the typical distance."""
    typical = 0.5 * distances.mean(axis=1)  # Carlini et al.: alpha = 0.5, n = 50
    ratio = np.divide(distances[:, 0], typical, out=np.zeros(len(distances)), where=typical > 0)
    return np.column_stack([distances[:, 0], nearest[:, 0], ratio])


class AgainstHoldout:
    """Synthetic records beside held-out ones, and members' nearest beside these, over chunks."""

    def __init__(self, space: str, members: Cohort, holdout: Cohort) -> None:
        self._real = np.concatenate([s.features[space] for s in (members, holdout)])
        self._index = ExactNeighbors(holdout.features[space])
        self._n_members, self._codes = len(members), holdout.codes
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

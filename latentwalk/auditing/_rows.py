"""The table with a row for each synthetic record."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentwalk.auditing._sets import RealSet
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
N_NEAREST = 50


def row_table(
    rows: NDArray[Any],
    keys: NDArray[np.bytes_],
    nearest_members: tuple[NDArray[np.float64], NDArray[np.intp]],
    members: RealSet,
    holdout: RealSet | None,
    fpr: float,
) -> NDArray[np.float64]:
    """Return the table of `PrivacyAuditor.transform`, columns as in `COLUMNS`."""
    distances, nearest = nearest_members
    space = next(iter(members.features))
    typical = 0.5 * distances.mean(axis=1)
    ratio = np.divide(distances[:, 0], typical, out=np.zeros(len(rows)), where=typical > 0)
    collision_p = holdout_distance = collision = np.full(len(rows), np.nan)
    if holdout is not None:
        held_out = holdout.features[space]
        holdout_distance = ExactNeighbors(held_out).kneighbors(rows)[0][:, 0]
        collision_p = collision_p_values(rows, members.features[space], held_out, holdout.codes)
        collision = (collision_p <= fpr).astype(float)
    duplicate = match_keys(keys, members.keys) >= 0
    return np.column_stack(
        [distances[:, 0], nearest[:, 0], ratio, holdout_distance, collision_p, collision, duplicate]
    )


def collision_p_values(
    rows: NDArray[Any],
    members: NDArray[Any],
    holdout: NDArray[Any],
    codes_holdout: NDArray[np.intp],
) -> NDArray[np.float64]:
    """For each synthetic record, the smallest p-value of the members that it is nearest to.

    The p-value of a member's record compares it with the mean over a held-out subject's records,
    which is what one record drawn from each subject gives on average.
    """
    index = ExactNeighbors(rows)
    distances, nearest = index.kneighbors(members)
    held_out = index.kneighbors(holdout)[0][:, 0]
    p_values = np.ones(len(rows))
    weights = 1 / np.bincount(codes_holdout)[codes_holdout]
    np.minimum.at(p_values, nearest[:, 0], _weighted_p_values(distances[:, 0], held_out, weights))
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

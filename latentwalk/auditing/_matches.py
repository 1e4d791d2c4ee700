"""Synthetic records beside the real ones that they are nearest to. Internal use only."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentwalk.auditing._per_record import MEMBER_DISTANCE, NEAREST_MEMBER


class NearestMatches(NamedTuple):
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


def match_nearest(
    table: NDArray[np.float64], X_syn: NDArray[Any], X: NDArray[Any], n_matches: int
) -> NearestMatches:
    """Return the records of the rows of `PrivacyAuditor.transform` that are nearest to a member."""
    distances = table[:, MEMBER_DISTANCE]
    order = np.argsort(distances, kind="stable")[:n_matches]
    nearest = table[order, NEAREST_MEMBER].astype(np.intp)
    return NearestMatches(order, nearest, distances[order], X_syn[order], X[nearest])

"""Synthetic records beside the real ones that they are nearest to. Internal use only."""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray


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

"""How near a release comes to the real records, chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import gen_batches

from latentwalk.auditing._cohorts import RealSet
from latentwalk.auditing._spaces import extract
from latentwalk.metrics import exposure, row_keys

CHUNK_VALUES = 2**25


class Nearness(NamedTuple):
    """What the audit needs of a release.

    Attributes
    ----------
    exposures : dict of str to ndarray of shape (n_members + n_holdout,)
        By feature space: distances of the real records, members first, to the nearest synthetic.
        Empty without held-out records.
    mean_minimum : dict of str to float
        By feature space: mean distance of the synthetic records to the nearest member.
    keys : ndarray of shape (n_synthetic,)
        Equal for equal records.
    """

    exposures: dict[str, NDArray[np.float64]]
    mean_minimum: dict[str, float]
    keys: NDArray[np.bytes_]


class Chunk(NamedTuple):
    """Consecutive records of a release: where they are, their keys, their features by space."""

    part: slice
    keys: NDArray[np.bytes_]
    features: dict[str, NDArray[Any]]


def read_chunks(spaces: dict[str, Any], X_syn: NDArray[Any]) -> Iterator[Chunk]:
    """Yield a release, such as a memory map, in parts whose features fit into memory."""
    for part in gen_batches(len(X_syn), max(1, CHUNK_VALUES // prod(X_syn.shape[1:]))):
        rows = np.asarray(X_syn[part])
        yield Chunk(part, row_keys(rows), extract(spaces, rows, "X_syn"))


def measure_nearness(
    spaces: dict[str, Any],
    X_syn: NDArray[Any],
    indices: dict[str, Any],
    members: RealSet,
    holdout: RealSet | None,
) -> Nearness:
    """Return how near the release comes, holding the features of one chunk at a time.

    Parameters
    ----------
    spaces : dict of str to transformer or None
        The feature spaces.
    X_syn : ndarray of shape (n_synthetic, ...)
        The release; a memory map is read by chunks.
    indices : dict of str to ExactNeighbors
        Of the members, by feature space.
    members, holdout : RealSet
        The real records.

    Returns
    -------
    nearness : Nearness
        As if the release were searched whole.
    """
    real = {}
    if holdout is not None:
        real = {s: np.concatenate([members.features[s], holdout.features[s]]) for s in spaces}
    exposures = {s: np.full(len(rows), np.inf) for s, rows in real.items()}
    sums, keys = dict.fromkeys(spaces, 0.0), []
    for chunk in read_chunks(spaces, X_syn):
        keys.append(chunk.keys)
        for space, rows in chunk.features.items():
            sums[space] += float(indices[space].kneighbors(rows)[0].sum())
            if space in real:
                np.minimum(exposures[space], exposure(real[space], rows), out=exposures[space])
    means = {space: total / len(X_syn) for space, total in sums.items()}
    return Nearness(exposures, means, np.concatenate(keys))

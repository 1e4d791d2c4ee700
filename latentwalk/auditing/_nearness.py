"""How near a release comes to the real records, chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import gen_batches

from latentwalk.auditing._cohorts import Cohorts
from latentwalk.auditing._spaces import extract
from latentwalk.metrics import exposure, row_keys

CHUNK_VALUES = 2**25


@dataclass(frozen=True)
class Nearness:
    """What the audit needs of a release.

    Attributes
    ----------
    exposures : dict of str to ndarray of shape (n_members + n_holdout,)
        By feature space: distances of the real records, members first, to the nearest synthetic
        record. Empty without held-out records.
    mean_minimum : dict of str to float
        By feature space: mean distance of the synthetic records to the nearest member.
    keys : ndarray of shape (n_synthetic,)
        Equal for equal records.
    """

    exposures: dict[str, NDArray[np.float64]]
    mean_minimum: dict[str, float]
    keys: NDArray[np.bytes_]


@dataclass(frozen=True)
class Chunk:
    """Consecutive records of a release: where they are, their keys, their features by space."""

    part: slice
    keys: NDArray[np.bytes_]
    features: dict[str, NDArray[Any]]


def read_chunks(spaces: dict[str, Any], X_syn: NDArray[Any]) -> Iterator[Chunk]:
    """Yield a release, such as a memory map, in parts whose features fit into memory."""
    for part in gen_batches(len(X_syn), max(1, CHUNK_VALUES // prod(X_syn.shape[1:]))):
        rows = np.asarray(X_syn[part])
        yield Chunk(part, row_keys(rows), extract(spaces, rows, "X_syn"))


def measure_nearness(cohorts: Cohorts, X_syn: NDArray[Any]) -> Nearness:
    """Return how near the release comes, as if it were searched whole.

    The features of one chunk are held at a time.
    """
    spaces = cohorts.spaces
    real = {} if cohorts.holdout is None else {s: cohorts.real(s) for s in spaces}
    exposures = {s: np.full(len(rows), np.inf) for s, rows in real.items()}
    sums, keys = dict.fromkeys(spaces, 0.0), []
    for chunk in read_chunks(spaces, X_syn):
        keys.append(chunk.keys)
        for space, rows in chunk.features.items():
            sums[space] += float(cohorts.indices[space].kneighbors(rows)[0].sum())
            if space in real:
                np.minimum(exposures[space], exposure(real[space], rows), out=exposures[space])
    means = {space: total / len(X_syn) for space, total in sums.items()}
    return Nearness(exposures, means, np.concatenate(keys))

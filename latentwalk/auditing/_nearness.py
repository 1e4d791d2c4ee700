"""Reading a release chunk by chunk: its features, its keys, and how near it comes to members."""

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
from latentwalk.metrics import row_keys

CHUNK_VALUES = 2**25
N_NEAREST = 50


@dataclass(frozen=True, eq=False)
class Chunk:
    """Consecutive records of a release: where they are, their keys, their features by space."""

    part: slice
    records: NDArray[Any]
    keys: NDArray[np.bytes_]
    features: dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Nearness:
    """How near the synthetic records come to the members.

    Attributes
    ----------
    mean_minimum : dict of str to float
        By feature space: mean distance of the synthetic records to the nearest member.
    distances : ndarray of shape (n_synthetic, 50)
        In the first space: to the nearest members, the nearest first.
    keys : ndarray of shape (n_synthetic,)
        Equal for equal records.
    """

    mean_minimum: dict[str, float]
    distances: NDArray[np.float64]
    keys: NDArray[np.bytes_]


def chunk_length(X_syn: NDArray[Any], width: int = 0) -> int:
    """Return how many records of at most `width` features are read at a time."""
    return max(1, CHUNK_VALUES // max(width, prod(X_syn.shape[1:])))


def read_chunks(spaces: dict[str, Any], X_syn: NDArray[Any], width: int = 0) -> Iterator[Chunk]:
    """Yield a release, such as a memory map, in parts whose features fit into memory."""
    for part in gen_batches(len(X_syn), chunk_length(X_syn, width)):
        rows = np.asarray(X_syn[part])
        yield Chunk(part, rows, row_keys(rows), extract(spaces, rows, "X_syn"))


class NearnessReader:
    """Measures `Nearness` while a release is read."""

    def __init__(self, cohorts: Cohorts) -> None:
        self._indices = cohorts.indices
        self._first = next(iter(cohorts.spaces))
        self._sums = dict.fromkeys(cohorts.spaces, 0.0)
        self._keys: list[NDArray[np.bytes_]] = []
        self._distances: list[NDArray[np.float64]] = []

    def read(self, chunk: Chunk) -> None:
        """Take consecutive records."""
        self._keys.append(chunk.keys)
        for space, rows in chunk.features.items():
            index = self._indices[space]
            k = min(N_NEAREST, len(index.references)) if space == self._first else 1
            distances = index.kneighbors(rows, k)[0]
            self._sums[space] += float(distances[:, 0].sum())
            if space == self._first:
                self._distances.append(distances)

    def finish(self) -> Nearness:
        """Return what was measured, as if the release had been searched whole."""
        keys = np.concatenate(self._keys)
        means = {space: total / len(keys) for space, total in self._sums.items()}
        return Nearness(means, np.concatenate(self._distances), keys)

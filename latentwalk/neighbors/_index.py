"""The search for candidates: a flat faiss index, or scikit-learn's brute force."""

from __future__ import annotations

import sys
import warnings
from collections import OrderedDict
from collections.abc import Callable
from contextlib import nullcontext
from functools import cache
from threading import Lock
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits


class CandidateIndex(Protocol):
    """Squared distances in float32 arithmetic or better, and row numbers, nearest first."""

    def add(self, block: NDArray[np.float32]) -> None:
        """Append rows."""

    def search(
        self, X: NDArray[np.float32], k: int
    ) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
        """Return arrays of shape (n_queries, k)."""


class FaissIndex:
    """`IndexFlatL2`, filled in blocks of rows."""

    def __init__(self, faiss: ModuleType, n_features: int) -> None:
        self._index = faiss.IndexFlatL2(n_features)

    def add(self, block: NDArray[np.float32]) -> None:
        """Append rows."""
        self._index.add(block)

    def search(
        self, X: NDArray[np.float32], k: int
    ) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
        """Return squared distances and row numbers."""
        # two OpenMP runtimes in one process (torch's and faiss's) crash on macOS unless one thread
        with threadpool_limits(limits=1) if sys.platform == "darwin" else nullcontext():
            distances, indices = self._index.search(X, k)
        return distances, indices


class SklearnIndex:
    """Brute force by scikit-learn, if faiss cannot be imported."""

    def __init__(self) -> None:
        self._blocks: list[NDArray[np.float32]] = []
        self._model: Any = None

    def add(self, block: NDArray[np.float32]) -> None:
        """Append rows."""
        self._blocks.append(block)

    def search(
        self, X: NDArray[np.float32], k: int
    ) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
        """Return squared distances and row numbers."""
        if self._model is None:
            self._blocks = [np.concatenate(self._blocks)]
            model = NearestNeighbors(algorithm="brute", metric="sqeuclidean")
            self._model = model.fit(self._blocks[0])
        distances, indices = self._model.kneighbors(X, k)
        return distances, indices


class LastBuilt:
    """The last few indices that were built in this process, by the token of what they index."""

    def __init__(self, size: int = 2) -> None:
        self.size = size
        self._lock, self._built = Lock(), OrderedDict[str, CandidateIndex]()

    def get(self, token: str, build: Callable[[], CandidateIndex]) -> CandidateIndex:
        """Return the index of a token, built when it is not among the last ones."""
        with self._lock:
            if token not in self._built:
                self._built[token] = build()
            self._built.move_to_end(token)
            while len(self._built) > self.size:
                self._built.popitem(last=False)
            return self._built[token]


def make_index(n_features: int) -> CandidateIndex:
    """Return an empty index of faiss, or of scikit-learn if faiss cannot be imported."""
    faiss = import_faiss()
    return SklearnIndex() if faiss is None else FaissIndex(faiss, n_features)


@cache
def import_faiss() -> ModuleType | None:
    """Return faiss, imported late to keep `import latentwalk` light, or None after one warning."""
    try:
        with warnings.catch_warnings():
            # its SWIG types lack __module__, which newer Pythons deprecate
            warnings.simplefilter("ignore", DeprecationWarning)
            import faiss
    except ImportError as error:
        warnings.warn(
            f"faiss does not import ({error}); nearest neighbours are found with scikit-learn: "
            "the same answers, about half as fast",
            stacklevel=2,
        )
        return None
    return faiss

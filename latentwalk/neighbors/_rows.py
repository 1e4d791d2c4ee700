"""Rows of features, checked and read in blocks that fit into memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

CHUNK_BYTES = 2**26


def slices(n_rows: int, row_bytes: int) -> Iterator[slice]:
    """Consecutive slices of about `CHUNK_BYTES`."""
    step = max(1, CHUNK_BYTES // max(row_bytes, 1))
    return (slice(start, start + step) for start in range(0, n_rows, step))


def check_rows(X: ArrayLike, name: str, n_features: int | None = None) -> NDArray[Any]:
    """X as a 2-D array of finite numbers, not copied."""
    X = np.asarray(X)
    wanted = "n_features" if n_features is None else n_features
    if X.ndim != 2 or 0 in X.shape or (n_features is not None and X.shape[1] != n_features):
        raise ValueError(
            f"{name} has shape {X.shape}; expected (n_samples, {wanted}) with at least one row"
        )
    if X.dtype.kind not in "fiub":
        raise ValueError(f"{name} has dtype {X.dtype}; expected real numbers")
    if X.dtype.kind == "f":
        for rows in slices(len(X), X.shape[1] * X.itemsize):
            if not np.isfinite(X[rows]).all():
                raise ValueError(f"{name} contains NaN or infinite values")
    return X


def check_weights(weights: ArrayLike, n_references: int) -> NDArray[np.float64]:
    """Weights as float64, a finite number for each reference."""
    weights = np.asarray(weights, dtype=np.float64)
    if weights.shape != (n_references,) or not np.isfinite(weights).all():
        raise ValueError(
            f"weights has shape {weights.shape}; expected ({n_references},), a finite number for "
            "each reference"
        )
    return weights


def row_mean(X: NDArray[Any]) -> NDArray[np.float64]:
    """The mean row, summed in float64 and in blocks."""
    total = np.zeros(X.shape[1])
    for rows in slices(len(X), X.shape[1] * 8):
        total += X[rows].sum(axis=0, dtype=np.float64)
    return total / len(X)


def power_of_two_scale(X: NDArray[Any], center: NDArray[np.float64]) -> float:
    """A power of two that brings the largest deviation near 1, out of float32's extremes."""
    largest = max(float(np.abs(X[rows] - center).max()) for rows in slices(len(X), X.shape[1] * 8))
    return 2.0 ** -np.frexp(largest)[1] if largest > 0 else 1.0

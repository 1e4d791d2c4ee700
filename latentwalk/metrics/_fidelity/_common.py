"""Shared by the measures of fidelity: their direction, and the checks of features."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ParamSpec, Protocol, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array

P = ParamSpec("P")
Features = NDArray[np.float64]
CHUNK_VALUES = 2**23
FEW_ROWS = 300


class SmallSampleWarning(UserWarning):
    """The sample is too small for a reliable figure."""


class Metric(Protocol[P]):
    """A measure that knows its direction."""

    __name__: str
    higher_is_better: bool

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> float:
        """Return the measure."""


def directed(*, higher_is_better: bool) -> Callable[[Callable[P, float]], Metric[P]]:
    """Decorate a measure with its direction."""

    def mark(function: Callable[P, float]) -> Metric[P]:
        function.higher_is_better = higher_is_better  # type: ignore[attr-defined]
        return cast(Metric[P], function)

    return mark


def check_features(X: ArrayLike, name: str, min_samples: int = 2) -> Features:
    """X as finite float64 of shape (n_samples, n_features)."""
    checked: Features = check_array(
        X, dtype=np.float64, ensure_min_samples=min_samples, input_name=name
    )
    return checked


def check_pair(
    X_syn: ArrayLike, X_real: ArrayLike, min_syn: int = 1, min_real: int = 2
) -> tuple[Features, Features]:
    """Synthetic and real features of the same width."""
    synthetic = check_features(X_syn, "X_syn", min_syn)
    real = check_features(X_real, "X_real", min_real)
    check_width(synthetic, "X_syn", real)
    return synthetic, real


def check_width(X: NDArray[Any], name: str, real: NDArray[Any]) -> None:
    """Raise unless `X` has the features of the real rows."""
    if X.shape[1] != real.shape[1]:
        raise ValueError(
            f"{name} has {X.shape[1]} features a row, X_real has {real.shape[1]}; both are needed "
            "from the same features"
        )


def check_n_neighbors(n_neighbors: int, n_samples: int, name: str) -> None:
    """Raise unless each row has that many others."""
    if not 1 <= n_neighbors < n_samples:
        raise ValueError(
            f"n_neighbors={n_neighbors!r}; expected 1 to {n_samples - 1}, the other rows of {name}"
        )


def row_blocks(n_rows: int, width: int) -> Iterator[slice]:
    """Consecutive slices of rows whose blocks of `width` columns fit into memory."""
    step = max(1, CHUNK_VALUES // max(width, 1))
    return (slice(start, start + step) for start in range(0, n_rows, step))

"""The rows of each class, and which classes are too small for groups of k."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import type_of_target

from latentwalk.utils import check_class_sizes, check_targets

Ints = NDArray[np.intp]


class Classes(NamedTuple):
    """The classes that are grouped, and those left out; no targets where there is no y."""

    rows: list[Ints]
    targets: NDArray[Any] | None
    dropped: NDArray[Any] | None


def split_classes(y: Any, subjects: Ints, k: int, *, drop: bool) -> Classes:
    """Return the rows of each class of at least k distinct subjects.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or None
        Class labels; None is one class.
    subjects : ndarray of shape (n_samples,)
        The subject of each row.
    k : int
        The fewest subjects of a class.
    drop : bool
        Leave smaller classes out instead of raising.

    Returns
    -------
    classes : Classes

    Raises
    ------
    ValueError
        For missing or continuous labels, or for classes of fewer than k subjects: all of them
        where `drop`.
    """
    y = check_targets(y, len(subjects))
    why = f"for groups of k={k}"
    if y is None:
        check_class_sizes(None, subjects, k, why=why)
        return Classes([np.arange(len(subjects))], None, None)
    _check_labels(y)
    if not drop:
        hint = f"{why}; lower k, or leave such classes out with small_classes='drop'"
        check_class_sizes(y, subjects, k, why=hint)
    targets = np.unique(y)
    rows = [np.flatnonzero(y == target) for target in targets]
    large = np.array([len(np.unique(subjects[r])) >= k for r in rows])
    if not large.any():
        check_class_sizes(y, subjects, k, why=f"{why}; no class is left")
    kept = [r for r, enough in zip(rows, large, strict=True) if enough]
    return Classes(kept, targets[large], targets[~large])


def _check_labels(y: NDArray[Any]) -> None:
    """Raise for labels that are missing or are no classes."""
    if y.dtype.kind == "O" and any(label is None or label != label for label in y.tolist()):
        raise ValueError("y has missing labels; every row needs one")
    if type_of_target(y, input_name="y").startswith("continuous"):
        raise ValueError("y has continuous values; expected class labels: bin them, or pass y=None")

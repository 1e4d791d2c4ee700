"""What must hold of the groups however they were made: checked at the end of every fit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.intp]


def count_subjects(labels: Ints, subjects: Ints) -> Ints:
    """Return the number of distinct subjects of each group."""
    pairs = np.unique(np.column_stack([labels, subjects]), axis=0)
    return np.bincount(pairs[:, 0], minlength=int(labels.max()) + 1)


def check_guarantees(
    labels: Ints, rows: list[Ints], subjects: Ints, units: list[Ints], k: int
) -> None:
    """Raise unless every group may stand for its subjects.

    Parameters
    ----------
    labels : ndarray of shape (n_samples,)
        The group of each row.
    rows : list of ndarray
        The rows of each class.
    subjects : ndarray of shape (n_samples,)
        The subject of each row.
    units : list of ndarray
        For each class, the unit of each of its rows: what shares a subject or an exact copy.
    k : int
        The smallest number of distinct subjects in a group.

    Raises
    ------
    RuntimeError
        When a group has fewer than k subjects or rows of two classes, a subject's rows of one
        class are in two groups, or a group has 2k units or more.
    """
    _require(int(labels.min()) == 0, "a row has no group")
    sizes, end = count_subjects(labels, subjects), 0
    for members, unit in zip(rows, units, strict=True):
        first, end = end, int(labels[members].max()) + 1
        _require(labels[members].min() == first, "a row has another class's group")
        _require(sizes[first:end].min() >= k, f"a group has fewer than {k} subjects")
        for one in (subjects[members], unit):
            pairs = np.unique(np.column_stack([one, labels[members]]), axis=0)
            _require(len(pairs) == len(np.unique(one)), "a subject or copy is in two groups")
        n_units = np.bincount(pairs[:, 1] - first)
        _require(n_units.max() < 2 * k, f"a group has {2 * k} subjects or more")
        _require(n_units.min() >= min(k, len(np.unique(unit))), f"a group has fewer than {k} rows")
    _require(sum(map(len, rows)) == len(labels), "a row is in no class")
    _require(len(sizes) == end, "a group has no rows")


def _require(holds: bool | np.bool_, broken: str) -> None:
    if not holds:
        raise RuntimeError(f"the grouping broke its guarantee: {broken}; please report this")

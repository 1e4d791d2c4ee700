"""The rows of each class, and the check that no class is too small for a group of k."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import type_of_target

from latentwalk.utils import check_class_sizes, check_targets

Ints = NDArray[np.intp]


class Classes(NamedTuple):
    """The rows of each class, and the classes; no targets without y."""

    rows: list[Ints]
    targets: NDArray[Any] | None


def split_classes(y: Any, subjects: Ints, k: int) -> Classes:
    """Return the rows of each class.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or None
        Class labels; None is one class.
    subjects : ndarray of shape (n_samples,)
        The subject of each row.
    k : int
        The smallest number of subjects in a class.

    Returns
    -------
    classes : Classes

    Raises
    ------
    ValueError
        For missing or continuous labels, or a class of fewer than k distinct subjects.
    """
    y = check_targets(y, len(subjects))
    why = f"for a group of k={k}, and twice as many for a path of GuidedWalker"
    if y is None:
        check_class_sizes(None, subjects, k, why=f"{why}; lower k")
        return Classes([np.arange(len(subjects))], None)
    if type_of_target(y, input_name="y").startswith("continuous"):
        raise ValueError("y has continuous values; expected class labels: bin them, or pass y=None")
    check_class_sizes(
        y, subjects, k, why=f"{why}; lower k, join classes, or leave their rows out before the run"
    )
    targets = np.unique(y)
    return Classes([np.flatnonzero(y == target) for target in targets], targets)


def list_classes(classes: Any, y: Any) -> NDArray[Any]:
    """Return the public list of classes: as given, else those of y; a single 0 without y.

    Raises
    ------
    ValueError
        For missing or continuous labels, or a list that is empty, not flat, or names a class twice.
    """
    if classes is None:
        if y is None:
            return np.array([0])
        targets = check_targets(y, len(y))
        if type_of_target(targets, input_name="y").startswith("continuous"):
            raise ValueError("y has continuous values; expected class labels: bin them, or y=None")
        return np.unique(np.asarray(targets))
    listed = np.asarray(classes)
    if listed.ndim != 1 or not 0 < len(listed) == len(set(listed.tolist())):
        raise ValueError(
            f"classes has shape {listed.shape}; expected a flat list that names each class once"
        )
    return listed


def encode_classes(y: Any, classes: NDArray[Any], n_samples: int) -> NDArray[np.intp]:
    """Return the position of each row's class in a public list; 0 for every row without y.

    Raises
    ------
    ValueError
        For classes that are not listed, without naming them.
    """
    targets = check_targets(y, n_samples)
    if targets is None:
        return np.zeros(n_samples, np.intp)
    positions = {name: code for code, name in enumerate(classes.tolist())}
    n_unknown = len(set(targets.tolist()) - set(positions))
    if n_unknown:
        raise ValueError(f"y has {n_unknown} classes that are not in classes; list them all")
    return np.array([positions[name] for name in targets.tolist()], np.intp)

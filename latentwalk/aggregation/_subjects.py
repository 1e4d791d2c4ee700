"""Subjects as points: the rows of a subject move together, and so do subjects who share a row.

Such a set of subjects is called a unit. One point stands for it, whatever its number of rows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components


class Units(NamedTuple):
    """The unit of each row, and the point of each unit."""

    labels: NDArray[np.intp]  # (n_rows,), the unit of each row
    points: NDArray[np.float64]  # (n_units, n_features)


def group_means(X: NDArray[Any], labels: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the mean of each group, shape (n_groups, n_features), in float64."""
    n_groups, n_rows = int(labels.max()) + 1, len(X)
    member = csr_array((np.ones(n_rows), (labels, np.arange(n_rows))), shape=(n_groups, n_rows))
    counts = np.bincount(labels, minlength=n_groups)
    means: NDArray[np.float64] = (member @ X) / counts[:, None]
    return means


def fuse_units(X: NDArray[np.float32], subjects: NDArray[np.intp]) -> Units:
    """Join the rows of a subject, and subjects who share an exact copy of a row.

    If two ids have the same row, they may be one subject who was registered twice. They make one
    unit, which counts once towards k and weighs once in a mean.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features)
        The rows of one class.
    subjects : ndarray of shape (n_rows,)
        The subject of each row, any integers.

    Returns
    -------
    units : Units
        The unit of each row, and the points: each the mean of its subjects' means.
    """
    subject = np.unique(subjects, return_inverse=True)[1].reshape(-1)
    record = distinct_rows(X)
    n_subjects, n_records = int(subject.max()) + 1, int(record.max()) + 1
    # a graph of subjects and distinct rows, joined where a subject has a row
    link = coo_array(
        (np.ones(len(X)), (subject, n_subjects + record)), shape=(n_subjects + n_records,) * 2
    )
    component = connected_components(link, directed=False)[1][:n_subjects]
    unit_of_subject = np.unique(component, return_inverse=True)[1].reshape(-1)
    points = group_means(group_means(X, subject), unit_of_subject)
    return Units(unit_of_subject[subject], points)


def distinct_rows(X: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return a number for each row, equal where the rows are equal."""
    # adding zero turns -0.0 into 0.0: equal numbers, different bytes
    X = np.ascontiguousarray(X + np.float32(0))
    rows = X.view(np.dtype((np.void, X.itemsize * X.shape[1]))).reshape(-1)
    return np.unique(rows, return_inverse=True)[1].reshape(-1)


def new_patients(groups: Any, known: set[Any]) -> set[Any]:
    """Return the patients of a part; none without ids.

    Raises
    ------
    ValueError
        For a patient who is in an earlier part: two shares would double the loss.
    """
    patients = set() if groups is None else set(np.asarray(groups).tolist())
    if patients & known:
        raise ValueError(
            f"{len(patients & known)} patients of this part were in an earlier one; all rows of a "
            "patient belong to one part"
        )
    return patients

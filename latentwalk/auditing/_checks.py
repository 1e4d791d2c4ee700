"""Checks of records, subjects and sets before any feature is made."""

from __future__ import annotations

from itertools import combinations
from typing import Any
from warnings import warn

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_array, validate_data

from latentwalk.metrics import match_keys, row_keys
from latentwalk.utils import check_groups, check_images, validate_images


def check_records(estimator: Any, X: Any, *, reset: bool, name: str = "X") -> NDArray[Any]:
    """X as images (n, c, h, w), or as rows of features; sets or checks ``image_shape_``."""
    n_dims = np.ndim(X) if hasattr(X, "shape") else np.asarray(X).ndim
    shape = None if reset else estimator.image_shape_
    if n_dims >= 3 or shape is not None:
        X = validate_images(estimator, X, image_shape=shape, reset=reset, name=name)
    else:
        X = validate_data(estimator, X, dtype=[np.float64, np.float32], reset=reset)
    if reset:
        estimator.image_shape_ = X.shape[1:] if X.ndim == 4 else None
    return np.asarray(X)


def check_like(X: Any, shape: tuple[int, ...], name: str) -> NDArray[Any]:
    """Another set of records, of the same shape a record."""
    if len(shape) == 3:
        return check_images(X, shape, name=name)
    X = np.asarray(check_array(X, dtype=[np.float64, np.float32], input_name=name))
    if X.shape[1:] != shape:
        raise ValueError(f"{name} has {X.shape[1]} features a row; X has {shape[0]}")
    return X


def check_subjects(
    groups: dict[str, ArrayLike | None], n_rows: dict[str, int]
) -> dict[str, NDArray[np.intp]]:
    """Return the subject codes of each set; raises when two sets share a subject.

    Parameters
    ----------
    groups : dict of str to array-like or None
        Ids of "X", "X_holdout" and "X_reference".
    n_rows : dict of str to int
        Records of the sets that were given.
    """
    for name, ids in groups.items():
        if ids is not None and name not in n_rows:
            raise ValueError(f"{_ids_of(name)} was given without {name}")
    there = {_ids_of(name): groups[name] for name in n_rows}
    missing = [name for name, ids in there.items() if ids is None]
    if 0 < len(missing) < len(there):
        raise ValueError(
            f"{' and '.join(missing)} is missing: give the subjects of all sets "
            f"({', '.join(there)}), or of none"
        )
    codes = {name: check_groups(groups[name], n, name=_ids_of(name)) for name, n in n_rows.items()}
    if not missing:
        check_no_shared_subjects(there)
    return codes


def _ids_of(name: str) -> str:
    """The argument that has the ids of a set: groups_holdout for X_holdout."""
    return name.replace("X", "groups")


def check_no_shared_subjects(groups: dict[str, ArrayLike | None]) -> None:
    """Raise when two sets share a subject; warn where ids differ by leading zeros alone."""
    ids = {name: {*map(_id, np.asarray(g).tolist())} for name, g in groups.items()}
    for first, second in combinations(ids, 2):
        n_shared = len(ids[first] & ids[second])
        if n_shared:
            raise ValueError(
                f"{n_shared} subjects are in {first} and in {second}; the sets must be of "
                "different subjects (see split_patients)"
            )
        n_alike = len({*map(_bare, ids[first])} & {*map(_bare, ids[second])})
        if n_alike:
            warn(
                f"{n_alike} ids in {first} and in {second} differ only in leading zeros, spaces or "
                'case, as "007" and "7" do. If they are the same subjects, the audit is wrong: '
                "write the ids of all sets in one way",
                UserWarning,
                stacklevel=4,
            )


def _id(value: Any) -> str:
    """An id by its value: 7, 7.0 and "7" are one subject, however a table was read."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _bare(name: str) -> str:
    return name.strip().casefold().lstrip("0")


def check_same(X: NDArray[Any], keys: NDArray[np.bytes_], name: str, what: str) -> None:
    """Raise unless the records are those that the auditor was fitted on, in their order."""
    if not np.array_equal(row_keys(X), keys):
        raise ValueError(f"{name} is not the array of {what} that fit was given")


def check_apart(keys: dict[str, NDArray[np.bytes_]]) -> None:
    """Raise when two sets of real records share one."""
    for first, second in combinations(keys, 2):
        n_shared = int((match_keys(keys[second], keys[first]) >= 0).sum())
        if n_shared:
            raise ValueError(
                f"{n_shared} records of {second} equal a record of {first}; the sets must be "
                "disjoint: drop the duplicates, or give them one subject and split again"
            )

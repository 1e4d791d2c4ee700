"""The sets of an audit: real records and their subjects, checked to be apart."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_array, validate_data

from latentwalk.metrics import match_keys, row_keys
from latentwalk.utils import check_groups, check_images, validate_images


class RealSet(NamedTuple):
    """Real records: features in each space, a subject and a key for each row."""

    features: dict[str, NDArray[np.float32]]
    codes: NDArray[np.intp]
    keys: NDArray[np.bytes_]


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


def check_like(X: Any, like: NDArray[Any], name: str) -> NDArray[Any]:
    """Another set of records, of the same kind and width as `like`."""
    if like.ndim == 4:
        return check_images(X, like.shape[1:], name=name)
    X = np.asarray(check_array(X, dtype=[np.float64, np.float32], input_name=name))
    if X.shape[1] != like.shape[1]:
        raise ValueError(f"{name} has {X.shape[1]} features a row; X has {like.shape[1]}")
    return X


def check_subjects(
    groups: ArrayLike | None,
    groups_holdout: ArrayLike | None,
    n_samples: int,
    n_holdout: int | None,
    *,
    name: str = "groups_holdout",
) -> tuple[NDArray[np.intp], NDArray[np.intp] | None]:
    """Subject codes of members and of others; raises when a subject is in both."""
    codes = check_groups(groups, n_samples)
    if n_holdout is None:
        if groups_holdout is not None:
            raise ValueError("groups_holdout was given without X_holdout")
        return codes, None
    if (groups is None) != (groups_holdout is None):
        missing = "groups" if groups is None else name
        raise ValueError(
            f"{missing} is missing: give groups and {name}, the subjects of all rows, or neither"
        )
    codes_holdout = check_groups(groups_holdout, n_holdout, name=name)
    if groups is not None:
        ids, ids_holdout = ({*map(_id, np.asarray(g).tolist())} for g in (groups, groups_holdout))
        shared = len(ids & ids_holdout)
        if shared:
            raise ValueError(
                f"{shared} subjects are in groups and in {name}; the rows of the two must be of "
                "different subjects (see split_patients)"
            )
    return codes, codes_holdout


def _id(value: Any) -> str:
    """An id by its value: 7, 7.0 and "7" are one subject, however a table was read."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def check_same(X: NDArray[Any], real: RealSet, name: str, what: str) -> None:
    """Raise unless the records are those that the auditor was fitted on, in their order."""
    if not np.array_equal(row_keys(X), real.keys):
        raise ValueError(f"{name} is not the array of {what} that fit was given")


def check_apart(keys: dict[str, NDArray[np.bytes_]]) -> None:
    """Raise when two sets of real records share one."""
    names = list(keys)
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            n_shared = int((match_keys(keys[second], keys[first]) >= 0).sum())
            if n_shared:
                raise ValueError(
                    f"{n_shared} records of {second} equal a record of {first}; the sets must be "
                    "disjoint: drop the duplicates, or give them one subject and split again"
                )

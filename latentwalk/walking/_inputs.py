"""What a walk starts from, checked: prototypes, classes, real images, guides."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentwalk.utils._guides import is_fitted_guide


class Prototypes(NamedTuple):
    """Distinct latents within each class, and where the rows belong."""

    latents: NDArray[np.float32]  # (n_prototypes, n_features)
    codes: NDArray[np.intp]  # (n_prototypes,) class codes
    labels: NDArray[np.intp]  # (n_rows,) the prototype of each row


def find_prototypes(
    W: NDArray[np.float32], codes: NDArray[np.intp], names: list[str]
) -> Prototypes:
    """Return the distinct rows of each class.

    Raises
    ------
    ValueError
        When a class has one, which no path can start from and end at.
    """
    latents: list[NDArray[np.float32]] = []
    classes: list[int] = []
    labels = np.empty(len(W), np.intp)
    for code in np.unique(codes):
        rows = np.flatnonzero(codes == code)
        distinct, inverse = np.unique(W[rows], axis=0, return_inverse=True)
        if len(distinct) < 2:
            raise ValueError(
                f"{names[code]} has one prototype ({len(rows)} rows); a path needs two. Take a "
                "smaller k (a class needs 2k subjects), or leave the class out"
            )
        labels[rows] = inverse.reshape(-1) + len(classes)
        latents.append(distinct)
        classes += [code] * len(distinct)
    return Prototypes(np.concatenate(latents), np.array(classes, np.intp), labels)


def check_repulsion(repulsion: float, objective: str, X_real: Any) -> None:
    """Raise for a repulsion that has nothing to act on.

    Raises
    ------
    ValueError
        Without two real images, and for objectives with terms of their own.
    """
    if repulsion and X_real is None:
        raise ValueError(
            f"repulsion={repulsion} without X_real: pass the real images to walk away from"
        )
    if repulsion and len(X_real) < 2:
        raise ValueError(f"X_real has {len(X_real)} image; repulsion={repulsion} needs two or more")
    if repulsion and objective != "worst-point":
        raise ValueError(
            f"repulsion={repulsion} with objective={objective!r}: it is a term of 'worst-point'"
        )


def check_unguided(max_identity: float | None, selection: str) -> None:
    """Raise for what only the posteriors of an identity guide can decide.

    Raises
    ------
    ValueError
        For a bound on them, and a selection by them.
    """
    if max_identity is not None:
        raise ValueError(
            f"max_identity={max_identity} without an identity_classifier: nothing gives identity "
            "posteriors to bound; leave it None"
        )
    if selection != "uniform":
        raise ValueError(
            f"selection={selection!r} without an identity_classifier: nothing says which points "
            "are safer (never their distances to real images); pass selection='uniform'"
        )


def check_guides_given(identity: Any, label: Any, repulsion: float, X_real: Any, y: Any) -> None:
    """Raise for a walk that would protect nobody; warn about a class guide or y without the other.

    Raises
    ------
    ValueError
        When there is neither an identity guide nor a repulsion.
    """
    if identity is None and not repulsion:
        given = "None, and so is X_real" if X_real is None else "None"
        raise ValueError(
            f"identity_classifier is {given}: a walk without an identity guide protects nobody. "
            "Pass a fitted identity_classifier, or identity_classifier=IdentityClassifier() and "
            "the real images as X_real to fit it on; with too many subjects for a classifier, "
            "X_real and repulsion=1.0"
        )
    if identity is not None and not is_fitted_guide(identity) and X_real is None:
        raise ValueError(
            "identity_classifier is not fitted: fit it before, or pass the real images as X_real "
            "to fit it on"
        )
    if y is not None and label is None:
        warnings.warn(
            "y was given without a label_classifier: paths join prototypes of one class, but "
            "nothing keeps the points between them in it",
            stacklevel=3,
        )
    if y is None and label is not None:
        warnings.warn(
            "label_classifier was given without y: all rows count as one class and the class "
            "term is off",
            stacklevel=3,
        )

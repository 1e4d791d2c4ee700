"""Rules for the guides of a walk.

A rule yields a sentence for each problem, and changes nothing. The walk raises the first sentence,
and `check_pipeline` lists all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from latentwalk.utils._guides import is_fitted_guide


def raise_first(*rules: Iterable[str]) -> None:
    """Raise a ValueError with the first sentence of the rules, if there is one."""
    for sentences in rules:
        for sentence in sentences:
            raise ValueError(sentence)


def unprotected(
    identity: Any, repulsion: float, X_real: Any, *, identity_weight: float, name: str
) -> Iterator[str]:
    """Yield a walk that nothing would keep away from the subjects.

    Parameters
    ----------
    identity : guide or None
        Recognises the subjects, fitted or not.
    repulsion : float
        Weight of the hinge away from real images.
    X_real : array-like or None
        The real images.
    identity_weight : float
        0 says that the walk need not keep away from anybody.
    name : str
        The argument in which `X_real` is passed.
    """
    if identity is None and not repulsion and identity_weight:
        given = "None" if X_real is not None else f"None, and so is {name}"
        yield (
            f"identity_classifier is {given}: a walk without an identity guide protects nobody. "
            "Pass a fitted identity_classifier, or identity_classifier=IdentityClassifier() and "
            f"the real images as {name} to fit it on; with too many subjects for a classifier, "
            f"{name} and repulsion=1.0; between prototypes under a guarantee, identity_weight=0"
        )
    elif identity is not None and X_real is None and not is_fitted_guide(identity):
        yield (
            "identity_classifier is not fitted: fit it before, or pass the real images as "
            f"{name} to fit it on"
        )


def unusable_repulsion(
    repulsion: float, objective: str, X_real: Any, *, name: str
) -> Iterator[str]:
    """Yield a repulsion without two real images, or with an objective that does not use it.

    The parameters are those of `unprotected`, and the objective of the walk.
    """
    if not repulsion:
        return
    if X_real is None:
        yield f"repulsion={repulsion} without {name}: pass the real images to walk away from"
    elif len(X_real) < 2:
        yield f"{name} has {len(X_real)} image; repulsion={repulsion} needs two or more"
    if objective != "worst-point":
        yield f"repulsion={repulsion} with objective={objective!r}: it is a term of 'worst-point'"


def unguided(identity: Any, max_identity: float | None, selection: str) -> Iterator[str]:
    """Yield parameters that need the posteriors of an identity guide, if there is no such guide."""
    if identity is not None:
        return
    if max_identity is not None:
        yield (
            f"max_identity={max_identity} without an identity_classifier: there are no identity "
            "posteriors to bound; pass max_identity=None"
        )
    if selection != "uniform":
        yield (
            f"selection={selection!r} without an identity_classifier: no point is known to be "
            "safer (a choice by distance would leave holes around the real images); pass "
            "selection='uniform'"
        )


def swapped(identity: Any, label: Any, y: ArrayLike | None, groups: Any) -> Iterator[str]:
    """Yield guides in each other's place, by the classes and subjects that they know."""
    subjects_of, classes_of = _classes(identity), _classes(label)
    classes = set() if y is None else set(np.unique(np.asarray(y)).tolist())
    subjects = set() if groups is None else set(np.asarray(groups).tolist())
    if classes and subjects_of == classes:
        yield (
            f"identity_classifier knows {len(subjects_of)} classes, and they are those of y: it "
            "is a label classifier. Pass it as label_classifier, and as identity_classifier one "
            "whose targets were the subjects"
        )
    elif classes_of and subjects and subjects <= classes_of and not subjects <= subjects_of:
        yield (
            "label_classifier knows the subjects of groups and identity_classifier does not: the "
            "two are swapped"
        )


def _classes(guide: Any) -> set[Any]:
    """The classes of a fitted guide; none for a bare module."""
    return set(np.asarray(getattr(guide, "classes_", [])).tolist())

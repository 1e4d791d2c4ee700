"""Checks of the guides of a walk: who may be recognised, and which class is kept."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch

from latentwalk.classifiers import IdentityClassifier, LabelClassifier
from latentwalk.evaluation._facts import WALKER, Facts, error_of
from latentwalk.utils._guides import freeze_guide, is_fitted_guide


def check_identity(facts: Facts) -> Iterator[str]:
    """Yield walks that nothing would keep away from the patients."""
    for name, guide in facts.having(WALKER).items():
        has_real = facts.given(name, "X_real") is not None
        if guide is None and has_real and facts.having("repulsion").get(name):
            yield from (f"{name}: {message}" for message in _unguided(facts.steps[name]))
        elif guide is None:
            yield (
                f"{name} has no identity_classifier: a walk without an identity guide protects "
                "nobody; pass a fitted IdentityClassifier"
            )
        elif not is_fitted_guide(guide) and not has_real:
            yield (
                f"{name} has an identity_classifier that is not fitted: fit it before, or pass "
                f"{name}__X_real to fit_transform, and here, to fit it on"
            )


def _unguided(walker: Any) -> Iterator[str]:
    """Yield what only the posteriors of an identity guide can decide."""
    if walker.max_identity is not None:
        yield (
            f"max_identity={walker.max_identity} without an identity_classifier: nothing gives "
            "identity posteriors to bound; pass max_identity=None"
        )
    if walker.selection != "uniform":
        yield (
            f"selection={walker.selection!r} without an identity_classifier: nothing tells which "
            "points are safest; pass selection='uniform'"
        )


def check_guides(facts: Facts) -> Iterator[str]:
    """Yield fitted guides that do not take the generator's images."""
    if facts.generator is None:
        return
    shape, cpu = facts.generator.image_shape, torch.device("cpu")
    for parameter in (WALKER, "label_classifier"):
        for name, guide in facts.having(parameter).items():
            if is_fitted_guide(guide):
                found = error_of(partial(freeze_guide, guide, parameter, shape, cpu))
                yield from (f"{name}: {message}" for message in found)


def check_classes(facts: Facts) -> Iterator[str]:
    """Yield swapped guides, and classes of y that the label guide does not know."""
    identities = facts.having(WALKER)
    for name, label in facts.having("label_classifier").items():
        if _are_swapped(identities.get(name), label, facts.y):
            yield (
                f"{name}: the guides look swapped: identity_classifier recognises the patients, "
                "and label_classifier the classes of y; exchange them"
            )
        elif facts.y is not None and hasattr(label, "classes_"):
            unknown = np.setdiff1d(np.asarray(facts.y), label.classes_)
            if len(unknown):
                yield f"{name}: {_unknown_classes(unknown.tolist(), label.classes_.tolist())}"


def _unknown_classes(unknown: list[Any], known: list[Any]) -> str:
    if len(known) > 20 or len(unknown) > 20:  # they may be patients' ids
        return (
            f"y has {len(unknown)} classes that label_classifier does not know; it knows "
            f"{len(known)}"
        )
    return f"y has the classes {unknown}, which label_classifier does not know; it knows {known}"


def _are_swapped(identity: Any, label: Any, y: Any) -> bool:
    # a guide may be frozen for cloning
    identity, label = (getattr(guide, "estimator", guide) for guide in (identity, label))
    if isinstance(identity, LabelClassifier) or isinstance(label, IdentityClassifier):
        return True
    if y is None or not (hasattr(identity, "classes_") and hasattr(label, "classes_")):
        return False
    classes = np.unique(np.asarray(y))
    exchanged = np.array_equal(np.sort(identity.classes_), classes)
    return exchanged and not np.isin(classes, label.classes_).all()

"""Checks of the guides of a walk: who may be recognised, and which class is kept."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch

from latentwalk.classifiers import IdentityClassifier, LabelClassifier
from latentwalk.evaluation._facts import WALKER, Facts, error_of
from latentwalk.utils._guide_rules import swapped, unguided, unprotected, unusable_repulsion
from latentwalk.utils._guides import (
    check_recognises,
    freeze_guide,
    is_fitted_guide,
    unknown_classes,
)


def check_identity(facts: Facts) -> Iterator[str]:
    """Yield walks that nothing would keep away from the patients, and what such walks cannot do."""
    for name, guide in facts.having(WALKER).items():
        walker, X_real = facts.steps[name], facts.given(name, "X_real")
        repulsion, argument = getattr(walker, "repulsion", 0), f"{name}__X_real"
        weight = getattr(walker, "identity_weight", 1)
        problems = [*unprotected(guide, repulsion, X_real, identity_weight=weight, name=argument)]
        if repulsion:
            problems += unusable_repulsion(repulsion, walker.objective, X_real, name=argument)
            problems += unguided(guide, walker.max_identity, walker.selection)
        yield from (f"{name}: {problem}" for problem in problems)


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


def warn_of_blind_guides(facts: Facts) -> None:
    """Warn of fitted identity guides that recognise almost no subject of X."""
    generator, images = facts.generator, facts.images
    if generator is None or images is None or images.ndim != 4:
        return
    for name, guide in facts.having(WALKER).items():
        if is_fitted_guide(guide):
            frozen = freeze_guide(guide, WALKER, generator.image_shape, generator.device)
            groups = facts.given(name, "groups")
            groups = facts.groups if groups is None else groups
            check_recognises(frozen, images, groups, generator)


def check_classes(facts: Facts) -> Iterator[str]:
    """Yield swapped guides, and classes of y that the label guide does not know."""
    identities = facts.having(WALKER)
    for name, label in facts.having("label_classifier").items():
        identity, groups = identities.get(name), facts.given(name, "groups")
        problems = [*_other_kind(identity, label)] or [*swapped(identity, label, facts.y, groups)]
        if not problems and facts.y is not None and hasattr(label, "classes_"):
            problems += unknown_classes(facts.y, np.asarray(label.classes_).tolist())
        yield from (f"{name}: {problem}" for problem in problems)


def _other_kind(identity: Any, label: Any) -> Iterator[str]:
    """Yield guides in each other's place, by their type."""
    # a guide may be frozen for cloning
    identity, label = (getattr(guide, "estimator", guide) for guide in (identity, label))
    if isinstance(identity, LabelClassifier) or isinstance(label, IdentityClassifier):
        yield (
            "the guides look swapped: identity_classifier recognises the patients, and "
            "label_classifier the classes of y; exchange them"
        )

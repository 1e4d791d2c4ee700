"""A walk that a guarantee covers: between noisy prototypes, with nothing private beside them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import check_random_state

from latentwalk.aggregation import DPKSameAggregator
from latentwalk.generators import decode_latents
from latentwalk.utils._guides import is_fitted_guide
from latentwalk.walking import GuidedWalker

N_GUIDE = 1000  # drawn images on which a guide of classes is trained
N_ROWS = 1000  # rows that share the classes as the noisy numbers do


def walker_reasons(name: str, walker: GuidedWalker) -> Iterator[str]:
    """Yield a sentence for everything in a walk that may know a private image."""
    if walker.identity_classifier is not None:
        yield (
            f"step {name!r} has an identity_classifier, which knows private images: leave it out, "
            "with selection='uniform'"
        )
    if is_fitted_guide(walker.label_classifier):
        yield (
            f"step {name!r} has a fitted label_classifier, and nothing says on whose images: pass "
            "it unfitted, and it is trained on images that are drawn under the guarantee"
        )
    if walker.repulsion:
        yield f"step {name!r} keeps away from private images: set repulsion=0"


def walk_between(
    walker: GuidedWalker, aggregator: DPKSameAggregator, n_samples: int, random_state: Any
) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """Return latents and classes of a walk between the noisy prototypes of an aggregator.

    The walker is cloned: what it saw of real rows in a pipeline, such as how many they are, stays
    out. Each class has as many points as its noisy number says.

    Raises
    ------
    ValueError
        For a class with one prototype, between which there is no path.
    """
    rng = check_random_state(random_state)
    prototypes = aggregator.prototypes_
    targets = aggregator.classes_[aggregator.prototype_cells_[:, 0]]
    _check_pairs(targets)
    walker = clone(walker).set_params(random_state=int(rng.randint(np.iinfo(np.int32).max)))
    if walker.label_classifier is not None:
        W_seen, y_seen = aggregator.sample(N_GUIDE, random_state=rng)
        X_seen = decode_latents(aggregator.generator, W_seen)
        walker.set_params(label_classifier=walker.label_classifier.fit(X_seen, y_seen))
    rows = np.repeat(np.arange(len(prototypes)), _shares(aggregator))
    has_classes = len(aggregator.classes_) > 1
    walker.fit(prototypes[rows], targets[rows] if has_classes else None)
    W, y = walker.sample(n_samples)
    return W, y if has_classes else np.full(n_samples, aggregator.classes_[0])


def _check_pairs(targets: NDArray[Any]) -> None:
    classes, counts = np.unique(targets, return_counts=True)
    if counts.min() < 2:
        raise ValueError(
            f"{int((counts < 2).sum())} of {len(classes)} classes kept one noisy prototype, and a "
            "walk needs two: raise n_cells of DPKSameAggregator (each cell needs "
            "patients_needed() patients), or leave the walk out"
        )


def _shares(aggregator: DPKSameAggregator) -> NDArray[np.intp]:
    """How often each prototype counts, so that classes have the shares of their noisy numbers."""
    kept = aggregator.prototype_cells_
    numbers = np.maximum(aggregator.noisy_.counts, 0.0)[kept[:, 0], kept[:, 1]]
    return np.maximum(np.rint(N_ROWS * numbers / numbers.sum()), 1).astype(np.intp)

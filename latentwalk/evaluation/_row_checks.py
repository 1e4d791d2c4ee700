"""Checks of the rows that a pipeline gets: images, classes and patients."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import partial
from itertools import combinations
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config

from latentwalk.datasets import join_equal_images
from latentwalk.evaluation._facts import AGGREGATOR, WALKER, Facts, error_of
from latentwalk.utils import check_class_sizes, check_groups, check_images, check_targets

# Arguments of fit that have a row for each row of X.
ROWS = ("groups", "X_real")


def check_rows(facts: Facts) -> Iterator[str]:
    """Yield problems of the images, and of the arguments that have a row for each image."""
    if facts.generator is not None or facts.images is None or facts.images.ndim != 2:
        shape = None if facts.generator is None else facts.generator.image_shape
        X = facts.X if facts.images is None else facts.images
        yield from error_of(partial(check_images, X, shape))
    yield from error_of(partial(check_targets, facts.y, facts.n_samples))
    yield from error_of(partial(check_groups, facts.groups, facts.n_samples))
    routed = ROWS if get_config()["enable_metadata_routing"] else ()
    for name, value in facts.fit_params.items():
        step, _, argument = name.partition("__")
        if name not in routed and (step not in facts.steps or not argument):
            yield f"{name} is for a step {step!r}; the steps are {list(facts.steps)}"
        elif np.ndim(value) and len(value) != facts.n_samples:
            yield f"{name} has {len(value)} rows; X has {facts.n_samples}"
        elif value is not None and not np.ndim(value) and (argument or name) in ROWS:
            yield f"{name} is a {type(value).__name__}; expected a row for each row of X"


def check_patients_reach(facts: Facts) -> Iterator[str]:
    """Yield steps that get no patients and would count images instead."""
    if get_config()["enable_metadata_routing"]:  # scikit-learn raises for what is undecided
        known = [n for n in facts.steps if facts.given(n, "groups") is not None]
    else:
        known = list(facts.sources) if facts.fit_params else []
    for name, k in facts.having(AGGREGATOR).items():
        if known and facts.given(name, "groups") is None:
            yield (
                f"{name} gets no patients, while {' and '.join(known)} has them: it would "
                f"count images, and a group of k={k} could be a single patient. Pass "
                f"{name}__groups to fit_transform, and here"
            )


def check_patients_agree(facts: Facts) -> Iterator[str]:
    """Yield two sets of patient ids that divide the rows in different ways."""
    for (first, a), (second, b) in combinations(facts.sources.items(), 2):
        try:
            codes = np.column_stack([check_groups(ids, facts.n_samples) for ids in (a, b)])
        except (ValueError, TypeError):
            continue  # said by check_rows
        n_pairs, n_first, n_second = (len(np.unique(c, axis=0)) for c in (codes, *codes.T))
        if not n_pairs == n_first == n_second:
            yield (
                f"{first} and {second} divide the rows into different patients ({n_first} and "
                f"{n_second}); pass the same ids to both"
            )


def check_patients(facts: Facts) -> Iterator[str]:
    """Yield classes with too few patients for a group, or for the two groups of a path."""
    try:
        y, codes = check_targets(facts.y, facts.n_samples), facts.patients
    except (ValueError, TypeError):
        return  # said by check_rows
    walks = bool(facts.having(WALKER))
    for k in facts.having(AGGREGATOR).values():
        if isinstance(k, Integral) and facts.n_samples:  # else said by check_parameters
            yield from _small_classes(y, codes, int(k), walks)


def _small_classes(
    y: NDArray[Any] | None, codes: NDArray[np.intp], k: int, walks: bool
) -> Iterator[str]:
    why = f"for the two groups of a path (k={k})" if walks else f"for a group (k={k})"
    yield from error_of(partial(check_class_sizes, y, codes, (1 + walks) * k, why=why))


def warn_of_equal_images(facts: Facts) -> None:
    """Warn when patients share an image, pixel for pixel: they may be one patient."""
    if facts.images is None or facts.images.ndim != 4:
        return
    try:
        codes = facts.patients
        joined = join_equal_images(facts.images, codes)
    except (ValueError, TypeError):
        return  # said by check_rows
    n_patients, n_joined = len(np.unique(codes)), len(np.unique(joined))
    if n_joined < n_patients:
        warnings.warn(
            f"X has pixel-equal images under the ids of different patients: {n_patients} patients "
            f"are {n_joined} where equal images make one; "
            "groups=latentwalk.datasets.join_equal_images(X, groups) joins them",
            UserWarning,
            stacklevel=3,
        )

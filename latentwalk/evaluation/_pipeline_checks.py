"""The checks of check_pipeline: each yields a sentence for every problem that it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from numbers import Integral
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike

from latentwalk.generators import Generator
from latentwalk.utils import check_class_sizes, check_groups, check_images, check_targets
from latentwalk.utils._guides import freeze_guide, is_fitted_guide
from latentwalk.walking._inputs import check_unguided

# Arguments of fit that have a row for each row of X.
ROWS = ("groups", "X_real")


@dataclass(frozen=True)
class Facts:
    """What is there before a pipeline runs.

    `steps` are by name; `groups` and `fit_params` are as the user gave them.
    """

    steps: dict[str, Any]
    X: ArrayLike
    y: ArrayLike | None
    groups: ArrayLike | None
    fit_params: dict[str, Any]

    def having(self, parameter: str) -> dict[str, Any]:
        """Return the value of a parameter in the steps that have it."""
        return {n: getattr(s, parameter) for n, s in self.steps.items() if hasattr(s, parameter)}

    @property
    def n_samples(self) -> int:
        """The number of rows of X; 0 where it has none."""
        return len(np.asarray(self.X)) if np.ndim(self.X) else 0

    @property
    def generator(self) -> Generator | None:
        """The first generator of a step."""
        found = self.having("generator").values()
        return next((g for g in found if isinstance(g, Generator)), None)

    @property
    def patients(self) -> ArrayLike | None:
        """The patient ids, wherever they were given."""
        names = [f"{name}__groups" for name in self.having("k")]
        given = [self.groups, *(self.fit_params.get(name) for name in names)]
        return next((ids for ids in given if ids is not None), None)


def error_of(call: Callable[[], Any]) -> Iterator[str]:
    """Yield the message of what `call` raises for bad input."""
    try:
        call()
    except (ValueError, TypeError, OSError) as error:
        yield str(error)


def check_rows(facts: Facts) -> Iterator[str]:
    """Yield what is wrong with the images, and with what must have a value for each of them."""
    shape = None if facts.generator is None else facts.generator.image_shape
    yield from error_of(partial(check_images, facts.X, shape))
    yield from error_of(partial(check_targets, facts.y, facts.n_samples))
    yield from error_of(partial(check_groups, facts.groups, facts.n_samples))
    for name, value in facts.fit_params.items():
        step, _, argument = name.partition("__")
        if step not in facts.steps or not argument:
            yield f"{name} is for a step {step!r}; the steps are {list(facts.steps)}"
        elif np.ndim(value) and len(value) != facts.n_samples:
            yield f"{name} has {len(value)} rows; X has {facts.n_samples}"
        elif value is not None and not np.ndim(value) and argument in ROWS:
            yield f"{name} is a {type(value).__name__}; expected a row for each row of X"


def check_parameters(facts: Facts) -> Iterator[str]:
    """Yield parameters of steps that their ``fit`` would refuse."""
    for name, step in facts.steps.items():
        if hasattr(step, "_validate_params"):
            yield from (f"{name}: {message}" for message in error_of(step._validate_params))


def check_generators(facts: Facts) -> Iterator[str]:
    """Yield generators that differ between steps, and weights that are not where they were."""
    found = facts.having("generator")
    handles = {name: g for name, g in found.items() if isinstance(g, Generator)}
    if len({g.sha256 for g in handles.values()}) > 1:
        what = ", ".join(f"{name}: {g!r}" for name, g in handles.items())
        yield f"the steps have different generators ({what}); give them the same one"
    elif len(set(handles.values())) > 1:
        what = ", ".join(f"{name}: {g.latent_space!r}" for name, g in handles.items())
        yield f"the generators of the steps have different values of latent_space ({what}); use one"
    for generator in dict.fromkeys(handles.values()):
        yield from error_of(generator.check)


def check_patients(facts: Facts) -> Iterator[str]:
    """Yield classes with too few patients for a group, or for the two groups of a path."""
    ks = facts.having("k")
    if not ks:
        return
    try:
        n_samples = facts.n_samples
        y, codes = check_targets(facts.y, n_samples), check_groups(facts.patients, n_samples)
    except (ValueError, TypeError):
        return  # said by check_rows
    walks = bool(facts.having("identity_classifier"))
    for k in ks.values():
        if not isinstance(k, Integral):
            continue  # said by check_parameters
        why = f"for the two groups of a path (k={k})" if walks else f"for a group (k={k})"
        yield from error_of(partial(check_class_sizes, y, codes, (1 + walks) * int(k), why=why))


def check_identity(facts: Facts) -> Iterator[str]:
    """Yield walks that nothing would keep away from the patients."""
    for name, guide in facts.having("identity_classifier").items():
        given = facts.fit_params.get(f"{name}__X_real") is not None
        step = facts.steps[name]
        if guide is None and given and facts.having("repulsion").get(name):
            unguided = partial(check_unguided, step.max_identity, step.selection)
            yield from (f"{name}: {message}" for message in error_of(unguided))
        elif guide is None:
            yield (
                f"{name} has no identity_classifier: a walk without an identity guide protects "
                "nobody; pass a fitted IdentityClassifier"
            )
        elif not is_fitted_guide(guide) and not given:
            yield (
                f"{name} has an identity_classifier that is not fitted: fit it before, or pass "
                f"{name}__X_real to fit_transform, and here, to fit it on"
            )


def check_guides(facts: Facts) -> Iterator[str]:
    """Yield fitted guides that do not take the generator's images."""
    if facts.generator is None:
        return
    shape, cpu = facts.generator.image_shape, torch.device("cpu")
    for parameter in ("identity_classifier", "label_classifier"):
        for name, guide in facts.having(parameter).items():
            if is_fitted_guide(guide):
                found = error_of(partial(freeze_guide, guide, parameter, shape, cpu))
                yield from (f"{name}: {message}" for message in found)


def check_classes(facts: Facts) -> Iterator[str]:
    """Yield classes of y that the label guide was not trained on."""
    for name, guide in facts.having("label_classifier").items():
        if facts.y is None or not hasattr(guide, "classes_"):
            continue
        unknown = np.setdiff1d(np.asarray(facts.y), guide.classes_)
        if len(unknown):
            yield (
                f"{name}: y has the classes {unknown.tolist()}, which label_classifier does not "
                f"know; it knows {guide.classes_.tolist()}"
            )


CHECKS = (
    check_rows,
    check_parameters,
    check_generators,
    check_patients,
    check_identity,
    check_guides,
    check_classes,
)

"""Checks of the steps of a pipeline: their order, parameters, generators and output."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from sklearn.utils._set_output import _get_output_config

from latentwalk.aggregation import DPKSameAggregator, KSameAggregator, ShellNormalizer
from latentwalk.evaluation._facts import Facts, error_of
from latentwalk.generators import GANDecoder, Generator
from latentwalk.inversion import GANInverter
from latentwalk.walking import GuidedWalker

# the aggregators share a place
ORDER = (
    GANInverter,
    KSameAggregator | DPKSameAggregator,
    ShellNormalizer,
    GuidedWalker,
    GANDecoder,
)
NAMES = "GANInverter -> KSameAggregator -> GuidedWalker -> GANDecoder"


def check_order(facts: Facts) -> Iterator[str]:
    """Yield steps that stand after one that needs their output."""
    places = [(name, _place(step)) for name, step in facts.steps.items()]
    known = [(name, place) for name, place in places if place >= 0]
    for (first, a), (second, b) in pairwise(known):
        if a > b:
            yield f"{second} stands after {first}; the order of the steps is {NAMES}"


def _place(step: Any) -> int:
    """The place of a step in `ORDER`; -1 for a step of the user's own."""
    return next((i for i, kind in enumerate(ORDER) if isinstance(step, kind)), -1)


def check_parameters(facts: Facts) -> Iterator[str]:
    """Yield parameters of steps that their ``fit`` would refuse."""
    for name, step in facts.steps.items():
        if hasattr(step, "_parameter_constraints"):  # not every step of a user has them
            yield from (f"{name}: {message}" for message in error_of(step._validate_params))


def check_output(facts: Facts) -> Iterator[str]:
    """Yield steps whose images cannot be the rows of a data frame."""
    for name, step in facts.steps.items():
        if not isinstance(step, GANDecoder) or step.flatten:
            continue
        container = _get_output_config("transform", step)["dense"]
        if container != "default":
            yield (
                f"{name} gives images of 4 dimensions, and set_output asks for {container}: pass "
                f"GANDecoder(flatten=True), or {name}.set_output(transform='default')"
            )


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

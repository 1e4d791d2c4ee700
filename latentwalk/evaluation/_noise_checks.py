"""Checks of a pipeline that asks for a guarantee: what would void or spoil it, before the run."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from latentwalk.aggregation import DPKSameAggregator
from latentwalk.evaluation._facts import Facts, error_of
from latentwalk.utils import check_targets


def check_noise(facts: Facts) -> Iterator[str]:
    """Yield why a DPKSameAggregator would fail, or would promise less than it seems to."""
    for name, step in facts.steps.items():
        if not isinstance(step, DPKSameAggregator) or step.noise is None:
            continue
        problems = list(error_of(step.stated_loss))
        yield from (f"{name}: {problem}" for problem in problems)
        if problems or list(error_of(step._validate_params)):
            continue
        yield from _public_parts(name, step)
        yield from _numbers(facts, name, step)


def _public_parts(name: str, step: DPKSameAggregator) -> Iterator[str]:
    if getattr(step.generator, "trained_on", None) == "these patients":
        yield (
            f"{name}: the generator was trained on these patients, so that no noise gives them a "
            "guarantee; train it on others, or use KSameAggregator"
        )
    width = getattr(step.generator, "n_latent_features", step.n_axes)
    if step.cells is None and step.n_axes > width:
        yield f"{name}: n_axes={step.n_axes} is more than the {width} latent features; lower it"


def _numbers(facts: Facts, name: str, step: DPKSameAggregator) -> Iterator[str]:
    """Yield what too few patients spoil."""
    try:
        y, codes = check_targets(facts.y, facts.n_samples), facts.patients
    except (ValueError, TypeError):
        return  # said by check_rows
    try:
        found = step._count_patients(y, codes)
    except ValueError as error:
        yield f"{name}: {error}"
        return
    n_patients = len(np.unique(codes))
    if n_patients and step.stated_loss().delta > 1 / n_patients:
        yield (
            f"{name}: delta={step.stated_loss().delta:g} is more than 1 / {n_patients}, one over "
            "the number of patients; such a delta allows to publish one of them. Lower it"
        )
    n_cells = step.n_cells if step.cells is None else step.cells.n_cells
    needed = step.patients_needed()
    if step.max_classes > max(1, len(found)):
        yield (
            f"{name}: max_classes={step.max_classes} is more than the {len(found)} classes, so "
            "that noise is added for classes that no patient has; lower it"
        )
    n_small = int((found < n_cells * needed).sum())
    if n_small:
        yield (
            f"{name}: {n_small} of {len(found)} classes have fewer than {n_cells * needed} "
            f"patients, which n_cells={n_cells} cells of k={step.k} need to be kept through the "
            f"noise, where a patient counts in {step.max_classes} (max_classes); take fewer cells, "
            "a smaller k, fewer classes, or a larger tolerance"
        )

"""Attribute disclosure: what a release tells about a member beyond what it tells about anybody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentwalk.auditing._cohorts import Cohorts
from latentwalk.auditing._nearness import read_chunks
from latentwalk.auditing._results import AttributeDisclosure, AuditSettings
from latentwalk.metrics import auc, holm, joint_test
from latentwalk.neighbors import ExactNeighbors
from latentwalk.utils import check_names, check_targets

Attributes = Mapping[str, tuple[ArrayLike, ArrayLike, ArrayLike]]  # released, members', held-out's
Values = tuple[NDArray[np.object_], NDArray[np.object_], NDArray[np.object_]]


def check_attributes(
    attributes: Attributes, cohorts: Cohorts, n_synthetic: int
) -> dict[str, Values]:
    """Return the values of each attribute; raises where they do not fit the records."""
    if not attributes:
        return {}
    members, holdout = cohorts.pair
    checked: dict[str, Values] = {}
    for name, given in attributes.items():
        if len(given) != 3:
            raise ValueError(
                f"attributes[{name!r}] has {len(given)} parts; expected three: the values of the "
                "release, of the members and of the held-out records"
            )
        released, own, others = (
            np.asarray(check_targets(values, n, name=f"attributes[{name!r}][{place}]"))
            for place, (values, n) in enumerate(
                zip(given, (n_synthetic, len(members), len(holdout)), strict=True)
            )
        )
        if len(np.unique(released)) < 2:
            raise ValueError(
                f"attributes[{name!r}] has a single value in the release; expected two or more, or "
                "nothing is disclosed"
            )
        check_names([name], "attributes")
        checked[name] = released, own, others
    return checked


def disclose(
    cohorts: Cohorts, released: NDArray[Any], attributes: dict[str, Values], settings: AuditSettings
) -> tuple[AttributeDisclosure, ...]:
    """Measure each attribute in the first feature space; p-values allow for all of them (Holm)."""
    if not attributes:
        return ()
    space = next(iter(cohorts.spaces))
    one = {space: cohorts.spaces[space]}
    rows = np.concatenate([chunk.features[space] for chunk in read_chunks(one, released)])
    found = [_measure(cohorts, rows, values, settings) for values in attributes.values()]
    adjusted = holm([p_value for *_, p_value in found])
    return tuple(
        AttributeDisclosure(name, *shares, float(p_value), area)
        for name, (shares, area, _), p_value in zip(attributes, found, adjusted, strict=True)
    )


def _measure(
    cohorts: Cohorts, rows: NDArray[Any], values: Values, settings: AuditSettings
) -> tuple[tuple[float, float], Any, float]:
    """Shares guessed right, the AUC of the margins, and the p-value of their joint test."""
    right, margins = _guess(cohorts, rows, values[0], np.concatenate(values[1:]))
    draws = cohorts.draws
    shares = np.add.reduceat(right[draws.rows], draws.starts)
    shares = shares / np.diff(np.append(draws.starts, len(draws.rows)))
    exposures = draws.align(draws.smallest(margins))
    joint = joint_test(
        exposures[None],
        cohorts.is_member,
        fpr=settings.fpr,
        strata=cohorts.strata,
        random_state=draws.seed,
    )
    of_members, of_holdout = (float(part.mean()) for part in cohorts.split(shares))
    area = auc(*cohorts.split(exposures), confidence=1 - settings.alpha)
    return (of_members, of_holdout), area, joint.p_value


def _guess(
    cohorts: Cohorts,
    rows: NDArray[Any],
    y_syn: NDArray[np.object_],
    truth: NDArray[np.object_],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Whether each real record is guessed right, and how much nearer its true value is."""
    real, names = cohorts.real(next(iter(cohorts.spaces))), np.unique(y_syn)
    nearest = [ExactNeighbors(rows[y_syn == v]).kneighbors(real)[0][:, 0] for v in names]
    distances = np.stack(nearest, axis=1)  # (n_real, n_values)
    own = truth[:, None] == names
    known = own.any(axis=1)
    mine = np.where(known, np.where(own, distances, np.inf).min(axis=1), distances.max(axis=1))
    others = np.where(own, np.inf, distances).min(axis=1)
    return (known & (mine <= others)).astype(np.float64), mine - others

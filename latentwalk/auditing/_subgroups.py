"""The panel within classes and other subgroups: few exposed members can be all of a rare one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentwalk.auditing._cohorts import Cohorts
from latentwalk.auditing._panel import LEARNED, Attempts
from latentwalk.auditing._results import AuditSettings, SubgroupFigures
from latentwalk.metrics import Rate, Verdict, holm, joint_test, n_exposed_lower, tpr_at_fpr
from latentwalk.utils import check_names, check_targets

By = Mapping[str, tuple[ArrayLike, ArrayLike]]  # values of members, of held-out records
NAN = float("nan")


def check_by(by: By, cohorts: Cohorts) -> dict[str, NDArray[Any]]:
    """Return the values of all real records, members first; raises where they do not fit."""
    if not by:
        return {}
    lengths = [len(cohort) for cohort in cohorts.pair]
    checked = {}
    for name, given in by.items():
        if len(given) != 2:
            raise ValueError(
                f"by[{name!r}] has {len(given)} parts; expected two: the values of the members and "
                "of the held-out records"
            )
        parts = [
            np.asarray(check_targets(values, n, name=f"by[{name!r}][{place}]"))
            for place, (values, n) in enumerate(zip(given, lengths, strict=True))
        ]
        checked[name] = np.concatenate(parts)
        check_names([name, *np.unique(checked[name]).tolist()], f"by[{name!r}]")
    return checked


def measure_subgroups(
    cohorts: Cohorts, attempts: Attempts, by: dict[str, NDArray[Any]], settings: AuditSettings
) -> tuple[SubgroupFigures, ...]:
    """Test the panel within each subgroup; p-values allow for all subgroups (Holm)."""
    found = list(_subgroups(cohorts, by))
    # the learned attacker has used labels
    kept = [i for i, name in enumerate(attempts.names) if name[0] != LEARNED]
    tests = [_test(cohorts, attempts.exposures[kept], inside, settings) for *_, inside in found]
    adjusted = holm([p_value for p_value, _ in tests])
    return tuple(
        _figures(
            cohorts,
            (name, value),
            inside,
            attempts.exposures[kept],
            attempts.names[kept[best]],
            (float(p_value), best, len(found)),
            settings,
        )
        for (name, value, inside), (_, best), p_value in zip(found, tests, adjusted, strict=True)
    )


def _subgroups(
    cohorts: Cohorts, by: dict[str, NDArray[Any]]
) -> Iterator[tuple[str, Any, NDArray[np.bool_]]]:
    """Name, value, and the subjects with a drawn record of that value, (n_subjects,)."""
    draws = cohorts.draws
    for name, values in by.items():
        for value in np.unique(values):
            drawn = values[draws.rows] == value
            yield name, value, np.logical_or.reduceat(drawn, draws.starts)


def _test(
    cohorts: Cohorts,
    exposures: NDArray[np.float64],
    inside: NDArray[np.bool_],
    settings: AuditSettings,
) -> tuple[float, int]:
    """The joint p-value among these subjects, and the attack that it comes from."""
    is_member = cohorts.is_member[inside]
    if is_member.all() or not is_member.any():
        return 1.0, 0
    joint = joint_test(
        exposures[:, inside],
        is_member,
        fpr=settings.fpr,
        strata=cohorts.strata[inside],
        random_state=cohorts.draws.seed,
    )
    return joint.p_value, int(joint.adjusted.argmin())


def _figures(
    cohorts: Cohorts,
    group: tuple[str, Any],
    inside: NDArray[np.bool_],
    exposures: NDArray[np.float64],
    attack: tuple[str, str, str],
    result: tuple[float, int, int],
    settings: AuditSettings,
) -> SubgroupFigures:
    """Figures of the attack that finds most, the bound at a level shared by all that were tried."""
    p_value, best, n_subgroups = result
    of_members, of_holdout = (part for part in cohorts.split(inside))
    n, m = int(of_members.sum()), int(of_holdout.sum())
    rate, bound = Rate(NAN, NAN, NAN), 0
    if n and m:
        confidence = 1 - settings.alpha / n_subgroups
        t, h = (
            values[..., chosen]
            for values, chosen in zip(
                cohorts.split(exposures), (of_members, of_holdout), strict=True
            )
        )
        rate = tpr_at_fpr(t[best], h[best], fpr=settings.fpr, confidence=confidence)
        if p_value <= settings.alpha:
            places = np.unique(cohorts.strata[inside], return_inverse=True)[1]
            level = settings.alpha / (n_subgroups * len(exposures))
            bound = n_exposed_lower(
                t[best], h[best], alpha=level, fpr=settings.fpr, strata=(places[:n], places[n:])
            )
    return SubgroupFigures(
        by=group[0],
        value=str(group[1]),
        n_members=n,
        n_holdout=m,
        attack=_title(attack),
        n_exposed_lower=bound,
        tpr=rate,
        p_value=p_value,
    )


def _title(name: tuple[str, str, str]) -> str:
    attack, view, subjects = name
    return f"{attack} in {view}" + (", mean of images" if subjects == "mean of images" else "")


def with_subgroups(
    word: Verdict, reason: str, subgroups: Sequence[SubgroupFigures], settings: AuditSettings
) -> tuple[Verdict, str]:
    """Return the verdict with what was found within subgroups, where that is worse."""
    found = [g for g in subgroups if g.p_value <= settings.alpha]
    if not found or word in (Verdict.INVALID, Verdict.LEAK):
        return word, reason
    worst = max(found, key=lambda g: (g.n_exposed_lower / g.n_members, -g.p_value))
    where = f"Among the {worst.n_members} members with {worst.by} = {worst.value}"
    if worst.n_exposed_lower > settings.tolerance * worst.n_members:
        share = worst.n_exposed_lower / worst.n_members
        return Verdict.LEAK, (
            f"{where}, at least {worst.n_exposed_lower} ({share:.1%}) are exposed, found by "
            f"{worst.attack}; {settings.tolerance:.1%} is tolerated."
        )
    if word is Verdict.SIGNAL:
        return word, reason
    return Verdict.SIGNAL, (
        f"{where}, the release tells members from held-out subjects (p = {worst.p_value:.2g}, all "
        f"subgroups allowed for), found by {worst.attack}. Over all members it was not found."
    )

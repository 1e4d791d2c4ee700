"""The panel at work: every attack in every view of one release."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from latentwalk.auditing._attacks._base import ATTACKS, MembershipAttack, NeighborSearch
from latentwalk.auditing._attacks._knowledge import AttackerKnowledge
from latentwalk.auditing._attacks._learned import draw_folds, learned_scores
from latentwalk.auditing._attacks._panels import Panel
from latentwalk.auditing._cohorts import Cohorts
from latentwalk.auditing._results import AuditSettings
from latentwalk.auditing._sights import (
    NEAREST,
    Exposures,
    Sight,
    image_shape,
    join,
    score_subjects,
)
from latentwalk.metrics import JointTest, joint_test
from latentwalk.utils import timed

SUBJECTS, RECORDS, ALL = "groups_reference", "records", "all views"
LEARNED = "learned from all"
N_FOLDS = 5
JOINT_SHARE = 0.8  # of the level, for the joint test; Bonferroni of the exact tests has the rest


@dataclass(frozen=True, eq=False)
class Attempts:
    """What the attacks of a panel made of a release.

    Attributes
    ----------
    names : list of tuple of str
        Attack, view and way to see a subject, in the order of `exposures`.
    exposures : ndarray of shape (n_attempts, n_subjects)
        Small means near, like a member; members first, comparable over strata.
    joint : JointTest
        One p-value for all, and one adjusted for each.
    not_run : dict of str to str
        The reason, by name of the attack.
    """

    names: list[tuple[str, str, str]]
    exposures: NDArray[np.float64]
    joint: JointTest
    not_run: dict[str, str]


class PanelRun:
    """A panel in the course of reading a release, chunk by chunk.

    A view that is too wide for a large release keeps exposures and no rows. There only attacks run
    whose score of a release is the largest over its parts.
    """

    def __init__(
        self,
        cohorts: Cohorts,
        sights: Sequence[Sight],
        panel: Panel,
        knowledge: AttackerKnowledge,
        n_chunks: int,
        named: Sequence[str] = (),
        verbose: bool | int = False,
    ) -> None:
        self.cohorts, self.sights, self.panel, self.verbose = cohorts, sights, panel, verbose
        self.knowledge, self.n_chunks, self.named = knowledge, n_chunks, named
        self.not_run = {n: why for n in ATTACKS if (why := missing(n, cohorts, knowledge))}
        self._rows: dict[str, list[NDArray[Any]]] = {s.view.name: [] for s in sights}
        self._exposures: dict[str, Exposures] = {s.view.name: {} for s in sights}
        self._images: list[NDArray[Any]] = []

    def read(self, records: NDArray[Any], features: dict[str, NDArray[Any]]) -> None:
        """Take consecutive records of the release and their features by space."""
        if self._record_attacks():
            self._images.append(records)
        for sight in self.sights:
            rows = sight.embed(features[sight.view.space])
            if self.n_chunks == 1:
                self._attack(sight, rows, self._attacks_in(sight))
            elif sight.is_wide:
                names = [n for n in self._attacks_in(sight) if ATTACKS[n].decomposes]
                self._attack(sight, rows, names)
            else:
                self._rows[sight.view.name].append(rows)

    def finish(self, settings: AuditSettings) -> Attempts:
        """Attack what was kept, and test all attempts together."""
        for sight in self.sights:
            if self._rows[sight.view.name]:
                rows = np.concatenate(self._rows.pop(sight.view.name))
                self._attack(sight, rows, self._attacks_in(sight))
        names, values = [], []
        for view, exposures in {**self._exposures, RECORDS: self._attack_records()}.items():
            for (attack, subjects), found in exposures.items():
                names.append((attack, view, subjects))
                values.append(self.cohorts.draws.align(found))
        for attack in {*self.named} - {attack for attack, _, _ in names}:
            self.not_run[attack] = "needs the whole release at once, in a narrower feature space"
        with self._timed(f"joint test of {len(names)} attacks"):
            return self._judge(names, np.array(values), settings)

    def _judge(
        self,
        names: list[tuple[str, str, str]],
        exposures: NDArray[np.float64],
        settings: AuditSettings,
    ) -> Attempts:
        cohorts, rng = self.cohorts, check_random_state(self.cohorts.draws.seed)
        given: dict[str, Any] = {
            "alpha": JOINT_SHARE * settings.alpha,
            "fpr": settings.fpr,
            "strata": cohorts.strata,
        }
        if self.panel.is_full:
            folds = draw_folds(cohorts.strata, N_FOLDS, rng)

            def retrained(labels: NDArray[np.bool_]) -> NDArray[np.float64]:
                return -learned_scores(-exposures, labels, folds)

            given["retrained"] = retrained
        joint = joint_test(exposures, cohorts.is_member, random_state=rng, **given)
        if self.panel.is_full:
            names = [*names, (LEARNED, ALL, NEAREST)]
            exposures = np.vstack([exposures, retrained(cohorts.is_member[:, None])[:, 0]])
        return Attempts(names, exposures, joint, self.not_run)

    def _timed(self, step: str) -> AbstractContextManager[None]:
        return timed("PrivacyAuditor", step, verbose=self.verbose)

    def _attacks_in(self, sight: Sight) -> list[str]:
        """Names of the attacks that run in a view."""
        wanted = [*self.panel.attacks_in(sight.view, sight.width)]
        if sight.view.name == sight.view.space:
            wanted += [n for n in self._asked_for() if not ATTACKS[n].sees_records]
        return [n for n in dict.fromkeys(wanted) if n not in self.not_run]

    def _record_attacks(self) -> list[str]:
        asked = [n for n in self._asked_for() if ATTACKS[n].sees_records]
        wanted = dict.fromkeys([*self.panel.record_attacks, *asked])
        return [n for n in wanted if n not in self.not_run]

    def _asked_for(self) -> list[str]:
        """Attacks by name, those with what was handed to them, and those that a user registered."""
        if self.panel.is_closed:
            return [*self.named]
        handed_over = [
            name
            for name, attack in ATTACKS.items()
            if (attack.needs and SUBJECTS not in attack.needs) or _is_others(attack)
        ]
        return [*self.named, *handed_over]

    def _attack(self, sight: Sight, rows: NDArray[Any], names: Sequence[str]) -> None:
        search, attacks = NeighborSearch(rows), {}
        with self._timed(f"{len(names)} attacks in {sight.view.name}"):
            for name in names:
                handed = self._handed(ATTACKS[name])
                attacks[name] = ATTACKS[name]().fit(rows, sight.reference, search=search, **handed)
            join(self._exposures[sight.view.name], score_subjects(sight, attacks, self.cohorts))

    def _attack_records(self) -> Exposures:
        """Exposures to attacks that see the records themselves."""
        exposures: Exposures = {}
        if not self._images:
            return exposures
        real = real_records(self.cohorts, self.knowledge)
        released = np.concatenate(self._images).reshape(-1, *real.shape[1:])
        for name in self._record_attacks():
            with self._timed(f"{name} in the records"):
                attack = ATTACKS[name]().fit(released, **self._handed(ATTACKS[name]))
                labels = {"y": self.knowledge.labels(self.cohorts)} if attack.sees_labels else {}
                found = -attack.score_samples(real, **labels)
            exposures[name, NEAREST] = self.cohorts.draws.smallest(found)
        return exposures

    def _handed(self, attack: type[MembershipAttack]) -> dict[str, Any]:
        names = [name for name in (*attack.needs, *attack.takes) if name != SUBJECTS]
        handed = self.knowledge.only(names)
        if SUBJECTS in attack.needs and self.cohorts.reference is not None:
            handed[SUBJECTS] = self.cohorts.reference.codes
        return handed


def real_records(cohorts: Cohorts, knowledge: AttackerKnowledge) -> NDArray[Any]:
    """Return members and held-out records: those handed over, else what the spaces hold."""
    if knowledge.X is None and knowledge.X_holdout is None:
        for space in cohorts.spaces:
            shape = image_shape(cohorts, space)
            if shape is not None:
                scale = sqrt(np.prod(shape))  # PixelFeatures divides by it
                return (cohorts.real(space) * scale).reshape(-1, *shape)
            if cohorts.spaces[space] is None:
                return cohorts.real(space)
    return knowledge.records(cohorts)


def reads_by_parts(panel: Panel, named: Sequence[str]) -> bool:
    """Whether all that may run in a wide view can take a release part by part.

    If so, a release is read in chunks by its widest features, which holds least memory. Otherwise
    the chunks are as long as the images allow, so that few attacks are lost.
    """
    joining = [] if panel.is_closed else [n for n, attack in ATTACKS.items() if _is_others(attack)]
    asked = [ATTACKS[name] for name in (*panel.wide_attacks, *named, *joining)]
    return all(attack.decomposes or attack.sees_records for attack in asked)


def _is_others(attack: type[MembershipAttack]) -> bool:
    """Whether a user registered it: it joins every panel."""
    return not attack.__module__.startswith("latentwalk.") and not attack.needs


def check_named(
    names: Sequence[str], cohorts: Cohorts, knowledge: AttackerKnowledge
) -> tuple[str, ...]:
    """Return the names of attacks; raises for one that is unknown or lacks what it needs."""
    named = (names,) if isinstance(names, str) else tuple(names)
    unknown = [name for name in named if name not in ATTACKS]
    if unknown:
        raise ValueError(f"attacks={unknown}; expected names among {sorted(ATTACKS)}")
    if named:
        _ = cohorts.pair
    for name in named:
        lacking = missing(name, cohorts, knowledge)
        if lacking:
            raise ValueError(f"the attack {name!r} {lacking}")
    return named


def missing(name: str, cohorts: Cohorts, knowledge: AttackerKnowledge) -> str:
    """What an attack needs and nobody gave; empty for nothing."""
    attack, reference = ATTACKS[name], cohorts.reference
    if attack.sees_records and not attack.needs and len(cohorts.shape) != 3:
        return "needs images"
    if attack.needs_reference and reference is None:
        return "needs X_reference: fit the auditor with it"
    if SUBJECTS in attack.needs and (reference is None or reference.n_subjects == len(reference)):
        return "needs groups_reference with two records of one subject: fit the auditor with it"
    lacking = [need for need in attack.needs if need != SUBJECTS and not knowledge.has([need])]
    how = "pass it in knowledge=AttackerKnowledge(...)"
    return f"needs {', '.join(lacking)}: {how}" if lacking else ""

"""From the figures of all attacks to one report."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from latentwalk.auditing._attacks._base import ATTACKS
from latentwalk.auditing._attacks._panels import Panel
from latentwalk.auditing._cohorts import Cohorts
from latentwalk.auditing._figures import detection_limit, measure_attacks, measure_spaces
from latentwalk.auditing._nearness import N_NEAREST, Nearness
from latentwalk.auditing._panel import Attempts
from latentwalk.auditing._report import AuditReport
from latentwalk.auditing._results import (
    AttackResult,
    AttributeDisclosure,
    AuditSets,
    AuditSettings,
    Control,
    Recognition,
    SpaceFigures,
    SubgroupFigures,
)
from latentwalk.auditing._sights import image_shape
from latentwalk.auditing._subgroups import with_subgroups
from latentwalk.metrics import (
    ExactTest,
    Rate,
    Verdict,
    find_copies,
    keys_digest,
    match_keys,
    n_holdout_to_certify,
    verdict,
)

NAN = float("nan")
ADVICE = {
    Verdict.LEAK: "Do not release. Use a larger k, or train the generator with fewer steps or "
    "more subjects; an audit of the stages of the pipeline shows which one exposes them.",
    Verdict.SIGNAL: "Decide on the size of the effect: compare the interval of the true-positive "
    "rate with what is tolerated, and audit the stages of the pipeline for its source.",
    Verdict.NO_EVIDENCE: "This panel found nothing larger than its detection limit. Other "
    "attackers may find more; the attacks that were not run are listed.",
    Verdict.UNDERPOWERED: "Audit with more members and held-out subjects: patients_needed says "
    "how many.",
    Verdict.INVALID: "Split members and held-out subjects at random, by subject and within "
    "classes, and audit again.",
    None: "Hold out subjects that nothing was trained on, and give them as X_holdout.",
}
ALL_GUIDED = (
    "Audit also in a feature space that had no part in making the release, such as pixels, LPIPS "
    "or a network of your own."
)
NO_HOLDOUT = (
    "Without held-out records there is no verdict: what is near by chance cannot be told from what "
    "is copied."
)


@dataclass(frozen=True)
class Findings:
    """What all attacks found together; NaN without held-out records."""

    attacks: tuple[AttackResult, ...] = ()
    spaces: tuple[SpaceFigures, ...] = ()
    p_value: float = NAN
    tpr_high: float = NAN
    limit: float = NAN
    n_copies: int = 0
    subgroups: tuple[SubgroupFigures, ...] = ()
    attributes: tuple[AttributeDisclosure, ...] = ()
    recognition: tuple[Recognition, ...] = ()


def find(
    cohorts: Cohorts,
    near: Nearness,
    attempts: Attempts,
    guided: tuple[str, ...],
    settings: AuditSettings,
) -> Findings:
    """Measure every attack, the distances and the copies."""
    attacks = measure_attacks(cohorts, attempts, guided, settings)
    unguided = [a.tpr.high for a in attacks if not a.guided]
    return Findings(
        attacks=attacks,
        spaces=measure_spaces(cohorts, attempts, near, guided, settings),
        p_value=min(a.p_adjusted for a in attacks),
        tpr_high=max(unguided, default=1.0),
        limit=detection_limit(cohorts, attempts, settings),
        n_copies=count_copies(cohorts, near),
    )


def count_copies(cohorts: Cohorts, near: Nearness) -> int:
    """Return how many synthetic records copy a member, in the first feature space."""
    space = next(iter(cohorts.spaces))
    index = cohorts.indices[space]
    k = min(N_NEAREST, len(index.references))
    of_holdout = index.kneighbors(cohorts.pair[1].features[space], k)[0]
    return int(find_copies(near.distances, of_holdout, resolution=resolution(cohorts, space)).sum())


def resolution(cohorts: Cohorts, space: str) -> float:
    """Return the distance of two records that differ as little as they can; 0 where not known."""
    shape = image_shape(cohorts, space)
    if shape is not None:
        return float(1 / 255 / np.sqrt(np.prod(shape)))
    if cohorts.spaces[space] is not None:
        return 0.0
    columns = cohorts.members.features[space].T[:64]
    steps = [np.diff(np.unique(column)) for column in columns]
    return float(np.median([step.min() for step in steps if len(step)] or [0.0]))


def conclude(
    cohorts: Cohorts,
    near: Nearness,
    findings: Findings,
    controls: tuple[Control, ...],
    guided_by: tuple[str, ...],
    panel: Panel,
    not_run: dict[str, str],
    settings: AuditSettings,
) -> AuditReport:
    """Return the report; without held-out records it has no verdict."""
    sets = cohorts.sizes(len(near.keys))
    worst = findings.attacks[0] if findings.attacks else None
    n_exposed = max((a.n_exposed_lower for a in findings.attacks), default=None)
    word, reason = _judge(findings, controls, sets, settings)
    all_guided = all(a.guided for a in findings.attacks)
    return AuditReport(
        verdict=word,
        reason=reason,
        advice=ALL_GUIDED if word is Verdict.UNDERPOWERED and all_guided else ADVICE[word],
        p_value=findings.p_value,
        headline=worst,
        n_exposed_lower=n_exposed,
        tpr=worst.tpr if worst else Rate(NAN, NAN, NAN),
        tpr_high=findings.tpr_high,
        auc=worst.auc if worst else Rate(NAN, NAN, NAN),
        test=worst.test if worst else ExactTest(NAN, NAN, NAN),
        collision_rate=max((s.collision_rate for s in findings.spaces), default=NAN),
        mean_minimum_distance=near.mean_minimum[next(iter(cohorts.spaces))],
        smallest_detectable_leak=findings.limit,
        n_copies=findings.n_copies,
        n_duplicates=int((match_keys(near.keys, cohorts.members.keys) >= 0).sum()),
        n_repeated=len(near.keys) - len(set(near.keys.tolist())),
        # the lower end of an interval needs a threshold that is surely under the rate
        certified=sets.n_holdout >= n_holdout_to_certify(settings.fpr, 1 - settings.alpha / 4),
        settings=settings,
        sets=sets,
        panel=panel.name,
        attacks=findings.attacks,
        not_run=tuple(not_run.items()),
        spaces=findings.spaces,
        guided_by=guided_by,
        controls=controls,
        subgroups=findings.subgroups,
        attributes=findings.attributes,
        recognition=findings.recognition,
        _digest=keys_digest(near.keys),
    )


def _judge(
    findings: Findings, controls: tuple[Control, ...], sets: AuditSets, settings: AuditSettings
) -> tuple[Verdict | None, str]:
    """The verdict and its reason; no verdict without attacks, which need held-out records."""
    if not findings.attacks:
        return None, NO_HOLDOUT
    word, reason = verdict(
        p_value=findings.p_value,
        n_exposed_lower=max(a.n_exposed_lower for a in findings.attacks),
        n_members=sets.n_members,
        tpr_high=findings.tpr_high,
        detection_limit=findings.limit,
        n_copies=findings.n_copies,
        failed_controls=[c.name for c in controls if not c.passed],
        has_unguided_view=any(not a.guided for a in findings.attacks),
        has_enough_holdout=sets.n_holdout >= n_holdout_to_certify(settings.fpr, 1 - settings.alpha),
        attack=findings.attacks[0].title,
        alpha=settings.alpha,
        tolerance=settings.tolerance,
    )
    return with_subgroups(word, reason, findings.subgroups, settings)


def left_out(attempts: Attempts, panel: Panel) -> dict[str, str]:
    """Return the registered attacks that were not run, and why."""
    run = {name for name, _, _ in attempts.names}
    reason = f"not in the {panel.name} panel"
    return {n: attempts.not_run.get(n, reason) for n in ATTACKS if n not in run}

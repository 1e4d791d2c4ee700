"""From the figures of each feature space to one report."""

from __future__ import annotations

from dataclasses import dataclass

from latentwalk.auditing._cohorts import Cohorts
from latentwalk.auditing._nearness import Nearness
from latentwalk.auditing._report import AuditReport
from latentwalk.auditing._results import AuditSettings, Control, SpaceFigures
from latentwalk.metrics import (
    ExactTest,
    Rate,
    Verdict,
    keys_digest,
    match_keys,
    n_holdout_to_certify,
    smallest_detectable_leak,
    verdict,
)

NAN = float("nan")
NO_TEST, NO_RATE = ExactTest(NAN, NAN, NAN), Rate(NAN, NAN, NAN)
ADVICE = {
    Verdict.LEAK: "Do not release. Use a larger k, or train the generator with fewer steps or "
    "more subjects; audit_stages shows which stage exposes the members.",
    Verdict.SIGNAL: "Decide on the size of the effect: compare the interval of the true-positive "
    "rate with what is tolerated, and see audit_stages for its source.",
    Verdict.NO_EVIDENCE: "This audit found nothing larger than its detection limit. It covers "
    "distances in the audited feature spaces only.",
    Verdict.UNDERPOWERED: "Audit with more held-out subjects, or in a feature space that had no "
    "part in making the release.",
    Verdict.INVALID: "Split members and held-out subjects at random, by subject and within "
    "classes, and audit again.",
    None: "Hold out subjects that nothing was trained on, and give them as X_holdout.",
}
NO_HOLDOUT = (
    "Without held-out records there is no verdict: what is near by chance cannot be told from what "
    "is copied."
)


@dataclass(frozen=True)
class Headline:
    """The worst figures over the feature spaces."""

    test: ExactTest = NO_TEST
    n_exposed_lower: int | None = None
    tpr: Rate = NO_RATE
    auc: Rate = NO_RATE
    collision_rate: float = NAN


def conclude(
    cohorts: Cohorts,
    near: Nearness,
    spaces: tuple[SpaceFigures, ...],
    controls: tuple[Control, ...],
    guided_by: tuple[str, ...],
    settings: AuditSettings,
) -> AuditReport:
    """Return the report; without held-out records it has no verdict and `spaces` is empty."""
    sets = cohorts.sizes(len(near.keys))
    n_duplicates = int((match_keys(near.keys, cohorts.members.keys) >= 0).sum())
    worst = find_worst(spaces) if spaces else Headline()
    word, reason = None, NO_HOLDOUT
    if spaces:
        word, reason = verdict(
            p_value=worst.test.p_value,
            n_exposed_lower=worst.n_exposed_lower or 0,
            n_members=sets.n_members,
            tpr_high=worst.tpr.high,
            n_duplicates=n_duplicates,
            failed_controls=[c.name for c in controls if not c.passed],
            has_unguided_space=any(not s.guided for s in spaces),
            alpha=settings.alpha,
            tolerance=settings.tolerance,
        )
    return AuditReport(
        verdict=word,
        reason=reason,
        advice=ADVICE[word],
        test=worst.test,
        n_exposed_lower=worst.n_exposed_lower,
        tpr=worst.tpr,
        auc=worst.auc,
        collision_rate=worst.collision_rate,
        mean_minimum_distance=near.mean_minimum[next(iter(cohorts.spaces))],
        smallest_detectable_leak=find_limit(cohorts, len(spaces), settings),
        n_duplicates=n_duplicates,
        n_repeated=len(near.keys) - len(set(near.keys.tolist())),
        certified=sets.n_holdout >= n_holdout_to_certify(settings.fpr, 1 - settings.alpha),
        settings=settings,
        sets=sets,
        spaces=spaces,
        guided_by=guided_by,
        controls=controls,
        _digest=keys_digest(near.keys),
    )


def find_worst(spaces: tuple[SpaceFigures, ...]) -> Headline:
    """Return each worst figure; p-values pay for the number of spaces (Bonferroni)."""
    smallest = (min(p) for p in zip(*(s.test for s in spaces), strict=True))
    return Headline(
        test=ExactTest(*(min(1.0, len(spaces) * p) for p in smallest)),
        n_exposed_lower=max(s.n_exposed_lower for s in spaces),
        tpr=max((s.tpr for s in spaces), key=lambda rate: rate.high),
        auc=max((s.auc for s in spaces), key=lambda rate: rate.value),
        collision_rate=max(s.collision_rate for s in spaces),
    )


def find_limit(cohorts: Cohorts, n_spaces: int, settings: AuditSettings) -> float:
    """Return the detection limit, at the level left after directions and spaces."""
    if not n_spaces:
        return NAN
    level = settings.alpha / (2 * n_spaces)
    return smallest_detectable_leak(*cohorts.draws.sizes, alpha=level, fpr=settings.fpr)

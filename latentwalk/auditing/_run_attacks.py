"""All attacks in all spaces, and one p-value for the best of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from latentwalk.auditing._attacks._base import ATTACKS, MembershipAttack
from latentwalk.auditing._attacks._knowledge import AttackerKnowledge
from latentwalk.auditing._auditor import PrivacyAuditor
from latentwalk.auditing._checks import check_records
from latentwalk.auditing._cohorts import Cohorts
from latentwalk.auditing._results import AttackReport, AttackResult
from latentwalk.auditing._spaces import extract
from latentwalk.metrics import auc, tpr_at_fpr
from latentwalk.utils import to_float

TOP_SHARE = 0.02
RECORDS = "records"
SUBJECTS = "groups_reference"


def max_test(
    scores: ArrayLike,
    is_member: ArrayLike,
    *,
    strata: ArrayLike | None = None,
    n_permutations: int = 999,
    random_state: Any = None,
) -> float:
    """Return one p-value for the best of several attacks, by permuting subjects.

    Each attack is judged by its AUC and by the members among its top 2 %. Both are standardised by
    their mean and spread under relabelling, and the largest of all is compared with the largest
    under relabelling.

    Parameters
    ----------
    scores : array-like of shape (n_attacks, n_subjects)
        Larger means member.
    is_member : array-like of bool of shape (n_subjects,)
        The truth.
    strata : array-like of int of shape (n_subjects,), default=None
        Subjects are relabelled within these; None is one stratum.
    n_permutations : int, default=999
        Relabellings.
    random_state : int, RandomState or None, default=None
        Seeds them.

    Returns
    -------
    p_value : float
        Valid for any dependence between the attacks.

    References
    ----------
    P. Westfall and S. Young, "Resampling-based multiple testing", 1993.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.auditing import max_test
    >>> members = np.arange(40) < 20
    >>> max_test([np.where(members, 1.0, 0.0), np.zeros(40)], members, random_state=0)
    0.001
    """
    is_member = np.asarray(is_member, dtype=bool)
    ranks = rankdata(np.atleast_2d(np.asarray(scores, dtype=float)), axis=1)
    n_top = max(1, round(TOP_SHARE * len(is_member)))
    top = (ranks >= np.sort(ranks, axis=1)[:, -n_top][:, None]).astype(float)
    rng = check_random_state(random_state)
    places = np.zeros(len(is_member), dtype=int) if strata is None else np.asarray(strata)
    labels = [is_member, *(_relabelled(is_member, places, rng) for _ in range(n_permutations))]
    sums = np.concatenate([ranks, top]) @ np.column_stack(labels).astype(float)
    spread = sums.std(axis=1, keepdims=True)
    sums = (sums - sums.mean(axis=1, keepdims=True)) / np.where(spread > 1e-9, spread, np.inf)
    largest = sums.max(axis=0)
    # equal sums may differ in their last digits
    as_large = (largest[1:] >= largest[0] - 1e-9).sum()
    return float((1 + as_large) / (1 + n_permutations))


def _relabelled(
    is_member: NDArray[np.bool_], strata: NDArray[Any], rng: np.random.RandomState
) -> NDArray[np.bool_]:
    labels = is_member.copy()
    for stratum in np.unique(strata):
        labels[strata == stratum] = rng.permutation(is_member[strata == stratum])
    return labels


def run_attacks(
    auditor: PrivacyAuditor,
    X_syn: ArrayLike,
    *,
    attacks: Sequence[str] | None = None,
    knowledge: AttackerKnowledge | None = None,
    n_permutations: int = 999,
    random_state: Any = None,
) -> AttackReport:
    """Attack a release with every registered attack.

    Parameters
    ----------
    auditor : PrivacyAuditor
        Fitted with held-out records. With X_reference, the attacks that need one run too.
    X_syn : array-like of shape (n_synthetic, ...)
        The release.
    attacks : sequence of str, default=None
        Names in `ATTACKS`; None is all that the auditor's sets and `knowledge` allow.
    knowledge : AttackerKnowledge, default=None
        What attackers hold besides the release: an inverter, a classifier trained on the release.
    n_permutations : int, default=999
        Relabellings for the p-value.
    random_state : int, RandomState or None, default=None
        Seeds the permutations. The images drawn from a subject are those of the auditor.

    Returns
    -------
    report : AttackReport
        One p-value, and AUC and true-positive rate of each attack in each space.

    Raises
    ------
    ValueError
        For an unknown attack, one that is named but lacks what it needs, an auditor without
        held-out records, or records that are not the auditor's.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.auditing import PrivacyAuditor, run_attacks
    >>> X = np.random.default_rng(0).normal(size=(300, 4))
    >>> auditor = PrivacyAuditor(random_state=0).fit(X[:150], X_holdout=X[150:])
    >>> report = run_attacks(auditor, X[:40] + 0.01, random_state=0)
    >>> report.p_value, [r.attack for r in report.results][-1]
    (0.001, 'absence')
    """
    check_is_fitted(auditor)
    cohorts = auditor.cohorts_
    n_members, strata = cohorts.pair[0].n_subjects, np.concatenate(cohorts.draws.strata)
    known = knowledge or AttackerKnowledge()
    names = _chosen(attacks, cohorts, known)
    release = check_records(auditor, X_syn, reset=False, name="X_syn")
    scores, results = [], []
    for view in _views(cohorts, release, [ATTACKS[name] for name in names], known):
        for name in names:
            attack = ATTACKS[name]()
            if attack.sees_records != (view.space == RECORDS):
                continue
            # near = small in the metrics
            t, h = cohorts.by_subject(-_scores(attack, view, known, cohorts))
            scores.append(-np.concatenate([t, h]))
            rates = auc(t, h), tpr_at_fpr(t, h, fpr=auditor.fpr)
            results.append(AttackResult(name, view.space, *rates))
    p_value = max_test(
        scores,
        np.arange(len(strata)) < n_members,
        strata=strata,
        n_permutations=n_permutations,
        random_state=random_state,
    )
    return AttackReport(p_value, tuple(sorted(results, key=lambda r: -r.auc.value)))


@dataclass(frozen=True)
class _View:
    """The release, the reference, and members before held-out records, as an attack sees them."""

    space: str
    synthetic: NDArray[Any]
    reference: NDArray[Any] | None
    real: NDArray[Any]


def _views(
    cohorts: Cohorts,
    release: NDArray[Any],
    attacks: list[type[MembershipAttack]],
    knowledge: AttackerKnowledge,
) -> list[_View]:
    views, reference = [], cohorts.reference
    if any(attack.sees_records for attack in attacks):
        real = knowledge.records(cohorts)
        like_real = to_float(release).reshape(len(release), *real.shape[1:])
        views.append(_View(RECORDS, like_real, None, real))
    for space, rows in extract(cohorts.spaces, release, "X_syn").items():
        others = None if reference is None else reference.features[space]
        views.append(_View(space, rows, others, cohorts.real(space)))
    return views


def _scores(
    attack: MembershipAttack, view: _View, knowledge: AttackerKnowledge, cohorts: Cohorts
) -> NDArray[np.float64]:
    """Scores of members and held-out records in one call, so that neither set is favoured."""
    attack.fit(view.synthetic, view.reference, **_handed(attack, knowledge, cohorts))
    labels = {"y": knowledge.labels(cohorts)} if attack.sees_labels else {}
    return attack.score_samples(view.real, **labels)


def _handed(
    attack: MembershipAttack, knowledge: AttackerKnowledge, cohorts: Cohorts
) -> dict[str, Any]:
    names = [name for name in (*attack.needs, *attack.takes) if name != SUBJECTS]
    handed = knowledge.only(names)
    if SUBJECTS in attack.needs and cohorts.reference is not None:
        handed[SUBJECTS] = cohorts.reference.codes
    return handed


def _missing(
    attack: type[MembershipAttack], cohorts: Cohorts, knowledge: AttackerKnowledge
) -> list[str]:
    """What the attack needs and nobody gave, with the place where to give it."""
    reference = cohorts.reference
    missing = []
    if attack.needs_reference and reference is None:
        missing.append("X_reference: fit the auditor with it")
    if SUBJECTS in attack.needs and (reference is None or reference.n_subjects == len(reference)):
        missing.append(f"{SUBJECTS}, with two records of one subject: fit the auditor with it")
    return missing + [
        f"{need}: pass it in knowledge=AttackerKnowledge(...)"
        for need in attack.needs
        if need != SUBJECTS and not knowledge.has([need])
    ]


def _chosen(
    attacks: Sequence[str] | None, cohorts: Cohorts, knowledge: AttackerKnowledge
) -> list[str]:
    if attacks is None:
        return [name for name, one in ATTACKS.items() if not _missing(one, cohorts, knowledge)]
    unknown = [name for name in attacks if name not in ATTACKS]
    if unknown:
        raise ValueError(f"attacks={unknown}; expected names among {sorted(ATTACKS)}")
    for name in attacks:
        for missing in _missing(ATTACKS[name], cohorts, knowledge):
            raise ValueError(f"the attack {name!r} needs {missing}")
    return list(attacks)

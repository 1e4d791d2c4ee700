"""All attacks in all spaces, and one p-value for the best of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from latentwalk.auditing._attacks._base import ATTACKS, MembershipAttack
from latentwalk.auditing._attacks._knowledge import AttackerKnowledge
from latentwalk.auditing._auditor import PrivacyAuditor
from latentwalk.auditing._cohorts import check_records
from latentwalk.auditing._draws import smallest, stratum_medians
from latentwalk.auditing._spaces import extract
from latentwalk.metrics import Rate, auc, tpr_at_fpr
from latentwalk.utils import to_float

TOP_SHARE = 0.02
RECORDS = "records"


class AttackResult(NamedTuple):
    """What one attack found in one space; `space` is "records" where it looks at these."""

    attack: str
    space: str
    auc: Rate
    tpr: Rate


class AttackReport(NamedTuple):
    """What `run_attacks` returns.

    Attributes
    ----------
    p_value : float
        Permutation maximum over attacks and spaces, by subject.
    results : tuple of AttackResult
        One for each attack and space, the largest AUC first.
    """

    p_value: float
    results: tuple[AttackResult, ...]


def max_test(
    scores: ArrayLike,
    is_member: ArrayLike,
    *,
    strata: ArrayLike | None = None,
    n_permutations: int = 999,
    random_state: Any = None,
) -> float:
    """Return one p-value for the best of several attacks, by permuting subjects.

    Each attack is judged by its AUC and by the members among its top 2 %, both standardised by
    their permutation moments; the largest of all is compared with the largest under relabelling.

    Parameters
    ----------
    scores : array-like of shape (n_attacks, n_subjects)
        Larger means member.
    is_member : array-like of bool of shape (n_subjects,)
        The truth.
    strata : array-like of int of shape (n_subjects,), default=None
        Subjects are relabelled within these alone; None is one.
    n_permutations : int, default=999
        Relabellings.
    random_state : int, RandomState or None, default=None
        Seeds them.

    Returns
    -------
    p_value : float
        Valid however the attacks depend on each other.

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
    """Attack a release with everything there is.

    Parameters
    ----------
    auditor : PrivacyAuditor
        Fitted with held-out records; with X_reference, the attacks that need one run too.
    X_syn : array-like of shape (n_synthetic, ...)
        The release.
    attacks : sequence of str, default=None
        Names in `ATTACKS`; None is all that the auditor's sets and `knowledge` allow.
    knowledge : AttackerKnowledge, default=None
        What attackers hold beside the release: an inverter, a classifier trained on the release,
        subject ids of the reference.
    n_permutations : int, default=999
        Of the permutation maximum.
    random_state : int, RandomState or None, default=None
        Seeds the permutations; the images drawn from a subject are those of the auditor's first
        draw.

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
    if auditor.holdout_ is None:
        raise ValueError("the auditor has no held-out records; fit it with X_holdout")
    known = knowledge or AttackerKnowledge()
    names = _chosen(attacks, auditor.reference_ is not None, known)
    views = _views(auditor, X_syn, [ATTACKS[name] for name in names], known)
    scores, results = [], []
    for view in views:
        for name in names:
            attack = ATTACKS[name]()
            if attack.sees_records != (view.space == RECORDS):
                continue
            found = _scores(attack, view, known, auditor)
            t, h = _by_subject(-found, auditor)  # near = small in the metrics
            scores.append(-np.concatenate([t, h]))
            rates = auc(t, h), tpr_at_fpr(t, h, fpr=auditor.fpr)
            results.append(AttackResult(name, view.space, *rates))
    is_member = np.arange(len(scores[0])) < len(t)
    strata = np.concatenate(auditor._plan.strata)
    p_value = max_test(
        scores, is_member, strata=strata, n_permutations=n_permutations, random_state=random_state
    )
    return AttackReport(p_value, tuple(sorted(results, key=lambda r: -r.auc.value)))


class _View(NamedTuple):
    """The release, the reference, and members before held-out records, as an attack sees them."""

    space: str
    synthetic: NDArray[Any]
    reference: NDArray[Any] | None
    real: NDArray[Any]


def _views(
    auditor: PrivacyAuditor,
    X_syn: ArrayLike,
    attacks: list[type[MembershipAttack]],
    knowledge: AttackerKnowledge,
) -> list[_View]:
    members, holdout, reference = auditor.members_, auditor.holdout_, auditor.reference_
    assert holdout is not None
    views = []
    release = check_records(auditor, X_syn, reset=False, name="X_syn")
    if any(attack.sees_records for attack in attacks):
        real = knowledge.records(auditor)
        like_real = to_float(release).reshape(len(release), *real.shape[1:])
        views.append(_View(RECORDS, like_real, None, real))
    for space, rows in extract(auditor.spaces_, release, "X_syn").items():
        real = np.concatenate([s.features[space] for s in (members, holdout)])
        views.append(_View(space, rows, reference and reference.features[space], real))
    return views


def _scores(
    attack: MembershipAttack, view: _View, knowledge: AttackerKnowledge, auditor: PrivacyAuditor
) -> NDArray[np.float64]:
    """Scores of members and held-out records in one call, so that neither set is favoured."""
    handed = knowledge.only((*attack.needs, *attack.takes))
    attack.fit(view.synthetic, view.reference, **handed)
    labels = {"y": knowledge.labels(auditor)} if attack.sees_labels else {}
    return attack.score_samples(view.real, **labels)


def _chosen(
    attacks: Sequence[str] | None, has_reference: bool, knowledge: AttackerKnowledge
) -> list[str]:
    if attacks is None:
        return [
            name
            for name, attack in ATTACKS.items()
            if (has_reference or not attack.needs_reference) and knowledge.has(attack.needs)
        ]
    unknown = [name for name in attacks if name not in ATTACKS]
    if unknown:
        raise ValueError(f"attacks={unknown}; expected names among {sorted(ATTACKS)}")
    for name in attacks:
        if ATTACKS[name].needs_reference and not has_reference:
            raise ValueError(f"the attack {name!r} needs X_reference: fit the auditor with it")
        missing = [need for need in ATTACKS[name].needs if not knowledge.has([need])]
        if missing:
            raise ValueError(
                f"the attack {name!r} needs {', '.join(missing)}: pass it in "
                "knowledge=AttackerKnowledge(...)"
            )
    return list(attacks)


def _by_subject(
    values: NDArray[np.float64], auditor: PrivacyAuditor
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values of subjects in the first draw, brought to the same median in each stratum."""
    assert auditor.holdout_ is not None
    plan = auditor._plan._replace(n_draws=1)
    t, h = smallest(values, auditor.members_, auditor.holdout_, plan)
    medians = stratum_medians(t, h, plan)[0]
    return t[0] - medians[plan.strata[0]], h[0] - medians[plan.strata[1]]

"""All attacks in all spaces, and one p-value for the best of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from latentwalk.auditing._attacks import ATTACKS
from latentwalk.auditing._auditor import PrivacyAuditor
from latentwalk.auditing._sets import check_records
from latentwalk.auditing._spaces import extract
from latentwalk.metrics import Rate, auc, subject_minima, tpr_at_fpr

TOP_SHARE = 0.02


class AttackResult(NamedTuple):
    """What one attack found in one space."""

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
    scores: ArrayLike, is_member: ArrayLike, *, n_permutations: int = 999, random_state: Any = None
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
    values = np.concatenate([ranks, top])
    spread = values.std(axis=1, keepdims=True)
    values = (values - values.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1)
    rng = check_random_state(random_state)
    labels = [is_member, *(rng.permutation(is_member) for _ in range(n_permutations))]
    largest = (values @ np.column_stack(labels).astype(float)).max(axis=0)
    # equal sums may differ in their last digits
    as_large = (largest[1:] >= largest[0] - 1e-9).sum()
    return float((1 + as_large) / (1 + n_permutations))


def run_attacks(
    auditor: PrivacyAuditor,
    X_syn: ArrayLike,
    *,
    attacks: Sequence[str] | None = None,
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
        Names in `ATTACKS`; None is all that the auditor's sets allow.
    n_permutations : int, default=999
        Of the permutation maximum.
    random_state : int, RandomState or None, default=None
        Seeds draws of images and permutations.

    Returns
    -------
    report : AttackReport
        One p-value, and AUC and true-positive rate of each attack in each space.

    Raises
    ------
    ValueError
        For an unknown attack, or an auditor without held-out records.

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
    members, holdout, reference = auditor.members_, auditor.holdout_, auditor.reference_
    if holdout is None:
        raise ValueError("the auditor has no held-out records; fit it with X_holdout")
    names = _chosen(attacks, reference is not None)
    synthetic = extract(auditor.spaces_, check_records(auditor, X_syn, reset=False), "X_syn")
    rng = check_random_state(random_state)
    scores, results = [], []
    for space, rows in synthetic.items():
        known = None if reference is None else reference.features[space]
        for name in names:
            attack = ATTACKS[name]().fit(rows, known)
            # near = small in the metrics, so the sign turns
            t, h = (
                _by_subject(-attack.score_samples(s.features[space]), s.codes, auditor, rng)
                for s in (members, holdout)
            )
            scores.append(-np.concatenate([t, h]))
            results.append(AttackResult(name, space, auc(t, h), tpr_at_fpr(t, h, fpr=auditor.fpr)))
    is_member = np.arange(len(scores[0])) < len(t)
    p_value = max_test(scores, is_member, n_permutations=n_permutations, random_state=rng)
    return AttackReport(p_value, tuple(sorted(results, key=lambda r: -r.auc.value)))


def _chosen(attacks: Sequence[str] | None, has_reference: bool) -> list[str]:
    if attacks is None:
        return [n for n, a in ATTACKS.items() if has_reference or not a.needs_reference]
    unknown = [name for name in attacks if name not in ATTACKS]
    if unknown:
        raise ValueError(f"attacks={unknown}; expected names among {sorted(ATTACKS)}")
    return list(attacks)


def _by_subject(
    values: NDArray[np.float64], codes: NDArray[np.intp], auditor: PrivacyAuditor, rng: Any
) -> NDArray[np.float64]:
    n_images = auditor._plan.n_images
    return subject_minima(values, codes, n_images=n_images, random_state=rng)[0]

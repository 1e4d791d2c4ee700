"""Attacks that are named, with the machinery of the audit's panel."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from latentwalk.auditing._attacks._base import ATTACKS
from latentwalk.auditing._attacks._knowledge import AttackerKnowledge
from latentwalk.auditing._attacks._panels import Panel
from latentwalk.auditing._auditor import PrivacyAuditor
from latentwalk.auditing._checks import check_records
from latentwalk.auditing._cohorts import Cohorts
from latentwalk.auditing._figures import measure_attacks
from latentwalk.auditing._nearness import read_chunks
from latentwalk.auditing._panel import PanelRun, missing
from latentwalk.auditing._results import AttackReport, AuditSettings
from latentwalk.auditing._sights import open_sights


def run_attacks(
    auditor: PrivacyAuditor,
    X_syn: ArrayLike,
    *,
    attacks: Sequence[str] | None = None,
    knowledge: AttackerKnowledge | None = None,
) -> AttackReport:
    """Attack a release with named attacks, in the feature spaces as they are.

    `PrivacyAuditor.audit` runs its panel by itself, and its verdict rests on it. This is for single
    attacks, with the same test.

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

    Returns
    -------
    report : AttackReport
        One p-value for all, and the figures of each attack in each space.

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
    >>> report = run_attacks(auditor, X[:40] + 0.01, attacks=["nearest", "local mean"])
    >>> report.p_value < 0.001, report.results[0].attack
    (True, 'nearest')
    """
    check_is_fitted(auditor)
    cohorts, known = auditor.cohorts_, knowledge or AttackerKnowledge()
    _ = cohorts.pair
    names = _chosen(attacks, cohorts, known)
    seeing = tuple(name for name in names if ATTACKS[name].sees_records)
    others = tuple(name for name in names if name not in seeing)
    panel = Panel("named", (), others, others, record_attacks=seeing, is_closed=True, is_plain=True)
    settings = AuditSettings(auditor.alpha, auditor.fpr, auditor.tolerance)
    release = check_records(auditor, X_syn, reset=False, name="X_syn")
    run = PanelRun(cohorts, open_sights(cohorts, panel), panel, known, n_chunks=1)
    for chunk in read_chunks(cohorts.spaces, release, whole=True):
        run.read(chunk.records, chunk.features)
    results = measure_attacks(cohorts, run.finish(settings), (), settings)
    return AttackReport(min(r.p_adjusted for r in results), results)


def _chosen(
    attacks: Sequence[str] | None, cohorts: Cohorts, knowledge: AttackerKnowledge
) -> list[str]:
    if attacks is None:
        return [name for name in ATTACKS if not missing(name, cohorts, knowledge)]
    unknown = [name for name in attacks if name not in ATTACKS]
    if unknown:
        raise ValueError(f"attacks={unknown}; expected names among {sorted(ATTACKS)}")
    for name in attacks:
        lacking = missing(name, cohorts, knowledge)
        if lacking:
            raise ValueError(f"the attack {name!r} {lacking}")
    return list(attacks)

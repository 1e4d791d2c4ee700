"""The attribution ladder: which stage exposes the members, and how large k must be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from latentwalk.auditing._auditor import PrivacyAuditor
from latentwalk.auditing._inversion_gap import inversion_gap
from latentwalk.auditing._page._tables import ladder
from latentwalk.auditing._page._text import as_table, html_table
from latentwalk.auditing._report import AuditReport
from latentwalk.auditing._results import LadderStage
from latentwalk.metrics import Verdict
from latentwalk.utils import check_names


class Ladder(dict[str, AuditReport]):
    """Reports by stage, in the order of the stages. Print it for a table."""

    def rows(self) -> list[tuple[str, ...]]:
        """Return the headline figures of each stage as text, with a row of titles first."""
        stages = [_ladder_stage(name, report) for name, report in self.items()]
        return ladder(stages, next(iter(self.values())).settings.fpr)

    def __str__(self) -> str:
        return as_table(f"{len(self)} stages", self.rows())

    def _repr_html_(self) -> str:
        return html_table(self.rows())


def audit_stages(
    auditor: PrivacyAuditor,
    stages: Mapping[str, ArrayLike],
    *,
    guided_by: Mapping[str, Any] | None = None,
    reconstruction_errors: tuple[ArrayLike, ArrayLike] | None = None,
) -> Ladder:
    """Audit what each stage of a pipeline would release: the attribution ladder.

    If a stage exposes members and the one before it did not, that stage is the source. If the
    generator's own samples do, a larger k does not help.

    Parameters
    ----------
    auditor : PrivacyAuditor
        Fitted.
    stages : mapping of str to array-like of shape (n_synthetic, ...)
        Images by stage, in order: the generator's samples, decoded inversions, decoded
        prototypes, the linear walk, the guided walk. The pipeline's own arrays, decoded.
    guided_by : mapping of str to sequence of str, default=None
        Feature spaces that guided a stage, see `PrivacyAuditor.audit`.
    reconstruction_errors : pair of array-like of shape (n_samples,), (n_holdout,), default=None
        Of the inversion, for members and held-out records: see `inversion_gap`.

    Returns
    -------
    reports : Ladder
        Reports by stage, in their order. Each has the whole `ladder`, and `inversion_gap`. Print
        it for a table.

    Raises
    ------
    ValueError
        For no stage, an auditor without held-out records, or errors of another length.

    See Also
    --------
    audit_pipeline : Makes the stages of a fitted pipeline and calls this.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.auditing import PrivacyAuditor, audit_stages
    >>> X = np.random.default_rng(1).normal(size=(1500, 5))
    >>> auditor = PrivacyAuditor(random_state=0).fit(X[:500], X_holdout=X[500:1000])
    >>> ladder = audit_stages(auditor, {"samples": X[1000:], "inversions": X[:500] + 0.01})
    >>> [report.verdict.value for report in ladder.values()]
    ['NO EVIDENCE', 'LEAK']
    """
    if not stages:
        raise ValueError("stages is empty; give the images of one stage or more, by name")
    check_names(stages, "stages")
    guides = guided_by or {}
    unknown = [name for name in guides if name not in stages]
    if unknown:
        raise ValueError(f"guided_by names stages {unknown}; the stages are {list(stages)}")
    check_is_fitted(auditor)
    _ = auditor.cohorts_.pair
    gap = None if reconstruction_errors is None else inversion_gap(auditor, *reconstruction_errors)
    reports = {name: auditor.audit(X, guided_by=guides.get(name, ())) for name, X in stages.items()}
    stages_audited = tuple(_ladder_stage(name, report) for name, report in reports.items())
    return Ladder(
        {name: replace(r, ladder=stages_audited, inversion_gap=gap) for name, r in reports.items()}
    )


def _ladder_stage(name: str, report: AuditReport) -> LadderStage:
    return LadderStage(
        name=name,
        verdict=str(report.verdict),
        n_exposed_lower=int(report.n_exposed_lower or 0),
        tpr=report.tpr,
        auc=report.auc,
    )


def recommend_k(reports: Mapping[int, AuditReport]) -> int | None:
    """Return the smallest k with the verdict NO EVIDENCE.

    Parameters
    ----------
    reports : mapping of int to AuditReport
        Audits of releases by k, against calibration subjects. Confirm the choice once, on audit
        subjects that had no part in it.

    Returns
    -------
    k : int or None
        None where no k is large enough, or where there are too few held-out subjects.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from latentwalk.auditing import recommend_k
    >>> words = {5: "LEAK", 10: "NO EVIDENCE", 20: "NO EVIDENCE"}
    >>> recommend_k({k: SimpleNamespace(verdict=word) for k, word in words.items()})
    10
    """
    return min((k for k, r in reports.items() if r.verdict == Verdict.NO_EVIDENCE), default=None)

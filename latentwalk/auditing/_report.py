"""AuditReport: what an audit found, as aggregates."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from math import isfinite
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from numpy.typing import ArrayLike

from latentwalk.auditing._controls import Control
from latentwalk.auditing._figures import ROC_FPRS, SpaceFigures
from latentwalk.auditing._matches import NearestMatches
from latentwalk.auditing._page._html import render_report
from latentwalk.auditing._results import InversionGap, LadderStage
from latentwalk.metrics import Verdict, row_keys
from latentwalk.metrics._privacy._duplicates import digest

if TYPE_CHECKING:
    from latentwalk.auditing._run_attacks import AttackReport

SCHEMA_VERSION = 3
EDITIONS = ("releasable", "internal")
DISTRIBUTIONS = ("bins", "member_counts", "holdout_counts", "sham_counts")


@dataclass(frozen=True)
class AuditSets:
    """How many there were of what.

    Attributes
    ----------
    n_members, n_holdout : int
        Subjects, the units of every figure.
    n_member_images, n_holdout_images, n_reference_images, n_synthetic : int
        Records.
    images_per_subject : int
        Images drawn from a subject, the fewest that one has.
    n_strata : int
        Groups of subjects with about as many images; in each are drawn the fewest of its own.
    n_draws : int
        Repeated draws; 1 where nothing is drawn.
    """

    n_members: int
    n_holdout: int
    n_member_images: int
    n_holdout_images: int
    n_reference_images: int
    n_synthetic: int
    images_per_subject: int
    n_strata: int
    n_draws: int


@dataclass(frozen=True)
class AuditReport:
    """What `PrivacyAuditor.audit` found. Aggregates only: no records, no ids.

    Over several feature spaces each headline figure is the worst one.

    Attributes
    ----------
    verdict : Verdict or None
        LEAK, SIGNAL, NO EVIDENCE, UNDERPOWERED or INVALID; None without held-out records.
    reason : str
        The verdict's reason in one sentence.
    advice : str
        What to do about it.
    p_value, p_near, p_far : float
        The exact test over directions and spaces; each direction over the spaces. NaN without
        held-out records, as are the figures below.
    n_exposed_lower : int or None
        At least so many member subjects are exposed, at confidence ``1 - alpha``.
    tpr : float
        Share of members that an attacker finds at false-positive rate `fpr`.
    tpr_interval : tuple (low, high)
        Its 95 % interval (``1 - alpha``).
    auc : float
        0.5 is chance.
    auc_interval : tuple (low, high)
        Its interval.
    collision_rate : float
        Share of members nearer than all but `fpr` of the held-out subjects.
    mean_minimum_distance : float
        Of the first space: mean distance of synthetic records to the nearest member.
    smallest_detectable_leak : float
        The smallest share of exposed members that the test is certain to find; NaN for none.
    n_duplicates : int
        Synthetic records that equal a member's record.
    n_repeated : int
        Synthetic records that equal an earlier synthetic record.
    certified : bool
        Whether the held-out subjects are enough to certify the false-positive rate.
    alpha, fpr, tolerance : float
        The auditor's parameters.
    sets : AuditSets
        How many there were of what.
    spaces : tuple of SpaceFigures
        The figures in each feature space.
    guided_by : tuple of str
        The feature spaces that guided or selected the release.
    controls : tuple of Control
        What would have cried without a release.
    ladder : tuple of LadderStage
        The stages that were audited beside this one; empty without `audit_stages`.
    inversion_gap : InversionGap or None
        Members' against held-out subjects' reconstruction errors, where these were given.
    attacks : AttackReport or None
        What attacks found beside the audit, see `with_attacks`; no part of the verdict.
    roc_fprs : tuple of float
        The false-positive rates of each space's `roc`.
    schema_version : int
        Of `to_dict`.
    """

    verdict: Verdict | None
    reason: str
    advice: str
    p_value: float
    p_near: float
    p_far: float
    n_exposed_lower: int | None
    tpr: float
    tpr_interval: tuple[float, float]
    auc: float
    auc_interval: tuple[float, float]
    collision_rate: float
    mean_minimum_distance: float
    smallest_detectable_leak: float
    n_duplicates: int
    n_repeated: int
    certified: bool
    alpha: float
    fpr: float
    tolerance: float
    sets: AuditSets
    spaces: tuple[SpaceFigures, ...]
    guided_by: tuple[str, ...]
    controls: tuple[Control, ...]
    ladder: tuple[LadderStage, ...] = ()
    inversion_gap: InversionGap | None = None
    attacks: AttackReport | None = None
    roc_fprs: tuple[float, ...] = ROC_FPRS
    schema_version: int = SCHEMA_VERSION
    _digest: str = field(default="", repr=False, compare=False)

    def is_about(self, X_syn: ArrayLike) -> bool:
        """Return whether these are the records that were audited, in any order.

        Parameters
        ----------
        X_syn : array-like of shape (n_synthetic, n_channels, height, width) or \
                (n_synthetic, n_features)
            Images are compared as the bytes that a release writes, anything else as float32.

        Returns
        -------
        same : bool
            The report holds a digest of what it saw, which is never written out.

        Examples
        --------
        >>> import numpy as np
        >>> from latentwalk.auditing import PrivacyAuditor
        >>> rng = np.random.default_rng(0)
        >>> release = rng.random((9, 3))
        >>> report = PrivacyAuditor().fit(rng.random((20, 3))).audit(release)
        >>> report.is_about(release[::-1]), report.is_about(release[1:])
        (True, False)
        """
        return digest(row_keys(X_syn)) == self._digest

    def with_attacks(self, attacks: AttackReport) -> Self:
        """Return the report with the table of `run_attacks` in it.

        Parameters
        ----------
        attacks : AttackReport
            Of the same release.

        Returns
        -------
        report : AuditReport
            A new one; the verdict stays that of the audit.
        """
        return replace(self, attacks=attacks)

    def to_dict(self, *, edition: str = "releasable") -> dict[str, Any]:
        """Return the report as JSON values; NaN becomes None.

        Parameters
        ----------
        edition : {"releasable", "internal"}, default="releasable"
            "internal" also has the distributions of exposures, whose ends are single subjects'.

        Returns
        -------
        report : dict
            By the names of the attributes.

        Raises
        ------
        ValueError
            For another edition.
        """
        _check_edition(edition)
        plain: dict[str, Any] = _plain(asdict(self))
        del plain["_digest"]
        if edition == "releasable":
            for figures in plain["spaces"]:
                for name in DISTRIBUTIONS:
                    del figures[name]
        return plain

    def to_json(self, path: str | PathLike[str], *, edition: str = "releasable") -> None:
        """Write `to_dict` to a file.

        Parameters
        ----------
        path : path-like
            Written anew.
        edition : {"releasable", "internal"}, default="releasable"
            See `to_dict`.
        """
        plain = self.to_dict(edition=edition)
        text = json.dumps(plain, indent=2, allow_nan=False)
        Path(path).write_text(text + "\n", encoding="utf-8")

    def to_html(
        self,
        path: str | PathLike[str],
        *,
        edition: str = "releasable",
        matches: NearestMatches | None = None,
    ) -> None:
        """Write the report as one HTML page that needs no other file.

        Parameters
        ----------
        path : path-like
            Written anew.
        edition : {"releasable", "internal"}, default="releasable"
            "releasable" has rates, tests and the ROC; "internal" also the distributions of
            exposures and, where given, real images beside synthetic ones.
        matches : NearestMatches, default=None
            From `PrivacyAuditor.nearest_matches`: real images, for the internal edition only.

        Raises
        ------
        ValueError
            For another edition, or for `matches` in the releasable one.
        """
        _check_edition(edition)
        if matches is not None and edition != "internal":
            raise ValueError(
                "matches hold real images; they go into edition='internal' alone, which must not "
                "be released"
            )
        page = render_report(self, internal=edition == "internal", matches=matches)
        Path(path).write_text(page, encoding="utf-8")


def _check_edition(edition: str) -> None:
    if edition not in EDITIONS:
        raise ValueError(f"edition={edition!r}; expected 'releasable' or 'internal'")


def _plain(value: Any) -> Any:
    if hasattr(value, "_asdict"):
        return _plain(value._asdict())
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not isfinite(value):
        return None
    return str(value) if isinstance(value, Verdict) else value

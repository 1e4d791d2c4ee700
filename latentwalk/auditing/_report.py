"""AuditReport: what an audit found, as aggregates."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from math import isfinite
from os import PathLike
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from latentwalk.auditing._page._facts import ReleaseFacts
from latentwalk.auditing._page._html import render_report
from latentwalk.auditing._page._text import as_html, as_lines
from latentwalk.auditing._per_record import NearestMatches
from latentwalk.auditing._results import (
    ROC_FPRS,
    AttackResult,
    AttributeDisclosure,
    AuditSets,
    AuditSettings,
    Control,
    InversionGap,
    LadderStage,
    Recognition,
    SpaceFigures,
    SubgroupFigures,
)
from latentwalk.metrics import ExactTest, Rate, Verdict, keys_digest, row_keys

SCHEMA_VERSION = 4
EDITIONS = ("releasable", "internal")
DISTRIBUTIONS = ("bins", "member_counts", "holdout_counts", "sham_counts")


@dataclass(frozen=True, repr=False)
class AuditReport:
    """What `PrivacyAuditor.audit` found. Aggregates only: no records, no ids. Print it for a table.

    Attributes
    ----------
    verdict : Verdict or None
        LEAK, SIGNAL, NO EVIDENCE, UNDERPOWERED or INVALID; None without held-out records.
    reason : str
        What the verdict rests on.
    advice : str
        What to do about it.
    p_value : float
        Joint test over all attacks of the panel. NaN without held-out records, as are the figures
        below.
    headline : AttackResult or None
        The attack that finds most, in a view that did not guide the release where there is one.
    n_exposed_lower : int or None
        At least this many member subjects are exposed, at confidence ``1 - alpha``: the largest
        bound over the attacks.
    tpr : Rate
        Share of members that the headline attack finds at false-positive rate `fpr`, with its
        interval of confidence ``1 - alpha``.
    tpr_high : float
        The largest upper end of such an interval, over all attacks in unguided views.
    auc : Rate
        AUC of the headline attack; 0.5 is chance.
    test : ExactTest
        The exact test of the headline attack alone.
    collision_rate : float
        Share of members that are nearer than all but `fpr` of the held-out subjects, in the worst
        feature space.
    mean_minimum_distance : float
        Mean distance of synthetic records to the nearest member, in the first space.
    smallest_detectable_leak : float
        Detection limit: an attack that puts this share of the members before every held-out subject
        is certain to be noticed. NaN where no share is.
    n_copies : int
        Synthetic records that copy a member: nearer to it than held-out records ever are, see
        `latentwalk.metrics.find_copies`.
    n_duplicates : int
        Synthetic records that equal a member's record. Data of few values have some by chance.
    n_repeated : int
        Synthetic records that equal an earlier synthetic record.
    certified : bool
        Whether there are enough held-out subjects for a threshold with a false-positive rate that
        is surely under `fpr`.
    settings : AuditSettings
        The auditor's `alpha`, `fpr` and `tolerance`.
    sets : AuditSets
        Numbers of subjects and records.
    panel : str
        "quick" or "full".
    attacks : tuple of AttackResult
        Every attack in every view, the headline first: those that reject, unguided views among
        them, by the exposed members that they show.
    not_run : tuple of pair of str
        Registered attacks that were not run, each with the reason.
    spaces : tuple of SpaceFigures
        The distances in each feature space.
    guided_by : tuple of str
        The feature spaces that guided or selected the release.
    controls : tuple of Control
        Tests that must not find a difference, since they do not use the release.
    subgroups : tuple of SubgroupFigures
        The panel within classes and other subgroups, where `by` was given.
    attributes : tuple of AttributeDisclosure
        What the release tells about members beyond membership, where `attributes` were given.
    recognition : tuple of Recognition
        How often each view recognises a held-out person in another real image of theirs, the best
        view first: the strength of the attackers. Empty where nobody has two records.
    ladder : tuple of LadderStage
        The stages that were audited together with this one; empty without `audit_stages`.
    inversion_gap : InversionGap or None
        Members' against held-out subjects' reconstruction errors, where these were given.
    roc_fprs : tuple of float
        The false-positive rates of each space's `roc`.
    schema_version : int
        Version of the layout of `to_dict`.
    """

    verdict: Verdict | None
    reason: str
    advice: str
    p_value: float
    headline: AttackResult | None
    n_exposed_lower: int | None
    tpr: Rate
    tpr_high: float
    auc: Rate
    test: ExactTest
    collision_rate: float
    mean_minimum_distance: float
    smallest_detectable_leak: float
    n_copies: int
    n_duplicates: int
    n_repeated: int
    certified: bool
    settings: AuditSettings
    sets: AuditSets
    panel: str
    attacks: tuple[AttackResult, ...]
    not_run: tuple[tuple[str, str], ...]
    spaces: tuple[SpaceFigures, ...]
    guided_by: tuple[str, ...]
    controls: tuple[Control, ...]
    subgroups: tuple[SubgroupFigures, ...] = ()
    attributes: tuple[AttributeDisclosure, ...] = ()
    recognition: tuple[Recognition, ...] = ()
    ladder: tuple[LadderStage, ...] = ()
    inversion_gap: InversionGap | None = None
    roc_fprs: tuple[float, ...] = ROC_FPRS
    schema_version: int = SCHEMA_VERSION
    _digest: str = field(default="", repr=False, compare=False)

    def find(self, attack: str, view: str, subjects: str = "nearest image") -> AttackResult:
        """Return the result of one attack in one view.

        Raises
        ------
        KeyError
            When it was not run.
        """
        for result in self.attacks:
            if (result.attack, result.view, result.subjects) == (attack, view, subjects):
                return result
        raise KeyError(f"{attack} in {view}, {subjects}: not among the attacks of this report")

    def __repr__(self) -> str:
        exposed = (
            "" if self.n_exposed_lower is None else f", n_exposed_lower={self.n_exposed_lower}"
        )
        return f"<AuditReport: {self.verdict}, p_value={self.p_value:.3g}{exposed}>"

    def __str__(self) -> str:
        return as_lines(self)

    def _repr_html_(self) -> str:
        return as_html(self)

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
        return keys_digest(row_keys(X_syn)) == self._digest

    def to_dict(self, *, edition: str = "releasable") -> dict[str, Any]:
        """Return the report as JSON values; NaN becomes None.

        Parameters
        ----------
        edition : {"releasable", "internal"}, default="releasable"
            "internal" also has the distributions of exposures. The ends of a distribution belong
            to single subjects.

        Returns
        -------
        report : dict
            Keys are the names of the attributes.

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
            An existing file is overwritten.
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
        facts: ReleaseFacts | None = None,
    ) -> None:
        """Write the report as one HTML page that needs no other file.

        Its first page is for those who decide, and has a place to sign. It prints on paper.

        Parameters
        ----------
        path : path-like
            An existing file is overwritten.
        edition : {"releasable", "internal"}, default="releasable"
            "releasable" has rates, tests and the ROC. "internal" also has the distributions of
            exposures and, where given, real images next to synthetic ones.
        matches : NearestMatches, default=None
            From `PrivacyAuditor.nearest_matches`: real images, for the internal edition only.
        facts : ReleaseFacts, default=None
            What else is known of the release: k, its name, licence and contact, fidelity and
            utility, some of its images.

        Raises
        ------
        ValueError
            For another edition, or for `matches` in the releasable one.
        """
        _check_edition(edition)
        if matches is not None and edition != "internal":
            raise ValueError(
                "matches hold real images; pass them with edition='internal', a page that must not "
                "be released"
            )
        page = render_report(self, internal=edition == "internal", matches=matches, facts=facts)
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

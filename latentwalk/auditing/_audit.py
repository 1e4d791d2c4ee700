"""One audit: the panel reads a release, and its figures become a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from latentwalk.auditing._attacks._knowledge import AttackerKnowledge
from latentwalk.auditing._attacks._panels import Panel
from latentwalk.auditing._attributes import Attributes, Values, check_attributes, disclose
from latentwalk.auditing._cohorts import Cohorts
from latentwalk.auditing._conclude import Findings, conclude, find, left_out
from latentwalk.auditing._nearness import NearnessReader, chunk_length, read_chunks
from latentwalk.auditing._panel import PanelRun, check_named, reads_by_parts
from latentwalk.auditing._recognise import recognise
from latentwalk.auditing._report import AuditReport
from latentwalk.auditing._results import AuditSettings, Control, Recognition
from latentwalk.auditing._sights import open_sights
from latentwalk.auditing._spaces import check_guided_by, find_guided
from latentwalk.auditing._subgroups import By, check_by, measure_subgroups


@dataclass(frozen=True, eq=False)
class Inquiry:
    """What is asked about a release, checked against the real records.

    Attributes
    ----------
    guided : tuple of str
        The audited feature spaces that guided the release.
    attacks : tuple of str
        Attacks that join the panel.
    knowledge : AttackerKnowledge
        What attackers hold besides the release.
    by : dict of str to ndarray of shape (n_real,)
        Values of members and held-out records, members first.
    attributes : dict of str to three ndarray
        Values of the release, of members and of held-out records.
    """

    guided: tuple[str, ...]
    attacks: tuple[str, ...]
    knowledge: AttackerKnowledge
    by: dict[str, NDArray[Any]]
    attributes: dict[str, Values]


def check_inquiry(
    cohorts: Cohorts,
    n_synthetic: int,
    *,
    pipeline: Any = None,
    guided_by: Sequence[str] = (),
    attacks: Sequence[str] = (),
    knowledge: AttackerKnowledge | None = None,
    by: By | None = None,
    attributes: Attributes | None = None,
) -> Inquiry:
    """Check the arguments of `PrivacyAuditor.audit` before any long work."""
    known = knowledge or AttackerKnowledge()
    named = check_guided_by(guided_by, list(cohorts.spaces))
    return Inquiry(
        guided=find_guided(pipeline, cohorts.spaces, named),
        attacks=check_named(attacks, cohorts, known),
        knowledge=known,
        by=check_by(by or {}, cohorts),
        attributes=check_attributes(attributes or {}, cohorts, n_synthetic),
    )


def audit_release(
    cohorts: Cohorts,
    controls: tuple[Control, ...],
    X_syn: NDArray[Any],
    inquiry: Inquiry,
    panel: Panel,
    settings: AuditSettings,
    *,
    verbose: bool | int = False,
) -> AuditReport:
    """Attack a release with a panel, and conclude; without held-out records it is described."""
    reader, run, width = NearnessReader(cohorts), None, 0
    if cohorts.holdout is not None:
        width = cohorts.width if reads_by_parts(panel, inquiry.attacks) else 0
        run = PanelRun(
            cohorts,
            open_sights(cohorts, panel),
            panel,
            inquiry.knowledge,
            n_chunks=-(-len(X_syn) // chunk_length(X_syn, width)),
            named=inquiry.attacks,
            verbose=verbose,
        )
    for chunk in read_chunks(cohorts.spaces, X_syn, width):
        reader.read(chunk)
        if run is not None:
            run.read(chunk.records, chunk.features)
    near, findings, not_run = reader.finish(), Findings(), {}
    if run is not None:
        attempts = run.finish(settings)
        findings = replace(
            find(cohorts, near, attempts, inquiry.guided, settings),
            subgroups=measure_subgroups(cohorts, attempts, inquiry.by, settings),
            attributes=disclose(cohorts, X_syn, inquiry.attributes, settings),
            recognition=recognition(cohorts, panel),
        )
        not_run = left_out(attempts, panel)
    return conclude(cohorts, near, findings, controls, inquiry.guided, panel, not_run, settings)


def recognition(cohorts: Cohorts, panel: Panel) -> tuple[Recognition, ...]:
    """The strength of the views; no release is needed for it, so it is measured once."""
    key = "recognition", panel
    if key not in cohorts.cache:
        cohorts.cache[key] = recognise(cohorts, open_sights(cohorts, panel))
    found: tuple[Recognition, ...] = cohorts.cache[key]
    return found

"""The internal side of a release: the report with real images, and the figures as files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from latentwalk.auditing import ReleaseFacts
from latentwalk.release._facts import complete
from latentwalk.release._results import ReleaseResult
from latentwalk.release._study import Cohort

NOTE = """Internal: this folder shows real images and must not be released.

report.html   the audit, with the synthetic images that are nearest to real ones
report.json   its figures
summary.txt   privacy, fidelity and utility in a few lines
summary.json  the same and the audits from which k was chosen
"""


def write_internal(
    folder: Path, result: ReleaseResult, judge: Any, members: Cohort, facts: ReleaseFacts
) -> Path:
    """Write what stays in the house beside a release.

    Parameters
    ----------
    folder : Path
        Made anew.
    result : ReleaseResult
        What was made.
    judge : PrivacyAuditor
        The fitted auditor, which finds the real images that are nearest.
    members : Cohort
        The real images that it was fitted on.
    facts : ReleaseFacts
        What else is known of the release.

    Returns
    -------
    folder : Path
    """
    folder.mkdir(parents=True)
    matches = judge.nearest_matches(result.X, members.X)
    order = np.random.default_rng().permutation(len(result.X))  # the page shows some at random
    y = None if result.y is None else result.y[order]
    facts = complete(facts, result.X[order], y, result.pipeline)
    result.report.to_html(folder / "report.html", edition="internal", matches=matches, facts=facts)
    result.report.to_json(folder / "report.json", edition="internal")
    text = json.dumps(result.to_dict(), indent=2, allow_nan=False)
    (folder / "summary.json").write_text(text + "\n", encoding="utf-8")
    (folder / "summary.txt").write_text(f"{result}\n", encoding="utf-8")
    (folder / "README.txt").write_text(NOTE, encoding="utf-8")
    return folder

"""What make_release returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from latentwalk.evaluation import PrivacyStatement
from latentwalk.release._manifest import verdict_of


@dataclass(frozen=True)
class Utility:
    """What a classifier learns from a release.

    Attributes
    ----------
    synthetic : float
        Balanced accuracy on real images of other patients, of a classifier that was trained on
        the release.
    real : float
        The same of a classifier that was trained on the members' images.
    chance : float
        The balanced accuracy of guessing.
    n_images : int
        The number of real images that it was measured on.
    """

    synthetic: float
    real: float
    chance: float
    n_images: int


@dataclass(frozen=True)
class ReleasePaths:
    """Where make_release wrote.

    Attributes
    ----------
    release : Path or None
        What can be handed on; None if it was refused.
    audit : Path or None
        The internal report, with real images: it stays in the house.
    """

    release: Path | None
    audit: Path | None


NOWHERE = ReleasePaths(None, None)


@dataclass(frozen=True)
class ReleaseResult:
    """A release and what was measured on it. This object is private; only the folder is released.

    Attributes
    ----------
    X : ndarray of shape (n_samples, n_channels, height, width)
        The synthetic images, in the order of the members' rows, or drawn under a guarantee.
    y : ndarray of shape (n_samples,) or None
        Their classes.
    k : int
        The patients of a group.
    k_reason : str
        Why this k was taken.
    report : AuditReport
        The audit, on patients that had no part in anything else.
    calibration : dict of int to AuditReport
        The audits from which k was chosen; empty where none could choose.
    ladder : mapping of str to AuditReport
        The audits of the stages of the pipeline; empty unless asked for.
    fidelity : FidelityReport
        How the images compare with real ones.
    utility : Utility or None
        What a classifier learns from them; None without classes.
    pipeline : Pipeline
        The fitted pipeline: ``pipeline.fit_transform`` made `X`.
    generator : Generator
        The generator.
    statement : PrivacyStatement or None
        The guarantee under which `X` was drawn; None without one.
    paths : ReleasePaths
        What was written where.
    refusal : str or None
        Why no release was written; None where one was, or none was asked for.
    """

    X: NDArray[Any]
    y: NDArray[Any] | None
    k: int
    k_reason: str
    report: Any
    calibration: dict[int, Any]
    ladder: Mapping[str, Any]
    fidelity: Any
    utility: Utility | None
    pipeline: Pipeline
    generator: Any
    statement: PrivacyStatement | None = None
    paths: ReleasePaths = NOWHERE
    refusal: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON values, without any image."""
        return {
            "k": self.k,
            "k_reason": self.k_reason,
            "n_images": len(self.X),
            "audit": self.report.to_dict(),
            "calibration": {str(k): report.to_dict() for k, report in self.calibration.items()},
            "fidelity": _finite(self.fidelity.to_dict()),
            "utility": None if self.utility is None else asdict(self.utility),
            "refusal": self.refusal,
        }

    def __str__(self) -> str:
        report = self.report
        lines = [
            f"{len(self.X)} synthetic images, groups of k = {self.k} ({self.k_reason})",
            f"verdict      {verdict_of(report)}: {report.reason}",
            f"privacy      at least {report.n_exposed_lower} of {report.sets.n_members} patients "
            f"exposed; share found at {report.settings.fpr:.0%} false alarms: {report.tpr}",
        ]
        for name in ("kernel_distance", "coverage"):
            row = self.fidelity[name]
            better = "higher" if row.higher_is_better else "lower"
            lines.append(
                f"fidelity     {name.replace('_', ' ')} {row.value:.3g}, real images of others "
                f"{row.baseline:.3g} ({better} is better)"
            )
        if self.statement is not None:
            lines.append(f"guarantee    {self.statement.loss}")
        if self.utility is not None:
            used = self.utility
            lines.append(
                f"utility      balanced accuracy {used.synthetic:.3f}, trained on real images "
                f"{used.real:.3f}, by chance {used.chance:.3f}"
            )
        written = {"release": self.paths.release, "audit": self.paths.audit}
        lines += [f"{name:13}{path}" for name, path in written.items() if path is not None]
        return "\n".join(
            [*lines, *([] if self.refusal is None else [f"not written  {self.refusal}"])]
        )

    def __repr__(self) -> str:
        return f"ReleaseResult({len(self.X)} images, k={self.k}, {verdict_of(self.report)})"


def _finite(value: Any) -> Any:
    """JSON has no NaN."""
    if isinstance(value, dict):
        return {name: _finite(v) for name, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value

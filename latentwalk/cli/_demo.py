"""latentwalk demo: the whole job on real dermoscopy patches that anybody can fetch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from latentwalk.cli._options import CommonOptions
from latentwalk.cli._outcome import Outcome
from latentwalk.datasets import (
    PatientSplit,
    dermoscopy_generator_path,
    fetch_dermoscopy,
    split_patients,
)

LICENCE = "research only, as the PH2 images that the patches were cut from"
REASON = "a demonstration on published images"
# a third of the time of the defaults, and smoother images
QUICK = {"invert__loss": "pixels", "invert__max_iter": 20, "walk__n_points": 25}


def demo(
    *,
    out: Path = Path("demo"),
    small: Annotated[bool, Parameter(negative="")] = False,
    common: CommonOptions | None = None,
) -> Outcome:
    """Run the whole job on real dermoscopy patches: a release, and its audit beside simpler ones.

    It fetches 11 MB of published patches with pip at the first call. OUT/release is what would be
    shared, OUT/audit/report.html is the internal report. A subject here is a set of patches of one
    lesion. The patches do not name their patients, so the figures are not about patients.

    The exit code is 0 whatever the verdict, since it is a demonstration.

    Parameters
    ----------
    out : Path
        A new folder.
    small : bool
        An eighth of the subjects: a look in a minute or two, whose figures say nothing.
    """
    common = common or CommonOptions()
    result = run_demo(out, small=small, verbose=not common.quiet)
    return Outcome(f"{ladder_table(result)}\n\n{result}", result.to_dict(), folder=out)


def run_demo(path: Path | str | None, *, small: bool = False, verbose: bool = True) -> Any:
    """Return the release of the dermoscopy patches, with the ladder of its stages.

    Parameters
    ----------
    path : path-like or None
        A new folder; None writes nothing.
    small : bool, default=False
        An eighth of the subjects.
    verbose : bool, default=True
        Show progress.

    Returns
    -------
    result : ReleaseResult
        See `latentwalk.make_release`.
    """
    from latentwalk.auditing import ReleaseFacts
    from latentwalk.generators import load_generator
    from latentwalk.release import make_release

    data = fetch_dermoscopy()
    # the generator that ships was trained on the members of this split
    split = split_patients(data.images, groups=data.groups, random_state=0)
    if small:
        split = PatientSplit(*(rows[data.groups[rows] % 8 == 0] for rows in split))
    return make_release(
        data.images,
        groups=data.groups,
        generator=load_generator(dermoscopy_generator_path()),
        split=split,
        path=path,
        facts=ReleaseFacts(name="dermoscopy patches", licence=LICENCE),
        allow=REASON,
        ladder=True,
        step_params=QUICK,
        verbose=verbose,
    )


def ladder_table(result: Any) -> str:
    """Return the audits of the stages as a table."""
    columns = f"{'exposed':>8}{'TPR at 1 % FPR':>24}{'AUC':>7}{'distance':>10}"
    rows = [f"{'release':18}{'verdict':13}{columns}"]
    for name, report in result.ladder.items():
        exposed = f">= {report.n_exposed_lower}"
        rows.append(
            f"{name:18}{report.verdict!s:13}{exposed:>8}{report.tpr!s:>24}"
            f"{report.auc.value:7.2f}{report.mean_minimum_distance:10.3f}"
        )
    return "\n".join(rows)

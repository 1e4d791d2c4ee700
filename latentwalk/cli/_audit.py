"""latentwalk audit: two folders of real images against any folder of synthetic ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
from cyclopts import Parameter

from latentwalk.cli._options import CommonOptions, natural_size, subjects_of
from latentwalk.cli._outcome import Outcome, code_of
from latentwalk.datasets import load_image_folder

Names = Annotated[tuple[str, ...], Parameter(negative="")]


def audit(
    *,
    members: Path,
    holdout: Path,
    synthetic: Path,
    reference: Path | None = None,
    groups: Path | None = None,
    size: int | None = None,
    features: Names = ("pixels",),
    guided_by: Names = (),
    out: Path | None = None,
    common: CommonOptions | None = None,
) -> Outcome:
    """Audit a folder of synthetic images, whoever made them.

    The audit asks whether the synthetic images come nearer to the patients that they were made from
    (members) than to patients that nothing has seen (held-out). Without held-out patients nothing
    tells a copy from chance, so both folders are needed. More held-out patients see smaller leaks:
    below 299 of them a false-positive rate of 1 % cannot be certified.

    Exit codes: 0 no evidence, 1 a signal or an underpowered audit, 2 a leak, 3 an error.

    Parameters
    ----------
    members : Path
        Folder of the real images that the generator, or anything else, was trained on.
    holdout : Path
        Folder of real images of other patients.
    synthetic : Path
        Folder of synthetic images.
    reference : Path
        Folder of real images of further patients, who stand for the population.
    groups : Path
        CSV file with the columns file and subject: the patient of each real image. Without it every
        image is its own patient: do so only if that is true.
    size : int
        Height and width that all images are resized to. The default is that of the synthetic ones.
    features : tuple of str
        What images are compared by: pixels, lpips, inception, efficientnet. Give it once for each.
    guided_by : tuple of str
        Those of the features that had a part in making the synthetic images.
    out : Path
        A new folder for the report (internal, it shows real images), its figures and run.toml.
    """
    from latentwalk.auditing import PrivacyAuditor

    common = common or CommonOptions()
    if out is not None:
        out.mkdir(parents=True)
    size = natural_size(synthetic) if size is None else size
    folders = {"X": members, "X_holdout": holdout, "X_reference": reference}
    real = {name: folder for name, folder in folders.items() if folder is not None}
    files = {name: load_image_folder(f, size=size).images for name, f in real.items()}
    files["X_syn"] = load_image_folder(synthetic, size=size).images
    sets = _alike(files)
    subjects: dict[str, Any] = {}
    if groups is not None:
        for name, folder in real.items():
            argument = name.replace("X", "groups", 1)
            subjects[argument] = subjects_of(files[name].paths, folder, groups)
    X_syn, X = sets.pop("X_syn"), sets.pop("X")
    auditor = PrivacyAuditor(list(features), random_state=common.seed)
    auditor.fit(X, **sets, **subjects)
    report = auditor.audit(X_syn, guided_by=guided_by)
    if out is not None:
        matches = auditor.nearest_matches(X_syn, X)
        report.to_html(out / "report.html", edition="internal", matches=matches)
        report.to_json(out / "report.json")
    return Outcome(str(report), report.to_dict(), code_of(report.verdict), out)


def _alike(files: dict[str, Any]) -> dict[str, np.ndarray]:
    """The images as arrays; grey ones are colour where any folder has colour."""
    arrays = {name: np.asarray(images) for name, images in files.items()}
    channels = max(array.shape[1] for array in arrays.values())
    return {
        name: array.repeat(channels, axis=1) if array.shape[1] < channels else array
        for name, array in arrays.items()
    }

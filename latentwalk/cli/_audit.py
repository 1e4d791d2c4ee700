"""latentwalk audit: two folders of real images against any folder of synthetic ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from cyclopts import Parameter

from latentwalk.cli._options import CommonOptions, column_of, natural_size
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
    by: Names = (),
    attributes: Names = (),
    synthetic_table: Path | None = None,
    panel: Literal["quick", "full"] = "quick",
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
    by : tuple of str
        Columns of --groups, such as sex. The audit is made within each of their values too. Give it
        once for each.
    attributes : tuple of str
        Columns that --groups and --synthetic-table both have, such as label: is a member's value
        easier to guess from the synthetic images than another patient's? Give it once for each.
    synthetic_table : Path
        CSV file with the column file and those of --attributes: the values of the synthetic images,
        such as labels.csv of a release.
    panel : str
        quick: the attacks that find most for their time. full: all of them, which takes minutes.
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
    tables = _Tables(groups, synthetic_table, real | {"X_syn": synthetic}, files)
    values, told = tables.by(by), tables.attributes(attributes)
    X_syn, X = sets.pop("X_syn"), sets.pop("X")
    auditor = PrivacyAuditor(list(features), panel=panel, random_state=common.seed)
    auditor.fit(X, **sets, **tables.subjects(real))
    report = auditor.audit(X_syn, guided_by=guided_by, by=values, attributes=told)
    if out is not None:
        matches = auditor.nearest_matches(X_syn, X)
        report.to_html(out / "report.html", edition="internal", matches=matches)
        report.to_json(out / "report.json")
    return Outcome(str(report), report.to_dict(), code_of(report.verdict), out)


@dataclass(frozen=True)
class _Tables:
    """What the tables say of the images of each folder, by the auditor's names of the sets."""

    real: Path | None
    synthetic: Path | None
    folders: dict[str, Path]
    files: dict[str, Any]

    def subjects(self, names: Iterable[str]) -> dict[str, Any]:
        """The patients, as arguments of `fit`."""
        if self.real is None:
            return {}
        return {name.replace("X", "groups", 1): self._column(name, "subject") for name in names}

    def by(self, columns: Names) -> dict[str, tuple[Any, ...]]:
        """Values of members and held-out images."""
        return {column: self._real_columns(column, "--by") for column in columns}

    def attributes(self, columns: Names) -> dict[str, tuple[Any, ...]]:
        """Values of synthetic images, members and held-out images."""
        if columns and self.synthetic is None:
            raise ValueError("--attributes needs --synthetic-table, the values of the images there")
        return {
            column: (self._column("X_syn", column), *self._real_columns(column, "--attributes"))
            for column in columns
        }

    def _real_columns(self, column: str, option: str) -> tuple[Any, ...]:
        if self.real is None:
            raise ValueError(f"{option} names columns of --groups; give that table")
        return tuple(self._column(name, column) for name in ("X", "X_holdout"))

    def _column(self, name: str, column: str) -> Any:
        option, table = "--groups", self.real
        if name == "X_syn":
            option, table = "--synthetic-table", self.synthetic
        assert table is not None
        return column_of(self.files[name].paths, self.folders[name], table, column, option)


def _alike(files: dict[str, Any]) -> dict[str, np.ndarray]:
    """The images as arrays; grey ones are colour where any folder has colour."""
    arrays = {name: np.asarray(images) for name, images in files.items()}
    channels = max(array.shape[1] for array in arrays.values())
    return {
        name: array.repeat(channels, axis=1) if array.shape[1] < channels else array
        for name, array in arrays.items()
    }

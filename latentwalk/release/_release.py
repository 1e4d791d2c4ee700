"""write_release: the last step, which decides what leaves the house."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from hashlib import sha256
from pathlib import Path
from secrets import SystemRandom
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.pipeline import Pipeline

from latentwalk.release._files import (
    MEANINGS,
    size_on_disk,
    write_images,
    write_labels,
    write_manifest,
)
from latentwalk.release._manifest import build_manifest, verdict_of
from latentwalk.utils import check_images, check_targets, to_bytes

REFUSED = ("LEAK", "INVALID")


def write_release(
    path: str | os.PathLike[str],
    X_syn: ArrayLike,
    y: ArrayLike | None = None,
    *,
    report: Any = None,
    pipeline: Pipeline | None = None,
    allow: str | None = None,
    licence: str | None = None,
) -> Path:
    """Write a synthetic set into a folder of its own, to be handed on.

    The rows are shuffled with the operating system's entropy, since the order of a pipeline's
    output is the order of the real images, and no seed exists that undoes it. Images become bytes
    without metadata. Of images that repeat one is kept, with a warning: how often a prototype
    repeats is the size of its group. The folder appears whole or not at all.

    Parameters
    ----------
    path : path-like
        The folder; it must not exist, or be empty.
    X_syn : array-like of shape (n_samples, n_channels, height, width)
        Synthetic images, uint8 or float in [0, 1]. A 2-D array is read with the image shape of the
        generator in `pipeline`.
    y : array-like of shape (n_samples,), default=None
        Their class labels. Labels that hardly ever repeat are refused: they look like patient ids.
    report : AuditReport, default=None
        What `PrivacyAuditor.audit` returned for `X_syn`, all of it and nothing else. None is
        recorded as "not audited".
    pipeline : Pipeline, default=None
        What made `X_syn`; the public parameters of its steps are recorded.
    allow : str, default=None
        The reason for which a release with the verdict LEAK or INVALID, which is refused otherwise,
        is written all the same. It is recorded in the release.
    licence : str, default=None
        The terms under which the images are handed on, recorded in the release.

    Returns
    -------
    path : Path
        The folder. It holds ``images.npz`` (uint8, one array ``images``), ``images/*.png`` where
        there are 1 or 3 channels, ``labels.csv``, ``manifest.json``, ``README.txt``, and
        ``report.html`` where the report has a releasable edition.

    Raises
    ------
    ValueError
        For images, labels or a verdict that cannot be released.
    FileExistsError
        When the folder is not empty.
    OSError
        When the disk is too full.

    Notes
    -----
    The number of images is visible. A pipeline returns one for every real row, which gives away
    the number of rows; release a part of them, or `GuidedWalker.sample`, where that matters.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from latentwalk import write_release
    >>> X_syn = np.random.default_rng(0).uniform(size=(6, 1, 8, 8))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     release = write_release(f"{folder}/release", X_syn, y=[0, 0, 0, 1, 1, 1])
    ...     sorted(file.name for file in release.iterdir())
    ['README.txt', 'images', 'images.npz', 'labels.csv', 'manifest.json']
    """
    folder = _check_folder(path)
    allowed = _check_verdict(report, allow)
    X = to_bytes(check_images(X_syn, _image_shape(pipeline), name="X_syn"))
    _check_audited(report, len(X))
    labels = _check_labels(y, len(X))
    X, labels = _shuffle(X, labels)
    X, labels = _drop_repeated(X, labels)
    manifest = build_manifest(
        X, labels, report=report, pipeline=pipeline, allowed=allowed, licence=licence
    )
    folder.parent.mkdir(parents=True, exist_ok=True)
    _check_space(folder.parent, size_on_disk(X))
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".unfinished-") as staging:
        content = Path(staging) / "release"
        content.mkdir()
        _write_content(content, X, labels, manifest, report)
        if folder.exists():
            folder.rmdir()
        content.rename(folder)
    return folder


def _write_content(
    content: Path, X: NDArray[np.uint8], y: NDArray[Any] | None, manifest: Any, report: Any
) -> None:
    names = write_images(content, X)
    if y is not None:
        write_labels(content, y, names)
    if hasattr(report, "to_html"):
        report.to_html(content / "report.html", edition="releasable")
    write_manifest(content, manifest)


def _check_folder(path: str | os.PathLike[str]) -> Path:
    folder = Path(path).absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(
            f"path={str(path)!r} is not an empty folder; a release is written into a new one"
        )
    return folder


def _check_verdict(report: Any, allow: str | None) -> str | None:
    """Return the reason that lets a refused verdict pass; None where there is nothing to pass."""
    if allow is not None and not (isinstance(allow, str) and allow.strip()):
        raise ValueError(f"allow={allow!r}; expected a reason in words, or None")
    if report is None:
        return None
    verdict = verdict_of(report)
    if verdict not in MEANINGS:
        raise TypeError(
            f"report is a {type(report).__name__} with verdict {verdict!r}; expected what "
            "PrivacyAuditor.audit returns"
        )
    if verdict not in REFUSED:
        return None
    if allow is None:
        raise ValueError(
            f"the verdict of report is {verdict}: {MEANINGS[verdict]} Nothing was written. Raise "
            "k, or pass allow='the reason', which is recorded in the release"
        )
    return allow.strip()


def _check_audited(report: Any, n_images: int) -> None:
    """Raise where the report cannot be that of these images."""
    n_audited = getattr(getattr(report, "sets", None), "n_synthetic", n_images)
    if n_audited != n_images:
        raise ValueError(
            f"report is the audit of {n_audited} synthetic images; X_syn has {n_images}: audit "
            "what is released, all of it and nothing else"
        )


def _image_shape(pipeline: Any) -> tuple[int, int, int] | None:
    """The image shape of a generator in the pipeline."""
    if pipeline is None:
        return None
    if not isinstance(pipeline, Pipeline):
        raise TypeError(
            f"pipeline is a {type(pipeline).__name__}; expected a sklearn.pipeline.Pipeline"
        )
    generators = [getattr(step, "generator", None) for _, step in pipeline.steps]
    return next((g.image_shape for g in generators if g is not None), None)


def _check_labels(y: ArrayLike | None, n_samples: int) -> NDArray[Any] | None:
    labels = check_targets(y, n_samples)
    if labels is None:
        return None
    n_distinct = len(np.unique(labels))
    if n_samples >= 10 and n_distinct > n_samples // 2:
        raise ValueError(
            f"y has {n_distinct} distinct values for {n_samples} images; labels are classes, and "
            "patient ids never go into a release"
        )
    return labels


def _shuffle(
    X: NDArray[np.uint8], y: NDArray[Any] | None
) -> tuple[NDArray[np.uint8], NDArray[Any] | None]:
    order = list(range(len(X)))
    SystemRandom().shuffle(order)
    return X[order], None if y is None else y[order]


def _drop_repeated(
    X: NDArray[np.uint8], y: NDArray[Any] | None
) -> tuple[NDArray[np.uint8], NDArray[Any] | None]:
    """Keep the first of equal images."""
    first: dict[bytes, int] = {}
    for row, image in enumerate(X):
        first.setdefault(sha256(image.tobytes()).digest(), row)
    rows = list(first.values())
    if len(rows) < len(X):
        warnings.warn(
            f"{len(X) - len(rows)} of {len(X)} images in X_syn equal another one and are left "
            "out: how often an image repeats tells the size of its group",
            UserWarning,
            stacklevel=3,
        )
    return X[rows], None if y is None else y[rows]


def _check_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(
            f"the disk has {free / 1e6:.0f} MB free; the release needs up to {needed / 1e6:.0f} MB"
        )

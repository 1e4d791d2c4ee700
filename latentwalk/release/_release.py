"""write_release: the last step, which decides what leaves the house."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from secrets import SystemRandom
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.pipeline import Pipeline

from latentwalk.auditing import ReleaseFacts
from latentwalk.release._croissant import write_croissant
from latentwalk.release._facts import check_facts, complete
from latentwalk.release._files import (
    folder_names,
    size_on_disk,
    write_images,
    write_labels,
    write_manifest,
)
from latentwalk.release._gate import (
    check_audited,
    check_guarantee,
    check_labels,
    check_verdict,
    name_classes,
)
from latentwalk.release._manifest import HELD_BACK, build_manifest, least_group
from latentwalk.release._readme import write_readme
from latentwalk.release._staging import empty_folder, staged
from latentwalk.utils import check_images, to_bytes

LAYOUTS = ("flat", "folders")


def write_release(
    path: str | os.PathLike[str],
    X_syn: ArrayLike,
    y: ArrayLike | None = None,
    *,
    report: Any = None,
    pipeline: Pipeline | None = None,
    groups: ArrayLike | None = None,
    class_names: Sequence[str] | Mapping[Any, str] | None = None,
    allow: str | None = None,
    facts: ReleaseFacts | None = None,
    layout: str = "flat",
) -> Path:
    """Write a synthetic set into a folder of its own, to be handed on.

    What is written is what was audited: `report` knows the bytes that it saw, and another set is
    refused. Only the verdict NO EVIDENCE needs no further reason, and images for which a guarantee
    holds, unless their audit found a leak.

    The rows are shuffled with the operating system's entropy, since the order of a pipeline's
    output is the order of the real images, and no seed exists that undoes it. Images become bytes
    without metadata. Of images that repeat one is kept, with a warning: how often a prototype
    repeats is the size of its group. The folder appears whole or not at all.

    Parameters
    ----------
    path : path-like
        The folder. It must not exist, or be empty; a link is followed.
    X_syn : array-like of shape (n_samples, n_channels, height, width)
        Synthetic images, uint8 or float in [0, 1]. A 2-D array is read with the image shape of the
        generator in `pipeline`.
    y : array-like of shape (n_samples,), default=None
        Their class labels. Labels that may identify patients are refused: many values with few
        images each, or by `groups`.
    report : AuditReport, default=None
        What `PrivacyAuditor.audit` returned for `X_syn`, all of it and nothing else. None is
        recorded as "not audited".
    pipeline : Pipeline, default=None
        What made `X_syn`. The public parameters of its steps are recorded, and the release says
        how it was made; None is recorded as an unknown origin.
    groups : array-like of shape (n_samples,), default=None
        The patient of the real image behind each row. It is compared with `y` and not written: a
        label must stand for at least k patients (2 where `pipeline` has no k).
    class_names : sequence of str or dict, default=None
        The names that `labels.csv` has in place of the labels in `y`: by position for the labels
        0, 1, .. (``target_names`` of `load_image_folder`), or by label.
    allow : str, default=None
        The reason for which images are written that were not audited, or whose verdict is not
        NO EVIDENCE. They are refused otherwise, unless a guarantee holds for them. It is recorded
        in the release.
    facts : ReleaseFacts, default=None
        What else README and report say: the name of the data set, its licence and contact, each in
        one line, what was measured, and the guarantee (``statement``, which
        `latentwalk.evaluation.draw_release` returns with the images). k, classes, versions and
        some images are filled in.
    layout : {"flat", "folders"}, default="flat"
        "folders" puts the PNG files of each class into ``images/CLASS/``, as
        ``torchvision.datasets.ImageFolder`` and hubs read them.

    Returns
    -------
    path : Path
        The folder. It holds ``images.npz`` (uint8, one array ``images``), ``images/*.png`` where
        there are 1 or 3 channels, ``labels.csv``, ``manifest.json``, ``croissant.json``,
        ``README.md`` (a dataset card), and ``report.html`` where the report has a releasable
        edition.

    Raises
    ------
    ValueError
        For images, labels, texts or a verdict that cannot be released, the audit of another set,
        and images that equal a member's, for which no reason is enough.
    FileExistsError
        When the folder is not empty.
    OSError
        When the disk is too full.

    Notes
    -----
    Where a guarantee holds, the release says that it was audited and no more: verdict, figures,
    fidelity and utility come from real images, which the guarantee would not cover. Keep the
    report in the house.

    The number of images is visible. A pipeline returns one for every real row, which gives away
    the number of rows; release a part of them, or `GuidedWalker.sample`, where that matters.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from latentwalk import write_release
    >>> X_syn = np.random.default_rng(0).uniform(size=(6, 1, 8, 8))
    >>> y = [0, 0, 0, 1, 1, 1]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     release = write_release(f"{folder}/release", X_syn, y, allow="noise, for this example")
    ...     sorted(file.name for file in release.iterdir())
    ['README.md', 'croissant.json', 'images', 'images.npz', 'labels.csv', 'manifest.json']
    """
    folder = empty_folder(path)
    X = to_bytes(check_images(X_syn, _image_shape(pipeline), name="X_syn"))
    labels = check_labels(y, groups, len(X), least_group(pipeline))
    labels = name_classes(labels, class_names)
    told = check_facts(facts)
    guaranteed = check_guarantee(told.statement, X_syn, y)
    allowed = check_verdict(report, allow, guaranteed=guaranteed)
    check_audited(report, X_syn, X)
    if layout not in LAYOUTS:
        raise ValueError(f"layout={layout!r}; expected one of {LAYOUTS}")
    if layout == "folders":
        folder_names(labels)
    if guaranteed:  # figures of real images are not covered, and neither is what follows from them
        report = None if report is None else HELD_BACK
        told = replace(told, fidelity=None, utility=None)
    X, labels = _shuffle(X, labels)
    X, labels = _drop_repeated(X, labels)
    manifest = build_manifest(
        X, labels, report=report, pipeline=pipeline, allowed=allowed, facts=told
    )
    told = complete(told, X, labels, pipeline)
    places = folder_names(labels) if layout == "folders" else None
    with staged(folder, size_on_disk(X)) as content:
        names = write_images(content, X, places)
        if labels is not None:
            write_labels(content, labels, names)
        if hasattr(report, "to_html"):
            report.to_html(content / "report.html", edition="releasable", facts=told)
        write_croissant(content, manifest, told)
        write_readme(content, manifest, told)
        write_manifest(content, manifest)
    return folder


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

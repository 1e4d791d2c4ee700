"""make_release: from real images to an audited release, in one call."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from latentwalk.aggregation import DPKSameAggregator
from latentwalk.auditing import ReleaseFacts
from latentwalk.classifiers import LabelClassifier
from latentwalk.datasets import PatientSplit
from latentwalk.release._facts import check_facts
from latentwalk.release._files import folder_names
from latentwalk.release._gate import check_labels, check_text, name_classes
from latentwalk.release._group_sizes import GroupSizes
from latentwalk.release._guaranteed import run_guaranteed
from latentwalk.release._internal import write_internal
from latentwalk.release._recipe import default_auditor, default_guides
from latentwalk.release._release import write_release
from latentwalk.release._results import ReleasePaths, ReleaseResult
from latentwalk.release._run import Settings, run
from latentwalk.release._staging import empty_folder
from latentwalk.release._study import Study


def make_release(
    X: ArrayLike,
    y: ArrayLike | None = None,
    *,
    groups: ArrayLike | None = None,
    generator: Any,
    k: int | Sequence[int] | str = "auto",
    guarantee: DPKSameAggregator | None = None,
    n_images: int = 1000,
    path: str | os.PathLike[str] | None = None,
    class_names: Sequence[str] | Mapping[Any, str] | None = None,
    allow: str | None = None,
    facts: ReleaseFacts | None = None,
    layout: str = "flat",
    split: PatientSplit | None = None,
    identity_classifier: Any = None,
    label_classifier: Any = None,
    auditor: Any = None,
    classifier: Any = None,
    step_params: Mapping[str, Any] | None = None,
    ladder: bool = False,
    cache_dir: str | os.PathLike[str] | None = None,
    random_state: int = 0,
    verbose: bool = True,
) -> ReleaseResult:
    """Make synthetic images of real ones, audit them, and write what can be handed on.

    It does in one call what the steps do one by one: it splits the patients, trains the generator
    (if a trainer is given) and the guides on the members, inverts the members' images, averages
    groups of k patients, walks between the averages, decodes, chooses k on the calibration
    patients, audits once on the audit patients, and measures fidelity and utility.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_channels, height, width)
        Real images, uint8 or float in [0, 1], or `latentwalk.datasets.ImageFiles`.
    y : array-like of shape (n_samples,), default=None
        Their classes.
    groups : array-like of shape (n_samples,), default=None
        Patient ids. None makes every image its own patient: do so only if that is true.
    generator : Generator or trainer
        A trainer, such as `latentwalk.StyleGAN2Trainer`, is cloned and trained on the members. A
        generator is used as it is. It must never have seen the other patients: give the `split`
        that it was trained with, or the same `random_state`.
    k : int, sequence of int or "auto", default="auto"
        The patients of a group. Of several, the smallest one is taken whose audit on the
        calibration patients ends in NO EVIDENCE, else the largest: an audit that finds nothing and
        would have missed a leak is no reason for a smaller k. "auto" is 5, 10 and 20, as far as
        every class has 2k patients. If the calibration patients are too few for NO EVIDENCE, "auto"
        takes the largest at once.
    guarantee : DPKSameAggregator, default=None
        Draws the release under a guarantee, see `latentwalk.DPKSameAggregator`. It is cloned and
        gets `generator`, which must have been trained on others (``trained_on="others"``). There is
        no walk: `k`, the guides and `ladder` are not used. The audit is made, and stays in the
        house with every figure that was measured on real images.
    n_images : int, default=1000
        Images that are drawn under a guarantee. The number is public.
    path : path-like, default=None
        A new folder. It gets ``release/`` (see `write_release`) and ``audit/``, which is internal
        and shows real images. None writes nothing.
    class_names, allow, facts, layout
        See `write_release`. Fidelity and utility are measured and added to the facts. Without
        `allow` a verdict other than NO EVIDENCE writes no release; `refusal` says so.
    split : PatientSplit, default=None
        The sets; None is ``split_patients(X, y, groups, random_state=random_state)``.
    identity_classifier, label_classifier : classifier, default=None
        The guides of the walk, cloned and fitted on the members. None is a
        `latentwalk.IdentityClassifier` and, with `y`, a `latentwalk.LabelClassifier`.
    auditor : PrivacyAuditor, default=None
        Cloned. None audits pixels and, for grey and RGB images from 32 pixels on, LPIPS features.
    classifier : classifier, default=None
        What measures utility. None is a `latentwalk.LabelClassifier`.
    step_params : mapping, default=None
        Parameters of the pipeline's steps ("invert", "ksame", "walk", "decode"), as
        `sklearn.pipeline.Pipeline.set_params` takes them: ``{"invert__max_iter": 20}``.
    ladder : bool, default=False
        Also audit the stages of the pipeline: which of them exposes the members.
    cache_dir : path-like, default=None
        A folder that keeps what was finished: the same call goes on from there. It holds weights
        and latents of private images. None uses a temporary folder.
    random_state : int, default=0
        Seeds everything but the order of the release, which no seed knows.
    verbose : bool, default=True
        Show stages and bars on standard error, with the time that is left.

    Returns
    -------
    result : ReleaseResult
        Images, reports, pipeline and paths. It prints as a summary.

    Raises
    ------
    ValueError
        For images, labels, patients or parameters with which the job would fail later.
    FileExistsError
        When `path` is not empty.

    See Also
    --------
    write_release : The last step alone.
    latentwalk.check_pipeline : What is checked of the pipeline.

    Examples
    --------
    >>> import latentwalk as lw
    >>> from latentwalk.datasets import dermoscopy_generator_path, fetch_dermoscopy
    >>> data = fetch_dermoscopy()  # doctest: +SKIP
    >>> generator = lw.load_generator(dermoscopy_generator_path())
    >>> result = lw.make_release(
    ...     data.images, groups=data.groups, generator=generator, path="study"
    ... )  # doctest: +SKIP
    >>> print(result)  # doctest: +SKIP
    """
    place = None if path is None else empty_folder(path)
    study = Study.of(X, y, groups, split, random_state)
    members = study.members
    given = {"identity_classifier": identity_classifier, "label_classifier": label_classifier}
    guides = default_guides(members, random_state)
    auditor = default_auditor(members, random_state) if auditor is None else auditor
    settings = Settings(
        guides=guides | {name: guide for name, guide in given.items() if guide is not None},
        sizes=GroupSizes.of(k, study, auditor),
        auditor=auditor,
        classifier=LabelClassifier(random_state=random_state) if classifier is None else classifier,
        step_params=dict(step_params or {}),
        ladder=ladder,
        random_state=random_state,
        verbose=verbose,
    )
    texts: dict[str, Any] = {"class_names": class_names, "allow": allow, "layout": layout}
    facts = _check_writing(study, settings.sizes.least, facts, **texts)
    with ExitStack() as stack:
        cache = _open_cache(cache_dir, stack)
        if guarantee is None:
            result, judge = run(study, generator, settings, cache)
        else:
            result, judge = run_guaranteed(study, generator, guarantee, n_images, settings, cache)
    if place is None:
        return result
    facts = replace(
        facts, fidelity=result.fidelity, utility=result.utility, statement=result.statement
    )
    audit = write_internal(place / "audit", result, judge, members, facts)
    try:
        release = write_release(
            place / "release",
            result.X,
            result.y,
            report=result.report,
            pipeline=result.pipeline,
            groups=members.groups if guarantee is None else None,
            facts=facts,
            **texts,
        )
    except ValueError as refusal:
        return replace(result, paths=ReleasePaths(None, audit), refusal=str(refusal))
    return replace(result, paths=ReleasePaths(release, audit))


def _check_writing(
    study: Study,
    k: int,
    facts: ReleaseFacts | None,
    *,
    class_names: Sequence[str] | Mapping[Any, str] | None,
    allow: str | None,
    layout: str,
) -> ReleaseFacts:
    """Return the facts; raises for what `write_release` would refuse at the end."""
    members = study.members
    labels = check_labels(members.y, members.groups, len(members.X), k)
    labels = name_classes(labels, class_names)
    if layout == "folders":
        folder_names(labels)
    if allow is not None:
        check_text(allow, "allow", "words")
    return check_facts(facts)


def _open_cache(cache_dir: str | os.PathLike[str] | None, stack: ExitStack) -> Path:
    if cache_dir is None:
        return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="latentwalk-")))
    cache = Path(cache_dir)
    cache.mkdir(parents=True, exist_ok=True)
    return cache

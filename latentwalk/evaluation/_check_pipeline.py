"""check_pipeline: what would fail an hour later fails now."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike
from sklearn.pipeline import Pipeline

from latentwalk.evaluation._facts import Facts
from latentwalk.evaluation._guide_checks import (
    check_classes,
    check_guides,
    check_identity,
    warn_of_blind_guides,
)
from latentwalk.evaluation._noise_checks import check_noise
from latentwalk.evaluation._row_checks import (
    check_patients,
    check_patients_agree,
    check_patients_reach,
    check_rows,
    warn_of_equal_images,
)
from latentwalk.evaluation._step_checks import (
    check_generators,
    check_order,
    check_output,
    check_parameters,
)

CHECKS = (
    check_rows,
    check_order,
    check_parameters,
    check_generators,
    check_output,
    check_patients_reach,
    check_patients_agree,
    check_patients,
    check_noise,
    check_identity,
    check_guides,
    check_classes,
)


def check_pipeline(
    pipe: Pipeline,
    X: ArrayLike,
    y: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    **fit_params: Any,
) -> None:
    """Raise one error that lists all problems that can be found before a run.

    Nothing is trained and nothing is changed. The check covers the images, each of which is read
    once; y and groups; the steps, with their order, parameters, output, generators and latent
    spaces; the weights file and its hash; and the guides. Patients must reach the aggregator, must
    be the same for all steps, and must be enough in every class (k for a group, 2k for a walk, more
    for a group that noise covers). What would void a guarantee is named.

    Parameters
    ----------
    pipe : Pipeline
        A pipeline of latentwalk's steps; other steps are not checked.
    X : array-like of shape (n_samples, n_channels, height, width) or (n_samples, n_features)
        The real images.
    y : array-like of shape (n_samples,), default=None
        Their classes.
    groups : array-like of shape (n_samples,), default=None
        Patient ids.
    **fit_params
        The further arguments of ``pipe.fit_transform``, by the same names (``walk__X_real``).
        Without any of them, all steps are assumed to get `groups`.

    Raises
    ------
    TypeError
        When `pipe` is not a pipeline.
    ValueError
        With a numbered list of the problems.

    Warns
    -----
    UserWarning
        When X has pixel-equal images under the ids of different patients, or a fitted identity
        guide recognises almost nobody in X.

    Examples
    --------
    >>> import numpy as np
    >>> import latentwalk as lw
    >>> from latentwalk.datasets import dermoscopy_generator_path
    >>> from sklearn.pipeline import Pipeline
    >>> generator = lw.load_generator(dermoscopy_generator_path())
    >>> pipe = Pipeline([("ksame", lw.KSameAggregator(k=5)), ("decode", lw.GANDecoder(generator))])
    >>> lw.check_pipeline(pipe, np.zeros((3, 1, 32, 32)))
    Traceback (most recent call last):
        ...
    ValueError: check_pipeline found 2 problems:
    1. X has images of shape (1, 32, 32); expected (3, 32, 32)
    2. too few subjects (all rows: 3); 5 are needed for a group (k=5)
    """
    if not isinstance(pipe, Pipeline):
        raise TypeError(f"pipe is a {type(pipe).__name__}; expected a sklearn.pipeline.Pipeline")
    facts = Facts(dict(pipe.steps), X, y, groups, fit_params)
    problems = [problem for check in CHECKS for problem in check(facts)]
    if problems:
        lines = [f"{i}. {problem}" for i, problem in enumerate(problems, start=1)]
        count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
        raise ValueError("\n".join([f"check_pipeline found {count}:", *lines]))
    warn_of_equal_images(facts)
    warn_of_blind_guides(facts)

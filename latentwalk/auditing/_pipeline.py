"""The ladder of a fitted pipeline: its stages, found by what they can do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from latentwalk.auditing._attacks._inversion import residuals
from latentwalk.auditing._auditor import PrivacyAuditor
from latentwalk.auditing._checks import check_records, check_same
from latentwalk.auditing._ladder import Ladder, audit_stages
from latentwalk.auditing._spaces import check_guided_by, find_guided
from latentwalk.utils import to_float

WALKED = ("guided walk", "release")


@dataclass(frozen=True)
class Stages:
    """The steps of a pipeline that the ladder looks at."""

    inverter: Any
    aggregator: Any
    walker: Any
    decoder: Any


def audit_pipeline(
    auditor: PrivacyAuditor,
    pipe: Pipeline,
    X: ArrayLike,
    X_syn: ArrayLike,
    *,
    X_holdout: ArrayLike | None = None,
    guided_by: Sequence[str] = (),
    random_state: Any = None,
) -> Ladder:
    """Audit a release, and what each stage of its fitted pipeline would have released.

    The stages are "generator samples" (new latents, none of a member), "inversions" (the members'
    images through the inverter and back), "prototypes", "linear walk" (the straight lines of the
    released paths), "guided walk" (points of the same paths and the same places on them, before
    the safest were selected) and "release". Nothing is fitted again; the members are inverted
    again, which takes as long as in the pipeline unless the inverter has a cache.

    Parameters
    ----------
    auditor : PrivacyAuditor
        Fitted on the members `X`.
    pipe : sklearn.pipeline.Pipeline
        Fitted. It has an inverter (`inverse_transform` and a `generator`) and a decoder (another
        step with a `generator`) last; a step with `prototypes_` and a walker with `paths_` are
        looked at where there are any.
    X : array-like of shape (n_samples, n_channels, height, width)
        The members, as given to the auditor and to the pipeline.
    X_syn : array-like of shape (n_synthetic, ...)
        What ``pipe.fit_transform`` returned.
    X_holdout : array-like of shape (n_holdout, n_channels, height, width), default=None
        The auditor's held-out records. With them the inversion gap is tested.
    guided_by : sequence of str, default=()
        Feature spaces that guided, selected or repelled the walk, besides those that its steps
        know (`guided_spaces_`).
    random_state : int, RandomState or None, default=None
        Draws the generator's samples, and the points of the walks.

    Returns
    -------
    reports : Ladder
        Reports by stage, in their order. Each has the whole `ladder`, and `inversion_gap`. Print
        it for a table.

    Raises
    ------
    TypeError
        When `pipe` is not a pipeline.
    ValueError
        When a step is missing, or the records are not those of the auditor.

    See Also
    --------
    audit_stages : The same for images that were decoded already.

    Examples
    --------
    >>> import latentwalk as lw, numpy as np
    >>> from latentwalk.auditing import audit_pipeline
    >>> from latentwalk.datasets import dermoscopy_generator_path
    >>> from sklearn.pipeline import Pipeline
    >>> generator = lw.load_generator(dermoscopy_generator_path())
    >>> X, _ = generator.sample(24, random_state=0)
    >>> pipe = Pipeline([
    ...     ("invert", lw.GANInverter(generator, max_iter=0, encoder_iter=1, random_state=0)),
    ...     ("ksame", lw.KSameAggregator(k=4)),
    ...     ("decode", lw.GANDecoder(generator)),
    ... ])
    >>> X_syn = pipe.fit_transform(X[:12])
    >>> auditor = lw.PrivacyAuditor(random_state=0).fit(X[:12], X_holdout=X[12:])
    >>> list(audit_pipeline(auditor, pipe, X[:12], X_syn, random_state=0))
    ['generator samples', 'inversions', 'prototypes', 'release']
    """
    stages = find_stages(pipe)
    check_is_fitted(auditor)
    members = _check_members(auditor, X)
    released = check_records(auditor, X_syn, reset=False, name="X_syn")
    held_out = None if X_holdout is None else _check_holdout(auditor, X_holdout)
    inverted = stages.inverter.transform(members)
    images = stage_images(stages, inverted, len(released), random_state) | {"release": released}
    errors = None
    if held_out is not None:
        errors = (
            reconstruction_errors(stages.decoder, members, inverted),
            reconstruction_errors(stages.decoder, held_out, stages.inverter.transform(held_out)),
        )
    spaces = list(auditor.cohorts_.spaces)
    guided = find_guided(pipe, auditor.cohorts_.spaces, check_guided_by(guided_by, spaces))
    guides = {name: guided for name in WALKED if stages.walker is not None and name in images}
    return audit_stages(auditor, images, guided_by=guides, reconstruction_errors=errors)


def find_stages(pipe: Any) -> Stages:
    """Return the steps by what they can do; raises where the inverter or the decoder is missing."""
    if not isinstance(pipe, Pipeline):
        raise TypeError(f"pipe is a {type(pipe).__name__}; expected a fitted Pipeline")
    steps = [step for _, step in pipe.steps if step is not None and step != "passthrough"]
    check_is_fitted(steps[-1])
    inverter = _first(steps, _inverts)
    decoder = _first(steps[::-1], lambda step: _decodes(step) and step is not inverter)
    if inverter is None or inverter is not steps[0] or decoder is not steps[-1]:
        raise ValueError(
            f"pipe has the steps {[name for name, _ in pipe.steps]}; expected one with a generator "
            "and inverse_transform first, such as GANInverter, and one that decodes latents with a "
            "generator last, such as GANDecoder. For other pipelines decode the stages yourself "
            "and call audit_stages"
        )
    aggregator = _first(steps, lambda s: hasattr(s, "prototypes_") and not hasattr(s, "paths_"))
    return Stages(inverter, aggregator, _first(steps, lambda s: hasattr(s, "paths_")), decoder)


def stage_images(
    stages: Stages, inverted: NDArray[Any], n_samples: int, random_state: Any = None
) -> dict[str, NDArray[Any]]:
    """Decode what each stage before the release would have released.

    Parameters
    ----------
    stages : Stages
        Fitted steps.
    inverted : ndarray of shape (n_rows, n_latent_features)
        Latents of the members.
    n_samples : int
        Samples of the generator: as many as are released.
    random_state : int, RandomState or None, default=None
        The draw.

    Returns
    -------
    images : dict of str to ndarray of shape (n_images, ...)
        In the order of the stages.
    """
    rng = check_random_state(random_state)
    decode = stages.decoder.transform
    samples = stages.decoder.generator.sample(n_samples, random_state=rng)[0]
    images = {"generator samples": samples, "inversions": decode(inverted)}
    if stages.aggregator is not None:
        images["prototypes"] = decode(stages.aggregator.prototypes_)
    if stages.walker is not None:
        straight, walked = walk_latents(stages.walker, rng)
        images |= {"linear walk": decode(straight), "guided walk": decode(walked)}
    return images


def walk_latents(
    walker: Any, rng: np.random.RandomState
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return latents on the straight lines and on the walks, a row for each released row.

    Both are at the same places of the released rows' paths, inner points drawn without
    replacement where a path has enough of them: they differ by the walk alone, and the walk's
    from the release by the selection alone.
    """
    paths = walker.paths_  # (n_paths, n_points, n_features)
    n_inner = paths.shape[1] - 2
    path = np.asarray(walker.released_path_)
    index = np.empty(len(path), dtype=np.intp)
    for code in np.unique(path):
        rows = np.flatnonzero(path == code)
        order = np.tile(rng.permutation(n_inner), -(-len(rows) // n_inner))
        index[rows] = 1 + order[: len(rows)]
    share = (index / (paths.shape[1] - 1)).astype(np.float32)[:, None]
    straight = (1 - share) * paths[path, 0] + share * paths[path, -1]
    return straight, paths[path, index]


def reconstruction_errors(decoder: Any, X: NDArray[Any], W: NDArray[Any]) -> NDArray[np.float64]:
    """Return the root mean squared difference of images and decoded latents, values in [0, 1]."""
    return residuals(to_float(X), to_float(np.asarray(decoder.transform(W))))


def _check_members(auditor: PrivacyAuditor, X: ArrayLike) -> NDArray[Any]:
    members = check_records(auditor, X, reset=False)
    check_same(members, auditor.cohorts_.members.keys, "X", "members")
    return members


def _check_holdout(auditor: PrivacyAuditor, X_holdout: ArrayLike) -> NDArray[Any]:
    holdout = auditor.cohorts_.pair[1]
    held_out = check_records(auditor, X_holdout, reset=False, name="X_holdout")
    check_same(held_out, holdout.keys, "X_holdout", "held-out records")
    return held_out


def _first(steps: Sequence[Any], fits: Callable[[Any], bool]) -> Any:
    return next((step for step in steps if fits(step)), None)


def _inverts(step: Any) -> bool:
    return hasattr(step, "generator") and hasattr(step, "inverse_transform")


def _decodes(step: Any) -> bool:
    return hasattr(step, "generator") and not hasattr(step, "paths_")

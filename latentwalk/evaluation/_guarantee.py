"""What a pipeline guarantees to every patient, and the release that the guarantee covers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from latentwalk.aggregation import DPKSameAggregator, PrivacyLoss
from latentwalk.evaluation._covered_walk import walk_between, walker_reasons
from latentwalk.generators import GANDecoder
from latentwalk.inversion import GANInverter
from latentwalk.metrics import keys_digest, row_keys
from latentwalk.walking import GuidedWalker

PUBLIC = (
    "the generator, the inverter's encoder and the cells",
    "the list of classes, k and the number of images that is drawn",
    "everything that is computed from the noisy numbers",
)


@dataclass(frozen=True)
class PrivacyStatement:
    """Whether a guarantee holds for the images that are drawn from a pipeline, and why not.

    Attributes
    ----------
    loss : PrivacyLoss or None
        What holds for all the images of one patient; None where no noise was added.
    voided_by : tuple of str
        A sentence for each reason why nothing is guaranteed; empty where the guarantee holds.
    public : tuple of str
        What the guarantee does not cover: it is taken as known to everybody.
    """

    loss: PrivacyLoss | None
    voided_by: tuple[str, ...] = ()
    public: tuple[str, ...] = PUBLIC
    # of the drawn images alone, and with their classes
    _digests: tuple[str, ...] = field(default=(), repr=False, compare=False)

    @property
    def holds(self) -> bool:
        """Whether every attacker is bounded."""
        return self.loss is not None and not self.voided_by

    def is_about(self, X_syn: ArrayLike, y: ArrayLike | None = None) -> bool:
        """Return whether these images were drawn under the guarantee, in any order.

        With `y`, whether their classes were drawn with them: other labels are not covered.
        """
        return self.holds and _digest(X_syn, y) in self._digests

    def __str__(self) -> str:
        if not self.holds:
            return "\n".join(["guarantee: VOID", *(f"- {reason}" for reason in self.voided_by)])
        taken = "; ".join(self.public)
        return f"guarantee: HOLDS\n- {self.loss}\n- taken as public: {taken}"


def privacy_statement(pipeline: Pipeline) -> PrivacyStatement:
    """Say what a pipeline guarantees for images that `draw_release` draws from it.

    Parameters
    ----------
    pipeline : Pipeline
        Of a `GANInverter`, a `DPKSameAggregator`, a `GANDecoder` and, before it, perhaps a
        `GuidedWalker`; fitted or not.

    Returns
    -------
    statement : PrivacyStatement
        It holds when noise is added, the generator was trained on others, the latent of a row
        depends on its own image alone, and no other step sees a private image. A walk may be
        straight, or guided by a label classifier that is not fitted.

    Examples
    --------
    >>> import latentwalk as lw
    >>> from latentwalk.datasets import dermoscopy_generator_path
    >>> from latentwalk.evaluation import privacy_statement
    >>> from sklearn.pipeline import make_pipeline
    >>> generator = lw.load_generator(dermoscopy_generator_path())
    >>> pipe = make_pipeline(lw.GANInverter(generator), lw.KSameAggregator())
    >>> privacy_statement(pipe).holds
    False
    """
    steps = dict(pipeline.steps)
    noisy = [step for step in steps.values() if isinstance(step, DPKSameAggregator)]
    loss = noisy[0].stated_loss() if noisy and noisy[0].noise is not None else None
    return PrivacyStatement(loss, tuple(_reasons(steps, loss)))


def draw_release(
    pipeline: Pipeline, n_samples: int, *, contrast: float = 1.0, random_state: Any = None
) -> tuple[NDArray[Any], NDArray[Any], PrivacyStatement]:
    """Draw images under the guarantee from a fitted pipeline.

    Without a walk they are the generator's samples, sorted into classes by the noisy prototypes.
    With one they are points of paths between the noisy prototypes. The walk is laid anew for that,
    and an unfitted label guide is trained on images that are drawn under the guarantee.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted; see `privacy_statement`. Of a walk the parameters alone count, it need not be.
    n_samples : int
        How many images. It is public, so it must not be the exact number of real images.
    contrast : float, default=1.0
        See ``DPKSameAggregator.sample``; not used by a walk.
    random_state : int, RandomState instance or None, default=None
        Of the draws.

    Returns
    -------
    X_syn : ndarray of shape (n_samples, n_channels, height, width)
        Images.
    y_syn : ndarray of shape (n_samples,)
        Their classes.
    statement : PrivacyStatement
        About these images, see `PrivacyStatement.is_about`.

    Raises
    ------
    ValueError
        When the pipeline has no DPKSameAggregator, or a walk that nothing covers.
    """
    place = _place(pipeline, DPKSameAggregator)
    if place is None:
        raise ValueError("the pipeline has no DPKSameAggregator, so there is nothing to draw from")
    aggregator = pipeline[place]
    check_is_fitted(aggregator, "prototypes_")
    walk = _place(pipeline, GuidedWalker)
    if walk is None:
        W, y_syn = aggregator.sample(n_samples, contrast=contrast, random_state=random_state)
    else:
        name, walker = pipeline.steps[walk]
        for reason in walker_reasons(name, walker):
            raise ValueError(f"nothing covers this walk: {reason}")
        W, y_syn = walk_between(walker, aggregator, n_samples, random_state)
        place = walk
    X_syn = np.asarray(pipeline[place + 1 :].transform(W))
    statement = replace(
        privacy_statement(pipeline), _digests=(_digest(X_syn, None), _digest(X_syn, y_syn))
    )
    return X_syn, y_syn, statement


def _place(pipeline: Pipeline, kind: type) -> int | None:
    """Return the place of the first step of a kind; None without one."""
    places = (place for place, (_, step) in enumerate(pipeline.steps) if isinstance(step, kind))
    return next(places, None)


def _digest(X: ArrayLike, y: ArrayLike | None) -> str:
    keys = row_keys(X)
    if y is None:
        return keys_digest(keys)
    labels = np.asarray(y).tolist()
    return keys_digest(
        np.array([key + f" {c}".encode() for key, c in zip(keys.tolist(), labels, strict=True)])
    )


def _reasons(steps: dict[str, Any], loss: PrivacyLoss | None) -> Iterator[str]:
    """Yield a sentence for everything that voids the guarantee."""
    if loss is None:
        yield "no step adds noise: use DPKSameAggregator"
    for name, step in steps.items():
        if isinstance(step, GANInverter):
            yield from _inverter_reasons(name, step)
        elif isinstance(step, GuidedWalker):
            yield from walker_reasons(name, step)
        elif not isinstance(step, DPKSameAggregator | GANDecoder):
            yield (
                f"step {name!r} ({type(step).__name__}) is not known to leave private images alone"
            )
    generators = [step.generator for step in steps.values() if hasattr(step, "generator")]
    for told in {getattr(generator, "trained_on", None) for generator in generators}:
        if told is None:
            yield (
                "the generator does not say whom it was trained on: open it with "
                "load_generator(path, trained_on='others') if they are other patients"
            )
        elif told != "others":
            yield "the generator was trained on these patients, and remembers them without a bound"


def _inverter_reasons(name: str, inverter: GANInverter) -> Iterator[str]:
    if inverter.generator.batch_size != 1:
        yield (
            f"step {name!r} inverts several images at once, so that one image may move another's "
            "latent by rounding: pass it generator.using(batch_size=1)"
        )
    if getattr(inverter, "fine_tune_iter", 0):
        yield f"the encoder of step {name!r} is trained on private images: set fine_tune_iter=0"

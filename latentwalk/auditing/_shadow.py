"""Shadow releases: what an attacker finds who can run the whole method on other people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state

from latentwalk.auditing._attacks._views import whitened
from latentwalk.auditing._pipeline import Stages, find_stages
from latentwalk.metrics import Rate, auc, exact_test, n_exposed_lower, tpr_at_fpr
from latentwalk.neighbors import ExactNeighbors
from latentwalk.utils import check_groups, check_targets

FEWEST_SHADOWS = 4
TINY = 1e-12
LEVEL = 0.05


@dataclass(frozen=True)
class ShadowResult:
    """What one attack found.

    Attributes
    ----------
    attack : str
        "nearest" uses no shadow releases; "LiRA" and "RMIA" do.
    p_value : float
        Of the exact test, both directions.
    n_exposed_lower : int
        At least so many subjects of the judged release are exposed, at confidence 95 %.
    tpr : Rate
        Share of the subjects in the release that are found at the audited false-positive rate.
    auc : Rate
        0.5 is chance.
    """

    attack: str
    p_value: float
    n_exposed_lower: int
    tpr: Rate
    auc: Rate


@dataclass(frozen=True)
class ShadowAudit:
    """What `shadow_audit` returns.

    Attributes
    ----------
    results : tuple of ShadowResult
        By attack.
    n_subjects : int
        Half of them, drawn at random, are in the judged release.
    n_shadows : int
        Shadow releases, each of another random half.
    """

    results: tuple[ShadowResult, ...]
    n_subjects: int
    n_shadows: int

    def __str__(self) -> str:
        heads = f"{'attack':10}{'exposed':>9}{'TPR':>8}{'AUC':>7}{'p':>10}"
        rows = [
            f"{r.attack:10}{f'>= {r.n_exposed_lower}':>9}{r.tpr.value:8.3f}{r.auc.value:7.3f}"
            f"{r.p_value:10.2g}"
            for r in self.results
        ]
        return "\n".join(
            [f"{self.n_subjects} subjects, {self.n_shadows} shadow releases", heads, *rows]
        )


def shadow_audit(
    pipe: Pipeline,
    X: ArrayLike,
    y: ArrayLike | None = None,
    *,
    groups: ArrayLike | None = None,
    latents: ArrayLike | None = None,
    n_shadows: int = 12,
    walk: bool = True,
    fpr: float = 0.01,
    random_state: Any = None,
) -> ShadowAudit:
    """Attack the method with its own reruns on random halves of the subjects.

    Such an attacker knows everything but who is in the release: images of all subjects, the
    generator and every setting. The steps between inverter and decoder are run again on random
    halves of the subjects, within each class. One half's release is judged; from the others it is
    known how near a release comes to a subject that is not in it. The half is drawn at random, so
    members and others are exchangeable, and no held-out set is needed.

    It speaks of the averages and of the walk: releases are compared by their latents, as if the
    attacker had them exactly, and generator, inverter and guides are those of the pipeline, which
    saw all subjects.

    Parameters
    ----------
    pipe : sklearn.pipeline.Pipeline
        Fitted, see `audit_pipeline`. Its aggregator and its walker are cloned; freeze a fitted
        guide with `sklearn.frozen.FrozenEstimator`, or it is fitted again for every release.
    X : array-like of shape (n_samples, n_channels, height, width)
        Images of the subjects, such as the members.
    y : array-like of shape (n_samples,), default=None
        Classes, as given to the pipeline.
    groups : array-like of shape (n_samples,), default=None
        Subject ids; None makes every record its own subject.
    latents : array-like of shape (n_samples, n_latent_features), default=None
        Of `X`; None inverts them.
    n_shadows : int, default=12
        Reruns for comparison. About half of them leave a given subject out.
    walk : bool, default=True
        Whether the walker runs too; False takes the prototypes for the release, which is cheaper.
    fpr : float, default=0.01
        False-positive rate of the true-positive rates.
    random_state : int, RandomState or None, default=None
        Draws the halves.

    Returns
    -------
    audit : ShadowAudit
        A result for each attack; print it for a table.

    Raises
    ------
    ValueError
        For fewer than four shadows or a pipeline without an aggregator.

    References
    ----------
    N. Carlini et al., "Membership inference attacks from first principles", IEEE S&P 2022 (LiRA,
    here its offline form). S. Zarifzadeh, P. Liu and R. Shokri, "Low-cost high-power membership
    inference attacks", ICML 2024 (RMIA).

    Examples
    --------
    >>> import latentwalk as lw, numpy as np
    >>> from latentwalk.auditing import shadow_audit
    >>> from latentwalk.datasets import dermoscopy_generator_path
    >>> from sklearn.pipeline import Pipeline
    >>> generator = lw.load_generator(dermoscopy_generator_path())
    >>> X, latents = generator.sample(60, random_state=0)
    >>> pipe = Pipeline([
    ...     ("invert", lw.GANInverter(generator, max_iter=0, encoder_iter=1, random_state=0)),
    ...     ("ksame", lw.KSameAggregator(k=2)),
    ...     ("decode", lw.GANDecoder(generator)),
    ... ]).fit(X)
    >>> found = shadow_audit(pipe, X, latents=latents, random_state=0)
    >>> [result.attack for result in found.results], found.n_subjects
    (['nearest', 'LiRA', 'RMIA'], 60)
    """
    if n_shadows < FEWEST_SHADOWS:
        raise ValueError(f"n_shadows={n_shadows}; expected at least {FEWEST_SHADOWS}")
    stages = find_stages(pipe)
    if stages.aggregator is None:
        raise ValueError("pipe has no aggregator between inverter and decoder; nothing is averaged")
    images = np.asarray(X)
    codes, labels = check_groups(groups, len(images)), check_targets(y, len(images))
    rows = np.asarray(stages.inverter.transform(images) if latents is None else latents)
    rng = check_random_state(random_state)
    subjects = _Subjects(codes, labels)
    inside = subjects.halves(1 + n_shadows, rng)  # (n_releases, n_subjects)
    nearness = []
    for chosen in inside:
        kept = chosen[codes]
        release = _rerun(
            stages if walk else None,
            stages.aggregator,
            rows[kept],
            None if labels is None else labels[kept],
            codes[kept],
            images[kept],
        )
        nearness.append(subjects.best(_nearness(rows, release)))
    judged = _judge(np.array(nearness), inside, fpr)
    return ShadowAudit(judged, inside.shape[1], n_shadows)


class _Subjects:
    """Who the rows belong to, and which class a subject is drawn with: that of its first row."""

    def __init__(self, codes: NDArray[np.intp], labels: NDArray[Any] | None) -> None:
        self.order = np.argsort(codes, kind="stable")
        self.starts = np.searchsorted(codes[self.order], np.arange(codes.max() + 1))
        first = self.order[self.starts]
        classes = np.zeros(len(first)) if labels is None else labels[first]
        self.places = np.unique(classes, return_inverse=True)[1]

    def halves(self, n: int, rng: np.random.RandomState) -> NDArray[np.bool_]:
        """Random halves of the subjects of each class, (n, n_subjects)."""
        inside = np.zeros((n, len(self.places)), dtype=bool)
        for row in inside:
            for place in np.unique(self.places):
                drawn = rng.permutation(np.flatnonzero(self.places == place))
                row[drawn[: (len(drawn) + 1) // 2]] = True
        return inside

    def best(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The largest value over the rows of each subject."""
        best: NDArray[np.float64] = np.maximum.reduceat(values[self.order], self.starts)
        return best


def _rerun(
    stages: Stages | None,
    aggregator: Any,
    rows: NDArray[Any],
    labels: NDArray[Any] | None,
    codes: NDArray[np.intp],
    images: NDArray[Any],
) -> NDArray[Any]:
    """Latents of the release of these subjects."""
    averages = clone(aggregator)
    prototypes = averages.fit_transform(rows, labels, groups=codes)
    if stages is None or stages.walker is None:
        return np.asarray(averages.prototypes_)
    walker = clone(stages.walker)
    return np.asarray(walker.fit_transform(prototypes, labels, X_real=images, groups=codes))


def _nearness(rows: NDArray[Any], release: NDArray[Any]) -> NDArray[np.float64]:
    """Minus the log-distance of each row to the release, by the angle in whitened components."""
    embed = whitened("latents", rows.shape[1]).embed(None, rows)
    distances = ExactNeighbors(embed(release)).kneighbors(embed(rows))[0][:, 0]
    nearness: NDArray[np.float64] = -np.log(np.maximum(distances, TINY))
    return nearness


def _judge(
    nearness: NDArray[np.float64], inside: NDArray[np.bool_], fpr: float
) -> tuple[ShadowResult, ...]:
    """Attacks on the first release (n_releases, n_subjects), the others being shadows."""
    truth, target = inside[0], nearness[0]
    out = np.where(inside[1:], np.nan, nearness[1:])  # a shadow that has the subject says nothing
    known = ~np.isnan(out)
    n_out = np.maximum(known.sum(axis=0), 1)
    typical = np.where(known, out, 0).sum(axis=0) / n_out
    variance = np.square(np.where(known, out - typical, 0)).sum(axis=0) / n_out
    # few shadows leave a subject out: half of its variance is that of all
    spread = np.sqrt((variance + variance.mean()) / 2 + TINY)
    likelihood = np.where(known, np.exp(out), 0).sum(axis=0) / n_out
    scores = {
        "nearest": target,
        "LiRA": (target - typical) / spread,
        "RMIA": target - np.log(likelihood + TINY),
    }
    return tuple(_result(name, values, truth, fpr) for name, values in scores.items())


def _result(
    name: str, scores: NDArray[np.float64], truth: NDArray[np.bool_], fpr: float
) -> ShadowResult:
    members, others = -scores[truth], -scores[~truth]  # near is small in the metrics
    return ShadowResult(
        name,
        exact_test(members, others, fpr=fpr).p_value,
        n_exposed_lower(members, others, alpha=LEVEL, fpr=fpr),
        tpr_at_fpr(members, others, fpr=fpr),
        auc(members, others),
    )

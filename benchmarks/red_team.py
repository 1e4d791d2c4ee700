"""Releases that beat an audit of one distance, each with the ordinary attacker who finds it.

For `panel.py`. Members are changed (darker, mirrored, averaged, walked between) in ways that hide
them from the nearest distance in pixels. The attacker of a release knows what was done, and nothing
of who is a member; its rate is what an audit should find about half of, at least.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import latentwalk as lw
import numpy as np
from latentwalk.metrics import exposure, tpr_at_fpr
from latentwalk.neighbors import ExactNeighbors
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from sklearn.decomposition import PCA

from common import load_real

FPR, WIDTH, N_COPIES, N_COMPONENTS = 0.01, 32, 28, 64
SHARES = (0.3, 0.2, 0.2, 0.3)  # members, others, reference, held-out
Rows = NDArray[Any]
Score = Callable[[Rows], NDArray[np.float64]]  # of records; small is like a member


@dataclass(frozen=True, eq=False)
class Sets:
    """Records and subject ids of members, held-out, reference and other people."""

    X: Rows
    groups: Rows
    X_holdout: Rows
    groups_holdout: Rows
    X_reference: Rows
    groups_reference: Rows
    others: Rows
    y: Rows | None = None

    def auditor(self, panel: str, features: Any) -> lw.PrivacyAuditor:
        """An auditor fitted on them."""
        return lw.PrivacyAuditor(features, panel=panel, random_state=0).fit(
            self.X,
            X_holdout=self.X_holdout,
            X_reference=self.X_reference,
            groups=self.groups,
            groups_holdout=self.groups_holdout,
            groups_reference=self.groups_reference,
        )

    def rate(self, score: Score, average: Score | None = None) -> float:
        """The rate of an attacker who takes a subject's best image, or the mean of its rows."""
        found = []
        for rows, ids in ((self.X, self.groups), (self.X_holdout, self.groups_holdout)):
            codes = np.unique(ids, return_inverse=True)[1]
            if average is None:
                values = np.full(codes.max() + 1, np.inf)
                np.minimum.at(values, codes, score(rows))
            else:
                seen = average(rows)
                sums = np.zeros((codes.max() + 1, seen.shape[1]))
                np.add.at(sums, codes, seen)
                values = score(sums / np.bincount(codes)[:, None])
            found.append(values)
        return tpr_at_fpr(*found, fpr=FPR).value


@dataclass(frozen=True, eq=False)
class Attacked:
    """A release, the rate of its named attacker, and the number of copies if it has some."""

    name: str
    attacker: str
    release: Rows
    rate: float
    n_copies: int = 0


def sets_of(
    data: str | None, most: int, size: int | None = None, shares: tuple[float, ...] = SHARES
) -> Sets:
    """Real images divided by subject; at most so many of members and of held-out subjects."""
    X, y, groups = load_real(data, size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pixel-equal images are dropped next
        split = lw.split_patients(X, y, groups, shares=shares, random_state=0)
    first = np.unique(X.reshape(len(X), -1), axis=0, return_index=True)[1]
    members, others, reference, holdout = (rows[np.isin(rows, first)][:most] for rows in split)
    return Sets(
        X[members],
        groups[members],
        X[holdout],
        groups[holdout],
        X[reference],
        groups[reference],
        X[others],
        None if y is None else y[members],
    )


def flat(X: Rows) -> Rows:
    return X.reshape(len(X), -1).astype(np.float32) / 255


def to_bytes(X: Rows) -> Rows:
    return np.clip(np.rint(X), 0, 255).astype(np.uint8)


def blur(X: Rows) -> Rows:
    return gaussian_filter(X.astype(np.float32), (0, 0, 2, 2))


def whitened(sets: Sets, release: Rows, width: int = WIDTH) -> tuple[Score, Score]:
    """The cosine to the release in whitened components of the reference."""
    rows = flat(sets.X_reference)
    parts = PCA(min(width, len(rows) // 4), whiten=True, random_state=0).fit(rows)

    def unit(rows: Rows) -> Rows:
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    seen = unit(parts.transform(flat(release)))
    return lambda rows: exposure(unit(rows), seen), lambda X: unit(parts.transform(flat(X)))


def disguised(sets: Sets) -> Iterator[Attacked]:
    """Members that were changed, and the attacker who changes every record alike."""
    X, rng = sets.X, np.random.default_rng(0)
    side = X.shape[-1] // 4
    hosts = sets.others[np.arange(len(X)) % len(sets.others)]
    changes: dict[str, Callable[[Rows], Rows]] = {
        "brightness .7": lambda X: to_bytes(0.7 * X.astype(np.float32)),
        "mirrored": lambda X: X[..., ::-1],
        "turned by 180 degrees": lambda X: X[..., ::-1, ::-1],
    }
    for name, change in changes.items():
        release = np.ascontiguousarray(change(X))
        yield Attacked(
            name,
            "the same change, nearest",
            release,
            sets.rate(lambda X, c=change, s=release: exposure(flat(c(X)), flat(s))),
        )
    pasted = hosts.copy()
    pasted[..., :side, :side] = X[..., :side, :side]
    yield Attacked(
        "a corner in another image",
        "nearest corner",
        pasted,
        sets.rate(lambda X: exposure(flat(X[..., :side, :side]), flat(pasted[..., :side, :side]))),
    )
    mixed = to_bytes(blur(hosts) + X - blur(X))
    yield Attacked(
        "high frequencies in another image",
        "nearest after a high-pass",
        mixed,
        sets.rate(lambda X: exposure(flat(X - blur(X)), flat(mixed - blur(mixed)))),
    )
    groups = rng.permutation(len(X))[: len(X) // 5 * 5].reshape(-1, 5)
    means = to_bytes(X[groups].astype(np.float32).mean(axis=1))
    score, average = whitened(sets, means)
    yield Attacked("mean of 5", "whitened cosine", means, sets.rate(lambda X: score(average(X))))
    yield copies(sets, rng)


def copies(sets: Sets, rng: np.random.Generator) -> Attacked:
    """Other people's images, and 28 members with one grey level of one value changed."""
    copied = sets.X[:N_COPIES].copy()
    rows = copied.reshape(N_COPIES, -1)
    at = np.arange(N_COPIES), rng.integers(rows.shape[1], size=N_COPIES)
    rows[at] = np.where(rows[at] < 255, rows[at] + 1, rows[at] - 1)
    release = np.concatenate([sets.others, copied])
    nearest = ExactNeighbors(flat(sets.X)).kneighbors(flat(release))[0][:, 0]
    found = int((nearest < 1.5 / 255).sum())
    return Attacked("28 copies, one level changed", "nearest", release, found / N_COPIES, N_COPIES)


def averaged(
    sets: Sets,
    sizes: Sequence[int] = (5, 20),
    n_components: int = N_COMPONENTS,
    width: int = WIDTH,
) -> Iterator[Attacked]:
    """k-same and straight walks with principal components of other people for a generator."""
    rows = np.concatenate([flat(sets.X_reference), flat(sets.others)])
    generator = PCA(n_components, random_state=0).fit(rows)
    W, rng = generator.transform(flat(sets.X)), np.random.default_rng(0)
    for k in sizes:
        ksame = lw.KSameAggregator(k=k, random_state=0).fit(W, sets.y, groups=sets.groups)
        prototypes, targets = ksame.prototypes_, ksame.prototype_targets_
        walked = []
        for target in [None] * len(W) if sets.y is None else sets.y:
            among = np.arange(len(prototypes)) if target is None else targets == target
            ends = rng.choice(np.arange(len(prototypes))[among], 2, replace=False)
            share = rng.uniform(0.1, 0.9)
            walked.append((1 - share) * prototypes[ends[0]] + share * prototypes[ends[1]])
        for name, latents in (("k-same", prototypes), ("straight walks", np.array(walked))):
            images = to_bytes(255 * generator.inverse_transform(latents))
            release = images.reshape(-1, *sets.X.shape[1:])
            yield Attacked(
                f"{name}, k = {k}",
                "whitened cosine, subject means",
                release,
                sets.rate(*whitened(sets, release, width)),
            )


def subject_means() -> Iterator[tuple[Sets, Attacked]]:
    """k-same of subjects with five records each (Gaussian, 32 features, 600 + 600)."""
    rng = np.random.default_rng(0)

    def people(first: int, n: int = 600, d: int = 32) -> tuple[Rows, Rows]:
        rows = rng.normal(size=(n, d)).repeat(5, axis=0) + 0.7 * rng.normal(size=(5 * n, d))
        return rows, first + np.arange(n).repeat(5)

    sets = Sets(*people(0), *people(600), *people(1200), others=np.empty(0))
    for k in (3, 5, 10):
        ksame = lw.KSameAggregator(k=k, random_state=0).fit(
            sets.X.astype(np.float32), groups=sets.groups
        )
        release = np.asarray(ksame.prototypes_, dtype=np.float64)

        def cosine(rows: Rows, release: Rows = release) -> NDArray[np.float64]:
            unit = [r / np.linalg.norm(r, axis=1, keepdims=True) for r in (rows, release)]
            return exposure(*unit)

        yield (
            sets,
            Attacked(
                f"k-same of 5 records each, k = {k}",
                "cosine of subject means",
                release,
                sets.rate(cosine, lambda rows: rows),
            ),
        )


def walks(
    data: str, network: str, cache: str | None, max_iter: int
) -> Iterator[tuple[Sets, Attacked]]:
    """Straight and guided walks of a sharp network, trained on the members of the usual split."""
    generator = lw.load_generator(network)
    sets = sets_of(data, 10**6, generator.image_shape[-1], (0.5, 0.1, 0.1, 0.3))
    inverter = lw.GANInverter(
        generator, loss="lpips", max_iter=max_iter, random_state=0, cache_dir=cache
    )
    X, y, groups = sets.X, sets.y, sets.groups
    W = inverter.fit_transform(X)
    decode = lw.GANDecoder(generator, output_dtype="uint8").fit(W).transform
    identity = lw.IdentityClassifier(random_state=0).fit(X, groups)
    label = None if y is None else lw.LabelClassifier(random_state=0).fit(X, y)
    straight = {"objective": "linear", "selection": "uniform"}
    for name, k, settings in (
        ("straight", 5, straight),
        ("guided", 5, {}),
        ("straight", 20, straight),
    ):
        P = lw.KSameAggregator(k=k, random_state=0).fit_transform(W, y, groups=groups)
        walker = lw.GuidedWalker(generator, identity, label, random_state=0, **settings)
        release = decode(walker.fit_transform(P, y, X_real=X, groups=groups))
        yield (
            sets,
            Attacked(
                f"{name} walk of a sharp network, k = {k}",
                "whitened cosine, subject means",
                release,
                sets.rate(*whitened(sets, release)),
            ),
        )

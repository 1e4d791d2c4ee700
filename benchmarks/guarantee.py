"""What a release under a guarantee is worth, and whether its guarantee withstands canaries.

    python benchmarks/guarantee.py --data xrays.npz --network network.safetensors --public rows.npz
    python benchmarks/guarantee.py --part panel --data .. --network .. --public .. --seeds 10
    python benchmarks/guarantee.py --part canaries

front: releases of the patients of --data (x, y, pid) whom the network never saw: `members` of
--public are the rows that it was trained on. In each seed --aside patients are set aside. The
others make the release, and it is judged by those aside: accuracy (balanced, of a logistic
regression on LPIPS features that was trained on the release), coverage, and KID (kernel distance,
times 1000). Every row but the first two is a release of --images images. "none" is fixed cells
without noise. Private evolution is a simple one of our own: patients vote for the nearest of the
generator's samples, the noisy votes choose which of them vary in the next round. Where patients
have rows of both classes, --max-classes 2 counts each of them in both, with more noise. "pca" in
the place of a network is 64 principal components of the public rows.

panel: the attacks of the audit on the same releases. In each seed half of the patients are members
and the others are held out. A guarantee bounds the AUC of every attack by Phi(mu / sqrt(2)) and its
true-positive rate at 1 % false positives. The lower end of the interval of the strongest attack's
AUC may be over the bound by chance in one run of forty. The rows without a bound show whether the
panel would have seen something.

canaries: 40 runs of the mechanism, and of four with a planted fault, each with 2,000 canaries that
lie beyond the clipping bound. The best attacker guesses which of them took part, and the share of
right guesses bounds mu from below, at 99.9 % confidence. Faults must be over the mu that is stated,
and the mechanism must not.

Rows are kept in --out as they come, and are not measured again. Inversions here share a batch,
which moves a latent by rounding: it changes no figure, but a release needs batch_size=1.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from math import inf, sqrt
from pathlib import Path
from typing import Any

import latentwalk as lw
import numpy as np
import torch
from latentwalk.aggregation import PrivacyLoss, lay_cells
from latentwalk.aggregation._fixed_cells import UNIT, CellSums, FixedCells, count_and_sum
from latentwalk.aggregation._gaussian_privacy import add_noise
from latentwalk.aggregation._noisy_cells import NoisyCells, add_cell_noise
from latentwalk.features import LPIPSFeatures
from latentwalk.generators import decode_latents
from latentwalk.metrics import coverage, kernel_distance
from scipy.stats import beta, norm
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.random_projection import GaussianRandomProjection

from common import load_npz

PARTS = ("front", "panel", "canaries")
FOUND = ("auc_low", "auc", "tpr", "p")
Release = tuple[np.ndarray, np.ndarray]  # latents and classes
Make = Callable[["Patients", int], Release]


@dataclass(frozen=True)
class Patients:
    """Rows of patients: latents, features, classes, ids."""

    W: np.ndarray
    features: np.ndarray
    y: np.ndarray
    groups: np.ndarray

    def where(self, chosen: np.ndarray) -> Patients:
        return Patients(*(part[chosen] for part in vars(self).values()))


class Front:
    """Releases of private patients by a network that never saw them, judged by other patients."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.n_images, self.n_aside = arguments.images, arguments.aside
        self.max_classes = arguments.max_classes
        is_linear = arguments.network == "pca"
        if not is_linear:
            self.generator = lw.load_generator(
                arguments.network, trained_on="others", batch_size=64
            )
        size = arguments.size if is_linear else self.generator.image_shape[-1]
        X, y, groups = load_npz(arguments.data, size)
        public = np.load(arguments.public)["members"]
        private = np.setdiff1d(np.arange(len(X)), public)
        private = private[~np.isin(groups[private], groups[public])]
        public, private = (thin(rows, y, groups, arguments.most) for rows in (public, private))
        self.space = LPIPSFeatures().fit(X[public])
        self.components = PCA(64, random_state=0).fit(self._flat(X[public]))
        if is_linear:
            self.generator, W = linear_generator(X[public], X[private])
        else:
            W = invert(self.generator, X[private], arguments.cache)
        self.images = X[private]
        self.patients = Patients(W, self.features(X[private]), y[private], groups[private])

    def _flat(self, X: np.ndarray) -> np.ndarray:
        return np.asarray(self.space.transform(X), np.float32).reshape(len(X), -1)

    def features(self, X: np.ndarray) -> np.ndarray:
        return np.asarray(self.components.transform(self._flat(X)))

    def judge(self, make: Make | None, seed: int) -> tuple[float, float, float]:
        """Accuracy, coverage and KID of a release; None releases the real images."""
        ids = np.unique(self.patients.groups)
        aside = np.random.RandomState(seed).permutation(ids)[: self.n_aside]
        is_test = np.isin(self.patients.groups, aside)
        train, test = self.patients.where(~is_test), self.patients.where(is_test)
        if make is None:
            features, y = train.features, train.y
        else:
            W, y = make(train, seed)
            features = self.features(decode_latents(self.generator, W))
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.05, max_iter=500))
        predicted = model.fit(features, y).predict(test.features)
        return (
            100 * balanced_accuracy_score(test.y, predicted),
            coverage(features, test.features),
            1000 * kernel_distance(features, test.features),
        )

    def attack(self, make: Make, seed: int) -> dict[str, float | str]:
        """What the panel finds of half of the patients in a release, with the others held out."""
        ids = np.unique(self.patients.groups)
        drawn = np.random.RandomState(seed).permutation(ids)[: len(ids) // 2]
        inside = np.isin(self.patients.groups, drawn)
        W, _ = make(self.patients.where(inside), seed)
        short = make_pipeline(self.space, GaussianRandomProjection(1024, random_state=0))
        spaces = {"pixels": "pixels", "lpips": FrozenEstimator(short.fit(self.images[:2]))}
        auditor = lw.PrivacyAuditor(spaces, random_state=seed)
        auditor.fit(
            self.images[inside],
            X_holdout=self.images[~inside],
            groups=self.patients.groups[inside],
            groups_holdout=self.patients.groups[~inside],
        )
        report = auditor.audit(decode_latents(self.generator, W))
        values = (report.auc.low, report.auc.value, report.tpr.value, report.p_value)
        return dict(zip(FOUND, values, strict=True)) | {"verdict": str(report.verdict)}

    # the releases

    def samples(self, train: Patients, seed: int) -> Release:
        """The generator's samples with labels by chance: they cost no privacy."""
        y = np.random.RandomState(seed).choice(np.unique(train.y), self.n_images)
        return self.generator.sample(self.n_images, random_state=seed)[1], y

    def guaranteed(
        self, train: Patients, seed: int, *, mu: float, k: int, n_axes: int, n_cells: int
    ) -> Release:
        noise: dict[str, Any] = {"noise": None} if mu == inf else {"mu": mu}
        aggregator = lw.DPKSameAggregator(
            self.generator,
            k,
            n_axes=n_axes,
            n_cells=n_cells,
            max_classes=self.max_classes,
            classes=np.unique(train.y),
            **noise,
        ).fit(train.W, train.y, groups=train.groups)
        return aggregator.sample(self.n_images, random_state=seed)

    def straight(self, train: Patients, seed: int, *, k: int) -> Release:
        """Points on straight lines between optimal prototypes, which bound nobody."""
        P = lw.KSameAggregator(k=k, random_state=seed).fit_transform(
            train.W, train.y, groups=train.groups
        )
        rng = np.random.RandomState(seed)
        first = rng.choice(len(P), self.n_images)
        second = np.array([rng.choice(np.flatnonzero(train.y == train.y[i])) for i in first])
        t = rng.uniform(size=(self.n_images, 1)).astype(np.float32)
        return (1 - t) * P[first] + t * P[second], train.y[first]

    def evolution(
        self, train: Patients, seed: int, *, mu: float, n_rounds: int = 3, n_candidates: int = 100
    ) -> Release:
        """Private evolution: noisy votes of the patients choose the samples that vary further."""
        rng = np.random.RandomState(seed)
        drawn = []
        for code in np.unique(train.y):
            votes_of = first_rows(train, code, self.max_classes)
            W = self.generator.sample(n_candidates, random_state=seed)[1]
            for step in range(n_rounds):
                features = self.features(decode_latents(self.generator, W))
                nearest = ((votes_of[:, None] - features) ** 2).sum(axis=2).argmin(axis=1)
                # each round spends mu^2 / n_rounds on max_classes votes of a patient
                scale = sqrt(n_rounds * self.max_classes) / mu
                votes = add_noise(np.bincount(nearest, minlength=n_candidates), scale)
                shares = np.maximum(votes - 2 * scale, 0) + 1e-9
                last = step == n_rounds - 1
                n = self.n_images // len(np.unique(train.y)) if last else n_candidates
                parents = W[rng.choice(n_candidates, n, p=shares / shares.sum())]
                other = self.generator.sample(n, random_state=seed + 1 + step)[1]
                part = 0.5 if step < n_rounds - 1 else 0.3
                W = ((1 - part) * parents + part * other).astype(np.float32)
            drawn.append((W, np.full(len(W), code)))
        return tuple(np.concatenate(parts) for parts in zip(*drawn, strict=True))  # type: ignore


def first_rows(train: Patients, code: Any, max_classes: int) -> np.ndarray:
    """Features of one row of each patient of a class: a vote in each of max_classes classes."""
    chosen = []
    for patient in np.unique(train.groups):
        rows = np.flatnonzero(train.groups == patient)
        first = np.unique(train.y[rows], return_index=True)[1]
        entitled = rows[np.sort(first)[:max_classes]]
        chosen.extend(entitled[train.y[entitled] == code])
    return train.features[chosen]


def invert(generator: Any, X: np.ndarray, cache: Path | None) -> np.ndarray:
    """Latents of images, kept in a file."""
    if cache is not None and cache.exists():
        return np.load(cache)["W"]
    inverter = lw.GANInverter(generator, max_iter=40, encoder_iter=300, random_state=0)
    W = inverter.fit_transform(X)
    if cache is not None:
        np.savez(cache, W=W)
    return W


def linear_generator(X_public: np.ndarray, X: np.ndarray) -> tuple[Any, np.ndarray]:
    """A generator of principal components of public images, and the latents of others."""
    pca = PCA(64, whiten=True, random_state=0).fit(X_public.reshape(len(X_public), -1) / 255)
    steps = pca.components_ * np.sqrt(pca.explained_variance_)[:, None]
    linear = torch.nn.Linear(*steps.shape)
    linear.weight.data = torch.as_tensor(steps.T, dtype=torch.float32)
    linear.bias.data = torch.as_tensor(pca.mean_, dtype=torch.float32)
    shape = X.shape[1:]
    decoder = torch.nn.Sequential(linear, torch.nn.Unflatten(1, shape))
    generator = lw.Generator.from_module(
        decoder, w_dim=len(steps), image_shape=shape, output_range=(0, 1), trained_on="others"
    )
    return generator, pca.transform(X.reshape(len(X), -1) / 255).astype(np.float32)


def thin(rows: np.ndarray, y: np.ndarray, groups: np.ndarray, most: int | None) -> np.ndarray:
    """At most so many rows of each patient in each class."""
    if most is None:
        return rows
    rows = np.random.RandomState(0).permutation(rows)
    kinds = np.unique(np.stack([groups[rows], y[rows].astype(str)]), axis=1, return_inverse=True)[1]
    kept = [np.flatnonzero(kinds == kind)[:most] for kind in range(kinds.max() + 1)]
    return np.sort(rows[np.concatenate(kept)])


def cases(front: Front, arguments: argparse.Namespace) -> Iterator[tuple[str, Make | None]]:
    """The rows of the table by name."""
    yield "real images", None
    yield "inversions", lambda train, seed: (train.W, train.y)
    yield "generator samples alone", front.samples
    for k in arguments.k:
        yield f"KSameAggregator, straight, k={k}", partial(front.straight, k=k)
    for mu in arguments.mu:
        if mu != inf:
            yield f"private evolution, mu={mu:g}", partial(front.evolution, mu=mu)
    for n_cells in arguments.cells:
        for n_axes in arguments.axes:
            for k in arguments.k:
                for mu in arguments.mu:
                    stated = "none" if mu == inf else f"{mu:g}"
                    yield (
                        f"mu={stated}, k={k}, axes={n_axes}, cells={n_cells}",
                        partial(front.guaranteed, mu=mu, k=k, n_axes=n_axes, n_cells=n_cells),
                    )


def show_front(arguments: argparse.Namespace, kept: dict[str, Any]) -> None:
    """Measure what is not kept yet; a line for each release."""
    front = Front(arguments)
    print(f"{'release':44} accuracy      coverage  KID")
    for name, make in cases(front, arguments):
        rows = kept.setdefault(name, [])
        try:
            for seed in range(len(rows), arguments.seeds):
                rows.append(front.judge(make, seed))
        except ValueError as error:  # no cell is kept
            print(f"{name:44} {str(error).split(';')[0][:60]}", flush=True)
            continue
        finally:
            arguments.out.write_text(json.dumps(kept, indent=1) + "\n")
        mean, deviation = np.mean(rows, axis=0), np.std(rows, axis=0)
        print(
            f"{name:44} {mean[0]:5.1f} ± {deviation[0]:4.1f}  {mean[1]:8.2f}  {mean[2]:5.2f}",
            flush=True,
        )


def show_panel(arguments: argparse.Namespace, kept: dict[str, Any]) -> None:
    """What the attacks find in each release, and what the guarantee allows."""
    front = Front(arguments)
    print(f"{'release':44} bound AUC   least over bound  bound TPR    p <= .05  verdicts")
    for name, make in cases(front, arguments):
        if make is None or name.startswith("private evolution"):
            continue
        rows = kept.setdefault(f"panel: {name}", [])
        for seed in range(len(rows), arguments.seeds):
            rows.append(front.attack(make, seed))
            arguments.out.write_text(json.dumps(kept, indent=1) + "\n")
        loss = PrivacyLoss(stated(name), 0.01)
        most = norm.cdf(loss.mu / sqrt(2))  # AUC of the best attack on mu-GDP
        low, auc, tpr, p = (np.array([row[key] for row in rows]) for key in FOUND)
        print(
            f"{name:44} {most:5.3f} {auc.mean():.3f} {low.max():.3f} {(low > most).sum():9}"
            f"  {loss.tpr_bound:5.3f} {tpr.mean():5.3f}  {(p <= 0.05).sum():8}"
            f"  {dict(Counter(row['verdict'] for row in rows))}",
            flush=True,
        )


def stated(name: str) -> float:
    """The mu of a row of the table; infinity where nothing is promised."""
    found = re.search(r"mu=([\d.]+)", name)
    return float(found.group(1)) if found else inf


# Canaries: each is alone in a class of its own, with noise of its own, so that one run asks about
# all of them independently.

N_CANARIES, N_AXES, N_RUNS, CONFIDENCE = 2000, 4, 40, 0.999


def canaries(cells: FixedCells, included: np.ndarray, radii: float) -> CellSums:
    """The exact numbers: a canary lies `radii` from its centre, along the first axis."""
    offset = radii * cells.radius * cells.inverse[0]
    W = np.tile(cells.mean + cells.centres[0, 0] @ cells.inverse + offset, (len(included), 1))
    codes = np.arange(len(included))
    return count_and_sum(
        cells,
        W[included].astype(np.float32),
        codes[included],
        codes[included],
        n_classes=len(included),
        max_classes=1,
    )


def likelihood_ratio(noisy: NoisyCells) -> np.ndarray:
    """The best attacker's score of each canary: over 0 for those that took part."""
    numbers = (noisy.counts[:, 0] - 0.5) / noisy.count_scale**2
    return numbers + (noisy.sums[:, 0, 0] / UNIT - 0.5) / noisy.sum_scale**2


def lower_bound(n_correct: int, n_guesses: int, confidence: float) -> float:
    """The smallest mu that so many right guesses do not reject: at most Phi(mu / 2) are right."""
    share = beta.ppf(1 - confidence, n_correct, n_guesses - n_correct + 1)  # Clopper and Pearson
    return max(0.0, 2 * float(norm.ppf(share)))


def as_stated(cells: FixedCells, included: np.ndarray, mu: float) -> np.ndarray:
    exact = canaries(cells, included, 2.0)
    return likelihood_ratio(add_cell_noise(cells, exact, mu=mu, max_classes=1))


def no_clipping(cells: FixedCells, included: np.ndarray, mu: float) -> np.ndarray:
    wide = canaries(replace(cells, radius=4 * cells.radius), included, 1.0)
    exact = CellSums(wide.counts, 4 * wide.sums)  # in steps of the radius that is stated
    return likelihood_ratio(add_cell_noise(cells, exact, mu=mu, max_classes=1))


def half_the_noise(cells: FixedCells, included: np.ndarray, mu: float) -> np.ndarray:
    return as_stated(cells, included, 2 * mu)


def noise_reused(cells: FixedCells, included: np.ndarray, mu: float) -> np.ndarray:
    """All classes get the same noise: it is seen as what they have in common."""
    exact = canaries(cells, included, 2.0)
    one = CellSums(np.zeros((1, 1), np.int64), np.zeros((1, 1, N_AXES), np.int64))
    noise = add_cell_noise(cells, one, mu=mu, max_classes=1)
    noisy = replace(noise, counts=exact.counts + noise.counts, sums=exact.sums + noise.sums)
    score = likelihood_ratio(noisy)
    return score - (score.min() + score.max()) / 2


def cells_moved(cells: FixedCells, included: np.ndarray, mu: float) -> np.ndarray:
    """Centres are means of ten patients of the cell and its canary, and are known as public."""
    moved = included * 2.0 * cells.radius / 11
    return moved - moved.max() / 2


FAULTS = {
    "as stated": as_stated,
    "no clipping": no_clipping,
    "half the noise": half_the_noise,
    "noise reused": noise_reused,
    "cells moved by private rows": cells_moved,
}


def show_canaries(arguments: argparse.Namespace, kept: dict[str, Any]) -> None:
    """The lower bounds of all runs of each mechanism."""
    decoder = torch.nn.Sequential(torch.nn.Linear(8, 64), torch.nn.Unflatten(1, (1, 8, 8)))
    generator = lw.Generator.from_module(decoder, w_dim=8, image_shape=(1, 8, 8))
    cells = lay_cells(generator, n_cells=1, n_axes=N_AXES)
    stated = 0.68
    print(f"{'mechanism':30} mu stated  lower bound: least  most  runs over")
    for name, mechanism in FAULTS.items():
        rows = kept.setdefault(name, [])
        for run in range(len(rows), N_RUNS):
            included = np.random.RandomState(run).uniform(size=N_CANARIES) < 0.5
            n_correct = int(((mechanism(cells, included, stated) > 0) == included).sum())
            rows.append(lower_bound(n_correct, N_CANARIES, CONFIDENCE))
        arguments.out.write_text(json.dumps(kept, indent=1) + "\n")
        over = int((np.array(rows) > stated).sum())
        print(f"{name:30} {stated:9}  {min(rows):18.2f} {max(rows):5.2f}  {over} of {N_RUNS}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=PARTS, default="front")
    parser.add_argument("--data", help="npz with x, y and pid")
    parser.add_argument("--network", help="trained on the rows of --public alone; pca makes one")
    parser.add_argument("--size", type=int, default=32, help="of the images of pca")
    parser.add_argument("--most", type=int, help="rows of a patient in a class; all if left out")
    parser.add_argument("--public", help="npz with members, the rows of --data that it saw")
    parser.add_argument("--mu", type=float, nargs="+", default=[0.25, 0.5, 0.68, 1, 1.5, inf])
    parser.add_argument("--k", type=int, nargs="+", default=[20])
    parser.add_argument("--axes", type=int, nargs="+", default=[32])
    parser.add_argument("--cells", type=int, nargs="+", default=[1])
    parser.add_argument("--max-classes", type=int, default=1, help="in which a patient counts")
    parser.add_argument("--aside", type=int, default=80, help="patients who judge the release")
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--cache", type=Path, help="npz for the inversions")
    parser.add_argument("--out", type=Path, default=Path("guarantee.json"))
    arguments = parser.parse_args()
    if arguments.part != "canaries" and not (
        arguments.data and arguments.network and arguments.public
    ):
        parser.error(f"--part {arguments.part} needs --data, --network and --public")
    return arguments


def main() -> None:
    arguments = parse()
    everything = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
    show = {"front": show_front, "panel": show_panel, "canaries": show_canaries}[arguments.part]
    show(arguments, everything)


if __name__ == "__main__":
    main()

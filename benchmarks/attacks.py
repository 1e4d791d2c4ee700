"""The attacks that hold more than the release, with and without planted copies.

The shipped generator's samples are the release, alone and beside noisy copies of one patch each of
some of the subjects it was trained on. First the share of other subjects' patches that a metric
identifies (rank 1), which says how much a re-identification attack can know; then the attack's
p-values without any copy, over draws of the subjects' images and over releases, among them one
that nobody's data made: the calibration subjects' own patches.

    python benchmarks/attacks.py --copied 52
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import latentwalk as lw
import numpy as np
from latentwalk.auditing import ATTACKS, AttackerKnowledge, AuditReport
from latentwalk.datasets import dermoscopy_generator_path, fetch_dermoscopy
from latentwalk.features import resolve_features
from latentwalk.metrics import membership_accuracy
from latentwalk.neighbors import ExactNeighbors
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import Bunch

N_RELEASED, NOISE = 1000, 0.03
Rows = NDArray[Any]


def flatten(X: Rows) -> Rows:
    return X.reshape(len(X), -1)


@dataclass(frozen=True, eq=False)
class Sets:
    """Patches and subjects of members, held-out and reference people."""

    X: Rows
    groups: Rows
    X_holdout: Rows
    groups_holdout: Rows
    X_reference: Rows
    groups_reference: Rows

    @classmethod
    def of(cls, patches: Bunch, split: lw.datasets.PatientSplit) -> Sets:
        rows = (split.members, split.audit, split.reference)
        return cls(*(part for at in rows for part in (patches.images[at], patches.groups[at])))

    def auditor(self, seed: int) -> lw.PrivacyAuditor:
        """An auditor of their pixels."""
        return lw.PrivacyAuditor("pixels", random_state=seed).fit(
            self.X,
            X_holdout=self.X_holdout,
            X_reference=self.X_reference,
            groups=self.groups,
            groups_holdout=self.groups_holdout,
            groups_reference=self.groups_reference,
        )


def identify(sets: Sets) -> None:
    """Rank 1 of the plain distance and of the learnt metric, on subjects that taught neither."""
    groups = sets.groups_holdout
    for space in ("pixels", "lpips"):
        features = resolve_features(space)
        reference, rows = (features.transform(X) for X in (sets.X_reference, sets.X_holdout))
        nearest = ExactNeighbors(rows).kneighbors(rows, 2)[1][:, 1]
        asked = np.bincount(groups)[groups] > 1
        plain = (groups[nearest] == groups)[asked].mean()
        learnt = ATTACKS["re-identification"]().fit(
            rows[:1], reference, groups_reference=sets.groups_reference
        )
        found = learnt.identification(rows, groups)
        print(
            f"{space}: rank 1 {plain:.2f} plain, {found.rate:.2f} learnt, {found.chance:.3f} chance"
        )


def worst_p(report: AuditReport, name: str) -> float:
    """One p-value of an attack by itself, in all views and ways to see a subject (Bonferroni)."""
    p_values = [r.test.p_value for r in report.attacks if r.attack == name]
    return min(1.0, len(p_values) * min(p_values))


def without_copies(sets: Sets, sham: Rows, n_draws: int) -> None:
    """Print the p-values of re-identification where nothing was planted."""
    generator = lw.load_generator(dermoscopy_generator_path())
    found = {
        f"samples {seed}": generator.sample(N_RELEASED, random_state=seed)[0] for seed in (0, 1)
    }
    found["sham"] = sham
    auditors = [sets.auditor(seed) for seed in range(n_draws)]
    for name, release in found.items():
        p = sorted(
            worst_p(auditor.audit(release, attacks=["re-identification"]), "re-identification")
            for auditor in auditors
        )
        print(f"re-identification, {name}, {n_draws} draws: p {p[0]:.3f} to {p[-1]:.3f}", end="")
        print(f", median {np.median(p):.3f}", flush=True)


def releases(
    X: Rows, groups: Rows, n_copied: int, rng: np.random.Generator
) -> Iterator[tuple[str, Rows, Rows, Rows]]:
    """The generator's samples, without and with copies; with random labels that copies keep."""
    generator = lw.load_generator(dermoscopy_generator_path())
    samples = generator.sample(N_RELEASED, random_state=0)[0]
    labels, y = rng.integers(0, 2, N_RELEASED), rng.integers(0, 2, len(X))
    subjects = rng.permutation(np.unique(groups))[:n_copied]
    rows = np.array([np.flatnonzero(groups == subject)[0] for subject in subjects])
    noise = NOISE * rng.standard_normal(X[rows].shape)
    copies = np.clip(X[rows] / 255 + noise, 0, 1).astype(np.float32)
    yield "no copies", samples, labels, y
    planted = np.concatenate([samples, copies]), np.concatenate([labels, y[rows]])
    yield f"{n_copied} of {len(np.unique(groups))} copied", *planted, y


def show(auditor: lw.PrivacyAuditor, release: Rows, knowledge: AttackerKnowledge) -> None:
    """Print the figures of each attack that holds more than the release, and of the nearest."""
    for name in ["nearest", *(name for name in ATTACKS if ATTACKS[name].needs)]:
        report = auditor.audit(release, attacks=[name], knowledge=knowledge)
        found = next(r for r in report.attacks if r.attack == name)
        print(
            f"  {name:28s} AUC {found.auc.value:.2f}, TPR {found.tpr}, "
            f"p {worst_p(report, name):.3f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--copied", type=int, default=52, help="subjects with a copy")
    parser.add_argument("--encoder-iter", type=int, default=300)
    parser.add_argument("--draws", type=int, default=10, help="of the subjects' images, no copies")
    args = parser.parse_args()

    rng = np.random.default_rng(0)
    patches = fetch_dermoscopy()
    split = lw.split_patients(patches.images, groups=patches.groups, random_state=0)
    sets = Sets.of(patches, split)
    identify(sets)
    without_copies(sets, patches.images[split.calibration], args.draws)
    y_out = rng.integers(0, 2, len(sets.X_holdout))
    auditor = sets.auditor(0)
    inverter = lw.GANInverter(
        lw.load_generator(dermoscopy_generator_path()),
        max_iter=0,
        encoder_iter=args.encoder_iter,
        random_state=0,
    ).fit(sets.X)
    for title, release, labels, y in releases(sets.X, sets.groups, args.copied, rng):
        classifier = make_pipeline(
            FunctionTransformer(flatten), KNeighborsClassifier(5, weights="distance")
        ).fit(release, labels)
        print(title)
        show(
            auditor,
            release,
            AttackerKnowledge(sets.X, sets.X_holdout, inverter, None, classifier, y, y_out),
        )
        attack = ATTACKS["downstream"]().fit(release, classifier=classifier)
        scores = (
            attack.score_samples(sets.X / 255, y),
            attack.score_samples(sets.X_holdout / 255, y_out),
        )
        groups = {"groups": sets.groups, "groups_holdout": sets.groups_holdout}
        print(membership_accuracy(*scores, **groups, random_state=0))


if __name__ == "__main__":
    main()

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

import latentwalk as lw
import numpy as np
from latentwalk.auditing import ATTACKS, AttackerKnowledge
from latentwalk.datasets import dermoscopy_generator_path, fetch_dermoscopy
from latentwalk.features import resolve_features
from latentwalk.metrics import membership_accuracy
from latentwalk.neighbors import ExactNeighbors
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

N_RELEASED, NOISE, N_REPEATED = 1000, 0.03, 10


def flatten(X):
    return X.reshape(len(X), -1)


def identify(patches, split):
    """Rank 1 of the plain distance and of the learnt metric, on subjects that taught neither."""
    groups = patches.groups[split.audit]
    for space in ("pixels", "lpips"):
        reference, rows = (
            resolve_features(space).transform(patches.images[at])
            for at in (split.reference, split.audit)
        )
        nearest = ExactNeighbors(rows).kneighbors(rows, 2)[1][:, 1]
        asked = np.bincount(groups)[groups] > 1
        plain = (groups[nearest] == groups)[asked].mean()
        learnt = ATTACKS["re-identification"]().fit(
            rows[:1], reference, groups_reference=patches.groups[split.reference]
        )
        found = learnt.identification(rows, groups)
        print(
            f"{space}: rank 1 {plain:.2f} plain, {found.rate:.2f} learnt, {found.chance:.3f} chance"
        )


def worst_p(report, name):
    """One p-value of an attack by itself, in all views and ways to see a subject (Bonferroni)."""
    p_values = [r.test.p_value for r in report.attacks if r.attack == name]
    return min(1.0, len(p_values) * min(p_values))


def without_copies(patches, split):
    """The p-values of re-identification where nothing was planted."""
    generator = lw.load_generator(dermoscopy_generator_path())
    found = {
        f"samples {seed}": generator.sample(N_RELEASED, random_state=seed)[0] for seed in (0, 1)
    }
    found["sham"] = patches.images[split.calibration]
    (X, groups), (X_out, groups_out), (X_reference, groups_reference) = (
        (patches.images[at], patches.groups[at])
        for at in (split.members, split.audit, split.reference)
    )
    auditors = [
        lw.PrivacyAuditor(random_state=seed).fit(
            X,
            X_holdout=X_out,
            X_reference=X_reference,
            groups=groups,
            groups_holdout=groups_out,
            groups_reference=groups_reference,
        )
        for seed in range(N_REPEATED)
    ]
    for name, release in found.items():
        p = sorted(
            worst_p(auditor.audit(release, attacks=["re-identification"]), "re-identification")
            for auditor in auditors
        )
        print(f"re-identification, {name}, {N_REPEATED} draws: p {p[0]:.3f} to {p[-1]:.3f}", end="")
        print(f", median {np.median(p):.3f}", flush=True)


def releases(X, groups, n_copied, rng):
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


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--copied", type=int, default=52, help="subjects with a copy")
    parser.add_argument("--encoder-iter", type=int, default=300)
    args = parser.parse_args()

    rng = np.random.default_rng(0)
    patches = fetch_dermoscopy()
    split = lw.split_patients(patches.images, groups=patches.groups, random_state=0)
    identify(patches, split)
    without_copies(patches, split)
    (X, groups), (X_out, groups_out), (X_reference, groups_reference) = (
        (patches.images[at], patches.groups[at])
        for at in (split.members, split.audit, split.reference)
    )
    y_out = rng.integers(0, 2, len(X_out))
    auditor = lw.PrivacyAuditor(random_state=0).fit(
        X,
        X_holdout=X_out,
        X_reference=X_reference,
        groups=groups,
        groups_holdout=groups_out,
        groups_reference=groups_reference,
    )
    inverter = lw.GANInverter(
        lw.load_generator(dermoscopy_generator_path()),
        max_iter=0,
        encoder_iter=args.encoder_iter,
        random_state=0,
    ).fit(X)
    names = ["nearest", *(name for name in ATTACKS if ATTACKS[name].needs)]
    for title, release, labels, y in releases(X, groups, args.copied, rng):
        classifier = make_pipeline(
            FunctionTransformer(flatten), KNeighborsClassifier(5, weights="distance")
        ).fit(release, labels)
        knowledge = AttackerKnowledge(X, X_out, inverter, None, classifier, y, y_out)
        print(title)
        for name in names:
            report = auditor.audit(release, attacks=[name], knowledge=knowledge)
            found = next(r for r in report.attacks if r.attack == name)
            print(
                f"  {name:28s} AUC {found.auc.value:.2f}, TPR {found.tpr}, "
                f"p {worst_p(report, name):.3f}",
                flush=True,
            )
        attack = ATTACKS["downstream"]().fit(release, classifier=classifier)
        scores = attack.score_samples(X / 255, y), attack.score_samples(X_out / 255, y_out)
        print(
            membership_accuracy(*scores, groups=groups, groups_holdout=groups_out, random_state=0)
        )


if __name__ == "__main__":
    main()

"""The paper's table and its audit on a labelled real set: what each kind of release is worth.

Real members, their inversions, k-same alone, and walks between the same prototypes: straight, by
the published objective, and ours. A walk gives an image for every member; of the first two walks
evenly spaced points are released, as published. For each kind, as mean and deviation over seeds (of
guides, groups, walks and classifiers):

accuracy  balanced, on held-out patients, of a classifier trained on the release, without anything
          that would keep it from learning its images by heart
attack    accuracy of the membership attack on that classifier, 50 is chance
KID       kernel distance to held-out images in LPIPS features, times 1000; lower is better
coverage  share of held-out images with a synthetic one nearby in LPIPS features; higher is better
mmL       mean LPIPS to the nearest member; higher is farther
identity  95th percentile of the highest posterior that an identity classifier gives which guided
          nothing
and of the first seed the audit in LPIPS features, which guide nothing: verdict, true-positive
rate at 1 % false positives with its interval, and the exact test's p-values in both directions.

    python benchmarks/train_generator.py --data nih_cxr1000_64.npz --size 64 --out cxr64
    python benchmarks/release.py --data nih_cxr1000_64.npz --generator cxr64/network.safetensors
"""

from __future__ import annotations

import argparse
import warnings

import latentwalk as lw
import numpy as np
from latentwalk.auditing import ATTACKS
from latentwalk.features import LPIPSFeatures
from latentwalk.metrics import (
    coverage,
    kernel_distance,
    mean_minimum_distance,
    membership_accuracy,
)
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.random_projection import GaussianRandomProjection

from common import load_npz

WALKS = {
    "linear walk": {"objective": "linear", "selection": "uniform"},
    "published objective": {"objective": "plan", "selection": "uniform"},
    "GuidedWalker": {},
}


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="npz with x, y and pid")
    parser.add_argument("--generator", required=True, help="trained on the members alone")
    parser.add_argument("--k", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--per-patient", type=int, default=20, help="images of one at most")
    parser.add_argument("--epochs", type=int, default=30, help="of the downstream classifiers")
    parser.add_argument("--loss", choices=("pixels", "lpips"), default="pixels")
    parser.add_argument("--max-iter", type=int, default=20, help="of the inversion")
    return parser.parse_args()


def load(args, generator):
    """Members, reference and held-out patients as (images, classes, patients)."""
    X, y, groups = load_npz(args.data, generator.image_shape[-1])
    split = lw.split_patients(X, y, groups, random_state=0)
    rng = np.random.default_rng(0)
    sets = []
    for rows in (split.members, split.reference, split.audit):
        rows = rng.permutation(rows)
        order = np.argsort(groups[rows], kind="stable")
        _, start, count = np.unique(groups[rows][order], return_index=True, return_counts=True)
        place = np.arange(len(rows)) - np.repeat(start, count)
        rows = np.sort(rows[order[place < args.per_patient]])
        sets.append((X[rows], y[rows], groups[rows]))
    return sets


def make_releases(generator, members, inverted, k, seed):
    """Images and classes of each kind of release."""
    X, y, groups = members
    decode = lw.GANDecoder(generator).fit(inverted).transform
    ksame = lw.KSameAggregator(k=k, random_state=seed)
    prototypes = ksame.fit_transform(inverted, y, groups=groups)
    yield "real members", X / np.float32(255), y
    yield "inversions", decode(inverted), y
    yield "k-same alone", decode(ksame.prototypes_), ksame.prototype_targets_
    identity = lw.IdentityClassifier(random_state=seed).fit(X, groups)
    label = lw.LabelClassifier(random_state=seed).fit(X, y)
    for name, changes in WALKS.items():
        walker = lw.GuidedWalker(generator, identity, label, random_state=seed, **changes)
        yield name, decode(walker.fit_transform(prototypes, y, X_real=X, groups=groups)), y


class Bench:
    """What judges a release: features, held-out patients, an auditor and an identity classifier."""

    def __init__(self, members, reference, holdout, epochs):
        self.members, self.holdout, self.epochs = members, holdout, epochs
        exact = LPIPSFeatures().fit(members[0])
        self.lpips = exact.transform
        self.lpips_members, self.lpips_holdout = map(self.lpips, (members[0], holdout[0]))
        short = make_pipeline(exact, GaussianRandomProjection(1024, random_state=0))
        self.auditor = lw.PrivacyAuditor({"lpips": short.fit(members[0])}, random_state=0).fit(
            members[0],
            X_holdout=holdout[0],
            X_reference=reference[0],
            groups=members[2],
            groups_holdout=holdout[2],
            groups_reference=reference[2],
        )
        self.judge = lw.IdentityClassifier(random_state=999).fit(members[0], members[2])

    def measure(self, images, labels, seed):
        """The figures that have a spread."""
        X, y, groups = self.members
        X_out, y_out, groups_out = self.holdout
        classifier = lw.LabelClassifier(
            max_iter=self.epochs, augmentation=None, label_smoothing=0.0, random_state=seed
        ).fit(images, labels)
        attack = ATTACKS["downstream"]().fit(images, classifier=classifier)
        scores = [attack.score_samples(x, t) for x, t in ((X, y), (X_out, y_out))]
        attacked = membership_accuracy(
            *scores, groups=groups, groups_holdout=groups_out, random_state=seed
        )
        features = self.lpips(images)
        return (
            100 * balanced_accuracy_score(y_out, classifier.predict(X_out)),
            100 * attacked.value,
            1000 * kernel_distance(features, self.lpips_holdout, gamma=1.0),
            coverage(features, self.lpips_holdout),
            mean_minimum_distance(features, self.lpips_members, squared=True),
            np.quantile(self.judge.predict_proba(images).max(axis=1), 0.95),
        )

    def audit(self, images):
        """Verdict, rate, p-value and the attack that finds most, in one line."""
        report = self.auditor.audit(images)
        return f"{report.verdict:13s}{report.tpr}{report.p_value:9.2g}  {report.headline.title}"


def main():
    args = parse()
    generator = lw.load_generator(args.generator)
    members, reference, holdout = load(args, generator)
    for name, (X, _, groups) in {"members": members, "held out": holdout}.items():
        print(f"{name}: {len(X)} images of {len(np.unique(groups))} patients")
    bench = Bench(members, reference, holdout, args.epochs)
    inverter = lw.GANInverter(generator, loss=args.loss, max_iter=args.max_iter, random_state=0)
    inverted = inverter.fit_transform(members[0])
    rows, audits = {}, {}
    for seed in range(args.seeds):
        for name, images, labels in make_releases(generator, members, inverted, args.k, seed):
            rows.setdefault(name, []).append(bench.measure(images, labels, seed))
            if seed == 0:
                audits[name] = f"{len(images):6d}  {bench.audit(images)}"
                print(f"{name}: {rows[name][0]} {audits[name]}", flush=True)
    base = 1000 * kernel_distance(bench.lpips_members, bench.lpips_holdout, gamma=1.0)
    far = mean_minimum_distance(bench.lpips_holdout, bench.lpips_members, squared=True)
    print(f"held-out images against members: KID {base:.2f}, mmL {far:.3f}")
    titles = ("accuracy", "attack", "KID", "coverage", "mmL", "identity")
    print(f"{'':20s}" + "".join(f"{title:>15s}" for title in titles) + "     n  audit")
    for name, values in rows.items():
        mean, spread = np.mean(values, axis=0), np.std(values, axis=0)
        digits = (1, 1, 1, 2, 3, 3)
        cells = [f"{m:.{d}f} ± {s:.{d}f}" for m, s, d in zip(mean, spread, digits, strict=True)]
        print(f"{name:20s}" + "".join(f"{cell:>15s}" for cell in cells) + audits[name])


if __name__ == "__main__":
    warnings.simplefilter("ignore", FutureWarning)
    main()

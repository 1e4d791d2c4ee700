"""Fidelity of three releases in a feature space.

The releases: a generator's samples, the same with noisy copies of members in a twentieth of them,
and other real images (the calibration and reference subjects), which is what a perfect generator
would give. Baselines are the audit subjects' images.

    python benchmarks/fidelity.py --features pixels lpips
    python benchmarks/fidelity.py --data PATH --generator PATH --features efficientnet
"""

from __future__ import annotations

import argparse
import time

import latentwalk as lw
import numpy as np
from latentwalk.datasets import dermoscopy_generator_path
from latentwalk.features import resolve_features
from latentwalk.metrics import (
    coverage,
    density,
    fidelity_report,
    improved_precision,
    improved_recall,
)
from latentwalk.metrics._fidelity._manifold import Manifolds

from common import load_real, report_ratio

NOISE = 0.03
MEASURES = (improved_precision, improved_recall, density, coverage)


def compare_speed(X_syn, X_real):
    """Seconds of prdc for its four measures over those of ours, alone and in one object."""
    try:
        from prdc import compute_prdc
    except ImportError:
        return
    alone = seconds(lambda: [metric(X_syn, X_real) for metric in MEASURES])
    together = seconds(lambda: measures(Manifolds.of(X_syn, X_real, 5)))
    theirs = seconds(lambda: compute_prdc(X_real, X_syn, nearest_k=5))
    report_ratio("four measures of manifolds: apart over together", alone / together)
    report_ratio("four measures of manifolds: prdc's seconds over ours", theirs / together)


def measures(both):
    return both.precision(), both.recall(), both.density(), both.coverage()


def seconds(work):
    """The shortest of three runs."""
    times = []
    for _ in range(3):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="npz with x and pid; default the dermoscopy patches")
    parser.add_argument("--generator", default=dermoscopy_generator_path())
    parser.add_argument("--features", nargs="+", default=["pixels", "lpips"])
    parser.add_argument("--n", type=int, default=600, help="images of a release, at most")
    args = parser.parse_args()
    generator = lw.load_generator(args.generator)
    images, y, groups = load_real(args.data, generator.image_shape[-1])
    split = lw.split_patients(images, y, groups, random_state=0)
    rng = np.random.default_rng(0)
    members, holdout = (rng.permutation(rows)[: args.n] for rows in (split.members, split.audit))
    others = rng.permutation(np.concatenate([split.calibration, split.reference]))[: args.n]
    X, X_out, perfect = (images[rows] / np.float32(255) for rows in (members, holdout, others))
    samples, _ = generator.sample(len(X_out), random_state=0)
    # the Vendi score has no direction for a black image
    samples = samples[samples.any(axis=(1, 2, 3))]
    copied = samples.copy()
    n_copied = len(samples) // 20
    noise = NOISE * rng.normal(size=copied[:n_copied].shape)
    copied[:n_copied] = (X[:n_copied] + noise).clip(0, 1)
    releases = {"samples": samples, "with copies": copied, "other real images": perfect}
    for name in args.features:
        started = time.perf_counter()
        space = resolve_features(name)
        real, out = space.transform(X), space.transform(X_out)
        compare_speed(out.astype(float), real.astype(float))
        for release, rows in releases.items():
            report = fidelity_report(
                space.transform(rows),
                real,
                out,
                groups_holdout=groups[holdout],
                squared_distances=name == "lpips",
            )
            print(f"\n{name}, {release}, {report.n_samples} rows\n{report}", flush=True)
        print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()

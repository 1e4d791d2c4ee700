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
from latentwalk.metrics import fidelity_report

from common import load_real

NOISE = 0.03


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

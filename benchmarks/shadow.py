"""What an attacker finds who can rerun the averages on other people: shadow releases.

Latents of real members, k-same on random halves of the subjects. One half is judged. "nearest"
knows the release alone; LiRA and RMIA also know 12 releases of other halves.

    python benchmarks/shadow.py --data xrays64.npz --cache inversions
    python benchmarks/shadow.py --data xrays64.npz --latents members.npy --walk
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import latentwalk as lw
import numpy as np
from latentwalk.auditing import shadow_audit
from latentwalk.datasets import chest_xray_generator_path
from numpy.typing import NDArray
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from common import load_real

Rows = NDArray[Any]


def pipelines(
    arguments: argparse.Namespace,
    members: tuple[Rows, Rows | None, Rows],
    generator: lw.Generator,
) -> Iterator[tuple[str, Pipeline, Rows]]:
    """Fitted pipelines by name, with the members' latents: averages, and walks if asked for."""
    X, y, groups = members
    inverter = lw.GANInverter(
        generator,
        loss="lpips",
        max_iter=arguments.max_iter,
        random_state=0,
        cache_dir=arguments.cache,
    )
    W = np.load(arguments.latents) if arguments.latents else inverter.fit_transform(X)
    decoder = lw.GANDecoder(generator).fit(W)
    identity = lw.IdentityClassifier(random_state=0).fit(X, groups) if arguments.walk else None
    for k in arguments.k:
        ksame = lw.KSameAggregator(k=k, random_state=0)
        prototypes = ksame.fit_transform(W, y, groups=groups)
        steps = [("invert", inverter), ("ksame", ksame), ("decode", decoder)]
        yield f"k-same, k = {k}", Pipeline(steps), W
        if identity is not None:
            walker = lw.GuidedWalker(
                generator,
                FrozenEstimator(identity),
                objective="linear",
                selection="uniform",
                random_state=0,
            ).fit(prototypes, y, X_real=X, groups=groups)
            walked = [*steps[:2], ("walk", walker), steps[2]]
            yield f"straight walk, k = {k}", Pipeline(walked), W


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="npz with x (images), pid (subjects), y")
    parser.add_argument("--network", help="the generator; without it that of the package")
    parser.add_argument("--latents", help="npy with the inversions of the members, in their order")
    parser.add_argument("--cache", help="folder for inversions")
    parser.add_argument("--max-iter", type=int, default=20, help="of the inversions")
    parser.add_argument("--k", type=int, nargs="+", default=[5, 10, 20])
    parser.add_argument("--walk", action="store_true", help="straight walks, too")
    parser.add_argument("--shadows", type=int, default=12)
    arguments = parser.parse_args()

    generator = lw.load_generator(arguments.network or chest_xray_generator_path())
    X, y, groups = load_real(arguments.data, generator.image_shape[-1])
    rows = lw.split_patients(X, y, groups, random_state=0).members
    X, y, groups = X[rows], None if y is None else y[rows], groups[rows]
    for title, pipe, W in pipelines(arguments, (X, y, groups), generator):
        found = shadow_audit(
            pipe,
            X,
            y,
            groups=groups,
            latents=W,
            n_shadows=arguments.shadows,
            walk="walk" in pipe.named_steps,
            random_state=0,
        )
        print(f"{title}: {found}", flush=True)


if __name__ == "__main__":
    main()

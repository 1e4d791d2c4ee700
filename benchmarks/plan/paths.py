"""How near paths come to real patients: the figure of the paper, straight against guided.

Prototypes of one k are joined by the same tour each time. Along its paths the mean LPIPS distance
to the nearest member is taken at each of 50 points: the mean over paths, its lowest percentile, and
the deepest dip of a path under its own ends. The guides know the images (each image an identity of
its own, as published) or the patients.

    python -m benchmarks.plan.paths --data nih_cxr1000_64.npz --out plan --k 5
"""

from __future__ import annotations

import argparse
from pathlib import Path

import latentwalk as lw
import matplotlib.pyplot as plt
import numpy as np
from benchmarks.plan.releases import group
from benchmarks.plan.study import Design
from latentwalk.datasets import chest_xray_generator_path
from latentwalk.features import LPIPSFeatures
from latentwalk.generators import decode_latents
from latentwalk.neighbors import ExactNeighbors

WALKS = {
    "straight": ("patients", {"objective": "linear"}),
    "PLAN as published, images": ("images", {"objective": "plan"}),
    "PLAN as published, patients": ("patients", {"objective": "plan"}),
    "GuidedWalker, patients": ("patients", {}),
}


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="npz with x, y and pid")
    parser.add_argument("--generator", default=str(chest_xray_generator_path()))
    parser.add_argument("--out", default="plan", help="folder of the inversions, as of the study")
    parser.add_argument("--k", type=int, default=5)
    parser.add_argument("--walks", nargs="+", choices=WALKS, default=list(WALKS))
    parser.add_argument("--max-iter", type=int, default=20, help="of the inversion")
    return parser.parse_args(arguments)


class Paths:
    """Walks between the prototypes of one study, and their distances to its members."""

    def __init__(self, study, k):
        self.study = study
        ksame = group(study, k, 0)
        self.rows = ksame.prototypes_[ksame.labels_]
        space = LPIPSFeatures().fit(study.members.X)
        self.features = space.transform
        self.members = ExactNeighbors(space.transform(study.members.X))
        self.guides = {}

    def distances(self, who, settings):
        """LPIPS to the nearest member, (n_paths, n_points)."""
        walker = lw.GuidedWalker(
            self.study.generator, self.guide(who), self.guide("classes"), random_state=0, **settings
        ).fit(self.rows, self.study.members.y)
        return np.stack([self.nearest(points) for points in walker.paths_])

    def nearest(self, latents):
        """LPIPS from the images of latents to the nearest member, (n_latents,)."""
        features = self.features(decode_latents(self.study.generator, latents))
        return np.square(self.members.kneighbors(features)[0][:, 0])

    def guide(self, who):
        """The guide of patients, images or classes."""
        if who not in self.guides:
            members = self.study.members
            if who == "classes":
                guide = lw.LabelClassifier(random_state=0).fit(members.X, members.y)
            else:
                groups = members.groups if who == "patients" else None
                guide = lw.IdentityClassifier(random_state=0).fit(members.X, groups)
            self.guides[who] = guide
        return self.guides[who]


def figures(distances):
    """Mean, 1st percentile and deepest dip under the ends of distances (n_paths, n_points)."""
    inner, ends = distances[:, 1:-1], distances[:, [0, -1]]
    dips = ends.min(axis=1) - inner.min(axis=1)
    return inner.mean(), np.percentile(inner, 1), dips.max()


def draw(found, path):
    figure, axes = plt.subplots(figsize=(6, 3.2), layout="constrained")
    for name, distances in found.items():
        axes.plot(np.linspace(0, 1, distances.shape[1]), distances.mean(axis=0), label=name)
    axes.set(xlabel="place on the path", ylabel="LPIPS to the nearest member", ylim=(0, None))
    axes.legend(frameon=False)
    figure.savefig(path)


def main(arguments=None):
    args = parse(arguments)
    design = Design(network=args.generator, inversion_steps=args.max_iter)
    folder = Path(args.out) / "split0"
    paths = Paths(design.study(args.data, folder, 0), args.k)
    found = {}
    print(f"{'walk':30s}{'mean':>8s}{'1st %':>8s}{'dip':>8s}{'mean / straight':>17s}")
    for name in args.walks:
        kept = folder / f"paths-{name.replace(',', '').replace(' ', '_')}-k{args.k}.npy"
        if not kept.exists():
            np.save(kept, paths.distances(*WALKS[name]))
        found[name] = np.load(kept)
        mean, low, dip = figures(found[name])
        ratio = mean / figures(found[args.walks[0]])[0]
        print(f"{name:30s}{mean:8.4f}{low:8.4f}{dip:8.4f}{ratio:17.2f}", flush=True)
    draw(found, folder / f"paths-k{args.k}.svg")


if __name__ == "__main__":
    main()

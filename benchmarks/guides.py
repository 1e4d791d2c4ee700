"""How often the identity guides find the subject of a held-out image, and what neighbours find.

One image of every subject with several is held out; everything else of the members of
``split_patients(..., random_state=0)`` trains. Printed: the share of the held-out images whose
subject comes first, for the nearest training image in pixels and in LPIPS, for the net that is
trained on the images alone and for the head on LPIPS features, each with its seconds; with
classes, also the accuracy of both as label guides on the patients of the calibration and
reference sets.

    python benchmarks/guides.py
    python benchmarks/guides.py --data nih_cxr1000_64.npz --augmentation shift
"""

from __future__ import annotations

import argparse
import time

import latentwalk as lw
import numpy as np
from latentwalk.features import LPIPSFeatures, PixelFeatures
from latentwalk.neighbors import ExactNeighbors

from common import load_real

NETS = {
    "own net": {"backbone": None},
    "head on LPIPS": {"backbone": "lpips", "max_iter": 5},
}


def hold_out(groups, rng):
    """An image of each subject with several, and the other images."""
    order = rng.permutation(len(groups))
    first = order[np.unique(groups[order], return_index=True)[1]]
    counts = np.unique(groups, return_counts=True)[1]
    held = np.sort(first[counts > 1])
    return held, np.setdiff1d(np.arange(len(groups)), held)


def neighbour_rate(features, X, groups, held, train):
    """Share of held-out images whose nearest training image is of the same subject."""
    rows = features.fit_transform(X)
    nearest = ExactNeighbors(rows[train]).kneighbors(rows[held])[1][:, 0]
    return (groups[train][nearest] == groups[held]).mean()


def guide_rate(cls, settings, args, train, test):
    """Score of a guide on test rows, and the seconds of its training."""
    settings = {"max_iter": args.max_iter} | settings
    start = time.perf_counter()
    guide = cls(augmentation=tuple(args.augmentation), random_state=args.seed, **settings)
    guide.fit(*train)
    seconds = time.perf_counter() - start
    return guide.score(*test), seconds


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="npz with x, pid and optionally y")
    parser.add_argument("--size", type=int, help="resize the images to this side")
    parser.add_argument("--augmentation", nargs="*", default=["flip", "shift"])
    parser.add_argument("--max-iter", type=int, default=30, help="epochs of the own net")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main():
    args = parse()
    X, y, groups = load_real(args.data, args.size)
    split = lw.split_patients(X, y, groups, random_state=0)
    members, others = split.members, np.concatenate([split.calibration, split.reference])
    images, subjects = X[members], groups[members]
    held, train = hold_out(subjects, np.random.RandomState(args.seed))
    print(f"{len(train)} images of {len(np.unique(subjects))} subjects, {len(held)} held out")
    for name, features in (("pixels", PixelFeatures()), ("LPIPS", LPIPSFeatures())):
        rate = neighbour_rate(features, images, subjects, held, train)
        print(f"subject found, nearest in {name:8s}{rate:7.3f}", flush=True)
    parts = (images[train], subjects[train]), (images[held], subjects[held])
    for name, settings in NETS.items():
        rate, seconds = guide_rate(lw.IdentityClassifier, settings, args, *parts)
        print(f"subject found, {name:17s}{rate:8.3f}{seconds:8.1f} s", flush=True)
    if y is None:
        return
    parts = (X[members], y[members]), (X[others], y[others])
    for name, settings in NETS.items():
        rate, seconds = guide_rate(lw.LabelClassifier, settings, args, *parts)
        print(f"class found, {name:19s}{rate:8.3f}{seconds:8.1f} s", flush=True)


if __name__ == "__main__":
    main()

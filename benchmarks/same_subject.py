"""How well a feature space knows a subject, over all pairs of images of a real set.

The probability that two images of one subject are nearer than two of different subjects. Subjects
with a single image are left out.

    python benchmarks/same_subject.py --data PATH
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from latentwalk.features import PixelFeatures, resolve_features
from sklearn.metrics import euclidean_distances, roc_auc_score

from common import load_npz

SPACES = ("pixels 32x32", "lpips", "efficientnet", "inception")


def same_subject_auc(features, groups):
    """The AUC of "near is the same subject"."""
    first, second = np.triu_indices(len(features), 1)
    distances = euclidean_distances(features)[first, second]
    return roc_auc_score(groups[first] == groups[second], -distances)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="npz with x and pid")
    parser.add_argument("--features", nargs="+", choices=SPACES, default=SPACES[:3])
    args = parser.parse_args()
    images, _, groups = load_npz(args.data)
    _, subject, counts = np.unique(groups, return_inverse=True, return_counts=True)
    several = counts[subject] > 1
    images, subject = images[several], subject[several]
    print(f"{len(images)} images of {len(np.unique(subject))} subjects")
    for name in args.features:
        started = time.perf_counter()
        space = PixelFeatures(size=32) if name == SPACES[0] else resolve_features(name)
        auc = same_subject_auc(space.transform(images), subject)
        print(f"{name}: {auc:.3f} ({time.perf_counter() - started:.0f} s)", flush=True)


if __name__ == "__main__":
    main()

"""Error, size and cost of groups of k: the power diagram against what is used today.

    python benchmarks/ksame.py --rows 1000 10000 --k 3 5 10
    python benchmarks/ksame.py --data latents.npy

Random latents have 512 dimensions of intrinsic dimension 16; `--data` takes latents of real images
(.npy, or the array `W` of an .npz). The error is the sum of squared distances to the prototypes as
a share of the total. Above the size up to which the aggregator solves a class in one piece, every
method works in the same coarse blocks, so that errors at one size compare at equal footing.
`seconds` is wall time, `cpu` processor time over all threads, `MiB` the peak of the one process
while the method ran (Linux; elsewhere the peak so far).
"""

from __future__ import annotations

import argparse
import resource
import time
from functools import partial
from pathlib import Path

import numpy as np
from joblib import parallel_config
from latentwalk.aggregation import KSameAggregator, _cells
from latentwalk.aggregation._blocks import coarse_blocks
from latentwalk.aggregation._subjects import group_means
from sklearn.cluster import KMeans

from common import report_ratio


def random_latents(n_rows, n_features=512, n_intrinsic=16, seed=0):
    rng = np.random.default_rng(seed)
    basis = rng.standard_normal((n_intrinsic, n_features))
    W = rng.standard_normal((n_rows, n_intrinsic)) @ basis
    return (W + 0.05 * rng.standard_normal(W.shape)).astype(np.float32)


def load_latents(path):
    held = np.load(path)
    W = held["W"] if path.endswith(".npz") else held
    return W.reshape(len(W), -1).astype(np.float32)


def greedy(X, k):
    """The published style: the next row takes its k - 1 nearest; what is left over is a group."""
    labels = np.full(len(X), -1)
    norms = np.einsum("ij,ij->i", X, X)
    left = np.arange(len(X))
    n_groups = 0
    while len(left):
        distances = norms[left] - 2 * (X[left] @ X[left[0]])
        distances[0] = -np.inf
        nearest = np.argsort(distances)[:k]
        labels[left[nearest]] = n_groups
        left = np.delete(left, nearest)
        n_groups += 1
    return labels


def kmeans_merged(X, k):
    """k-means with n/k centers, then the smallest group joins the nearest until all have k."""
    labels = KMeans(len(X) // k, n_init=1, max_iter=10, random_state=0).fit_predict(X)
    centers, sizes = group_means(X, labels), np.bincount(labels)
    alive = np.ones(len(centers), dtype=bool)
    while (sizes[alive] < k).any():
        small = np.argmin(np.where(alive, sizes, np.iinfo(int).max))
        distances = np.square(centers - centers[small]).sum(axis=1)
        distances[~alive] = distances[small] = np.inf
        into = np.argmin(distances)
        total = sizes[small] + sizes[into]
        centers[into] = (sizes[small] * centers[small] + sizes[into] * centers[into]) / total
        sizes[into], alive[small] = total, False
        labels[labels == small] = into
    return np.unique(labels, return_inverse=True)[1]


def in_blocks(group, X, k):
    """Labels of a baseline, in the coarse blocks of the aggregator where it uses them."""
    rng = np.random.RandomState(0)
    blocks = coarse_blocks(X.astype(np.float64), k, max_size=_cells.MAX_BLOCK, random_state=rng)
    labels, first = np.empty(len(X), dtype=np.intp), 0
    for block in range(len(blocks.centers)):
        rows = blocks.labels == block
        labels[rows] = group(X[rows], k) + first
        first = labels[rows].max() + 1
    return labels


def aggregate(method, n_jobs, X, k):
    model = KSameAggregator(k, method=method, n_jobs=n_jobs, random_state=0)
    # threads: the memory of one process is all that there is
    with parallel_config(backend="threading"):
        return model.fit(X).labels_


def peak_mib():
    status = Path("/proc/self/status")
    if status.exists():
        line = next(one for one in status.read_text().splitlines() if one.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def reset_peak():
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5")


def report(name, group, X, k):
    reset_peak()
    wall, cpu = time.perf_counter(), time.process_time()
    labels = group(X, k)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = peak_mib()
    means = group_means(X, labels)
    error = sum(np.square(X[i::64] - means[labels[i::64]]).sum() for i in range(64))
    total = sum(np.square(X[i::64] - X.mean(axis=0)).sum() for i in range(64))
    sizes = np.bincount(labels)
    print(
        f"{len(X):>7} {k:>3}  {name:<18} {error / total:.4f} {len(sizes):>7} {sizes.min():>5} "
        f"{sizes.max():>5} {wall:>8.1f} {cpu:>8.1f} {peak:>7.0f}",
        flush=True,
    )
    return error


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--k", type=int, nargs="+", default=[3, 5, 10])
    parser.add_argument("--n-jobs", type=int, default=2)
    parser.add_argument("--data", help="latents of real images, instead of random ones")
    args = parser.parse_args()
    methods = {
        "greedy": partial(in_blocks, greedy),
        "k-means and merge": partial(in_blocks, kmeans_merged),
        "MDAV": partial(aggregate, "mdav", args.n_jobs),
        "power diagram": partial(aggregate, "power_diagram", args.n_jobs),
    }
    aggregate("power_diagram", args.n_jobs, random_latents(100, 8), 5)
    print(
        "   rows   k  method              error  groups   min   max  seconds      cpu     MiB",
        flush=True,
    )
    sets = [load_latents(args.data)] if args.data else map(random_latents, args.rows)
    for X in sets:
        for k in args.k:
            errors = {name: report(name, group, X, k) for name, group in methods.items()}
            for name in ("greedy", "k-means and merge", "MDAV"):
                what = f"error at {len(X)} rows, k={k}: {name} over power diagram"
                report_ratio(what, errors[name] / errors["power diagram"])


if __name__ == "__main__":
    main()

"""Time and memory of the audit's search: a large release from a memory map, exactness checked.

python benchmarks/audit_scale.py --synthetic 100000 --real 10000 --features 512
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from latentwalk.metrics import exposure
from scipy.spatial.distance import cdist
from sklearn.neighbors import NearestNeighbors

BLOCK = 10_000
N_CHECKED = 200


def write_rows(path: Path, n: int, d: int) -> np.memmap:
    """Random rows on disk, written in blocks."""
    rows = np.memmap(path, dtype=np.float32, mode="w+", shape=(n, d))
    rng = np.random.default_rng(0)
    for start in range(0, n, BLOCK):
        rows[start : start + BLOCK] = rng.normal(size=rows[start : start + BLOCK].shape)
    rows.flush()
    return np.memmap(path, dtype=np.float32, mode="r", shape=(n, d))


def brute(real: np.ndarray, synthetic: np.ndarray) -> np.ndarray:
    model = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(synthetic)
    return model.kneighbors(real)[0][:, 0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--synthetic", type=int, default=100_000)
    parser.add_argument("--real", type=int, default=10_000)
    parser.add_argument("--features", type=int, default=512)
    parser.add_argument("--no-brute", action="store_true", help="leave scikit-learn out")
    arguments = parser.parse_args()
    real = np.random.default_rng(1).normal(size=(arguments.real, arguments.features))
    real = real.astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        synthetic = write_rows(Path(folder) / "rows", arguments.synthetic, arguments.features)
        start = time.perf_counter()
        found = exposure(real, synthetic)
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"exposure: {seconds:.1f} s, peak memory {peak:.2f} GiB")
        rows = np.random.default_rng(2).choice(len(real), min(N_CHECKED, len(real)), replace=False)
        exact = np.min(
            [
                cdist(real[rows].astype(float), synthetic[s : s + BLOCK].astype(float)).min(axis=1)
                for s in range(0, len(synthetic), BLOCK)
            ],
            axis=0,
        )
        print(f"largest difference to float64: {np.abs(found[rows] - exact).max():.1e}")
        if not arguments.no_brute:
            start = time.perf_counter()
            brute(real, synthetic)
            ratio = (time.perf_counter() - start) / seconds
            print(f"scikit-learn's brute force takes {ratio:.1f} times as long")


if __name__ == "__main__":
    main()

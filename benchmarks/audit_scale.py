"""Time and memory of an audit whose release does not fit into memory, and the search's exactness.

The release is a memory map; real records are searched in it, and it among the members. The peak is
that of the process's own memory, and beside it the one with the map's pages, which the system
takes back when it needs them. scikit-learn's brute force runs on a part of the same rows.

    OMP_NUM_THREADS=1 python benchmarks/audit_scale.py --synthetic 1000000 --real 100000 \
        --members 10000
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from latentwalk import PrivacyAuditor
from latentwalk.metrics import exposure
from scipy.spatial.distance import cdist
from sklearn.neighbors import NearestNeighbors

from common import report_ratio

BLOCK = 10_000
N_CHECKED = 100
PART_SYNTHETIC, PART_REAL = 50_000, 5_000


class PeakMemory:
    """The largest resident memory while it runs, in GiB: `own`, and `mapped` with file pages."""

    def __enter__(self):
        self.own = self.mapped = 0.0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._stopped.set()
        self._thread.join()

    def _watch(self):
        while not self._stopped.wait(0.1):
            lines = Path("/proc/self/status").read_text().splitlines()
            sizes = dict(line.split(":") for line in lines if line.startswith(("VmRSS", "RssAnon")))
            own, mapped = (int(sizes[k].split()[0]) / 2**20 for k in ("RssAnon", "VmRSS"))
            self.own, self.mapped = max(self.own, own), max(self.mapped, mapped)


def write_rows(path: Path, n: int, d: int) -> np.memmap:
    """Random rows on disk, written in blocks."""
    rows = np.memmap(path, dtype=np.float32, mode="w+", shape=(n, d))
    rng = np.random.default_rng(0)
    for start in range(0, n, BLOCK):
        rows[start : start + BLOCK] = rng.standard_normal((min(BLOCK, n - start), d), np.float32)
    rows.flush()
    return np.memmap(path, dtype=np.float32, mode="r", shape=(n, d))


def error(real: np.ndarray, synthetic: np.ndarray) -> float:
    """The largest difference of some exposures to a float64 search over all of the release."""
    blocks = [synthetic[s : s + BLOCK] for s in range(0, len(synthetic), BLOCK)]
    found = np.min([exposure(real, block) for block in blocks], axis=0)
    exact = np.min([cdist(real.astype(float), b.astype(float)).min(1) for b in blocks], axis=0)
    return float(np.abs(found - exact).max())


def ratio(real: np.ndarray, synthetic: np.ndarray) -> tuple[float, float]:
    """Seconds of scikit-learn's brute force, and their ratio to ours."""
    start = time.perf_counter()
    exposure(real, synthetic)
    ours = time.perf_counter() - start
    start = time.perf_counter()
    NearestNeighbors(n_neighbors=1, algorithm="brute").fit(synthetic).kneighbors(real)
    theirs = time.perf_counter() - start
    return theirs, theirs / ours


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--synthetic", type=int, default=100_000)
    parser.add_argument("--real", type=int, default=10_000)
    parser.add_argument("--members", type=int, default=5_000, help="of the real records")
    parser.add_argument("--features", type=int, default=512)
    arguments = parser.parse_args()
    shape = arguments.real, arguments.features
    real = np.random.default_rng(1).standard_normal(shape, np.float32)
    members, holdout = real[: arguments.members], real[arguments.members :]
    with tempfile.TemporaryDirectory() as folder:
        synthetic = write_rows(Path(folder) / "rows", arguments.synthetic, arguments.features)
        size = synthetic.nbytes / 2**30
        part = real[:PART_REAL], np.array(synthetic[:PART_SYNTHETIC])
        theirs, times = ratio(*part)
        print(f"scikit-learn's brute force: {theirs:.1f} s, {times:.2f} times ours,", end=" ")
        print(f"for {len(part[0]):,} rows against {len(part[1]):,}")
        report_ratio("exact search: scikit-learn's seconds over ours", times)
        largest = error(real[:N_CHECKED], synthetic)
        print(f"largest difference to float64, {N_CHECKED} rows: {largest:.1e}", flush=True)
        start = time.perf_counter()
        auditor = PrivacyAuditor(random_state=0).fit(members, X_holdout=holdout)
        print(f"fit: {time.perf_counter() - start:.1f} s", flush=True)
        start = time.perf_counter()
        with PeakMemory() as peak:
            report = auditor.audit(synthetic)
        seconds = time.perf_counter() - start
    n_flops = 2.0 * arguments.features * len(synthetic) * (len(real) + len(members))
    print(f"audit: {seconds:.0f} s, {n_flops / seconds / 1e9:.0f} GFLOP/s, {report.verdict}")
    print(f"peak memory {peak.own:.2f} GiB, {peak.mapped:.2f} with pages of the {size:.2f} GiB map")


if __name__ == "__main__":
    main()

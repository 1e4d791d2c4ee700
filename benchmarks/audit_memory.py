"""Memory of an audit in LPIPS: its peak over the start, and the size of the fitted auditor.

The embedded patches, moved and with noise where more images are asked for.

    OMP_NUM_THREADS=1 python benchmarks/audit_memory.py --members 2500 --holdout 1500
"""

from __future__ import annotations

import argparse
import pickle
import time

import numpy as np
from latentwalk import PrivacyAuditor
from latentwalk.datasets import fetch_dermoscopy

from audit_scale import PeakMemory


def images(n: int) -> np.ndarray:
    """So many images of 32 pixels, no two of them equal."""
    patches = fetch_dermoscopy().images
    rng = np.random.default_rng(0)
    rows = patches[np.arange(n) % len(patches)].astype(int)
    return np.clip(rows + rng.integers(-9, 9, rows.shape), 0, 255).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--members", type=int, default=2500)
    parser.add_argument("--holdout", type=int, default=1500)
    parser.add_argument("--synthetic", type=int, default=2000)
    parser.add_argument("--panel", choices=("quick", "full"), default="quick")
    arguments = parser.parse_args()
    sizes = arguments.members, arguments.holdout
    rows = images(sum(sizes) + arguments.synthetic)
    members, holdout, release = np.split(rows, np.cumsum(sizes))
    PrivacyAuditor("lpips").fit(members[:40], X_holdout=holdout[:40])  # loads the network
    with PeakMemory() as before:
        time.sleep(0.3)
    begun = time.process_time()
    with PeakMemory() as peak:
        auditor = PrivacyAuditor("lpips", panel=arguments.panel, random_state=0)
        report = auditor.fit(members, X_holdout=holdout).audit(release)
    seconds = time.process_time() - begun
    size = len(pickle.dumps(auditor)) / 2**20
    print(f"peak {peak.own - before.own:.2f} GiB over {before.own:.2f}, pickle {size:.0f} MiB")
    print(f"{seconds:.0f} CPU seconds, {report.verdict}, p = {report.p_value}")
    for result in report.attacks:
        print(f"  {result.title}: {result.test.p_value!r} {result.p_shift!r} {result.auc.value!r}")


if __name__ == "__main__":
    main()

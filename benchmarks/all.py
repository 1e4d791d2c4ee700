"""The ratios of the README and of the user guide in one command, at small settings.

    python benchmarks/all.py
    python benchmarks/all.py --only synthesis ksame --out ratios.json

Each benchmark is a process of its own, of one thread. Its ratios are the lines that
`common.report_ratio` prints. They go to a JSON file with the machine and the versions. Where that
file is there already, each ratio is printed beside the one before. Settings are smaller than those
of the user guide, so a ratio can differ from the one there: the user guide names its own commands.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

from common import RATIO

HERE = Path(__file__).parent
PACKAGES = ("latentwalk", "torch", "numpy", "scikit-learn", "faiss-cpu", "joblib")
COMMANDS = {
    "synthesis": "synthesis.py --sizes 32 64 --rounds 2",
    "inversion": "inversion.py --n-images 1 --n-batch 16 --steps 200",
    "ksame": "ksame.py --rows 1000 --k 5 --n-jobs 1",
    "walk": "walk.py --pairs 2 --published-steps 50",
    "search": "audit_scale.py --synthetic 20000 --real 2000 --members 1000",
    "fidelity": "fidelity.py --features pixels --n 300",
    "memory": "memory.py decode invert --rows 1000 4000",
}


def machine():
    """What the ratios were measured on."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def processor():
    """The name of the processor, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def ratios(command):
    """The ratios that a benchmark prints, by name."""
    done = subprocess.run(
        [sys.executable, *command.split()],
        cwd=HERE,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        sys.exit(f"{command} failed:\n{done.stderr}")
    return {name: float(value) for name, value in RATIO.findall(done.stdout)}


def show(found, before):
    for name, value in found.items():
        old = f"{before[name]:9.3g}  x{value / before[name]:.2f}" if before.get(name) else ""
        print(f"  {name:64s}{value:9.3g}{old}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    parser.add_argument("--out", type=Path, default=Path("ratios.json"))
    args = parser.parse_args()
    last = json.loads(args.out.read_text())["ratios"] if args.out.exists() else {}
    described = machine()
    print("\n".join(f"{name}: {value}" for name, value in described.items()))
    found = dict(last)
    for name in args.only:
        started = time.perf_counter()
        measured = ratios(COMMANDS[name])
        print(f"\npython benchmarks/{COMMANDS[name]}  ({time.perf_counter() - started:.0f} s)")
        show(measured, last)
        found |= measured
    args.out.write_text(json.dumps({"machine": described, "ratios": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Every kind of release of one labelled real set: what it is worth and what it gives away.

Each release is measured once for every k and seed and kept as a JSON file, so that a run goes on
where it was stopped; inversions are kept too. The table has, as means over seeds:

accuracy, AUC    of a linear classifier on LPIPS features, on held-out patients
network, attack  balanced accuracy of a network trained on the release alone, and the accuracy of
                 the published membership attack on it (.5 is chance); only with --epochs
KID, coverage    to held-out images in LPIPS features; KID times 1000
mmL              mean LPIPS to the nearest member
verdict, TPR     of the panel; the rate at 1 % false positives with its interval
exposed          members that are certainly exposed, at least

    python -m benchmarks.plan --data nih_cxr1000_64.npz --out plan --k 5 10 20 --unguided
    python -m benchmarks.plan --data images.npz --generator network.safetensors --epochs 30
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
from benchmarks.plan.measures import Judge
from benchmarks.plan.releases import GUIDED, WITH_K, WITHOUT_K
from benchmarks.plan.study import load_study
from latentwalk.datasets import chest_xray_generator_path

COLUMNS = ("accuracy", "AUC", "network", "attack", "KID", "coverage", "mmL")


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="npz with x, y and pid")
    parser.add_argument(
        "--generator",
        default=str(chest_xray_generator_path()),
        help="trained on the members alone; that of the package was, for nih_cxr1000_64.npz",
    )
    parser.add_argument("--out", default="plan", help="folder of inversions and results")
    parser.add_argument("--k", type=int, nargs="+", default=[5, 10, 20])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--releases", nargs="+", choices=[*WITHOUT_K, *WITH_K])
    parser.add_argument("--unguided", action="store_true", help="leave out what needs guides")
    parser.add_argument("--panel", choices=("quick", "full"), default="quick")
    parser.add_argument("--epochs", type=int, default=0, help="of the downstream network; 0: none")
    parser.add_argument("--per-patient", type=int, default=20, help="images of one at most")
    parser.add_argument("--max-iter", type=int, default=20, help="of the inversion")
    return parser.parse_args(arguments)


def wanted(args):
    """Names and settings of the runs, those without k first."""
    names = args.releases or [*WITHOUT_K, *WITH_K]
    names = [name for name in names if not (args.unguided and name in GUIDED)]
    for seed in args.seeds:
        yield from ((name, None, seed) for name in names if name in WITHOUT_K)
        for k in args.k:
            yield from ((name, k, seed) for name in names if name in WITH_K)


def run(args, study, judge):
    """Measure what is not measured yet; return a list of (name, k, seed, figures)."""
    rows = []
    for name, k, seed in wanted(args):
        path = result_path(args, name, k, seed)
        if not path.exists():
            images, labels = (WITHOUT_K | WITH_K)[name](study, k, seed)
            path.write_text(json.dumps(judge.measure(images, labels, seed), indent=1))
            print(line(name, k, [json.loads(path.read_text())]), flush=True)
        rows.append((name, k, seed, json.loads(path.read_text())))
    return rows


def result_path(args, name, k, seed):
    words = name.replace(",", "").replace(" ", "_")
    settings = f"{words}-k{k or 0}-seed{seed}-{args.panel}-epochs{args.epochs}"
    return Path(args.out) / f"{settings}.json"


def table(rows):
    """Lines of the table: the mean over seeds, and the audit of the first seed."""
    titles = "".join(f"{title:>10s}" for title in COLUMNS)
    lines = [f"{'release':26s}{'k':>3s}{'images':>8s}{'distinct':>9s}{titles}  audit"]
    for name, k in dict.fromkeys((name, k) for name, k, _, _ in rows):
        lines.append(line(name, k, [found for n, j, _, found in rows if (n, j) == (name, k)]))
    return lines


def line(name, k, found):
    first = found[0]
    values = [np.mean([each[c] for each in found]) if c in first else None for c in COLUMNS]
    cells = "".join(f"{'' if v is None else f'{v:.3f}':>10s}" for v in values)
    rate, low, high = first["TPR"]
    audit = f"{first['verdict']}, TPR {rate:.3f} ({low:.3f} to {high:.3f})"
    audit += f", AUC {first['attack_AUC'][0]:.2f}, exposed {first['exposed']}"
    sizes = f"{first['images']:8d}{first['distinct']:9d}"
    return f"{name:26s}{k or '':>3}{sizes}{cells}  {audit}, {first['headline']}"


def main(arguments=None):
    args = parse(arguments)
    study = load_study(
        args.data,
        args.generator,
        args.out,
        per_patient=args.per_patient,
        max_iter=args.max_iter,
    )
    judge = Judge(study, panel=args.panel, epochs=args.epochs)
    print("\n".join(table(run(args, study, judge))))


if __name__ == "__main__":
    warnings.simplefilter("ignore", FutureWarning)
    main()

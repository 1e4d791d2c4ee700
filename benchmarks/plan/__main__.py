"""Every kind of release of one labelled real set: what it is worth and what it gives away.

Each release is measured once for every split, k and seed and kept as a JSON file, so that a run
goes on where it was stopped; networks and inversions are kept too. The table has, as means:

accuracy, AUC    of a linear classifier on LPIPS features, on held-out patients
network, attack  balanced accuracy of a network trained on the release alone, and the accuracy of
                 the published membership attack on it (.5 is chance); only with --epochs
KID, coverage    to held-out images in LPIPS features; KID times 1000
mmL              mean LPIPS to the nearest member
audit            verdicts of the panel, smallest p-value, TPR at 1 % false positives and its highest
                 upper bound, AUC of the strongest attack, patients certainly exposed, at least

    python -m benchmarks.plan --data nih_cxr1000_64.npz --out plan --k 5 10 20 --unguided
    python -m benchmarks.plan --data images.npz --generator network.safetensors --epochs 30
    python -m benchmarks.plan --data xrays.npz --size 32 --train-on public --splits 0 1 2 \\
        --shares 0.2 0.3 0.1 0.4

With --train-on a network is trained for each split, on its members or on the public images, which
are other patients: then nothing that an attack finds comes from the network.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from benchmarks.plan.measures import Judge
from benchmarks.plan.releases import GUIDED, WITH_K, WITHOUT_K
from benchmarks.plan.study import Design
from latentwalk.datasets import chest_xray_generator_path

GENERATOR = (
    "trained on the members of the split alone; that of the package was, for nih_cxr1000_64.npz"
)
COLUMNS = ("accuracy", "AUC", "network", "attack", "KID", "coverage", "mmL")


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="npz with x, y and pid")
    parser.add_argument("--generator", default=str(chest_xray_generator_path()), help=GENERATOR)
    parser.add_argument(
        "--train-on", choices=("members", "public"), help="train one for each split"
    )
    parser.add_argument("--train-steps", type=int, default=4000)
    parser.add_argument("--size", type=int, help="side of the images of a trained network")
    parser.add_argument("--shares", type=float, nargs=4, default=(0.5, 0.1, 0.1, 0.3))
    parser.add_argument("--out", default="plan", help="folder of networks, inversions and results")
    parser.add_argument("--k", type=int, nargs="+", default=[5, 10, 20])
    parser.add_argument("--splits", type=int, nargs="+", default=[0], help="seeds of whole runs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="of releases in a split")
    parser.add_argument("--releases", nargs="+", choices=[*WITHOUT_K, *WITH_K])
    parser.add_argument("--unguided", action="store_true", help="leave out what needs guides")
    parser.add_argument("--panel", choices=("quick", "full"), default="quick")
    parser.add_argument("--epochs", type=int, default=0, help="of the downstream network; 0: none")
    parser.add_argument("--per-patient", type=int, default=20, help="images of one at most")
    parser.add_argument("--max-iter", type=int, default=20, help="of the inversion")
    args = parser.parse_args(arguments)
    if args.train_on is None and len(args.splits) > 1:
        parser.error("a network has seen patients of every split but its own: give --train-on")
    return args


def design(args):
    """The design of a study that the arguments ask for."""
    return Design(
        network=None if args.train_on else args.generator,
        trained_on=args.train_on,
        max_iter=args.train_steps,
        shares=tuple(args.shares),
        per_patient=args.per_patient,
        inversion_steps=args.max_iter,
        size=args.size,
    )


def wanted(args):
    """Names and settings of the releases of a split, those without k first."""
    names = args.releases or [*WITHOUT_K, *WITH_K]
    names = [name for name in names if not (args.unguided and name in GUIDED)]
    for seed in args.seeds:
        yield from ((name, None, seed) for name in names if name in WITHOUT_K)
        for k in args.k:
            yield from ((name, k, seed) for name in names if name in WITH_K)


def run(args, folder, study, judge):
    """Measure what is not measured yet; return a list of (name, k, figures)."""
    rows = []
    for name, k, seed in wanted(args):
        path = result_path(args, folder, name, k, seed)
        if not path.exists():
            images, labels = (WITHOUT_K | WITH_K)[name](study, k, seed)
            path.write_text(json.dumps(judge.measure(images, labels, seed), indent=1))
            print(line(name, k, [json.loads(path.read_text())]), flush=True)
        rows.append((name, k, json.loads(path.read_text())))
    return rows


def result_path(args, folder, name, k, seed):
    words = name.replace(",", "").replace(" ", "_")
    settings = f"{words}-k{k or 0}-seed{seed}-{args.panel}-epochs{args.epochs}"
    return folder / f"{settings}.json"


def table(rows):
    """Lines of the table: means, and what the audits said."""
    titles = "".join(f"{title:>17s}" for title in COLUMNS)
    lines = [f"{'release':26s}{'k':>3s}{'images':>8s}{'distinct':>9s}{titles}  audit"]
    for name, k in dict.fromkeys((name, k) for name, k, _ in rows):
        lines.append(line(name, k, [found for n, j, found in rows if (n, j) == (name, k)]))
    return lines


def line(name, k, found):
    """A row of the table: means and deviations, the verdicts, and the worst of the audits."""
    first = found[0]
    cells = "".join(f"{spread([each[c] for each in found if c in each]):>17s}" for c in COLUMNS)
    verdicts = Counter(each["verdict"] for each in found)
    verdict = ", ".join(v if len(found) == 1 else f"{n} {v}" for v, n in verdicts.items())
    rate, auc = (np.mean([each[c][0] for each in found]) for c in ("TPR", "attack_AUC"))
    high, exposed = (max(each[c] for each in found) for c in ("TPR_high", "exposed"))
    p = min(each["p_value"] for each in found)
    audit = f"{verdict}, p {p:.3f}, TPR {rate:.3f} (up to {high:.3f}), AUC {auc:.2f}"
    sizes = f"{first['images']:8d}{first['distinct']:9d}"
    return f"{name:26s}{k or '':>3}{sizes}{cells}  {audit}, exposed {exposed}, {first['headline']}"


def spread(values):
    """The mean of the values, and their deviation where there are several."""
    if not values:
        return ""
    deviation = f" +- {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
    return f"{np.mean(values):.3f}{deviation}"


def main(arguments=None):
    args = parse(arguments)
    rows = []
    for split in args.splits:
        folder = Path(args.out) / f"split{split}"
        study = design(args).study(args.data, folder, split)
        judge = Judge(study, panel=args.panel, epochs=args.epochs)
        rows += run(args, folder, study, judge)
    print("\n".join(table(rows)))


if __name__ == "__main__":
    warnings.simplefilter("ignore", FutureWarning)
    main()

"""What a release under a guarantee is worth, and whether its guarantee withstands canaries.

    python -m benchmarks.guarantee --data xrays.npz --network network.safetensors --public rows.npz
    python -m benchmarks.guarantee --part panel --data .. --network .. --public .. --seeds 10
    python -m benchmarks.guarantee --part canaries

front: releases of the patients of --data (x, y, pid) whom the network never saw: `members` of
--public are the rows that it was trained on. In each seed --aside patients are set aside. The
others make the release, and it is judged by those aside: accuracy (balanced, of a logistic
regression on LPIPS features that was trained on the release), coverage, and KID (kernel distance,
times 1000). Every row but the first two is a release of --images images. "none" is fixed cells
without noise. Private evolution is a simple one of our own: patients vote for the nearest of the
generator's samples, the noisy votes choose which of them vary in the next round. Where patients
have rows of both classes, --max-classes 2 counts each of them in both, with more noise. "pca" in
the place of a network is 64 principal components of the public rows.

panel: the attacks of the audit on the same releases. In each seed half of the patients are members
and the others are held out. A guarantee bounds the AUC of every attack by Phi(mu / sqrt(2)) and its
true-positive rate at 1 % false positives. The lower end of the interval of the strongest attack's
AUC may be over the bound by chance in one run of forty. The rows without a bound show whether the
panel would have seen something.

canaries: 40 runs of the mechanism, and of four with a planted fault, each with 2,000 canaries that
lie beyond the clipping bound. The best attacker guesses which of them took part, and the share of
right guesses bounds mu from below, at 99.9 % confidence. Faults must be over the mu that is stated,
and the mechanism must not.

Rows are kept in --out as they come, and are not measured again. Inversions here share a batch,
which moves a latent by rounding: it changes no figure, but a release needs batch_size=1.
"""

from __future__ import annotations

import argparse
import json
from math import inf
from pathlib import Path

from benchmarks.guarantee.canaries import show_canaries
from benchmarks.guarantee.front import show_front
from benchmarks.guarantee.panel import show_panel

PARTS = {"front": show_front, "panel": show_panel, "canaries": show_canaries}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=PARTS, default="front")
    parser.add_argument("--data", help="npz with x, y and pid")
    parser.add_argument("--network", help="trained on the rows of --public alone; pca makes one")
    parser.add_argument("--size", type=int, default=32, help="of the images of pca")
    parser.add_argument("--most", type=int, help="rows of a patient in a class; all if left out")
    parser.add_argument("--public", help="npz with members, the rows of --data that it saw")
    parser.add_argument("--mu", type=float, nargs="+", default=[0.25, 0.5, 0.68, 1, 1.5, inf])
    parser.add_argument("--k", type=int, nargs="+", default=[20])
    parser.add_argument("--axes", type=int, nargs="+", default=[32])
    parser.add_argument("--cells", type=int, nargs="+", default=[1])
    parser.add_argument("--max-classes", type=int, default=1, help="in which a patient counts")
    parser.add_argument("--aside", type=int, default=80, help="patients who judge the release")
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--cache", type=Path, help="npz for the inversions")
    parser.add_argument("--out", type=Path, default=Path("guarantee.json"))
    arguments = parser.parse_args()
    if arguments.part != "canaries" and not (
        arguments.data and arguments.network and arguments.public
    ):
        parser.error(f"--part {arguments.part} needs --data, --network and --public")
    return arguments


def main() -> None:
    arguments = parse()
    everything = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
    PARTS[arguments.part](arguments, everything)


if __name__ == "__main__":
    main()

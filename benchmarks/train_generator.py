"""Generators for the other benchmarks, trained on the members of a real set, and their worth.

Takes an npz with x (n, h, w) or (n, c, h, w) and optionally pid and y, resizes it, and trains on
the members of ``split_patients(..., random_state=0)`` alone: the other benchmarks split in the same
way, so that their held-out patients are new to the network. Each method trains for the same number
of steps or the same time, writes its network, history and sheets of samples into a folder of its
name, and goes on where it was when the command is given again.

The table compares samples, and real members, with images of patients who were held out: Frechet
and kernel distance (times 1000, lower is better), coverage, recall and precision (higher is better)
in Inception, which trained nothing here, and in LPIPS; and the exact p-value that samples come
nearer to members than to calibration patients.

    python benchmarks/train_generator.py --data nih_cxr1000_64.npz --size 64 --out cxr64
    python benchmarks/train_generator.py --data nih_cxr1000_64.npz --size 64 --out methods \\
        --methods efficientnet alexnet stylegan2 --max-time 900 --unconditional
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import latentwalk as lw
import matplotlib.pyplot as plt
import numpy as np
from latentwalk.features import resolve_features
from latentwalk.metrics import (
    coverage,
    frechet_distance,
    improved_precision,
    improved_recall,
    kernel_distance,
)
from PIL import Image

from common import load_npz

METHODS = ("efficientnet", "alexnet", "stylegan2")


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="npz with x, pid and optionally y")
    parser.add_argument("--size", type=int, default=32, help="side of the images, a power of two")
    parser.add_argument("--out", required=True, help="a folder")
    parser.add_argument("--methods", nargs="+", default=["efficientnet"], choices=METHODS)
    parser.add_argument("--unconditional", action="store_true", help="leave the classes out")
    parser.add_argument("--max-iter", type=int, default=4000)
    parser.add_argument("--max-time", type=float, help="seconds after which a training ends")
    parser.add_argument("--interval", type=int, default=500, help="steps between two snapshots")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--width", default="small", help="small, medium or official")
    parser.add_argument("--features", help="of the figures in the history: inception, lpips ..")
    parser.add_argument("--mirror", action="store_true", help="where a mirrored image is possible")
    parser.add_argument("--spaces", nargs="+", default=["inception", "lpips"], help="of the table")
    parser.add_argument("--samples", type=int, default=300, help="images of each side of the table")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def load(args):
    """Images, classes or None, patients, and their split."""
    X, y, groups = load_npz(args.data, args.size)
    split = lw.split_patients(X, y, groups, random_state=0)
    return X, None if args.unconditional else y, groups, split


def train(method, args, X, y, groups, split):
    folder = Path(args.out) / method
    folder.mkdir(parents=True, exist_ok=True)
    projected = method != "stylegan2"
    trainer = lw.StyleGAN2Trainer(
        discriminator="projected" if projected else method,
        feature_network=method if projected else "auto",
        max_iter=args.max_iter,
        batch_size=args.batch_size,
        size=args.width,
        max_time=args.max_time,
        mirror=args.mirror,
        checkpoint_interval=args.interval,
        checkpoint=folder / "checkpoint",
        features=args.features,
        sample_sheets=folder / "sheets",
        random_state=args.seed,
        verbose=True,
    )
    members, calibration = split.members, split.calibration
    trainer.fit(
        X[members],
        None if y is None else y[members],
        groups=groups[members],
        X_val=X[calibration],
        groups_val=groups[calibration],
    )
    trainer.generator_.save(folder / "network.safetensors", dtype="float16")
    np.savez(folder / "history.npz", **trainer.history_)
    plot(trainer.history_, max((folder / "sheets").iterdir()), folder / "training.png")
    return trainer


def plot(history, sheet, path):
    """The upper and the lower rows of a sheet of samples, and under it the history."""
    samples = np.asarray(Image.open(sheet))
    side = samples.shape[1] // 16
    samples = np.concatenate([samples[: 2 * side], samples[-2 * side :]])
    figure = plt.figure(figsize=(9, 4.4), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=[1, 1.2])
    axes = top.subplots()
    axes.imshow(samples, cmap="gray", interpolation="nearest")
    axes.set_axis_off()
    losses, rates, looks = bottom.subplots(1, 3)
    for name in ("loss_generator", "loss_discriminator"):
        losses.plot(history["step"], history[name], label=name)
    for name in ("real_sign", "augment_p"):
        rates.plot(history["step"], history[name], label=name)
    looks.plot(history["snapshot_step"], history["memorisation_p"], "o-", label="memorisation_p")
    distance = history["kernel_distance"]
    if np.isfinite(distance).any():
        share = distance / np.nanmax(distance)
        looks.plot(history["snapshot_step"], share, "s-", label="kernel_distance / largest")
    for axes in (losses, rates, looks):
        axes.set_xlabel("step")
        low, high = axes.get_ylim()
        axes.set_ylim(min(0, low), high + 0.35 * (high - low))
        axes.legend(fontsize="small", loc="upper left")
    figure.savefig(path, dpi=100)


def figures(found, real):
    """Distances and shares of one space."""
    with warnings.catch_warnings():
        # the Frechet distance of few rows is biased: the row of real members says by how much
        warnings.simplefilter("ignore")
        return (
            frechet_distance(found, real),
            1000 * kernel_distance(found, real),
            coverage(found, real),
            improved_recall(found, real),
            improved_precision(found, real),
        )


def main():
    args = parse()
    X, y, groups, split = load(args)
    rng = np.random.RandomState(args.seed)
    members = rng.permutation(split.members)[: args.samples]
    audit = rng.permutation(split.audit)[: args.samples]
    releases, notes = {"real members": X[members]}, {"real members": ""}
    for method in args.methods:
        trainer = train(method, args, X, y, groups, split)
        drawn = None
        if y is not None:
            codes = np.searchsorted(trainer.classes_, y[split.members])
            drawn = rng.choice(codes, args.samples)
        images, _ = trainer.generator_.sample(args.samples, drawn, random_state=args.seed)
        releases[method] = images
        p = trainer.history_["memorisation_p"][-1]
        notes[method] = f"{trainer.n_iter_} steps, memorisation p {p:.3f}"
    print(f"{len(split.members)} member images; {len(audit)} held-out images; {args.data}")
    for space in args.spaces:
        transform = resolve_features(space).transform
        real = transform(X[audit])
        print(f"\n{space:14}  Frechet  kernel  coverage  recall  precision")
        for name, images in releases.items():
            frechet, kernel, *shares = figures(transform(images), real)
            told = "  ".join(f"{share:8.2f}" for share in shares)
            print(f"{name:14} {frechet:8.3g} {kernel:7.3g}  {told}   {notes[name]}")


if __name__ == "__main__":
    main()

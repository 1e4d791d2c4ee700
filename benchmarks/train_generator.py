"""A class-conditional generator for the other benchmarks, trained on the members of a real set.

Takes an npz with x (n, h, w) or (n, c, h, w) and optionally pid and y, resizes it, and trains on
the members of ``split_patients(..., random_state=0)`` alone: the other benchmarks split in the same
way, so that their held-out patients are new to the network. Writes the network, the history and
sheets of samples, and draws the last sheet with the history; run it again to go on after an
interrupt.

    python benchmarks/train_generator.py --data nih_cxr1000_64.npz --size 64 --out cxr64
"""

from __future__ import annotations

import argparse
from pathlib import Path

import latentwalk as lw
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from common import load_npz


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="npz with x, pid and optionally y")
    parser.add_argument("--size", type=int, default=32, help="side of the images, a power of two")
    parser.add_argument("--out", required=True, help="a folder")
    parser.add_argument("--max-iter", type=int, default=4000)
    parser.add_argument("--interval", type=int, default=500, help="steps between two snapshots")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--width", default="small", help="small, medium or official")
    parser.add_argument("--max-time", type=float, help="seconds after which the training ends")
    parser.add_argument("--features", help="of the distances in the history: pixels, lpips ..")
    parser.add_argument("--mirror", action="store_true", help="where a mirrored image is possible")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


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


def main():
    args = parse()
    X, y, groups = load_npz(args.data, args.size)
    split = lw.split_patients(X, y, groups, random_state=0)
    folder = Path(args.out)
    folder.mkdir(parents=True, exist_ok=True)
    trainer = lw.StyleGAN2Trainer(
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
    generator = trainer.generator_.save(folder / "network.safetensors", dtype="float16")
    np.savez(folder / "history.npz", **trainer.history_)
    plot(trainer.history_, max((folder / "sheets").iterdir()), folder / "training.png")
    print(generator, {name: values[-1].round(3) for name, values in trainer.history_.items()})


if __name__ == "__main__":
    main()

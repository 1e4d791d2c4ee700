"""Generators for the other benchmarks, trained on the members of a real set, and their worth.

Takes an npz with x (n, h, w) or (n, c, h, w) and optionally pid and y, resizes it, and trains on
the members of ``split_patients(..., random_state=0)`` alone: the other benchmarks split in the same
way, so that their held-out patients are new to the network. Without ``--data`` the images are the
dermoscopy patches. Each method trains for the same number of steps, or of minutes of the processor,
writes its network, history and sheets of samples into a folder of its name, and goes on where it
was when the command is given again.

The table compares samples, and real members, with images of patients who were held out: Frechet
and kernel distance (times 1000, lower is better), coverage, recall and precision (higher is better)
in Inception, which trained nothing here, and in LPIPS. p is the exact p-value that samples come
nearer to members than to calibration patients in that space. The first table has the share of fine
detail that all images have in common, 0 to 1: what a network draws at the same place in every
sample. ``--inversions`` inverts as many
members and held-out images in W and prints their mean errors. ``--networks`` measures weights files
that are there, beside the methods that are trained or, with ``--methods`` alone, without training.

    python benchmarks/train_generator.py --data nih_cxr1000_64.npz --size 64 --out cxr64
    python benchmarks/train_generator.py --data nih_cxr1000_64.npz --size 64 --unconditional \\
        --out methods --methods efficientnet alexnet stylegan2 --cpu-minutes 5 --inversions 32
    python benchmarks/train_generator.py --methods --networks dermoscopy.safetensors
"""

from __future__ import annotations

import argparse
import time
import warnings
from functools import partial
from pathlib import Path

import latentwalk as lw
import matplotlib.pyplot as plt
import numpy as np
from latentwalk.features import resolve_features
from latentwalk.metrics import (
    coverage,
    exact_test,
    exposure,
    frechet_distance,
    improved_precision,
    improved_recall,
    kernel_distance,
    subject_minima,
)
from latentwalk.utils import to_float
from PIL import Image
from scipy.ndimage import gaussian_filter

from common import load_real

METHODS = ("efficientnet", "alexnet", "stylegan2")


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="npz with x, pid and optionally y")
    parser.add_argument("--size", type=int, default=32, help="side of the images, a power of two")
    parser.add_argument("--out", default="generators", help="a folder")
    parser.add_argument("--methods", nargs="*", default=["efficientnet"], choices=METHODS)
    parser.add_argument("--networks", nargs="*", default=[], help="weights files to measure too")
    parser.add_argument("--unconditional", action="store_true", help="leave the classes out")
    parser.add_argument("--max-iter", type=int, default=4000)
    parser.add_argument("--cpu-minutes", type=float, help="in the place of --max-iter")
    parser.add_argument("--no-noise", action="store_true", help="a latent decides every pixel")
    parser.add_argument("--interval", type=int, default=500, help="steps between two snapshots")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--width", default="small", help="small, medium or official")
    parser.add_argument("--features", help="of the figures in the history: inception, lpips ..")
    parser.add_argument("--mirror", action="store_true", help="where a mirrored image is possible")
    parser.add_argument("--spaces", nargs="+", default=["inception", "lpips"], help="of the table")
    parser.add_argument("--samples", type=int, default=300, help="images of each side of the table")
    parser.add_argument("--inversions", type=int, default=0, help="images of each side, 0 for none")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def load(args):
    """Images, classes or None, patients, and their split."""
    X, y, groups = load_real(args.data, args.size)
    split = lw.split_patients(X, y, groups, random_state=0)
    return X, None if args.unconditional else y, groups, split


def train(method, args, X, y, groups, split):
    folder = Path(args.out) / method
    folder.mkdir(parents=True, exist_ok=True)
    trainer = lw.StyleGAN2Trainer(
        discriminator=method,
        max_iter=args.max_iter,
        batch_size=args.batch_size,
        size=args.width,
        noise=not args.no_noise,
        mirror=args.mirror,
        checkpoint_interval=args.interval,
        checkpoint=folder / "checkpoint",
        features=args.features,
        sample_sheets=folder / "sheets",
        random_state=args.seed,
        verbose=True,
    )
    fit = partial(
        trainer.fit,
        X[split.members],
        None if y is None else y[split.members],
        groups=groups[split.members],
        X_val=X[split.calibration],
        groups_val=groups[split.calibration],
    )
    if args.cpu_minutes is None:
        fit()
    else:
        fit_for(60 * args.cpu_minutes, trainer, fit)
    trainer.generator_.save(folder / "network.safetensors", dtype="float16")
    np.savez(folder / "history.npz", **trainer.history_)
    plot(trainer.history_, max((folder / "sheets").iterdir()), folder / "training.png")
    return trainer


def fit_for(seconds, trainer, fit):
    """Go on from the checkpoint, an interval a call, until the processor worked for so long."""
    start, trainer.max_iter = time.process_time(), 0
    while time.process_time() - start < seconds:
        trainer.max_iter += trainer.checkpoint_interval
        fit()


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


def shared_detail(images):
    """How much of the variance of fine detail lies in the mean over all images."""
    pixels = to_float(images).mean(1)
    fine = pixels - gaussian_filter(pixels, (0, 2, 2))
    fine /= fine.std((1, 2), keepdims=True)
    return float((fine.mean(0) ** 2).mean())


def nearness(found, members, held_out):
    """The exact p-value that samples come nearer to members than to calibration patients.

    Each set is its features and its patients.
    """
    codes = [np.unique(groups, return_inverse=True)[1] for _, groups in (members, held_out)]
    n_images = min(int(np.bincount(of_set).min()) for of_set in codes)
    minima = [
        subject_minima(exposure(real, found), of_set, n_images=n_images, n_draws=10, random_state=0)
        for (real, _), of_set in zip((members, held_out), codes, strict=True)
    ]
    return exact_test(*minima).p_near


def inversion_errors(generator, members, held_out):
    """Mean errors of both sets, in pixels and in LPIPS."""
    inverter = lw.GANInverter(generator, loss="lpips", random_state=0).fit(members)
    for name, images in (("members", members), ("held out", held_out)):
        W = inverter.transform(images)
        pixel, lpips = (
            inverter.reconstruction_error(images, W, metric=metric).mean()
            for metric in ("pixel", "lpips")
        )
        print(f"  inverted in W, {name:9} RMSE {pixel:.4f}  LPIPS {lpips:.4f}", flush=True)


def collect(args, X, y, groups, split):
    """Generators by name, with what is to be told of each."""
    generators = {}
    for method in args.methods:
        start = time.process_time()
        trainer = train(method, args, X, y, groups, split)
        minutes = (time.process_time() - start) / 60
        generators[method] = trainer.generator_, f"{trainer.n_iter_} steps, {minutes:.1f} min"
    for path in args.networks:
        generators[Path(path).stem] = lw.load_generator(path), ""
    return generators


def main():
    args = parse()
    X, y, groups, split = load(args)
    rng = np.random.RandomState(args.seed)
    members = rng.permutation(split.members)[: args.samples]
    audit = rng.permutation(split.audit)[: args.samples]
    calibration = rng.permutation(split.calibration)[: args.samples]
    codes = None if y is None else np.unique(y[split.members], return_inverse=True)[1]
    generators = collect(args, X, y, groups, split)
    releases = {}
    for name, (generator, _) in generators.items():
        drawn = rng.choice(codes, args.samples) if generator.n_classes else None
        releases[name], _ = generator.sample(args.samples, drawn, random_state=args.seed)
    print(f"{len(split.members)} member images; {len(audit)} held-out images; {args.data}")
    for name, images in {"real members": X[members], **releases}.items():
        print(f"{name:14} detail shared by all images {shared_detail(images):.2f}")
    for space in args.spaces:
        transform = resolve_features(space).transform
        of_members, of_others, real = (transform(X[rows]) for rows in (members, calibration, audit))
        print(f"\n{space:14}  Frechet  kernel  coverage  recall  precision      p")
        show("real members", figures(of_members, real), "")
        for name, images in releases.items():
            found = transform(images)
            p = nearness(found, (of_members, groups[members]), (of_others, groups[calibration]))
            show(name, (*figures(found, real), p), generators[name][1])
    if args.inversions:
        for name, (generator, _) in generators.items():
            print(f"\n{name}")
            inversion_errors(generator, *(X[rows[: args.inversions]] for rows in (members, audit)))


def show(name, found, note):
    frechet, kernel, *shares = found
    told = "  ".join(f"{share:8.2f}" for share in shares)
    print(f"{name:14} {frechet:8.3g} {kernel:7.3g}  {told}   {note}", flush=True)


if __name__ == "__main__":
    main()

"""The published path optimiser against GuidedWalker's, in one process.

Same generator, guides, pairs of prototypes and objective (that of the paper): time a path, the
objective that was reached, and the figures that the objective does not bound: the highest identity
posterior of a path and its nearest real image.

    python benchmarks/walk.py --pairs 3 --published-steps 500

Without arguments it takes the generator that ships with the package and the dermoscopy patches it
was trained on; ``--data`` and ``--generator`` take an npz (x, pid, and y where there are classes)
and a network.
"""

from __future__ import annotations

import argparse
import time

import latentwalk as lw
import numpy as np
import torch
from latentwalk.datasets import dermoscopy_generator_path, fetch_dermoscopy
from latentwalk.utils import resolve_device, to_numpy
from latentwalk.walking._engine import WalkEngine, path_latents
from latentwalk.walking._examine import Examiner
from latentwalk.walking._guides import make_guide
from latentwalk.walking._losses import PLAN_IDENTITY_WEIGHT, Objective, uniform_divergence
from sklearn.utils import check_random_state

N_POINTS = 50
CHUNK = 4
VARIANTS = {
    "ours, plan, 100 steps x 6 points": {},
    "ours, plan, 50 steps x 4 points": {"max_iter": 50, "points_per_step": 4},
    "ours, plan, 25 steps x 4 points": {"max_iter": 25, "points_per_step": 4},
    "ours, worst-point, 20 x 4": {
        "objective": Objective("worst-point"),
        "max_iter": 20,
        "learning_rate": 0.05,
        "points_per_step": 4,
    },
}
ABLATION = {
    "  all 48 points in each step": {"points_per_step": 48},
    "  all 48 modes": {"n_modes": 48},
    "  L-BFGS, 20 evaluations": {"solver": "lbfgs", "max_iter": 20},
}


def published(generator, identity, label, ends, target, checkpoints):
    """Adam (lr 0.1) on the free points of one path, in chunks of four, as in arXiv:2307.02984.

    The guides are frozen and in eval mode here. Returns a path and seconds for each checkpoint.
    """
    line = torch.lerp(
        ends[:1], ends[1:], torch.linspace(0, 1, N_POINTS, device=ends.device)[:, None]
    )
    inner = line[1:-1].clone().requires_grad_()
    solver = torch.optim.Adam([inner], lr=0.1, betas=(0.9, 0.999))
    found, start = {}, time.perf_counter()
    for step in range(1, max(checkpoints) + 1):
        solver.zero_grad()
        path = torch.cat([ends[:1], inner, ends[1:]])
        path.diff(dim=0).square().sum().backward()
        for chunk in range(0, N_POINTS - 2, CHUNK):
            images = generator.synthesis(inner[chunk : chunk + CHUNK])
            loss = PLAN_IDENTITY_WEIGHT * uniform_divergence(identity.log_proba(images)).mean()
            if label is not None:
                loss = loss - label.log_proba(images)[:, target].mean()
            loss.backward()
        solver.step()
        if step in checkpoints:
            seconds = time.perf_counter() - start
            found[step] = torch.cat([ends[:1], inner, ends[1:]]).detach(), seconds
    return found


def objective(generator, identity, label, path, target):
    """The published objective of a path, computed as published."""
    with torch.no_grad():
        value = path.diff(dim=0).square().sum()
        for images in generator.synthesis(path[1:-1]).split(CHUNK):
            value = (
                value + PLAN_IDENTITY_WEIGHT * uniform_divergence(identity.log_proba(images)).mean()
            )
            if label is not None:
                value = value - label.log_proba(images)[:, target].mean()
    return float(value)


def make_engine(generator, identity, label, device, **changes):
    """Our optimiser with its settings."""
    settings = {
        "objective": Objective("plan"),
        "n_modes": 16,
        "solver": "adam",
        "max_iter": 100,
        "points_per_step": 6,
        "learning_rate": 0.1,
        "tol": 0.0,
    } | changes
    return WalkEngine(
        generator.decode,
        identity,
        label,
        n_points=N_POINTS,
        batch_size="auto",
        device=device,
        seed=0,
        verbose=False,
        **settings,
    )


def ours(engine, ends, target):
    """Paths of a batch of ends, and seconds a path."""
    start = time.perf_counter()
    zero = np.zeros((len(ends), engine.n_modes, ends.shape[2]), np.float32)
    targets = None if engine.label is None else np.full(len(ends), target)
    walked = engine.walk(ends, targets, zero)[0]
    seconds = (time.perf_counter() - start) / len(ends)
    return path_latents(ends, walked, np.linspace(0, 1, N_POINTS), N_POINTS), seconds


def load(args):
    """Images, subjects, and classes or None."""
    if args.data:
        data = np.load(args.data, allow_pickle=False)
        images = data["x"] if data["x"].ndim == 4 else data["x"][:, None]
        return images, data["pid"], data.get("y")
    patches = fetch_dermoscopy()
    members = lw.split_patients(patches.images, groups=patches.groups, random_state=0).members
    return patches.images[members], patches.groups[members], None


def make_pairs(generator, n_pairs, k, seed):
    """Ends of paths: means of k latents of the generator, as k-same gives them."""
    rng = check_random_state(seed)
    draw = generator.sample(2 * n_pairs * k, random_state=rng)[1]
    return draw.reshape(n_pairs, 2, k, -1).mean(axis=2)


def report(name, paths, seconds, context, baseline=None):
    """Print one line: time, objective, worst points."""
    generator, identity, label, examiner, target = context
    values = [objective(generator, identity, label, torch.as_tensor(p), target) for p in paths]
    inner = np.asarray(paths)[:, 1:-1]
    wanted = None if label is None else np.full(inner.shape[0] * inner.shape[1], target)
    figures = examiner.measure(inner.reshape(-1, inner.shape[2]), wanted)
    figures = figures.reshape(*inner.shape[:2], 3)
    ratio = "" if baseline is None else f"{max(np.array(values) / baseline):9.4f}"
    print(
        f"{name:34s}{seconds:9.2f}{np.median(values):10.3f}{ratio:>10s}"
        f"{np.median(figures[..., 0].max(1)):10.3f}{np.quantile(figures[..., 0].max(1), 0.95):8.3f}"
        f"{np.median(figures[..., 2].min(1)):10.4f}",
        flush=True,
    )
    return np.array(values)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--generator", default=str(dermoscopy_generator_path()))
    parser.add_argument("--data", help="npz with x, pid and optionally y")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--k", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--published-steps", type=int, default=500)
    parser.add_argument("--guide-epochs", type=int, default=30)
    parser.add_argument("--ablation", action="store_true", help="what each ingredient gives")
    return parser.parse_args()


def prepare(args, device):
    """Generator, guides, examiner and target class: what every walk and its figures need."""
    generator = lw.load_generator(args.generator)
    X, groups, y = load(args)
    training = {"max_iter": args.guide_epochs, "random_state": args.seed, "device": device}
    guide = lw.IdentityClassifier(**training).fit(X, groups)
    identity = make_guide(guide, "identity", generator.image_shape, device)
    label = None
    if y is not None:
        fitted = lw.LabelClassifier(**training).fit(X, y)
        label = make_guide(fitted, "label", generator.image_shape, device)
    examiner = Examiner(
        generator.decode, identity, label, X, device=device, batch_size="auto", verbose=False
    )
    print(f"{args.pairs} pairs, {len(np.unique(groups))} subjects, {N_POINTS} points, {device}")
    return generator, identity, label, examiner, 0


def report_published(ends, context, n_steps, device):
    """Run the published optimiser; returns its last objective of each pair."""
    generator, identity, label, _, target = context
    steps = sorted({min(50, n_steps), n_steps})
    runs = [
        published(generator, identity, label, torch.as_tensor(e, device=device), target, steps)
        for e in ends
    ]
    for step in steps:
        paths = np.stack([to_numpy(run[step][0]) for run in runs])
        seconds = float(np.mean([run[step][1] for run in runs]))
        reached = report(f"published, {step} steps", paths, seconds, context)
    return reached


def main():
    args, device = parse(), resolve_device()
    context = prepare(args, device)
    generator, identity, label, _, target = context
    ends = make_pairs(generator, args.pairs, args.k, args.seed)
    print(
        f"{'':34s}{'s/path':>9s}{'objective':>10s}{'worst/pub':>10s}"
        f"{'id median':>10s}{'id 95%':>8s}{'nearest':>10s}"
    )
    report("straight line", np.linspace(ends[:, 0], ends[:, 1], N_POINTS, axis=1), 0.0, context)
    baseline = report_published(ends, context, args.published_steps, device)
    for name, changes in (VARIANTS | ABLATION if args.ablation else VARIANTS).items():
        engine = make_engine(generator, identity, label, device, **changes)
        paths, seconds = ours(engine, ends, target)
        report(name, paths, seconds, context, baseline)


if __name__ == "__main__":
    main()

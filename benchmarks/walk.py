"""The published path optimiser against GuidedWalker's, in one process.

Same generator, guides, pairs of prototypes and objective (that of the paper), over several pairs,
seeds and classes. Three tables: ours on every pair; the published optimiser on some of them (each
path of it takes minutes), with ours; and, with ``--ablation``, what each ingredient gives. A row
has the seconds a path (of CPU time, or of a GPU); the published objective, its median and its
largest ratio over the pairs to what the published steps reached; and what the objective does not
bound, over the pairs: the highest identity posterior of a path (by the guide that was walked with,
and by another that was not), and its nearest real image, in pixels and in LPIPS. These are over all
inner points, and in the line below over the k of them that are released: evenly spaced ones of
straight and published paths, the safest of ours.

    python benchmarks/walk.py --pairs 12 --published-pairs 1 --seeds 0 1
    python benchmarks/walk.py --data nih_cxr1000_64.npz --generator cxr64/network.safetensors

Without ``--data`` it takes the generator that ships with the package and the dermoscopy patches
that it was trained on. A network for ``--data`` comes from ``train_generator.py``: guides and real
images are the members of its split.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, replace
from typing import NamedTuple

import latentwalk as lw
import numpy as np
import torch
from latentwalk.datasets import dermoscopy_generator_path
from latentwalk.features import LPIPSFeatures
from latentwalk.generators import decode_latents
from latentwalk.neighbors import ExactNeighbors
from latentwalk.utils import resolve_device, to_numpy
from latentwalk.utils._guides import freeze_guide
from latentwalk.walking import _optimise
from latentwalk.walking._examine import Examiner
from latentwalk.walking._guides import Guides
from latentwalk.walking._losses import PLAN_IDENTITY_WEIGHT, Objective, uniform_divergence
from latentwalk.walking._optimise import Schedule, Walk, walk_paths
from latentwalk.walking._problem import WalkProblem
from latentwalk.walking._repulsion import make_repulsion
from latentwalk.walking._selection import select_points
from latentwalk.walking._sine_basis import path_points
from sklearn.utils import check_random_state
from torch.utils.flop_counter import FlopCounterMode

from common import load_real, report_ratio

N_POINTS = 50
CHUNK = 4
N_MODES = 16
PLAN, WORST = Objective("plan"), Objective("worst-point")
HEAVY = Objective("worst-point", identity_weight=4.0)
SHORT = {"objective": WORST, "schedule": Schedule(20, 4, 0.05)}
VARIANTS = {
    "ours, plan, 50 steps x 4 points": {"schedule": Schedule(50, 4, 0.2)},
    "  25 steps, rate 0.1": {"schedule": Schedule(25, 4, 0.1)},
    "ours, worst-point, 20 x 4": SHORT,
    "  identity_weight=4": SHORT | {"objective": HEAVY},
    "  repulsion=1": SHORT | {"repulsion": 1.0},
    "  repulsion=10": SHORT | {"repulsion": 10.0},
    "  repulsion=10, no identity guide": SHORT | {"repulsion": 10.0, "identity": False},
}
SIX = {"schedule": Schedule(100, 6, 0.2)}
FEW = dict(list(VARIANTS.items())[:3])
FEW["ours, plan, 100 steps x 8 points"] = {"schedule": Schedule(100, 8, 0.2)}
ABLATION = {
    "plan, 100 steps x 6 points": SIX,
    "  all 48 points in each step": {"schedule": Schedule(100, 48, 0.2)},
    "  all 48 modes": SIX | {"n_modes": 48},
    "  L-BFGS, 20 evaluations": {"solver": "lbfgs"},
    "  float32": SIX | {"precision": "float32"},
    "  50 steps x 4 points": {"schedule": Schedule(50, 4, 0.2)},
    "  25 steps x 4 points": {"schedule": Schedule(25, 4, 0.2)},
    "  50 steps, rate 0.1": {"schedule": Schedule(50, 4, 0.1)},
}
_optimise.TOLERANCE = 0.0  # no path leaves early: all of them take as many steps


class Pair(NamedTuple):
    """Ends of a path (2, w_dim), and the class of it."""

    ends: np.ndarray
    target: int


@dataclass(frozen=True)
class Context:
    """What every walk and its figures need."""

    generator: lw.Generator
    guides: Guides
    examiner: Examiner
    judge: Examiner
    lpips: ExactNeighbors
    device: torch.device
    k: int


def published(context, pair, checkpoints):
    """Adam (lr 0.1) on the free points of one path, in chunks of four, as in arXiv:2307.02984.

    The guides are frozen and in eval mode here. Returns a path and seconds for each checkpoint.
    """
    ends = torch.as_tensor(pair.ends, device=context.device)
    steps = torch.linspace(0, 1, N_POINTS, device=ends.device)[:, None]
    inner = torch.lerp(ends[:1], ends[1:], steps)[1:-1].clone().requires_grad_()
    solver = torch.optim.Adam([inner], lr=0.1, betas=(0.9, 0.999))
    found, start = {}, clock(context.device)
    for step in range(1, max(checkpoints) + 1):
        solver.zero_grad()
        torch.cat([ends[:1], inner, ends[1:]]).diff(dim=0).square().sum().backward()
        for chunk in range(0, N_POINTS - 2, CHUNK):
            guide_loss(context, inner[chunk : chunk + CHUNK], pair.target).backward()
        solver.step()
        if step in checkpoints:
            seconds = clock(context.device) - start
            path = torch.cat([ends[:1], inner, ends[1:]])
            found[step] = to_numpy(path), seconds
    return found


def guide_loss(context, latents, target):
    """The published identity and class terms of one chunk."""
    images = context.generator.synthesis(latents)
    divergence = uniform_divergence(context.guides.identity.log_proba(images)).mean()
    loss = PLAN_IDENTITY_WEIGHT * divergence
    if context.guides.label is not None:
        loss = loss - context.guides.label.log_proba(images)[:, target].mean()
    return loss


def objective(context, path, target):
    """The published objective of a path, computed as published."""
    path = torch.as_tensor(path, device=context.device)
    with torch.no_grad():
        value = path.diff(dim=0).square().sum()
        for latents in path[1:-1].split(CHUNK):
            value = value + guide_loss(context, latents, target)
    return float(value)


def clock(device):
    """Seconds: of the CPU, so that other work beside it counts less, or after a GPU is done."""
    if device.type != "cuda":
        return time.process_time()
    torch.cuda.synchronize(device)
    return time.perf_counter()


def make_walk(
    context, *, objective=PLAN, schedule=None, repulsion=0.0, identity=True, precision="auto"
):
    """Our walk with its settings; without an identity guide by the repulsion alone."""
    guides, generator = context.guides, context.generator.using(precision=precision)
    return Walk(
        generator,
        guides if identity else replace(guides, identity=None),
        objective,
        schedule or Schedule(100, 6, 0.2),
        seed=0,
        precision=generator.precision,
        repulsion=make_repulsion(context.examiner.neighbors, repulsion),
    )


def ours(walk, pairs, n_modes=N_MODES, solver="adam"):
    """Paths of a batch of pairs, and seconds a path."""
    ends = np.stack([pair.ends for pair in pairs])
    codes = np.array([pair.target for pair in pairs])
    start = clock(walk.generator.device)
    zero = np.zeros((len(ends), n_modes, ends.shape[2]), np.float32)
    if solver == "lbfgs":
        walked = lbfgs(walk, ends, codes, zero)
    else:
        walked = walk_paths(walk, ends, codes, zero, N_POINTS)[0]
    seconds = (clock(walk.generator.device) - start) / len(ends)
    times = torch.linspace(0, 1, N_POINTS)
    points = path_points(torch.as_tensor(ends), torch.as_tensor(walked), times, N_POINTS)
    return to_numpy(points), seconds


def lbfgs(walk, ends, codes, start, max_iter=20):
    """L-BFGS on all inner points of one path after the other: they would share a line search."""
    device = walk.generator.device
    targets = walk.guides.targets(codes)
    problem = WalkProblem(
        walk.decode,
        walk.guides,
        walk.objective,
        torch.as_tensor(ends, device=device),
        None if targets is None else torch.as_tensor(targets, device=device),
        N_POINTS,
        512,
    )
    times = torch.linspace(0, 1, N_POINTS, device=device)[1:-1]
    parts = []
    for path in torch.arange(len(ends), device=device).split(1):
        current = torch.as_tensor(start, device=device)[path].clone().requires_grad_()
        solver = torch.optim.LBFGS(
            [current], max_iter=max_iter, max_eval=max_iter, line_search_fn="strong_wolfe"
        )

        def closure(path=path, current=current):
            value = problem.value(path, current, times).sum()
            current.grad = torch.autograd.grad(value, current)[0]
            return value.detach()

        solver.step(closure)
        parts.append(current.detach())
    return to_numpy(torch.cat(parts))


def make_pairs(generator, n_pairs, k, seeds):
    """Ends of paths: means of k latents of one class of the generator, as k-same gives them."""
    pairs = []
    for seed in seeds:
        rng = check_random_state(seed)
        for target in range(max(generator.n_classes, 1)):
            n = 2 * n_pairs * k
            y = np.full(n, target) if generator.n_classes else None
            draw = generator.sample(n, y, random_state=rng)[1]
            ends = draw.reshape(n_pairs, 2, k, -1).mean(axis=2)
            pairs += [Pair(each, target) for each in ends]
    return pairs


def figures(context, paths):
    """Of each inner point: highest identity by both guides, nearest real in pixels and LPIPS."""
    inner = np.asarray(paths)[:, 1:-1]
    flat = inner.reshape(-1, inner.shape[2])
    shape = inner.shape[:2]
    codes = np.zeros(len(flat), np.intp)
    measured = context.examiner.measure(flat, codes)
    judged = context.judge.measure(flat, codes)
    images = decode_latents(context.generator, flat)
    seen = LPIPSFeatures(device=context.device).fit_transform(images)
    lpips = np.square(context.lpips.kneighbors(seen)[0][:, 0])
    columns = [measured.identity, judged.identity, measured.distance, lpips]
    return np.stack([column.reshape(shape) for column in columns])


def released(found, k, selection):
    """The figures of the k points of each path that are released."""
    times = np.linspace(0, 1, N_POINTS)[1:-1]
    rows = [select_points(times, risks, k, selection) for risks in found[0]]
    return np.take_along_axis(found, np.stack(rows)[None], axis=2)


def worst(found):
    """Columns: of the paths' worst points, the median and the worst twentieth."""
    highs, lows = found[:2].max(axis=2), found[2:].min(axis=2)
    columns = [f"{np.median(v):8.3f}{np.quantile(v, 0.95):6.3f}" for v in highs]
    columns += [f"{np.median(v):8.4f}{np.quantile(v, 0.05):7.4f}" for v in lows]
    return "".join(columns)


def header(title, n_paths):
    print(f"\n{title}: {n_paths} paths; identity: median, 95 %; nearest: median, 5 %")
    print(
        f"{'':34s}{'s/path':>9s}{'objective':>10s}{'worst/50':>9s}{'worst/500':>10s}"
        f"{'identity':>14s}{'other guide':>14s}{'pixels':>15s}{'LPIPS':>15s}"
    )


def report(name, paths, seconds, context, pairs, baselines, selection):
    """Print two lines; `baselines` are objectives of the same pairs after 50 and 500 steps."""
    values = np.array([objective(context, p, q.target) for p, q in zip(paths, pairs, strict=True)])
    ratios = "".join(
        f"{'' if steps not in baselines else f'{(values / baselines[steps]).max():.4f}':>{width}s}"
        for steps, width in ((50, 9), (500, 10))
    )
    found = figures(context, paths)
    print(f"{name:34s}{seconds:9.2f}{np.median(values):10.3f}{ratios}{worst(found)}")
    note = f"    released: {context.k}, {selection}"
    print(f"{note:72s}{worst(released(found, context.k, selection))}", flush=True)
    return values


def line(pairs):
    """The straight paths."""
    ends = np.stack([pair.ends for pair in pairs])
    return np.linspace(ends[:, 0], ends[:, 1], N_POINTS, axis=1).astype(np.float32)


def compare(title, context, pairs, variants, steps):
    """Print the table of some pairs, with the published optimiser at some numbers of steps."""
    header(title, len(pairs))
    report("straight line", line(pairs), 0.0, context, pairs, {}, "uniform")
    runs = [published(context, pair, steps) for pair in pairs] if steps else []
    baselines, spent = {}, {}
    for step in steps:
        paths = np.stack([run[step][0] for run in runs])
        seconds = float(np.mean([run[step][1] for run in runs]))
        spent[step], name = seconds, f"published, {step} steps"
        baselines[step] = report(name, paths, seconds, context, pairs, baselines, "uniform")
    for name, settings in variants.items():
        how = {key: value for key, value in settings.items() if key in ("n_modes", "solver")}
        walk = make_walk(context, **{k: v for k, v in settings.items() if k not in how})
        paths, seconds = ours(walk, pairs, **how)
        selection = "uniform" if walk.guides.identity is None else "safest"
        values = report(name, paths, seconds, context, pairs, baselines, selection)
        for step in steps:
            over = f"walk, {name}: %s over those of {step} published steps"
            report_ratio(over % "seconds", seconds / spent[step])
            report_ratio(over % "objectives, the median", np.median(values / baselines[step]))


def throughput(context, pairs, peak):
    """Print paths a second of a large batch, and the share of the chip's limit that they are."""
    walk = make_walk(context, schedule=Schedule(50, 4, 0.2))
    with FlopCounterMode(display=False) as counter:
        ours(walk, pairs[:1])
    many = pairs * -(-256 // len(pairs))
    ours(walk, many)
    rate = 1 / ours(walk, many)[1]
    share = (
        "" if peak is None else f", {100 * rate * counter.get_total_flops() / peak / 1e12:.2f} %"
    )
    print(f"\n{len(many)} paths at once: {rate:.2f} paths/s{share}")


def load(args, size):
    """Images, subjects, and classes or None, of the members."""
    X, y, groups = load_real(args.data, size)
    members = lw.split_patients(X, y, groups, random_state=0).members
    if args.max_images is not None:
        members = np.random.RandomState(0).permutation(members)[: args.max_images]
    return X[members], groups[members], None if y is None else y[members]


def prepare(args, device):
    """Generator, guides, what measures."""
    generator = lw.load_generator(args.generator)
    X, groups, y = load(args, generator.image_shape[1])
    training = {"random_state": 0, "device": device, "augmentation": tuple(args.augmentation)}
    nets = {
        "lpips": {"backbone": "lpips", "max_iter": args.backbone_epochs},
        "own": {"backbone": None, "max_iter": args.guide_epochs},
    }
    nets = {
        name: freeze_guide(
            lw.IdentityClassifier(**net, **training).fit(X, groups),
            "identity",
            generator.image_shape,
            device,
        )
        for name, net in nets.items()
    }
    label = None
    if generator.n_classes:
        fitted = lw.LabelClassifier(max_iter=args.guide_epochs, **training).fit(X, y)
        label = freeze_guide(fitted, "label", generator.image_shape, device)
    other = Guides(nets.pop("own" if args.guide == "lpips" else "lpips"))
    logits = None if label is None else np.arange(generator.n_classes)
    guides = Guides(nets[args.guide], label, logits)
    examiner = Examiner(generator, guides, X, verbose=False)
    judge = Examiner(generator, other, X, verbose=False)
    lpips = ExactNeighbors(LPIPSFeatures(device=device).fit_transform(X))
    print(f"{len(np.unique(groups))} subjects, guide {args.guide}, {N_POINTS} points, {device}")
    return Context(generator, guides, examiner, judge, lpips, device, args.k)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--generator", default=str(dermoscopy_generator_path()))
    parser.add_argument("--data", help="npz with x, pid and optionally y")
    parser.add_argument("--max-images", type=int, help="of the members, for guides and distances")
    parser.add_argument("--pairs", type=int, default=8, help="a class and seed")
    parser.add_argument("--published-pairs", type=int, default=1, help="of these")
    parser.add_argument("--published-steps", type=int, default=500)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--k", type=int, default=5)
    parser.add_argument("--guide", choices=["lpips", "own"], default="lpips")
    parser.add_argument("--guide-epochs", type=int, default=30)
    parser.add_argument("--backbone-epochs", type=int, default=5)
    parser.add_argument("--augmentation", nargs="*", default=["flip", "shift"])
    parser.add_argument("--ablation", action="store_true", help="what each ingredient gives")
    parser.add_argument("--peak-tflops", type=float, help="of the chip, for its share")
    return parser.parse_args()


def main():
    args, device = parse(), resolve_device()
    context = prepare(args, device)
    pairs = make_pairs(context.generator, args.pairs, args.k, args.seeds)
    compare("every pair", context, pairs, VARIANTS, [])
    some = [pair for i, pair in enumerate(pairs) if i % args.pairs < args.published_pairs]
    if some:
        steps = sorted({min(50, args.published_steps), args.published_steps})
        compare("some pairs", context, some, FEW, steps)
    if args.ablation:
        compare("ablation", context, pairs, ABLATION, [])
    if device.type == "cuda":
        throughput(context, pairs, args.peak_tflops)


if __name__ == "__main__":
    main()

"""GANInverter against the algorithm of the official StyleGAN2-ADA projector, on real images.

The projector, from its description (Karras et al., CVPR 2020, appendix D, and NeurIPS 2020): one
image at a time in W; from the mean of w; Adam at a rate of 0.1 that rises over the first 5 % of
the steps and falls by a cosine over the last 25 %; Gaussian noise on w that shrinks to 0 over the
first 75 %. The published loss is a VGG16 distance; here both sides minimise the distance named
by ``--loss``, and neither optimises noise maps. Prints the time an image, both errors, and how much
faster each number of steps is; then the fastest at errors no higher. Our encoder is trained once
and counted apart.

    python benchmarks/inversion.py --n-images 8 --loss lpips
    python benchmarks/inversion.py --data nih_cxr1000_64.npz --generator cxr64/network.safetensors

``--gap`` inverts ``--n-batch`` members and as many images of held-out patients instead, those of
``split_patients(..., random_state=0)``, and prints how their errors are distributed and what the
exact test says of them.
``--random-network 256`` takes an untrained network of the published size and noisy samples of it:
what a set of 662 images would cost on this machine, before there is a network of its own.
"""

from __future__ import annotations

import argparse
from math import cos, pi
from time import perf_counter

import latentwalk as lw
import numpy as np
import torch
from latentwalk.auditing import inversion_gap
from latentwalk.datasets import dermoscopy_generator_path
from latentwalk.generators._stylegan2 import StyleGAN2, StyleGAN2Config, block_channels
from latentwalk.inversion._objective import FEATURES
from latentwalk.utils import resolve_device, to_bytes, to_tensor

from common import load_real, report_ratio

STEPS = (0, 10, 20, 30)
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
SHENZHEN = 662


def project(generator, image, features, n_steps, device, rng):
    """Project one image of shape (1, c, h, w), by the published algorithm."""
    mean, std = generator.latent_moments
    mean = torch.tensor(mean, device=device)[None]
    # the published spread of w is a scalar: root of the summed variance
    spread = float(np.sqrt(np.square(std).sum()))
    w = mean.clone().requires_grad_(True)
    optimizer = torch.optim.Adam([w], lr=0.1, betas=(0.9, 0.999))
    target = features(image)
    for step in range(n_steps):
        t = step / n_steps
        ramp = min(1.0, (1 - t) / 0.25)
        rate = 0.1 * (1 - cos(pi * ramp)) / 2 * min(1.0, t / 0.05)
        optimizer.param_groups[0]["lr"] = rate
        strength = spread * 0.05 * max(0.0, 1 - t / 0.75) ** 2
        noise = strength * torch.randn(w.shape, generator=rng, device=device)
        loss = (features(generator.synthesis(w + noise)) - target).square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return w.detach()


def random_network(size):
    """A network as StyleGAN2-ADA makes it for this size, untrained."""
    torch.manual_seed(0)
    channels = block_channels(size, channel_base=16384, channel_max=512)
    return lw.Generator.from_stylegan2(StyleGAN2(StyleGAN2Config(channels, 3)))


def load_sets(args):
    """Generator, and the members and held-out images with their patients."""
    if args.random_network:
        generator = random_network(args.random_network)
        X = generator.sample(args.n_batch, random_state=0)[0]
        X = X + 0.05 * np.random.default_rng(0).standard_normal(X.shape)
        X, groups = to_bytes(X), None
        return generator, (X, groups), None
    generator = lw.load_generator(args.generator)
    X, y, groups = load_real(args.data, generator.image_shape[-1])
    split = lw.split_patients(X, y, groups, random_state=0)
    return generator, *((X[rows], groups[rows]) for rows in (split.members, split.audit))


def errors(inverter, X, W):
    """Root mean squared difference and, for grey and RGB images, LPIPS of each row."""
    return [inverter.reconstruction_error(X, W, metric=metric) for metric in ("pixel", "lpips")]


def show(name, seconds, found):
    pixel, perceptual = (np.mean(error) for error in found)
    print(f"{name:30s} {seconds:8.4f} s an image   RMSE {pixel:.4f}   LPIPS {perceptual:.4f}")


def compare(inverter, X, args, device):
    """Both algorithms on the first images; ours in batches of all."""
    generator, few = inverter.generator, X[: args.n_images]
    rng, features = torch.Generator(device).manual_seed(0), FEATURES[args.loss]
    start = perf_counter()
    W = [
        project(generator, image, features, args.steps, device, rng)
        for image in to_tensor(few, device)[:, None]
    ]
    published = (perf_counter() - start) / len(few)
    bound = errors(inverter, few, torch.cat(W).cpu().numpy())
    show(f"published, {args.steps} steps", published, bound)
    best = None
    for max_iter in sorted({*STEPS, inverter.max_iter}):
        seconds, W = timed(inverter.set_params(max_iter=max_iter), X)
        found = errors(inverter, few, W[: len(few)])
        show(f"GANInverter, max_iter={max_iter}", seconds, found)
        report_ratio(
            f"inversion, max_iter={max_iter}: projector's seconds over ours", published / seconds
        )
        if best is None and all(a.mean() <= b.mean() for a, b in zip(found, bound, strict=True)):
            best = published / seconds, max_iter
    print(
        "never at errors no higher"
        if best is None
        else f"at errors no higher: {best[0]:.1f} times faster (max_iter={best[1]})"
    )


def timed(inverter, X):
    """Seconds an image, and the latents."""
    start = perf_counter()
    W = inverter.transform(X)
    return (perf_counter() - start) / len(X), W


def draw(part, n, rng):
    """At most n rows of images and their patients."""
    rows = rng.permutation(len(part[0]))[:n]
    return part[0][rows], part[1][rows]


def gap(inverter, members, held_out):
    """How the errors of both sets are distributed, and whether they can be told apart."""
    auditor = lw.PrivacyAuditor(features="pixels", random_state=0).fit(
        members[0], X_holdout=held_out[0], groups=members[1], groups_holdout=held_out[1]
    )
    found = [errors(inverter, X, inverter.transform(X)) for X, _ in (members, held_out)]
    print(f"{'quantiles':18s}", *(f"{q:7.2f}" for q in QUANTILES))
    for i, metric in enumerate(("RMSE", "LPIPS")):
        for name, error in zip(("members", "held out"), found, strict=True):
            values = (f"{value:7.4f}" for value in np.quantile(error[i], QUANTILES))
            print(f"{metric:8s} {name:9s}", *values)
        result = inversion_gap(auditor, found[0][i], found[1][i])
        print(
            f"  p {result.test.p_value:.3g} (members lower {result.test.p_near:.3g}, higher "
            f"{result.test.p_far:.3g}), AUC {result.auc}"
        )


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="npz with x (n, h, w) or (n, c, h, w), pid, optionally y")
    parser.add_argument("--generator", default=dermoscopy_generator_path())
    parser.add_argument("--random-network", type=int, metavar="SIZE", help="instead of --generator")
    parser.add_argument("--gap", action="store_true", help="members against held-out patients")
    parser.add_argument("--n-images", type=int, default=8, help="images for the projector")
    parser.add_argument("--n-batch", type=int, default=64, help="images for GANInverter")
    parser.add_argument("--steps", type=int, default=200, help="of the projector")
    parser.add_argument("--loss", choices=sorted(FEATURES), default="lpips")
    parser.add_argument("--batch-size", type=int, help="of GANInverter")
    parser.add_argument("--encoder-iter", type=int, default=500, help="fewer are a worse start")
    parser.add_argument("--device")
    return parser.parse_args()


def main():
    args = parse()
    device = resolve_device(args.device)
    generator, members, held_out = load_sets(args)
    rng = np.random.default_rng(0)
    X = members[0][rng.permutation(len(members[0]))[: args.n_batch]]
    print(f"{generator}, {device}, {torch.get_num_threads()} threads, loss {args.loss}")
    inverter = lw.GANInverter(
        generator.using(device=device, batch_size=args.batch_size or "auto"),
        loss=args.loss,
        encoder_iter=args.encoder_iter,
        random_state=0,
    )
    start = perf_counter()
    inverter.fit(X)
    print(f"encoder and preconditioner: {perf_counter() - start:.1f} s, once", flush=True)
    if args.gap:
        gap(inverter, *(draw(part, args.n_batch, rng) for part in (members, held_out)))
    elif args.random_network:
        seconds, W = timed(inverter, X)
        show("GANInverter", seconds, errors(inverter, X, W))
        print(f"{SHENZHEN} images: {seconds * SHENZHEN / 60:.1f} minutes")
    else:
        compare(inverter, X, args, device)


if __name__ == "__main__":
    main()

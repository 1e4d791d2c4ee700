"""GANInverter against the algorithm of the official StyleGAN2-ADA projector, on real images.

The projector, from its description (Karras et al., CVPR 2020, appendix D, and NeurIPS 2020): one
image at a time in W; from the mean of w; Adam at a rate of 0.1 that rises over the first 5 % of
the steps and falls by a cosine over the last 25 %; Gaussian noise on w that shrinks to 0 over the
first 75 %. The published loss is a VGG16 distance; here both sides minimise the distance named
by ``--loss``, and neither optimises noise maps. Prints the time an image, the error and the ratio;
our encoder is trained once and counted apart.

    python benchmarks/inversion.py --n-images 8
    python benchmarks/inversion.py --data nih_cxr1000_64.npz --generator network.safetensors
"""

from __future__ import annotations

import argparse
from math import cos, pi
from time import perf_counter

import latentwalk as lw
import numpy as np
import torch
from latentwalk.datasets import dermoscopy_generator_path, fetch_dermoscopy, split_patients
from latentwalk.inversion._objective import FEATURES
from latentwalk.utils import resolve_device, to_tensor


def project(generator, image, features, n_steps, device, rng):
    """Project one image of shape (1, c, h, w), by the published algorithm."""
    mean = torch.tensor(generator.w_mean, device=device)[None]
    # the published spread of w is a scalar: root of the summed variance
    spread = float(np.sqrt(np.square(generator.w_std).sum()))
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


def load_images(path, generator):
    """Real images of the generator's shape; by default members of the dermoscopy patches."""
    if path is None:
        data = fetch_dermoscopy()
        members = split_patients(data.images, groups=data.groups, random_state=0).members
        return data.images[members]
    X = np.load(path)["x"]
    X = X[:, None] if X.ndim == 3 else X
    if X.shape[1:] != generator.image_shape:
        raise SystemExit(f"images of {X.shape[1:]}; the generator makes {generator.image_shape}")
    return X


def show(name, seconds, error, perceptual):
    print(
        f"{name:32s} {seconds:8.3f} s an image   RMSE {np.mean(error):.4f}"
        f"   LPIPS {np.mean(perceptual):.4f}",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="npz with an array x of images (n, h, w) or (n, c, h, w)")
    parser.add_argument("--generator", default=dermoscopy_generator_path())
    parser.add_argument("--n-images", type=int, default=8, help="images for the projector")
    parser.add_argument("--n-batch", type=int, default=64, help="images for GANInverter")
    parser.add_argument("--steps", type=int, default=200, help="of the projector")
    parser.add_argument("--loss", choices=sorted(FEATURES), default="pixels")
    parser.add_argument("--device")
    args = parser.parse_args()
    device = resolve_device(args.device)
    generator = lw.load_generator(args.generator)
    X = load_images(args.data, generator)
    X = X[np.random.default_rng(0).permutation(len(X))[: args.n_batch]]
    few = X[: args.n_images]
    print(f"{generator}, {device}, {torch.get_num_threads()} threads, loss {args.loss}")

    inverter = lw.GANInverter(generator, loss=args.loss, device=device, random_state=0)
    start = perf_counter()
    inverter.fit(X)
    print(f"encoder and preconditioner: {perf_counter() - start:.1f} s, once")

    def errors(images, W):
        return [inverter.reconstruction_error(images, W, metric=m) for m in ("pixel", "lpips")]

    rng = torch.Generator(device).manual_seed(0)
    images = to_tensor(few, device)
    start = perf_counter()
    features = FEATURES[args.loss]
    projected = [project(generator, x, features, args.steps, device, rng) for x in images[:, None]]
    W = torch.cat(projected)
    published = (perf_counter() - start) / len(few)
    show(f"published, {args.steps} steps", published, *errors(few, W.cpu().numpy()))
    for max_iter in (0, 10, 20, inverter.max_iter):
        inverter.set_params(max_iter=max_iter)
        start = perf_counter()
        W = inverter.transform(X)
        seconds = (perf_counter() - start) / len(X)
        show(f"GANInverter, max_iter={max_iter}", seconds, *errors(few, W[: len(few)]))
        print(f"{'':32s} {published / seconds:8.1f} times faster")


if __name__ == "__main__":
    main()

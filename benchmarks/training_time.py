"""Time of a training step, by the side of the images and the width of the network.

Random images are enough: a step does the same arithmetic whatever they show. The time is that of
the processor in one thread, so that other work on the machine changes it little. A run of one step
is subtracted, which leaves out what is done once in a run; a run before both is not timed, which
leaves out what is done once in a process.

    python benchmarks/training_time.py --sides 32 64 128 --widths small medium official
"""

from __future__ import annotations

import argparse
import time
import warnings

import latentwalk as lw
import numpy as np
import torch
from latentwalk.generators._sizes import SIZES


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sides", type=int, nargs="+", default=[32, 64, 128])
    parser.add_argument("--widths", nargs="+", default=["small", "medium"], choices=SIZES[1:])
    parser.add_argument("--channels", type=int, default=1, choices=(1, 3))
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--steps", type=int, default=4, help="steps that are timed")
    parser.add_argument("--max-iter", type=int, default=5000, help="steps of the whole run")
    parser.add_argument(
        "--discriminator", default="alexnet", choices=("efficientnet", "alexnet", "stylegan2")
    )
    return parser.parse_args()


def cpu_seconds(args, images, width, steps):
    """Processor time of a fit with so many steps."""
    trainer = lw.StyleGAN2Trainer(
        discriminator=args.discriminator,
        size=width,
        max_iter=steps,
        batch_size=args.batch_size,
        device="cpu",
        random_state=0,
    )
    start = time.process_time()
    trainer.fit(images)
    return time.process_time() - start


def main():
    args = parse()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    print(f"{args.discriminator}, batches of {args.batch_size}, one thread of a CPU")
    print(f"{'side':>5} {'width':>9} {'s a step':>9} {'hours of ' + str(args.max_iter):>14}")
    for side in args.sides:
        shape = (2 * args.batch_size, args.channels, side, side)
        images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        for width in args.widths:
            cpu_seconds(args, images, width, 1)
            once, more = (cpu_seconds(args, images, width, n) for n in (1, 1 + args.steps))
            step = (more - once) / args.steps
            print(
                f"{side:5} {width:>9} {step:9.2f} {step * args.max_iter / 3600:14.1f}", flush=True
            )


if __name__ == "__main__":
    main()

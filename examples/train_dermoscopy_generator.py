"""Train the generator that ships with latentwalk.

Trains on the members of ``split_patients(images, groups=groups, random_state=0)`` alone, so that
the calibration, reference and audit patches of the quickstart are new to the network. About an
hour on one CPU core; run it again with the same checkpoint to go on after an interrupt.

    python examples/train_dermoscopy_generator.py --out dermoscopy.safetensors
"""

from __future__ import annotations

import argparse

import latentwalk as lw
import numpy as np
from latentwalk.datasets import fetch_dermoscopy
from PIL import Image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="dermoscopy.safetensors", help="the weights file")
    parser.add_argument("--checkpoint", default="dermoscopy.checkpoint", help="to resume from")
    parser.add_argument("--max-iter", type=int, default=12000, help="training steps")
    parser.add_argument("--sheet", help="write a sheet of 128 samples to this PNG")
    args = parser.parse_args()

    data = fetch_dermoscopy()
    members = lw.split_patients(data.images, groups=data.groups, random_state=0).members
    trainer = lw.StyleGAN2Trainer(
        max_iter=args.max_iter,
        batch_size=32,
        latent_dim=128,
        channel_base=1024,
        channel_max=128,
        r1_gamma=0.02,
        ada_images=100_000,
        mirror=True,
        precision="bfloat16",
        checkpoint=args.checkpoint,
        device="cpu",
        random_state=0,
        verbose=True,
    )
    generator = trainer.fit(data.images[members]).generator_.save(args.out, dtype="float16")
    print(generator, {name: values[-1].round(3) for name, values in trainer.history_.items()})
    if args.sheet:
        save_sheet(generator, args.sheet)


def save_sheet(generator: lw.Generator, path: str) -> None:
    """Write 8 rows of 16 samples."""
    images, _ = generator.sample(128, random_state=0)
    _, n_channels, size, _ = images.shape
    grid = images.reshape(8, 16, n_channels, size, size).transpose(0, 3, 1, 4, 2)
    grid = np.rint(grid.reshape(8 * size, 16 * size, n_channels) * 255).astype(np.uint8)
    Image.fromarray(grid).save(path)


if __name__ == "__main__":
    main()

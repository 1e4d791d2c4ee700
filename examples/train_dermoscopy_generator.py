"""Train the generator that ships with latentwalk.

Trains on the members of ``split_patients(images, groups=groups, random_state=0)`` alone, so that
the calibration, reference and audit patches of the quickstart are new to the network. It takes
about eleven minutes on one CPU core. After an interrupt, run it again with the same checkpoint to
continue.

    python examples/train_dermoscopy_generator.py --out dermoscopy.safetensors
"""

from __future__ import annotations

import argparse

import latentwalk as lw
from latentwalk.datasets import fetch_dermoscopy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="dermoscopy.safetensors", help="the weights file")
    parser.add_argument("--checkpoint", default="dermoscopy.checkpoint", help="to resume from")
    parser.add_argument("--max-iter", type=int, default=2000, help="training steps")
    parser.add_argument("--sheets", help="a folder for sheets of samples")
    args = parser.parse_args()

    data = fetch_dermoscopy()
    split = lw.split_patients(data.images, groups=data.groups, random_state=0)
    trainer = lw.StyleGAN2Trainer(
        discriminator="efficientnet",
        max_iter=args.max_iter,
        batch_size=16,
        size="small",
        mirror=True,
        checkpoint=args.checkpoint,
        sample_sheets=args.sheets,
        device="cpu",
        random_state=0,
        verbose=True,
    )
    trainer.fit(
        data.images[split.members],
        groups=data.groups[split.members],
        X_val=data.images[split.calibration],
        groups_val=data.groups[split.calibration],
    )
    generator = trainer.generator_.save(args.out, dtype="float16")
    print(generator, {name: values[-1].round(3) for name, values in trainer.history_.items()})


if __name__ == "__main__":
    main()

"""Peak memory of one step on rows in a memory map: does it grow with the rows, and how fast?

    python benchmarks/memory.py decode --rows 2000 20000
    python benchmarks/memory.py invert pixels --rows 2000 4000

Each number of rows is a process of its own. Printed: the peak beside what the imports and a run on
64 rows take, in MB and in multiples of the step's images as bytes. The dermoscopy network ships
with the package; its images have 3x32x32 values. Linux alone tells a process's peak.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from common import report_ratio


def decode(generator, rows, images):
    import latentwalk as lw

    latents = np.zeros((rows, generator.n_latent_features), np.float32)
    lw.GANDecoder(generator, output_dtype="uint8").fit_transform(latents)


def decode_floats(generator, rows, images):
    import latentwalk as lw

    latents = np.zeros((rows, generator.n_latent_features), np.float32)
    lw.GANDecoder(generator).fit_transform(latents)


def decode_out(generator, rows, images):
    from latentwalk.generators import decode_latents

    latents = np.zeros((rows, generator.n_latent_features), np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path, shape = Path(folder) / "x.npy", (rows, *generator.image_shape)
        out = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
        decode_latents(generator, latents, output_dtype="uint8", out=out)


def invert(generator, rows, images):
    import latentwalk as lw

    lw.GANInverter(generator, max_iter=0, encoder_iter=0, loss="pixels").fit(images).transform(
        images[:rows]
    )


def pixels(generator, rows, images):
    from latentwalk.features import PixelFeatures

    PixelFeatures().fit_transform(images[:rows])


STEPS = {step.__name__: step for step in (decode, decode_floats, decode_out, invert, pixels)}


def peak():
    """The most memory that this process has had, in bytes."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure(step, rows, path):
    """Print the growth of the peak, in bytes."""
    import latentwalk as lw
    from latentwalk.datasets import dermoscopy_generator_path

    generator = lw.load_generator(dermoscopy_generator_path())
    images = np.load(path, mmap_mode="r")
    STEPS[step](generator, 64, images[:64])
    before = peak()
    STEPS[step](generator, rows, images[:rows])
    print(peak() - before)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("steps", nargs="+", choices=sorted(STEPS))
    parser.add_argument("--rows", type=int, nargs="+", default=[2000, 20000])
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        return measure(args.steps[0], args.rows[0], args.measure)
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "images.npy"
        shape = (max(args.rows), 3, 32, 32)
        np.save(path, rng.integers(0, 256, shape, dtype=np.uint8))
        print("step             rows   peak (MB)   of the images' bytes")
        for step in args.steps:
            for rows in args.rows:
                command = [sys.executable, __file__, step, "--rows", str(rows)]
                command += ["--measure", str(path)]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                grown, size = int(done.stdout.splitlines()[-1]), rows * 3 * 32 * 32
                print(f"{step:14s} {rows:6d} {grown / 1e6:11.1f} {grown / size:22.1f}")
                report_ratio(f"memory, {step} of {rows} rows: peak over the images", grown / size)


if __name__ == "__main__":
    main()

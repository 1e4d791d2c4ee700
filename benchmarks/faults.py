"""Faults at random moments: what is on the disk afterwards is the old, the new, or refused.

    python benchmarks/faults.py --trials 100

A process that writes is killed (SIGKILL) at a random moment; files are cut short, and one bit of
them is turned; a disk is full (a tmpfs of 1 MB, which takes root); a generator makes NaN; a file
or a whole folder goes during a run. Printed for each fault: the trials, those that ended well, and
those that did not. The command fails when there are any.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from latentwalk import GANDecoder, GANInverter, Generator, StyleGAN2Trainer, write_release
from latentwalk.datasets import ImageFiles
from latentwalk.generators import NetworkSize
from latentwalk.generators._training._checkpoints import read_checkpoint
from latentwalk.inversion._store import Inverted, RowStore
from PIL import Image

IMAGES = np.random.default_rng(0).integers(0, 256, (16, 1, 8, 8), dtype=np.uint8)
LONGEST = 0.5  # seconds until a process is killed


def killed(rng, work):
    """Run `work` in a process of its own, and kill it at a random moment."""
    process = os.fork()
    if process == 0:
        with open(os.devnull, "w") as nowhere:  # nothing of a child reaches the table
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
        with suppress(BaseException):
            work()
        os._exit(0)
    time.sleep(rng.uniform(0, LONGEST))
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)


def damaged(rng, content):
    """The bytes with one bit turned, or cut short."""
    place = int(rng.integers(len(content)))
    if rng.random() < 0.5:
        return content[:place]
    turned = bytearray(content)
    turned[place] ^= 1 << int(rng.integers(8))
    return bytes(turned)


def train(path, steps):
    size = NetworkSize(channel_base=16, channel_max=64, latent_dim=16, mapping_layers=1)
    return StyleGAN2Trainer(
        size=size,
        discriminator="stylegan2",
        max_iter=steps,
        batch_size=4,
        checkpoint=path,
        checkpoint_interval=1,
        random_state=0,
    ).fit(IMAGES)


def checkpoint_killed(rng, folder):
    path = folder / "run.safetensors"
    killed(rng, lambda: train(path, 10_000))
    return not path.exists() or bool(read_checkpoint(path, torch.device("cpu")))


def checkpoint_damaged(rng, folder):
    path = folder / "run.safetensors"
    train(path, 1)
    path.write_bytes(damaged(rng, path.read_bytes()))
    try:
        read_checkpoint(path, torch.device("cpu"))
    except ValueError as error:
        return "checkpoint" in str(error)
    return False


def rows(block):
    """Four rows, of which every value is the number of the block."""
    return Inverted(np.full((4, 6), block, np.float32), np.full(4, block), np.ones(4, bool))


def is_right(store):
    return all((row.latents == int(key.split("-")[0])).all() for key, row in store.load().items())


def cache_killed(rng, folder):
    store = RowStore(folder, "a context")

    def work():
        for block in range(100_000):
            store.save([f"{block}-{i}" for i in range(4)], rows(block))

    killed(rng, work)
    return is_right(store)


def cache_damaged(rng, folder):
    store = RowStore(folder, "a context")
    for block in range(3):
        store.save([f"{block}-{i}" for i in range(4)], rows(block))
    path = next(store.folder.glob("*.npz"))
    path.write_bytes(damaged(rng, path.read_bytes()))
    return is_right(store) and len(store.load()) == 8


def release_killed(rng, folder):
    def work():
        for number in range(100_000):
            write_release(folder / str(number), IMAGES, allow="a benchmark")

    killed(rng, work)
    done = [path for path in folder.iterdir() if not path.name.startswith(".")]
    whole = all((path / "manifest.json").exists() for path in done)
    write_release(folder / str(len(done)), IMAGES, allow="a benchmark")
    return whole and not list(folder.glob(f".unfinished-{len(done)}-*"))


def picture_files(folder):
    for i, image in enumerate(IMAGES):
        Image.fromarray(image[0]).save(folder / f"{i}.png")
    return ImageFiles(sorted(folder.glob("*.png")), size=8)


def images_killed(rng, folder):
    files, path = picture_files(folder), folder / "images.npy"

    def work():
        while True:
            files.save(path)

    killed(rng, work)
    return not path.exists() or np.array_equal(np.load(path), np.asarray(files))


class BrokenNetwork(torch.nn.Module):
    """Gives NaN for latents whose first value is over a bound."""

    def __init__(self, bound):
        super().__init__()
        self.bound = bound

    def forward(self, w):
        images = w.tanh().mean(dim=1)[:, None, None, None].repeat(1, 1, 8, 8)
        return torch.where(w[:, :1, None, None] > self.bound, torch.nan, images)


def generator_of_nan(rng, folder):
    """The decoder and the inverter refuse what is not finite, and pass what is."""
    network = BrokenNetwork(bound=rng.uniform(1, 3))
    generator = Generator.from_module(network, w_dim=6, image_shape=(1, 8, 8))
    latents = rng.normal(size=(64, 6)).astype(np.float32)
    try:
        images = GANDecoder(generator).fit_transform(latents)
        inverter = GANInverter(generator, max_iter=0, encoder_iter=1, random_state=0)
        found = inverter.fit(IMAGES).transform(IMAGES)
    except ValueError as error:
        return "NaN" in str(error)
    made_nan = (latents[:, 0] > network.bound).any()
    return not made_nan and np.isfinite(images).all() and np.isfinite(found).all()


def image_unreadable(rng, folder):
    """A file is damaged or removed after the first look: its row is named, and its name is not."""
    files, row = picture_files(folder), int(rng.integers(len(IMAGES)))
    path = files.paths[row]
    if rng.random() < 0.3:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: int(rng.integers(60))])
    try:
        files.save(folder / "images.npy")
    except ValueError as error:
        named = f"image {row} of the files" in str(error) and path.name not in str(error)
        return named and not list(folder.glob("*images.npy*"))
    return False


def removed(rng, folder):
    """Remove a folder at a random moment within the next milliseconds."""

    def remove():
        time.sleep(rng.uniform(0, 0.02))
        shutil.rmtree(folder, ignore_errors=True)

    thread = threading.Thread(target=remove)
    thread.start()
    return thread


def cache_removed(rng, folder):
    """The rows that are finished later are kept, and a moment too bad is a clear error."""
    cache = folder / "cache"
    store, removal = RowStore(cache, "a context"), removed(rng, cache)
    for block in range(30):
        try:
            store.save([f"{block}-{i}" for i in range(4)], rows(block))
        except OSError as error:
            if "cache_dir cannot take" not in str(error):
                return False
    removal.join()
    store.save([f"30-{i}" for i in range(4)], rows(30))
    return is_right(store) and "30-0" in store.load()


def images_removed(rng, folder):
    """The folder of the images goes while they are read: all of them, or a clear error."""
    source = folder / "source"
    source.mkdir()
    files = picture_files(source)
    expected, removal = np.asarray(files), removed(rng, source)
    try:
        saved = np.array(files.save(folder / "images.npy"))
    except ValueError as error:
        return "of the files" in str(error) and not list(folder.glob("*images.npy*"))
    finally:
        removal.join()
    return np.array_equal(saved, expected)


def images_full_disk(rng, folder):
    """Raises OSError and leaves nothing; None where no disk can be mounted."""
    disk = folder / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        return None
    try:
        picture_files(folder)
        path = next(folder.glob("*.png"))
        with suppress(OSError):
            ImageFiles([path] * 8, size=int(rng.integers(400, 800))).save(disk / "images.npy")
            return False
        return not list(disk.iterdir())
    finally:
        subprocess.run(["umount", str(disk)], check=True)


FAULTS = (
    checkpoint_killed,
    checkpoint_damaged,
    cache_killed,
    cache_damaged,
    release_killed,
    images_killed,
    images_full_disk,
    generator_of_nan,
    image_unreadable,
    cache_removed,
    images_removed,
)


def attempt(fault, rng):
    """Return True, False, None (could not be tried) or the error that was not expected."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            return fault(rng, Path(folder))
        except Exception as error:  # a raw error is a failure to count, whatever it is
            return f"{type(error).__name__}: {error}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=100, help="for each fault")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    rng, failed = np.random.default_rng(args.seed), 0
    print("fault                trials  survived  failed")
    for fault in FAULTS:
        ends = [attempt(fault, rng) for _ in range(args.trials)]
        tried = [end for end in ends if end is not None]
        bad = [end for end in tried if end is not True]
        failed += len(bad)
        print(f"{fault.__name__:20s} {len(tried):6d} {len(tried) - len(bad):9d} {len(bad):7d}")
        for end in bad[:3]:
            print("   ", end)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()

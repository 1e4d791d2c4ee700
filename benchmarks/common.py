"""What the benchmarks share: real image sets in npz files, and how a ratio is printed."""

from __future__ import annotations

import re

import numpy as np
from latentwalk.datasets import fetch_dermoscopy
from PIL import Image

RATIO = re.compile(r"^ratio: (.+) = (\S+)$", re.MULTILINE)


def report_ratio(name, value):
    """Print a ratio so that `all.py` finds it; the name says what is over what."""
    print(f"ratio: {name} = {value:.4g}", flush=True)


def load_real(path=None, size=None):
    """`load_npz` of a file; without one the dermoscopy patches, which have no classes."""
    if path is not None:
        return load_npz(path, size)
    patches = fetch_dermoscopy()
    return patches.images, None, patches.groups


def load_npz(path, size=None):
    """Images (n, c, size, size) as bytes, classes or None, and the patient of each.

    A file without patients (pid) makes every image its own.
    """
    with np.load(path, allow_pickle=False) as data:
        x, y, groups = data["x"], data.get("y"), data.get("pid")
    groups = np.arange(len(x)) if groups is None else groups
    x = x[:, None] if x.ndim == 3 else x
    return x if size in (None, x.shape[-1]) else resize(x, size), y, groups


def resize(images, size):
    """Bytes (n, c, h, w) at another size."""
    planes = images.reshape(-1, *images.shape[2:])
    small = [np.asarray(Image.fromarray(p).resize((size, size), Image.LANCZOS)) for p in planes]
    return np.stack(small).reshape(*images.shape[:2], size, size)

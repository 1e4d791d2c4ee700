"""What is looked at while a generator trains: sample sheets, and whether it copies its images."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from latentwalk.generators._generator import Generator
from latentwalk.metrics import exact_test, exposure, subject_minima
from latentwalk.utils import to_float

N_DRAWS = 10
MAX_SIDE = 16


class HeldOut(NamedTuple):
    """Images of subjects that train nothing, and the subject codes of both sets."""

    images: NDArray[Any]
    codes: NDArray[np.intp]
    member_codes: NDArray[np.intp]


def memorisation_p_value(
    generator: Generator, members: NDArray[Any], held_out: HeldOut, *, seed: int = 0
) -> float:
    """Return the exact p-value that samples come nearer to members than to held-out subjects.

    As many samples as members, compared by pixels at 8x8 or less: copies survive that, and a
    distance there is not ruled by noise. The same number of images of each subject counts.
    """
    samples, _ = generator.sample(len(members), random_state=seed, device="cpu")
    features = _coarse(samples)
    fewest = min(np.bincount(held_out.codes).min(), np.bincount(held_out.member_codes).min())
    minima = [
        subject_minima(
            exposure(_coarse(images), features),
            codes,
            n_images=int(fewest),
            n_draws=N_DRAWS,
            random_state=seed,
        )
        for images, codes in (
            (members, held_out.member_codes),
            (held_out.images, held_out.codes),
        )
    ]
    return exact_test(*minima).p_near


def _coarse(images: NDArray[Any]) -> NDArray[np.float32]:
    """Mean over square blocks, at most 8x8 of them, as rows."""
    n, channels, height, width = images.shape
    block = max(height // 8, 1)
    blocks = to_float(images).reshape(n, channels, height // block, block, width // block, block)
    means: NDArray[np.float32] = blocks.mean((3, 5)).reshape(n, -1)
    return means


def write_sample_sheet(generator: Generator, path: Path, *, n_samples: int = 128) -> None:
    """Write samples from the same latents each time, as a PNG grid of up to 16 columns.

    The classes of a conditional generator follow each other in rows; images of two or more than
    three channels show their first.
    """
    y = np.arange(n_samples) * generator.n_classes // n_samples if generator.n_classes else None
    images, _ = generator.sample(n_samples, y, random_state=0, device="cpu")
    if images.shape[1] not in (1, 3):
        images = images[:, :1]
    columns = min(MAX_SIDE, n_samples)
    images = images[: n_samples // columns * columns]
    _, channels, height, width = images.shape
    grid = images.reshape(-1, columns, channels, height, width).transpose(0, 3, 1, 4, 2)
    grid = grid.reshape(-1, columns * width, channels)
    pixels = np.rint(grid * 255).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels).save(path)

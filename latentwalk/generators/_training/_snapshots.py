"""What is looked at while a generator trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from latentwalk.generators._generator import Generator
from latentwalk.generators._stylegan2 import StyleGAN2
from latentwalk.generators._training._memorisation import HeldOut, MemorisationTest, coarse
from latentwalk.metrics import coverage, frechet_distance, improved_recall, kernel_distance
from latentwalk.utils import map_batches, to_bytes, to_float

FIGURES = (
    "memorisation_p",
    "frechet_distance",
    "kernel_distance",
    "coverage",
    "recall",
    "kernel_distance_val",
)
N_NEIGHBORS = 5  # of coverage and recall, as published
MAX_SAMPLES = 5_000
CHUNK = 500
MAX_SIDE = 16


class Snapshots:
    """Sample sheets, the test for memorisation and fidelity, each where it is asked for.

    What they need of the real images is worked out once, before the training starts.
    """

    def __init__(
        self,
        images: NDArray[Any],
        labels: NDArray[np.int64] | None,
        *,
        held_out: HeldOut | None,
        features: Any,
        sheets: Path | None,
        device: torch.device,
    ) -> None:
        self._sheets, self._device = sheets, device
        if sheets is not None:
            sheets.mkdir(parents=True, exist_ok=True)
        rows = np.sort(np.random.RandomState(0).permutation(len(images))[:MAX_SAMPLES])
        self._n_samples = len(rows)
        # samples have the classes of the images that they are compared with
        self._y = None if labels is None else labels[rows]
        self._test = None if held_out is None else MemorisationTest(images, held_out)
        self._features = features
        self._real = None if features is None else self._extract(images, rows)
        self._val: NDArray[Any] | None = None
        if features is not None and held_out is not None:
            n_val = min(len(held_out.images), MAX_SAMPLES)
            self._val = self._extract(held_out.images, np.arange(n_val))

    def look(self, network: StyleGAN2, step: int) -> dict[str, float]:
        """Return the figures of a network by name, and write a sheet of its samples."""
        if self._sheets is None and self._test is None and self._features is None:
            return {}
        generator = Generator.from_stylegan2(network, device=self._device)
        if self._sheets is not None:
            write_sample_sheet(generator, self._sheets / f"samples-{step:07d}.png")
        if self._test is None and self._features is None:
            return {}
        small, features = self._sample(generator)
        found = dict.fromkeys(FIGURES, np.nan) | {"snapshot_step": step}
        if self._test is not None:
            found["memorisation_p"] = self._test.p_value(small)
        if self._features is not None:
            found |= self._fidelity(features)
        return found

    def _extract(self, images: NDArray[Any], rows: NDArray[np.intp]) -> NDArray[Any]:
        # floats, as the samples are: a function of the user's may not scale bytes
        transform = self._features.transform
        return map_batches(
            lambda part: transform(to_float(np.asarray(images[rows[part]]))), len(rows)
        )

    def _fidelity(self, samples: NDArray[Any]) -> dict[str, float]:
        assert self._real is not None
        k = min(N_NEIGHBORS, len(self._real) - 1)
        found = {
            "frechet_distance": frechet_distance(samples, self._real),
            "kernel_distance": kernel_distance(samples, self._real),
            "coverage": coverage(samples, self._real, n_neighbors=k),
            "recall": improved_recall(samples, self._real, n_neighbors=k),
        }
        if self._val is not None:
            found["kernel_distance_val"] = kernel_distance(samples, self._val)
        return found

    def _sample(self, generator: Generator) -> tuple[NDArray[Any], NDArray[Any]]:
        """Coarse pixels and features of samples, a chunk at a time."""
        rng, small, features = np.random.RandomState(0), [], []
        for start in range(0, self._n_samples, CHUNK):
            n = min(CHUNK, self._n_samples - start)
            y = None if self._y is None else self._y[start : start + n]
            images, _ = generator.sample(n, y, random_state=rng)
            small.append(coarse(images))
            if self._features is not None:
                features.append(self._features.transform(images))
        return np.concatenate(small), np.concatenate(features or small)


def write_sample_sheet(generator: Generator, path: Path, *, n_samples: int = 128) -> None:
    """Write samples from the same latents each time, as a PNG grid of up to 16 columns.

    The classes of a conditional generator follow each other in rows; images of two or more than
    three channels show their first.
    """
    y = np.arange(n_samples) * generator.n_classes // n_samples if generator.n_classes else None
    images, _ = generator.sample(n_samples, y, random_state=0)
    if images.shape[1] not in (1, 3):
        images = images[:, :1]
    columns = min(MAX_SIDE, n_samples)
    images = images[: n_samples // columns * columns]
    _, channels, height, width = images.shape
    grid = images.reshape(-1, columns, channels, height, width).transpose(0, 3, 1, 4, 2)
    grid = grid.reshape(-1, columns * width, channels)
    pixels = to_bytes(grid)
    Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels).save(path)

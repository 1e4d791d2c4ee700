"""Whether a generator's samples come nearer to those it was trained on than to others."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentwalk.metrics import exact_test, exposure, subject_minima
from latentwalk.utils import map_batches, to_float

N_DRAWS = 10


class HeldOut(NamedTuple):
    """Images of subjects that train nothing, and the subject codes of both sets."""

    images: NDArray[Any]
    codes: NDArray[np.intp]
    member_codes: NDArray[np.intp]


class MemorisationTest:
    """The exact test that samples come nearer to members than to held-out subjects.

    Images are compared by pixels at 8x8 or less: copies survive that, and a distance there is not
    ruled by noise. The same number of images of each subject counts. Kept of the images are these
    few pixels.
    """

    def __init__(self, members: NDArray[Any], held_out: HeldOut, *, random_state: int = 0) -> None:
        self._random_state = random_state
        self._sets = [
            (_coarse_rows(members), held_out.member_codes),
            (_coarse_rows(held_out.images), held_out.codes),
        ]
        self._n_images = min(int(np.bincount(codes).min()) for _, codes in self._sets)

    def p_value(self, samples: NDArray[np.float32]) -> float:
        """Return the exact p-value for the coarse pixels of samples, shape (n, n_features)."""
        minima = [
            subject_minima(
                exposure(features, samples),
                codes,
                n_images=self._n_images,
                n_draws=N_DRAWS,
                random_state=self._random_state,
            )
            for features, codes in self._sets
        ]
        return exact_test(*minima).p_near


def _coarse_rows(images: NDArray[Any]) -> NDArray[np.float32]:
    return map_batches(lambda rows: coarse(images[rows]), len(images))


def coarse(images: Any) -> NDArray[np.float32]:
    """Means over square blocks, at most 8x8 of them, as rows."""
    pixels = to_float(np.asarray(images))
    n, channels, height, width = pixels.shape
    block = max(height // 8, 1)
    blocks = pixels.reshape(n, channels, height // block, block, width // block, block)
    means: NDArray[np.float32] = blocks.mean((3, 5)).reshape(n, -1)
    return means

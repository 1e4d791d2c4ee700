"""A piece of a member in another image: the best match of any window, anywhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import check_random_state, gen_batches
from torch.nn import functional

from latentwalk.auditing._attacks._base import N_NEIGHBORS, MembershipAttack, register_attack

MOST_FITTED, BATCH = 20_000, 256
# a window of little contrast is the background of everybody
LEAST_CONTRAST = 0.5


@register_attack("parts")
class PartsAttack(MembershipAttack):
    """Windows of a record, looked for everywhere in every synthetic image.

    Images are made grey and averaged down to `side`; a window is a quarter of that, less its mean
    and to length one, so that brightness and contrast of the pasted piece do not matter. Windows
    of the records overlap by half, those of the release are at every place. For each window of a
    record its best match in each synthetic image is found; the score is the largest ratio of the
    mean distance of the 50 best images to the distance of the best.

    Parameters
    ----------
    side : int, default=32
        Images are searched at this size, or at their own where it is smaller.
    n_components : int, default=16
        Principal components of a window that are compared.
    max_images : int, default=2000
        A larger release is searched in so many of its images, drawn at random.
    """

    sees_records = True

    def __init__(self, side: int = 32, n_components: int = 16, max_images: int = 2000) -> None:
        self.side = side
        self.n_components = n_components
        self.max_images = max_images

    def score_samples(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return the largest log-ratio over the windows of each record."""
        grey = _shrunk(X, self.side)
        width = grey.shape[1] // 4
        windows, contrast = _windows(grey, width, max(1, width // 2))
        n, n_windows = windows.shape[:2]
        rows = _unit(windows.reshape(n * n_windows, -1) @ self.axes_)
        scores = np.concatenate([self._best(rows[part]) for part in gen_batches(len(rows), BATCH)])
        scores[contrast.ravel() < LEAST_CONTRAST * np.median(contrast)] = -np.inf
        best: NDArray[np.float64] = scores.reshape(n, n_windows).max(axis=1)
        # an image without any contrast has no window: it is least like a member
        return np.where(np.isfinite(best), best, scores[np.isfinite(scores)].min(initial=0.0))

    def _learn(self) -> None:
        rng = check_random_state(0)
        chosen = rng.permutation(len(self.synthetic_))[: self.max_images]
        grey = _shrunk(self.synthetic_[chosen], self.side)
        windows = _windows(grey, grey.shape[1] // 4, 1)[0]  # (n, n_places, w * w)
        flat = windows.reshape(-1, windows.shape[-1])
        some = flat[rng.permutation(len(flat))[:MOST_FITTED]]
        self.axes_ = np.linalg.eigh(some.T @ some)[1][:, ::-1][:, : self.n_components]
        release = _unit(flat @ self.axes_).reshape(*windows.shape[:2], -1)
        # by place, so that the best over places is taken in the cache
        self.release_ = np.ascontiguousarray(release.transpose(1, 2, 0))

    def _best(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """The log-ratio of each window (n, d) over all places of all synthetic images."""
        best = np.full((len(rows), self.release_.shape[2]), -1, dtype=np.float32)
        product = np.empty_like(best)
        for place in self.release_:
            np.matmul(rows, place, out=product)
            np.maximum(best, product, out=best)
        k = min(N_NEIGHBORS, best.shape[1])
        nearest = -np.partition(-best, k - 1, axis=1)[:, :k]
        distances = np.sqrt(np.maximum(2 - 2 * nearest.astype(np.float64), 1e-9))
        ratio: NDArray[np.float64] = np.log(distances.mean(axis=1) / distances.min(axis=1))
        return ratio


def _shrunk(images: NDArray[Any], side: int) -> NDArray[np.float32]:
    """Grey images (n, h, w), averaged down until the shorter side has at most so many pixels."""
    grey = torch.tensor(np.asarray(images, dtype=np.float32)).mean(dim=1, keepdim=True)
    shortest = min(grey.shape[2:])
    if shortest > side:
        height, width = (round(length * side / shortest) for length in grey.shape[2:])
        grey = functional.adaptive_avg_pool2d(grey, (height, width))
    return np.asarray(grey.numpy()[:, 0])


def _windows(
    grey: NDArray[np.float32], width: int, stride: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Standardised windows (n, n_places, width * width) and their contrast (n, n_places)."""
    width = max(2, width)
    view = np.lib.stride_tricks.sliding_window_view(grey, (width, width), axis=(1, 2))
    found = view[:, ::stride, ::stride].reshape(len(grey), -1, width * width)
    found = found - found.mean(axis=2, keepdims=True)
    contrast = np.linalg.norm(found, axis=2)
    return found / np.maximum(contrast, 1e-6)[..., None], contrast


def _unit(rows: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(
        rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6), dtype=np.float32
    )

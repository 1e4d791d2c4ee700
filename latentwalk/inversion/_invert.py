"""Images to latents in chunks: what the estimator runs, here or in worker processes."""

from __future__ import annotations

import math
import warnings
from functools import partial
from typing import Any

import numpy as np
import torch
from joblib import effective_n_jobs
from numpy.typing import NDArray

from latentwalk.features import lpips_distance
from latentwalk.generators import Generator
from latentwalk.inversion._encoder import LatentEncoder, encode
from latentwalk.inversion._lbfgs import optimize_latents
from latentwalk.inversion._settings import InversionSettings
from latentwalk.inversion._store import Inverted, RowStore
from latentwalk.utils import map_rows, progress, to_numpy, to_tensor
from latentwalk.utils._batching import AUTO_BATCH_SIZE, batch_rows, run_batches
from latentwalk.utils._blocks import run_blocks
from latentwalk.utils._mapped import MappedRows, pack_rows, unpack_rows
from latentwalk.utils._torch import check_made

# From this many rows on, a row's result on a CPU does not depend on their number.
MIN_ROWS = 16


def invert_images(
    settings: InversionSettings,
    encoder: LatentEncoder,
    X: NDArray[Any],
    *,
    n_jobs: int | None = None,
    store: RowStore | None = None,
    verbose: bool = False,
) -> Inverted:
    """Find latents for images X (n, c, h, w), bytes or floats in [0, 1]."""
    if settings.max_iter and settings.preconditioner is None:
        raise ValueError(f"max_iter={settings.max_iter}, but it was 0 in fit: fit again")
    keys = store.keys(X) if store else []
    known = store.load() if store else {}
    inverted = Inverted.empty(len(X), settings.generator.n_latent_features)
    for i, key in enumerate(keys):
        if key in known:
            inverted.put(i, known[key])
    missing = np.array([i for i in range(len(X)) if not keys or keys[i] not in known], dtype=int)
    chunks = _chunks(missing, settings.generator, n_jobs)
    work = partial(_invert_chunk, settings, encoder)
    parts = run_blocks(work, chunks, take=partial(pack_rows, X), n_jobs=n_jobs)
    for rows, part in zip(progress(chunks, desc="inverting", verbose=verbose), parts, strict=True):
        if store:
            store.save([keys[i] for i in rows], part)
        inverted.put(rows, part)
    return inverted


def _chunks(
    rows: NDArray[np.intp], generator: Generator, n_jobs: int | None
) -> list[NDArray[np.intp]]:
    """Split rows into the work of one call; no worker is left without."""
    size = _rows_at_a_time(generator, AUTO_BATCH_SIZE[generator.device.type])
    size = max(min(size, math.ceil(len(rows) / effective_n_jobs(n_jobs))), 1)
    return [rows[i : i + size] for i in range(0, len(rows), size)]


def _rows_at_a_time(generator: Generator, most: int = 64) -> int:
    """Return the rows of a batch, by the image's size where the generator leaves it open."""
    given = generator.batch_size
    return batch_rows(generator.image_shape, most) if given == "auto" else int(given)


def _invert_chunk(
    settings: InversionSettings, encoder: LatentEncoder, packed: NDArray[Any] | MappedRows
) -> Inverted:
    X, generator, device = unpack_rows(packed), settings.generator, settings.generator.device
    encoder = encoder.to(device)
    objective = settings.objective() if settings.max_iter else None
    size = _rows_at_a_time(generator)

    def invert(rows: slice) -> Inverted:
        images = to_tensor(X[rows], device).contiguous(memory_format=torch.channels_last)
        start = encode(encoder, images)
        if objective is None:
            n = len(start)
            return Inverted(to_numpy(start), np.zeros(n, np.int64), np.zeros(n, np.bool_))
        optimized = optimize_latents(
            objective,
            images,
            start,
            torch.tensor(settings.preconditioner, device=device),
            max_iter=settings.max_iter,
            tol=settings.tol,
            min_rows=min(MIN_ROWS, size),
        )
        return Inverted(*map(to_numpy, optimized))

    parts = run_batches(invert, len(X), batch_size=generator.batch_size, device=device)
    return Inverted.concatenate(parts)


def reconstruction_errors(
    generator: Generator,
    X: NDArray[Any],
    W: NDArray[np.float32],
    *,
    metric: str,
    n_jobs: int | None = None,
) -> NDArray[np.float32]:
    """Return the distance of each image to the image of its latents, shape (n,).

    "pixel" is the root mean squared difference over all values of an image, which are in [0, 1];
    "lpips" is LPIPS (AlexNet, v0.1).
    """
    return map_rows(
        partial(_errors, generator, metric),
        [X, W],
        n_jobs=n_jobs,
        batch_size=generator.batch_size,
        device=generator.device,
    )


@torch.no_grad()
def _errors(
    generator: Generator, metric: str, X: NDArray[Any], W: NDArray[np.float32]
) -> NDArray[np.float32]:
    images = to_tensor(X, generator.device)
    decoded = check_made(generator.decode(to_tensor(W, generator.device)))
    if metric == "lpips":
        return to_numpy(lpips_distance(images, decoded))
    return to_numpy((images - decoded).square().mean((1, 2, 3)).sqrt())


def find_poor(errors: NDArray[np.float32], max_error: float) -> NDArray[np.bool_]:
    """Return which rows are over the bound; warn with their number."""
    poor = np.asarray(errors > max_error)
    if poor.any():
        warnings.warn(
            f"{poor.sum()} of {len(poor)} images have a reconstruction error over "
            f"max_error={max_error} (median of all {np.median(errors):.3g}): the generator cannot "
            "make them. Leave them out, or train the generator on images like them",
            stacklevel=3,
        )
    return poor

"""Images to latents in chunks: what the estimator runs, here or in worker processes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from joblib import Parallel, delayed, effective_n_jobs
from numpy.typing import NDArray

from latentwalk.features import lpips_distance
from latentwalk.generators import Generator
from latentwalk.inversion._encoder import LatentEncoder, encode
from latentwalk.inversion._objective import batch_rows
from latentwalk.inversion._optimize import optimize_latents
from latentwalk.inversion._prior import widen
from latentwalk.inversion._settings import InversionPlan
from latentwalk.inversion._store import RowStore
from latentwalk.utils import map_batches, progress, to_numpy, to_tensor
from latentwalk.utils._batching import AUTO_BATCH_SIZE

# From this many rows on, a row's result on a CPU does not depend on their number.
MIN_ROWS = 16


def invert_images(
    plan: InversionPlan,
    encoder: LatentEncoder,
    X: NDArray[np.float32],
    *,
    n_jobs: int | None = None,
    store: RowStore | None = None,
    verbose: bool = False,
) -> NDArray[np.float32]:
    """Find latents for images X (n, c, h, w) in [0, 1].

    Returns
    -------
    rows : ndarray of shape (n, n_latent_features + 2)
        Latents, the number of steps, and 1 where the row converged.
    """
    if plan.max_iter and plan.preconditioner is None:
        raise ValueError(f"max_iter={plan.max_iter}, but it was 0 in fit: fit again to optimise")
    generator = plan.generator
    keys = store.keys(X) if store else []
    known = store.load() if store else {}
    missing = np.array([i for i in range(len(X)) if not keys or keys[i] not in known], dtype=int)
    most = AUTO_BATCH_SIZE[generator.device.type]
    size = _rows_at_a_time(generator, most)
    size = max(min(size, math.ceil(len(missing) / effective_n_jobs(n_jobs))), 1)
    chunks = [missing[i : i + size] for i in range(0, len(missing), size)]
    parallel = Parallel(n_jobs=n_jobs, return_as="generator")
    results = parallel(delayed(_invert_chunk)(plan, encoder, X[rows]) for rows in chunks)
    found: NDArray[np.float32] | None = None
    for rows, result in zip(
        progress(chunks, desc="inverting", verbose=verbose), results, strict=True
    ):
        if store:
            store.save([keys[i] for i in rows], result)
        if found is None:
            found = np.empty((len(X), result.shape[1]), np.float32)
        found[rows] = result
    return _fill(found, keys, known)


def _fill(
    found: NDArray[np.float32] | None, keys: list[str], known: dict[str, NDArray[Any]]
) -> NDArray[np.float32]:
    """Put the rows in that were stored before."""
    if found is None:
        return np.stack([known[key] for key in keys])
    for i, key in enumerate(keys):
        if key in known:
            found[i] = known[key]
    return found


def _invert_chunk(
    plan: InversionPlan, encoder: LatentEncoder, X: NDArray[np.float32]
) -> NDArray[np.float32]:
    generator, device = plan.generator, plan.generator.device
    encoder = encoder.to(device)
    objective = plan.objective(device) if plan.max_iter else None
    size = _rows_at_a_time(generator)

    def invert(rows: slice) -> NDArray[Any]:
        images = to_tensor(X[rows], device).contiguous(memory_format=torch.channels_last)
        start = widen(encode(encoder, images), generator)
        if objective is None:
            return np.column_stack([to_numpy(start), np.zeros((len(start), 2))])
        result = optimize_latents(
            objective,
            images,
            start,
            torch.tensor(plan.preconditioner, device=device),
            max_iter=plan.max_iter,
            tol=plan.tol,
            min_rows=min(MIN_ROWS, size),
        )
        return np.column_stack([to_numpy(part) for part in result])

    found = map_batches(invert, len(X), batch_size=generator.batch_size, device=device)
    return found.astype(np.float32)


def _rows_at_a_time(generator: Generator, most: int = 64) -> int:
    """Rows of a batch, by the image's size where the generator leaves it open."""
    given = generator.batch_size
    return batch_rows(generator.image_shape, most) if given == "auto" else int(given)


def reconstruction_errors(
    generator: Generator,
    X: NDArray[np.float32],
    W: NDArray[np.float32],
    *,
    metric: str,
) -> NDArray[np.float32]:
    """Distance of each image to the image of its latents, shape (n,).

    "pixel" is the root mean squared difference over all values of an image, which are in [0, 1];
    "lpips" is LPIPS (AlexNet, v0.1).
    """
    device = generator.device

    @torch.no_grad()
    def error(rows: slice) -> NDArray[Any]:
        images = to_tensor(X[rows], device)
        found = generator.decode(to_tensor(W[rows], device))
        if metric == "lpips":
            return to_numpy(lpips_distance(images, found))
        return to_numpy((images - found).square().mean((1, 2, 3)).sqrt())

    return map_batches(error, len(X), batch_size=generator.batch_size, device=device)

"""The releases that are compared: what each makes of the latents of some patients."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial
from math import inf, sqrt
from typing import Any

import latentwalk as lw
import numpy as np
from benchmarks.guarantee.study import Make, Patients, Release, Study
from latentwalk.aggregation._gaussian_privacy import add_noise
from latentwalk.generators import decode_latents


def cases(study: Study, arguments: argparse.Namespace) -> Iterator[tuple[str, Make | None]]:
    """The rows of the table by name."""
    yield "real images", None
    yield "inversions", lambda train, seed: (train.W, train.y)
    yield "generator samples alone", partial(samples, study)
    for k in arguments.k:
        yield f"KSameAggregator, straight, k={k}", partial(straight, study, k=k)
    for mu in arguments.mu:
        if mu != inf:
            yield f"private evolution, mu={mu:g}", partial(evolution, study, mu=mu)
    for n_cells in arguments.cells:
        for n_axes in arguments.axes:
            for k in arguments.k:
                for mu in arguments.mu:
                    stated = "none" if mu == inf else f"{mu:g}"
                    yield (
                        f"mu={stated}, k={k}, axes={n_axes}, cells={n_cells}",
                        partial(guaranteed, study, mu=mu, k=k, n_axes=n_axes, n_cells=n_cells),
                    )


def samples(study: Study, train: Patients, seed: int) -> Release:
    """The generator's samples with labels by chance: they cost no privacy."""
    y = np.random.RandomState(seed).choice(np.unique(train.y), study.n_images)
    return study.generator.sample(study.n_images, random_state=seed)[1], y


def guaranteed(
    study: Study, train: Patients, seed: int, *, mu: float, k: int, n_axes: int, n_cells: int
) -> Release:
    noise: dict[str, Any] = {"noise": None} if mu == inf else {"mu": mu}
    aggregator = lw.DPKSameAggregator(
        study.generator,
        k,
        n_axes=n_axes,
        n_cells=n_cells,
        max_classes=study.max_classes,
        classes=np.unique(train.y),
        **noise,
    ).fit(train.W, train.y, groups=train.groups)
    return aggregator.sample(study.n_images, random_state=seed)


def straight(study: Study, train: Patients, seed: int, *, k: int) -> Release:
    """Points on straight lines between optimal prototypes, which bound nobody."""
    P = lw.KSameAggregator(k=k, random_state=seed).fit_transform(
        train.W, train.y, groups=train.groups
    )
    rng = np.random.RandomState(seed)
    first = rng.choice(len(P), study.n_images)
    second = np.array([rng.choice(np.flatnonzero(train.y == train.y[i])) for i in first])
    t = rng.uniform(size=(study.n_images, 1)).astype(np.float32)
    return (1 - t) * P[first] + t * P[second], train.y[first]


def evolution(
    study: Study,
    train: Patients,
    seed: int,
    *,
    mu: float,
    n_rounds: int = 3,
    n_candidates: int = 100,
) -> Release:
    """Private evolution: noisy votes of the patients choose the samples that vary further."""
    rng = np.random.RandomState(seed)
    drawn = []
    for code in np.unique(train.y):
        votes_of = first_rows(train, code, study.max_classes)
        W = study.generator.sample(n_candidates, random_state=seed)[1]
        for step in range(n_rounds):
            features = study.features(decode_latents(study.generator, W))
            nearest = ((votes_of[:, None] - features) ** 2).sum(axis=2).argmin(axis=1)
            # each round spends mu^2 / n_rounds on max_classes votes of a patient
            scale = sqrt(n_rounds * study.max_classes) / mu
            votes = add_noise(np.bincount(nearest, minlength=n_candidates), scale)
            shares = np.maximum(votes - 2 * scale, 0) + 1e-9
            last = step == n_rounds - 1
            n = study.n_images // len(np.unique(train.y)) if last else n_candidates
            parents = W[rng.choice(n_candidates, n, p=shares / shares.sum())]
            other = study.generator.sample(n, random_state=seed + 1 + step)[1]
            part = 0.5 if step < n_rounds - 1 else 0.3
            W = ((1 - part) * parents + part * other).astype(np.float32)
        drawn.append((W, np.full(len(W), code)))
    return tuple(np.concatenate(parts) for parts in zip(*drawn, strict=True))  # type: ignore


def first_rows(train: Patients, code: Any, max_classes: int) -> np.ndarray:
    """Features of one row of each patient of a class: a vote in each of max_classes classes."""
    chosen = []
    for patient in np.unique(train.groups):
        rows = np.flatnonzero(train.groups == patient)
        first = np.unique(train.y[rows], return_index=True)[1]
        entitled = rows[np.sort(first)[:max_classes]]
        chosen.extend(entitled[train.y[entitled] == code])
    return train.features[chosen]

"""Canaries that ask the mechanism, and four faulty ones, whether each of them took part.

Each is alone in a class of its own, with noise of its own, so that one run asks about all of them
independently.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from typing import Any

import latentwalk as lw
import numpy as np
import torch
from latentwalk.aggregation import lay_cells
from latentwalk.aggregation._fixed_cells import UNIT, CellSums, FixedCells, count_and_sum
from latentwalk.aggregation._noisy_cells import NoisyCells, add_cell_noise
from scipy.stats import beta, norm

N_CANARIES, N_AXES, N_RUNS, CONFIDENCE = 2000, 4, 40, 0.999


def canaries(cells: FixedCells, included: np.ndarray, radii: float) -> CellSums:
    """The exact numbers: a canary lies `radii` from its centre, along the first axis."""
    offset = radii * cells.radius * cells.inverse[0]
    W = np.tile(cells.mean + cells.centres[0, 0] @ cells.inverse + offset, (len(included), 1))
    codes = np.arange(len(included))
    return count_and_sum(
        cells,
        W[included].astype(np.float32),
        codes[included],
        codes[included],
        n_classes=len(included),
        max_classes=1,
    )


def likelihood_ratio(noisy: NoisyCells) -> np.ndarray:
    """The best attacker's score of each canary: over 0 for those that took part."""
    numbers = (noisy.counts[:, 0] - 0.5) / noisy.count_scale**2
    return numbers + (noisy.sums[:, 0, 0] / UNIT - 0.5) / noisy.sum_scale**2


def lower_bound(n_correct: int, n_guesses: int, confidence: float) -> float:
    """The smallest mu that so many right guesses do not reject: at most Phi(mu / 2) are right."""
    share = beta.ppf(1 - confidence, n_correct, n_guesses - n_correct + 1)  # Clopper and Pearson
    return max(0.0, 2 * float(norm.ppf(share)))


def as_stated(cells: FixedCells, included: np.ndarray, mu: float) -> np.ndarray:
    exact = canaries(cells, included, 2.0)
    return likelihood_ratio(add_cell_noise(cells, exact, mu=mu, max_classes=1))


def no_clipping(cells: FixedCells, included: np.ndarray, mu: float) -> np.ndarray:
    wide = canaries(replace(cells, radius=4 * cells.radius), included, 1.0)
    exact = CellSums(wide.counts, 4 * wide.sums)  # in steps of the radius that is stated
    return likelihood_ratio(add_cell_noise(cells, exact, mu=mu, max_classes=1))


def half_the_noise(cells: FixedCells, included: np.ndarray, mu: float) -> np.ndarray:
    return as_stated(cells, included, 2 * mu)


def noise_reused(cells: FixedCells, included: np.ndarray, mu: float) -> np.ndarray:
    """All classes get the same noise: it is seen as what they have in common."""
    exact = canaries(cells, included, 2.0)
    one = CellSums(np.zeros((1, 1), np.int64), np.zeros((1, 1, N_AXES), np.int64))
    noise = add_cell_noise(cells, one, mu=mu, max_classes=1)
    noisy = replace(noise, counts=exact.counts + noise.counts, sums=exact.sums + noise.sums)
    score = likelihood_ratio(noisy)
    return score - (score.min() + score.max()) / 2


def cells_moved(cells: FixedCells, included: np.ndarray, mu: float) -> np.ndarray:
    """Centres are means of ten patients of the cell and its canary, and are known as public."""
    moved = included * 2.0 * cells.radius / 11
    return moved - moved.max() / 2


FAULTS = {
    "as stated": as_stated,
    "no clipping": no_clipping,
    "half the noise": half_the_noise,
    "noise reused": noise_reused,
    "cells moved by private rows": cells_moved,
}


def show_canaries(arguments: argparse.Namespace, kept: dict[str, Any]) -> None:
    """The lower bounds of all runs of each mechanism."""
    decoder = torch.nn.Sequential(torch.nn.Linear(8, 64), torch.nn.Unflatten(1, (1, 8, 8)))
    generator = lw.Generator.from_module(decoder, w_dim=8, image_shape=(1, 8, 8))
    cells = lay_cells(generator, n_cells=1, n_axes=N_AXES)
    stated = 0.68
    print(f"{'mechanism':30} mu stated  lower bound: least  most  runs over")
    for name, mechanism in FAULTS.items():
        rows = kept.setdefault(name, [])
        for run in range(len(rows), N_RUNS):
            included = np.random.RandomState(run).uniform(size=N_CANARIES) < 0.5
            n_correct = int(((mechanism(cells, included, stated) > 0) == included).sum())
            rows.append(lower_bound(n_correct, N_CANARIES, CONFIDENCE))
        arguments.out.write_text(json.dumps(kept, indent=1) + "\n")
        over = int((np.array(rows) > stated).sum())
        print(f"{name:30} {stated:9}  {min(rows):18.2f} {max(rows):5.2f}  {over} of {N_RUNS}")

"""Real images by patient, the generator of the members, and inversions that are made once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import latentwalk as lw
import numpy as np
from benchmarks.common import load_npz


@dataclass(frozen=True)
class Cohort:
    """Images (n, c, h, w) as bytes, their classes and their patients."""

    X: np.ndarray
    y: np.ndarray
    groups: np.ndarray


@dataclass(frozen=True)
class Study:
    """What every release is made from and judged by.

    `public` are the calibration patients: images that whoever makes a release may look at, and
    that are not members. `reference` is what an attacker knows, `holdout` are test and audit set.
    """

    generator: lw.Generator
    members: Cohort
    public: Cohort
    reference: Cohort
    holdout: Cohort
    W: np.ndarray
    W_public: np.ndarray


def load_study(data, generator, folder, *, per_patient=20, max_iter=20, split_seed=0):
    """Split by patient, invert members and public images; inversions are kept in `folder`."""
    generator = lw.load_generator(generator)
    X, y, groups = load_npz(data, generator.image_shape[-1])
    split = lw.split_patients(X, y, groups, random_state=split_seed)
    rng = np.random.default_rng(0)
    cohorts = [
        take(X, y, groups, at_most(rng.permutation(rows), groups, per_patient))
        for rows in (split.members, split.calibration, split.reference, split.audit)
    ]
    return Study(generator, *cohorts, *invert(generator, cohorts[:2], Path(folder), max_iter))


def invert(generator, cohorts, folder, max_iter):
    """Latents of members and public images, kept in `folder`."""
    paths = [folder / f"inversions_{name}.npy" for name in ("members", "public")]
    if not all(path.exists() for path in paths):
        folder.mkdir(parents=True, exist_ok=True)
        inverter = lw.GANInverter(generator, loss="lpips", max_iter=max_iter, random_state=0)
        np.save(paths[0], inverter.fit_transform(cohorts[0].X))
        np.save(paths[1], inverter.transform(cohorts[1].X))
    return [np.load(path) for path in paths]


def take(X, y, groups, rows):
    return Cohort(X[rows], y[rows], groups[rows])


def at_most(rows, groups, per_patient):
    """The first rows of each patient, sorted."""
    order = np.argsort(groups[rows], kind="stable")
    _, start, count = np.unique(groups[rows][order], return_index=True, return_counts=True)
    place = np.arange(len(rows)) - np.repeat(start, count)
    return np.sort(rows[order[place < per_patient]])

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


@dataclass(frozen=True)
class Design:
    """How images are split, what the generator is trained on, and how long.

    A given network is used as it is. Without one, one is trained on the `trained_on` of the split.
    """

    network: str | None = None
    trained_on: str = "members"
    max_iter: int = 4000
    shares: tuple[float, float, float, float] = (0.5, 0.1, 0.1, 0.3)
    per_patient: int = 20
    inversion_steps: int = 20
    size: int | None = None

    def study(self, data, folder, seed):
        """Split by patient, train the network, invert members and public images.

        Network and inversions are kept in `folder`.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        generator = None if self.network is None else lw.load_generator(self.network)
        X, y, groups = load_npz(data, self.size if generator is None else generator.image_shape[-1])
        split = lw.split_patients(X, y, groups, shares=self.shares, random_state=seed)
        rng = np.random.default_rng(seed)
        members, public, reference, holdout = (
            take(X, y, groups, at_most(rng.permutation(rows), groups, self.per_patient))
            for rows in split
        )
        if generator is None:
            seen = members if self.trained_on == "members" else public
            generator = train(seen, folder, self.max_iter, seed)
        latents = invert(generator, (members, public), folder, self.inversion_steps)
        return Study(generator, members, public, reference, holdout, *latents)


def train(cohort, folder, max_iter, seed):
    """The network of a cohort, without classes; kept in `folder`, as is a stopped training."""
    path = folder / "network.safetensors"
    if not path.exists():
        lw.StyleGAN2Trainer(
            size="small",
            batch_size=16,
            max_iter=max_iter,
            checkpoint=folder / "training",
            random_state=seed,
            verbose=True,
        ).fit(cohort.X).generator_.save(path)
    return lw.load_generator(path)


def invert(generator, cohorts, folder, max_iter):
    """Latents of cohorts of members and public images, kept in `folder`."""
    paths = [folder / f"inversions_{name}.npy" for name in ("members", "public")]
    if not all(path.exists() for path in paths):
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

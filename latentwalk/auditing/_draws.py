"""How many images are drawn from each subject, and within which strata subjects compare.

A subject with more images has a smaller nearest distance by chance. So subjects are put into strata
by their number of images, and within a stratum the same number is drawn from each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_STRATA, FEWEST = 5, 5


@dataclass(frozen=True)
class Draws:
    """How images are drawn from the subjects of members and held-out records.

    Attributes
    ----------
    strata : pair of ndarray of shape (n_members,), (n_holdout,)
        The stratum of each subject.
    n_images : ndarray of int of shape (n_strata,)
        Images drawn from a subject of each stratum.
    seed : int
        Seeds the draws.
    """

    strata: tuple[NDArray[np.intp], NDArray[np.intp]]
    n_images: NDArray[np.intp]
    seed: int

    @property
    def sizes(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Numbers of member and held-out subjects, by stratum."""
        n, m = (np.bincount(s, minlength=len(self.n_images)) for s in self.strata)
        return n, m

    def align(
        self, members: NDArray[np.float64], holdout: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return values of subjects with the same median and quartile range in each stratum.

        Members and held-out subjects of a stratum are taken together, so that the change does not
        depend on who is a member.
        """
        if len(self.n_images) == 1:
            return members, holdout
        both, strata = np.concatenate([members, holdout]), np.concatenate(self.strata)
        low, middle, high = np.quantile(both, (0.25, 0.5, 0.75))
        aligned = np.empty_like(both)
        for stratum in range(len(self.n_images)):
            rows = strata == stratum
            lower, median, upper = np.quantile(both[rows], (0.25, 0.5, 0.75))
            scale = (high - low) / (upper - lower) if upper > lower else 1.0
            aligned[rows] = middle + (both[rows] - median) * scale
        return aligned[: len(members)], aligned[len(members) :]


def lay_draws(counts: NDArray[np.intp], others: NDArray[np.intp], seed: int) -> Draws:
    """Return the draws for subjects with these numbers of images, members and held-out."""
    n_images = fewest_images(counts, others)
    first, second = (np.searchsorted(n_images, c, side="right") - 1 for c in (counts, others))
    return Draws((first, second), n_images, seed)


def fewest_images(counts: NDArray[np.intp], others: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the fewest images of a subject in each stratum.

    A stratum is split where that draws more images, counted as logarithms, as long as each part
    has `FEWEST` subjects of either set.
    """
    values = np.unique(np.concatenate([counts, others]))
    n, m = (
        np.bincount(np.searchsorted(values, c), minlength=len(values)) for c in (counts, others)
    )

    def kept(starts: list[int]) -> float:
        """Sum over subjects of log(images drawn); -inf where a stratum is too small."""
        sizes = np.add.reduceat(n, starts), np.add.reduceat(m, starts)
        if len(starts) > 1 and min(s.min() for s in sizes) < FEWEST:
            return -np.inf
        return float((sum(sizes) * np.log(values[starts])).sum())

    starts = [0]
    while len(starts) < MOST_STRATA:
        splits = [sorted([*starts, i]) for i in range(len(values)) if i not in starts]
        best = max(splits, key=kept, default=starts)
        if kept(best) <= kept(starts):
            break
        starts = best
    return values[starts]

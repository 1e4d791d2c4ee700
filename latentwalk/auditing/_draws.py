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
    rows : ndarray of int of shape (n_drawn,)
        The drawn rows of all records, members first, one subject after the other.
    starts : ndarray of int of shape (n_members + n_holdout,)
        The place in `rows` where each subject begins.
    seed : int
        Seeds the draws and everything that is drawn later.
    """

    strata: tuple[NDArray[np.intp], NDArray[np.intp]]
    n_images: NDArray[np.intp]
    rows: NDArray[np.intp]
    starts: NDArray[np.intp]
    seed: int

    @property
    def sizes(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Numbers of member and held-out subjects, by stratum."""
        n, m = (np.bincount(s, minlength=len(self.n_images)) for s in self.strata)
        return n, m

    @property
    def has_several(self) -> bool:
        """Whether more than one image is drawn from any subject."""
        return len(self.rows) > len(self.starts)

    def smallest(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return each subject's smallest value over its drawn images, members first."""
        minima: NDArray[np.float64] = np.minimum.reduceat(values[self.rows], self.starts)
        return minima

    def align(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return values of subjects with the same median and quartile range in each stratum.

        Members and held-out subjects of a stratum are taken together, so that the change does not
        depend on who is a member.
        """
        if len(self.n_images) == 1:
            return values
        strata = np.concatenate(self.strata)
        low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
        aligned = np.empty_like(values)
        for stratum in range(len(self.n_images)):
            rows = strata == stratum
            lower, median, upper = np.quantile(values[rows], (0.25, 0.5, 0.75))
            scale = (high - low) / (upper - lower) if upper > lower else 1.0
            aligned[rows] = middle + (values[rows] - median) * scale
        return aligned


def lay_draws(codes: NDArray[np.intp], others: NDArray[np.intp], seed: int) -> Draws:
    """Return the draws for the subject codes of members' and of held-out records."""
    counts, counts_others = np.bincount(codes), np.bincount(others)
    n_images = fewest_images(counts, counts_others)
    first, second = (
        np.searchsorted(n_images, c, side="right") - 1 for c in (counts, counts_others)
    )
    subjects = np.concatenate([codes, others + len(counts)])
    drawn = n_images[np.concatenate([first, second])]
    shuffle = np.random.RandomState(seed).random_sample(len(subjects))
    order = np.lexsort((shuffle, subjects))
    place = np.arange(len(order)) - np.searchsorted(subjects[order], subjects[order])
    rows = order[place < drawn[subjects[order]]]
    starts = np.concatenate([[0], np.cumsum(drawn)[:-1]])
    return Draws((first, second), n_images, rows, starts, seed)


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

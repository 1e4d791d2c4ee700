"""The learned attacker: one score made of all scores, by somebody who knows some memberships."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

RIDGE = 0.3
BEND = 1.5


def draw_folds(
    strata: NDArray[np.intp], n_folds: int, rng: np.random.RandomState
) -> NDArray[np.intp]:
    """Return a fold for each subject, drawn within strata and without a look at memberships."""
    folds = np.empty(len(strata), dtype=np.intp)
    for stratum in np.unique(strata):
        rows = np.flatnonzero(strata == stratum)
        folds[rng.permutation(rows)] = np.arange(len(rows)) % n_folds
    return folds


def learned_scores(
    scores: NDArray[np.float64], labels: NDArray[Any], folds: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return what a ridge regression on all scores says of subjects that it was not trained on.

    Ridge has a closed form for many columns of labels at once, so it is trained again for each
    relabelling: under the permutation the learned score is as valid as the others.

    Parameters
    ----------
    scores : ndarray of shape (n_scores, n_subjects)
        Of each probe.
    labels : ndarray of shape (n_subjects, n_labels)
        1 for members: the true labels, and relabellings.
    folds : ndarray of shape (n_subjects,)
        See `draw_folds`; each is predicted by the others.

    Returns
    -------
    predicted : ndarray of shape (n_subjects, n_labels)
        Larger is more like a member.
    """
    rows = _design(scores)
    labels = np.asarray(labels, dtype=np.float64)
    predicted = np.empty(labels.shape)
    for fold in np.unique(folds):
        known, asked = folds != fold, folds == fold
        centre = rows[known].mean(axis=0)
        seen = rows[known] - centre
        gram = seen.T @ seen + RIDGE * len(seen) * np.eye(rows.shape[1])
        weights = np.linalg.solve(gram, seen.T @ (labels[known] - labels[known].mean(axis=0)))
        predicted[asked] = (rows[asked] - centre) @ weights
    return predicted


def _design(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Normal scores of the ranks, and their upper ends, where the few that leak are."""
    ranks = (rankdata(scores, axis=1) - 0.5) / scores.shape[1]
    z = norm.ppf(ranks).T  # (n_subjects, n_scores)
    ends = np.maximum(z - BEND, 0)
    spread = ends.std(axis=0)
    return np.hstack([z, ends / np.where(spread > 0, spread, 1)])

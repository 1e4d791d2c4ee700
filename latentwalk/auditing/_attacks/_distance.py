"""Attacks by distance: how near a release comes to a record."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import gen_batches

from latentwalk.auditing._attacks._base import N_NEIGHBORS, MembershipAttack, register_attack

TINY = np.finfo(np.float64).tiny
BATCH = 512


@register_attack("nearest")
class NearestAttack(MembershipAttack):
    """Distance to the closest synthetic record (DCR); near is a member."""

    decomposes = True
    takes_half = True

    def score_samples(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return minus the distance."""
        return -self._nearest(X)[0][:, 0]


@register_attack("absence")
class AbsenceAttack(MembershipAttack):
    """Far is a member: the hole left where points near members were dropped."""

    def score_samples(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return the distance."""
        distances: NDArray[np.float64] = self._nearest(X)[0][:, 0]
        return distances


@register_attack("calibrated nearest")
class CalibratedNearestAttack(MembershipAttack):
    """The distance to the release over the distance to the reference."""

    needs_reference = True
    decomposes = True
    takes_half = True

    def score_samples(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return the logarithm of the ratio, reference over release."""
        return _log_ratio(self._reference_distance(X), self._nearest(X)[0][:, 0])


@register_attack("relative nearest")
class RelativeNearestAttack(MembershipAttack):
    """The nearest distance against the mean distance to the 50 nearest synthetic records.

    A record among many alike has a near one by chance; a copy is far nearer than the next ones.

    Parameters
    ----------
    n_neighbors : int, default=50
        Synthetic records that set the scale.

    References
    ----------
    N. Carlini et al., "Extracting training data from diffusion models", USENIX Security 2023.
    """

    takes_half = True

    def __init__(self, n_neighbors: int = N_NEIGHBORS) -> None:
        self.n_neighbors = n_neighbors

    def score_samples(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return the logarithm of the ratio, mean over nearest."""
        distances = self._nearest(X, self.n_neighbors)[0]
        return _log_ratio(distances.mean(axis=1), distances[:, 0])


@register_attack("few nearest")
class FewNearestAttack(MembershipAttack):
    """The mean distance to the few nearest synthetic records: a person in several of them.

    Parameters
    ----------
    n_neighbors : int, default=5
        How many.
    """

    takes_half = True

    def __init__(self, n_neighbors: int = 5) -> None:
        self.n_neighbors = n_neighbors

    def score_samples(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return minus the mean distance."""
        distances: NDArray[np.float64] = self._nearest(X, self.n_neighbors)[0].mean(axis=1)
        return -distances


@register_attack("outstanding")
class OutstandingAttack(MembershipAttack):
    """How far a record stands out among all scored records, for some synthetic record.

    For each synthetic record the squared distances of all scored records are standardised; the
    score is the largest over synthetic records. A synthetic record that is near to everybody then
    accuses nobody. Members and others are standardised together, in one call.

    References
    ----------
    R. Auckenthaler et al., "Score normalization for text-independent speaker verification
    systems", Digital Signal Processing 10 (2000): the test normalisation of biometrics.
    """

    def score_samples(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return the largest standardised nearness."""
        best = np.full(len(X), -np.inf)
        squared = np.square(X).sum(axis=1)
        for part in gen_batches(len(self.synthetic_), BATCH):
            release = self.synthetic_[part]
            # the synthetic record's own length is the same for all, and drops out
            nearness = 2 * X @ release.T - squared[:, None]
            nearness -= nearness.mean(axis=0)
            spread = nearness.std(axis=0)
            nearness /= np.where(spread > 0, spread, 1)
            np.maximum(best, nearness.max(axis=1), out=best)
        return best


@register_attack("Monte Carlo")
class MonteCarloAttack(MembershipAttack):
    """The number of synthetic records in a ball (Hilprecht et al., PoPETs 2019).

    Parameters
    ----------
    n_neighbors : int, default=50
        The most that are counted.
    quantile : float, default=0.1
        The ball's radius among the distances of the scored records to their nearest ones.
    """

    def __init__(self, n_neighbors: int = 50, quantile: float = 0.1) -> None:
        self.n_neighbors = n_neighbors
        self.quantile = quantile

    def score_samples(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return the count; the nearest distance decides between equal counts."""
        distances = self._nearest(X, self.n_neighbors)[0]
        radius = np.quantile(distances[:, 0], self.quantile)
        inside = (distances <= radius).sum(axis=1)
        scores: NDArray[np.float64] = inside - distances[:, 0] / (1 + distances[:, 0].max())
        return scores


@register_attack("local mean")
class LocalMeanAttack(MembershipAttack):
    """Distance to the mean of the k nearest synthetic records: aimed at averages of k.

    Parameters
    ----------
    k : int, default=5
        Synthetic records averaged.
    """

    def __init__(self, k: int = 5) -> None:
        self.k = k

    def score_samples(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return minus the distance."""
        nearest = self._nearest(X, self.k)[1]
        means = np.array([self.synthetic_[rows].mean(axis=0) for rows in nearest])
        distances: NDArray[np.float64] = np.linalg.norm(X - means, axis=1)
        return -distances


def _log_ratio(far: NDArray[np.float64], near: NDArray[np.float64]) -> NDArray[np.float64]:
    log_ratio: NDArray[np.float64] = np.log(np.maximum(far, TINY)) - np.log(np.maximum(near, TINY))
    return log_ratio

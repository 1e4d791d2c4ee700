"""Attacks that compare release and reference in the neighbourhood of a record."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import KernelDensity

from latentwalk.auditing._attacks._base import MembershipAttack, register_attack
from latentwalk.auditing._attacks._density import shared_space
from latentwalk.neighbors import ExactNeighbors


@register_attack("DPI")
class PlagiarismIndexAttack(MembershipAttack):
    """The share of the release among the nearest of release and reference together.

    The data plagiarism index is the ratio of the two counts, which orders records as the share
    does and has no zero to divide by.

    Parameters
    ----------
    k : int, default=20
        Neighbours looked at.

    References
    ----------
    J. Ward, C.-H. Wang and G. Cheng, "Data plagiarism index: characterizing the privacy risk of
    data-copying in tabular generative models", 2024, arXiv 2406.13012.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.auditing import ATTACKS
    >>> attack = ATTACKS["DPI"](k=2).fit(np.array([[0.0], [1.0]]), np.array([[2.0], [3.0]]))
    >>> attack.score_samples(np.array([[0.0], [1.6], [9.0]]))
    array([1. , 0.5, 0. ])
    """

    needs_reference = True

    def __init__(self, k: int = 20) -> None:
        self.k = k

    def score_samples(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return the share, 0 to 1."""
        pooled = np.concatenate([self.synthetic_, self.reference_])
        nearest = ExactNeighbors(pooled).kneighbors(X, min(self.k, len(pooled)))[1]
        shares: NDArray[np.float64] = (nearest < len(self.synthetic_)).mean(axis=1)
        return shares


@register_attack("Gen-LRA")
class LocalLikelihoodAttack(MembershipAttack):
    """How much likelier a record makes the synthetic records around it (Gen-LRA).

    The density of the reference is estimated with and without the record; the score is the
    logarithm of the ratio of the two likelihoods of the k synthetic records nearest to it.
    The densities are kernel densities on principal components. Their bandwidth is Scott's for the
    reference, and stays the same when the record joins.

    Parameters
    ----------
    k : int, default=10
        Synthetic records looked at.
    n_components : int, default=8
        Components of release and reference together.

    References
    ----------
    J. Ward, C.-H. Wang and G. Cheng, "Privacy auditing synthetic data release through local
    likelihood attacks", 2025, arXiv 2508.21146.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.auditing import ATTACKS
    >>> reference = np.random.default_rng(0).normal(size=(50, 2))
    >>> attack = ATTACKS["Gen-LRA"](k=1).fit(np.array([[3.0, 3.0], [0.0, 0.0]]), reference)
    >>> copied, common = attack.score_samples(np.array([[3.0, 3.0], [0.0, 0.0]]))
    >>> bool(copied > common)  # without the record, nothing would be expected there
    True
    """

    needs_reference = True

    def __init__(self, k: int = 10, n_components: int = 8) -> None:
        self.k = k
        self.n_components = n_components

    def score_samples(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return the logarithm of the likelihood ratio."""
        assert self.reference_ is not None
        space = shared_space(self.synthetic_, self.reference_, self.n_components)
        release, reference = space.transform(self.synthetic_), space.transform(self.reference_)
        density = KernelDensity(bandwidth="scott").fit(reference)
        k = min(self.k, len(release))
        distances, nearest = ExactNeighbors(release).kneighbors(space.transform(X), k)  # (n, k)
        rows, place = np.unique(nearest, return_inverse=True)
        without = density.score_samples(release[rows])[place].reshape(nearest.shape)
        width, n = density.bandwidth_, len(reference)
        kernel = -((distances / width) ** 2) / 2
        kernel -= release.shape[1] * np.log(width * np.sqrt(2 * np.pi))
        with_record = np.logaddexp(np.log(n) + without, kernel) - np.log(n + 1)
        scores: NDArray[np.float64] = (with_record - without).sum(axis=1)
        return scores

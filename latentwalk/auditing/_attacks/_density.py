"""Attacks by density: a record where the release is denser than the reference."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from latentwalk.auditing._attacks._base import MembershipAttack, register_attack


def shared_space(synthetic: NDArray[Any], reference: NDArray[Any], n_components: int) -> Pipeline:
    """Standardised principal components of release and reference together, fitted."""
    seen = np.concatenate([synthetic, reference])
    parts = PCA(min(n_components, *seen.shape), svd_solver="full")
    return make_pipeline(parts, StandardScaler()).fit(seen)


@register_attack("DOMIAS")
class DensityRatioAttack(MembershipAttack):
    """The release's density over the reference's (DOMIAS, van Breugel et al., AISTATS 2023).

    Kernel densities on principal components, with Scott's bandwidth.

    Parameters
    ----------
    n_components : int, default=8
        Components of release and reference together.
    """

    needs_reference = True

    def __init__(self, n_components: int = 8) -> None:
        self.n_components = n_components

    def score_samples(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return the logarithm of the ratio."""
        assert self.reference_ is not None
        space = shared_space(self.synthetic_, self.reference_, self.n_components)
        scored = space.transform(X)
        of_release, of_reference = (
            KernelDensity(bandwidth="scott").fit(space.transform(rows)).score_samples(scored)
            for rows in (self.synthetic_, self.reference_)
        )
        return np.asarray(of_release - of_reference)


@register_attack("classifier")
class ClassifierAttack(MembershipAttack):
    """A classifier of release against reference: members look like the release."""

    needs_reference = True

    def score_samples(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return the log-odds of the release."""
        seen = np.concatenate([self.synthetic_, self.reference_])
        labels = np.repeat([1, 0], [len(self.synthetic_), len(seen) - len(self.synthetic_)])
        parts = PCA(min(32, *seen.shape), svd_solver="full")
        model = make_pipeline(parts, StandardScaler(), LogisticRegression(max_iter=1000))
        return np.asarray(model.fit(seen, labels).decision_function(X))

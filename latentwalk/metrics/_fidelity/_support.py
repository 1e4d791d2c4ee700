"""Alpha-precision and beta-recall: the manifold by growing balls around the centre."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from latentwalk.metrics._fidelity._common import Features, check_pair, directed
from latentwalk.metrics._fidelity._manifold import Manifold, pairwise_blocks


@directed(higher_is_better=True)
def alpha_precision(X_syn: ArrayLike, X_real: ArrayLike) -> float:
    """Return how closely synthetic rows fill the supports of real rows, from core to rim.

    The alpha-support is the ball around the real mean that holds a share alpha of the real rows;
    P(alpha) is the share of synthetic rows in it, which should be alpha. The published code first
    embeds features by a network trained on the real rows. This function uses the distance of the
    given features.

    Parameters
    ----------
    X_syn : array-like of shape (n_synthetic, n_features)
        Features of the synthetic images.
    X_real : array-like of shape (n_real, n_features)
        Features of the real images.

    Returns
    -------
    integrated_precision : float
        ``1 - 2 * integral |P(alpha) - alpha|`` in [0, 1]; higher is better. 0 when all synthetic
        rows are outside, or all in the centre.

    Raises
    ------
    ValueError
        For widths that differ, too few rows, or values that are not finite.

    References
    ----------
    A. M. Alaa et al., "How faithful is your synthetic data? Sample-level metrics for evaluating
    and auditing generative models", ICML 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.metrics import alpha_precision
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> alpha_precision(X, X) > 0.99, alpha_precision(X + 100, X)
    (True, 0.0)
    """
    synthetic, real = check_pair(X_syn, X_real)
    center = real.mean(axis=0)
    reached = np.linalg.norm(synthetic - center, axis=1)
    return _integrated(reached, np.linalg.norm(real - center, axis=1))


@directed(higher_is_better=True)
def beta_recall(X_syn: ArrayLike, X_real: ArrayLike, *, n_neighbors: int = 5) -> float:
    """Return how evenly the real rows are reached as the synthetic support grows.

    The beta-support holds the share beta of the synthetic rows nearest to their mean; R(beta) is
    the share of real rows with one of these within the distance of their own `n_neighbors`-th
    real neighbour, which should be beta.

    Parameters
    ----------
    X_syn : array-like of shape (n_synthetic, n_features)
        Features of the synthetic images.
    X_real : array-like of shape (n_real, n_features)
        Features of the real images.
    n_neighbors : int, default=5
        The neighbour that a real row's ball reaches to.

    Returns
    -------
    integrated_recall : float
        ``1 - 2 * integral |R(beta) - beta|`` in [0, 1]; higher is better. It is below 1 for equal
        distributions too; the baseline of held-out rows shows by how much.

    Raises
    ------
    ValueError
        For widths that differ, too few rows, or values that are not finite.

    References
    ----------
    A. M. Alaa et al., ICML 2022; see `alpha_precision`.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.metrics import beta_recall
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> beta_recall(X + 100, X)
    0.0
    """
    synthetic, real = check_pair(X_syn, X_real)
    return integrated_recall(synthetic, Manifold(real, n_neighbors, "X_real"))


def integrated_recall(synthetic: Features, real: Manifold) -> float:
    """Return `beta_recall` of checked rows."""
    depth = np.linalg.norm(synthetic - synthetic.mean(axis=0), axis=1)
    # a real row is reached once the support holds the innermost synthetic row of its ball
    reached = np.concatenate(
        [
            np.where(distances <= real.radii[rows, None], depth, np.inf).min(axis=1)
            for rows, distances in pairwise_blocks(real.centers, synthetic)
        ]
    )
    return _integrated(reached, depth)


def _integrated(reached: Features, depth: Features) -> float:
    """1 - 2 * the integral over levels of |share reached within the level's quantile - level|."""
    levels = (np.arange(len(depth)) + 1) / len(depth)
    share = np.searchsorted(np.sort(reached), np.sort(depth), side="right") / len(reached)
    # the mean over n levels exceeds the integral by up to 1 / n
    return max(0.0, float(1 - 2 * np.mean(np.abs(share - levels))))

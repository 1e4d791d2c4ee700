"""Fidelity: the distance between two distributions of features."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike

from latentwalk.metrics._fidelity._common import (
    Features,
    SmallSampleWarning,
    check_pair,
    directed,
    row_blocks,
)


@directed(higher_is_better=False)
def frechet_distance(X_syn: ArrayLike, X_real: ArrayLike) -> float:
    """Return the Fréchet distance between Gaussians fitted to two sets of features.

    With Inception-v3 pool features it is the FID. With other features, compare it only with
    distances in the same features. It is biased upwards by a term that falls with the number of
    rows: compare at equal numbers of rows only.

    Parameters
    ----------
    X_syn : array-like of shape (n_synthetic, n_features)
        Features of the synthetic images.
    X_real : array-like of shape (n_real, n_features)
        Features of the real images.

    Returns
    -------
    distance : float
        ``|m_1 - m_2|^2 + tr(C_1 + C_2 - 2 (C_1 C_2)^{1/2})``, at least 0; lower is better.

    Raises
    ------
    ValueError
        For fewer than two rows, widths that differ, or values that are not finite.

    Warns
    -----
    SmallSampleWarning
        When a set has no more rows than features: its covariance is singular, and the bias large.

    References
    ----------
    M. Heusel et al., "GANs trained by a two time-scale update rule converge to a local Nash
    equilibrium", NeurIPS 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.metrics import frechet_distance
    >>> X = np.random.default_rng(0).normal(size=(100, 3))
    >>> round(frechet_distance(X + [1, 0, 2], X), 6)
    5.0
    """
    synthetic, real = check_pair(X_syn, X_real, min_syn=2)
    fewest = min(len(synthetic), len(real))
    if fewest <= real.shape[1]:
        warnings.warn(
            f"frechet_distance from {fewest} rows of {real.shape[1]} features: the covariance is "
            "singular and the distance biased upwards; kernel_distance is unbiased",
            SmallSampleWarning,
            stacklevel=2,
        )
    shift = synthetic.mean(axis=0) - real.mean(axis=0)  # m_1 - m_2
    first, second = _covariance_root(synthetic), _covariance_root(real)
    # with C_i = R_i^T R_i: the eigenvalues of C_1 C_2 are the squared singular values of R_1 R_2^T,
    # so tr (C_1 C_2)^{1/2} is the sum of these singular values
    cross = np.linalg.svd(first @ second.T, compute_uv=False).sum()
    trace = np.square(first).sum() + np.square(second).sum()
    return max(float(shift @ shift + trace - 2 * cross), 0.0)


def _covariance_root(X: Features) -> Features:
    """A matrix R of few rows with ``R.T @ R`` the covariance of X."""
    centred = (X - X.mean(axis=0)) / np.sqrt(len(X) - 1)
    if len(X) <= X.shape[1]:
        return centred
    root: Features = np.asarray(np.linalg.qr(centred, mode="r"))
    return root


@directed(higher_is_better=False)
def kernel_distance(
    X_syn: ArrayLike,
    X_real: ArrayLike,
    *,
    degree: int = 3,
    gamma: float | None = None,
    coef0: float = 1.0,
) -> float:
    """Return the squared maximum mean discrepancy under a polynomial kernel.

    With Inception-v3 features and the default kernel it is the KID. The estimate is unbiased at any
    number of rows, so it can be negative. It uses all rows; the published code averages over random
    subsets.

    Parameters
    ----------
    X_syn : array-like of shape (n_synthetic, n_features)
        Features of the synthetic images.
    X_real : array-like of shape (n_real, n_features)
        Features of the real images.
    degree, gamma, coef0 : int, float, float
        The kernel ``(gamma x.y + coef0)^degree``. If `gamma` is None, it is ``1 / n_features``.

    Returns
    -------
    distance : float
        About 0 for equal distributions; lower is better.

    Raises
    ------
    ValueError
        For fewer than two rows, widths that differ, or values that are not finite.

    References
    ----------
    M. Bińkowski et al., "Demystifying MMD GANs", ICLR 2018.

    Examples
    --------
    >>> from latentwalk.metrics import kernel_distance
    >>> kernel_distance([[0.0], [0.0]], [[1.0], [1.0]])
    7.0
    """
    synthetic, real = check_pair(X_syn, X_real, min_syn=2)
    scale = 1 / real.shape[1] if gamma is None else gamma

    def mean_kernel(A: Features, B: Features, *, without_diagonal: bool = False) -> float:
        total = sum(
            ((scale * (A[rows] @ B.T) + coef0) ** degree).sum()
            for rows in row_blocks(len(A), len(B))
        )
        if without_diagonal:
            total -= ((scale * np.square(A).sum(axis=1) + coef0) ** degree).sum()
        return float(total / (len(A) * (len(B) - without_diagonal)))

    # MMD^2 = E k(x, x') + E k(y, y') - 2 E k(x, y); unbiased, since no row is paired with itself
    within = mean_kernel(synthetic, synthetic, without_diagonal=True)
    within += mean_kernel(real, real, without_diagonal=True)
    return within - 2 * mean_kernel(synthetic, real)

"""The gap of feature likelihoods: does a density around synthetic rows fit the members better?"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp
from sklearn.metrics import euclidean_distances

from latentwalk.metrics._fidelity._common import (
    FEW_ROWS,
    Features,
    SmallSampleWarning,
    check_features,
    check_pair,
    check_width,
    directed,
    row_blocks,
)

N_ITERATIONS = 50
TOLERANCE = 1e-4  # of the log-likelihood a feature
SMALLEST_LOG_VARIANCE = -25.0  # above the rounding of squared distances
NEARER = 0.9  # a row nearer to the mean than this share of its distance to any synthetic row


@directed(higher_is_better=True)
def feature_likelihood_gap(X_syn: ArrayLike, X_real: ArrayLike, X_holdout: ArrayLike) -> float:
    """Return the FLD gap: how much likelier held-out rows are than the real ones.

    The density has a Gaussian around each synthetic row. All have the same weight, and their
    variances fit the real rows best. If a release repeats real rows, the variances around them are
    small, and real rows become likelier than held-out rows. The fit itself favours its own rows, so
    the gap of a perfect generator is also below 0: compare it with the gap of as many held-out rows
    in place of the synthetic ones, as `fidelity_report` does.

    Parameters
    ----------
    X_syn : array-like of shape (n_synthetic, n_features)
        Features of the synthetic images.
    X_real : array-like of shape (n_real, n_features)
        Features of the real images that the generator was trained on.
    X_holdout : array-like of shape (n_holdout, n_features)
        Features of real images that the generator has not seen.

    Returns
    -------
    gap : float
        In hundredths of a nat per feature. A gap far below its baseline means copying: exact copies
        of all real rows give less than -1000.

    Raises
    ------
    ValueError
        For widths that differ, values that are not finite, fewer than two rows of a set, or
        held-out rows that are all the same.

    Warns
    -----
    SmallSampleWarning
        With fewer than 300 rows in a set.

    Notes
    -----
    Features are scaled to mean 0 and variance 1 over the held-out rows; features that are constant
    there are left out. Variances are found by expectation maximisation, starting from the distance
    to the nearest real row. The fit has one more, broad Gaussian around the real mean, so that a
    row far from all others does not widen them. The compared likelihoods do not include it. Memory
    grows with ``n_synthetic * n_real``.

    References
    ----------
    M. Jiralerspong et al., "Feature likelihood divergence: evaluating the generalization of
    generative models using samples", NeurIPS 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.metrics import feature_likelihood_gap
    >>> X_real, X_holdout, X_new = np.random.default_rng(0).normal(size=(3, 300, 8))
    >>> copied = feature_likelihood_gap(X_real, X_real, X_holdout)
    >>> copied < -1000 < feature_likelihood_gap(X_new, X_real, X_holdout) < 0
    True
    """
    synthetic, real = check_pair(X_syn, X_real, min_syn=2)
    holdout = check_features(X_holdout, "X_holdout")
    check_width(holdout, "X_holdout", real)
    _warn_if_few(synthetic, real, holdout)
    synthetic, real, holdout = _scaled(synthetic, real, holdout)
    n_features = real.shape[1]
    to_real = euclidean_distances(real, synthetic, squared=True) / n_features
    to_center = np.square(real - real.mean(axis=0)).mean(axis=1)
    log_variances = _fit(to_real, to_center, n_features)
    to_holdout = euclidean_distances(holdout, synthetic, squared=True) / n_features
    likelier = _mean_log_density(to_holdout, log_variances, n_features)
    return 100 * (likelier - _mean_log_density(to_real, log_variances, n_features))


def _scaled(*sets: Features) -> list[Features]:
    """All sets with the features of the last at mean 0 and variance 1, constant ones left out."""
    mean, deviation = sets[-1].mean(axis=0), sets[-1].std(axis=0, ddof=1)
    # rounding leaves a constant feature a deviation of a few last digits
    varied = deviation > 1e-12 * np.abs(mean)
    if not varied.any():
        raise ValueError("X_holdout has equal rows; expected held-out rows that differ")
    return [(X[:, varied] - mean[varied]) / deviation[varied] for X in sets]


def _fit(to_real: Features, to_center: Features, n_features: int) -> Features:
    """Log variances of the synthetic rows' Gaussians, shape (n_synthetic,), by EM.

    Distances are squared and per feature: (n_real, n_synthetic) and (n_real,).
    """
    # E step: the share r_ij of Gaussian j in real row i. M step: its variance becomes
    # sum_i r_ij d_ij / sum_i r_ij, with the squared distance per feature d_ij
    log_variances = _log(to_real.min(axis=0))
    to_center = NEARER**2 * to_center
    broad, before = 0.0, -np.inf
    for _ in range(N_ITERATIONS):
        background = -n_features / 2 * (to_center / np.exp(broad) + broad + np.log(2 * np.pi))
        weight, moment = np.zeros((2, to_real.shape[1]))
        level = np.empty(len(to_real))
        for rows in row_blocks(*to_real.shape):
            joint = _log_joint(to_real[rows], log_variances, n_features)
            level[rows] = np.logaddexp(logsumexp(joint, axis=1), background[rows])
            share = np.exp(joint - level[rows, None])  # r_ij, (n_rows, n_synthetic)
            weight += share.sum(axis=0)
            moment += (share * to_real[rows]).sum(axis=0)
        reached = weight > 0
        log_variances[reached] = _log(moment[reached] / weight[reached])
        share_of_broad = np.exp(background - level)
        if share_of_broad.any():
            broad = float(_log(np.average(to_center, weights=share_of_broad)))
        if level.mean() - before < TOLERANCE * n_features:
            break
        before = level.mean()
    return log_variances


def _mean_log_density(distances: Features, log_variances: Features, n_features: int) -> float:
    """The mean over rows of the log density per feature."""
    total = sum(
        logsumexp(_log_joint(distances[rows], log_variances, n_features), axis=1).sum()
        for rows in row_blocks(*distances.shape)
    )
    return float(total / len(distances) / n_features)


def _log_joint(distances: Features, log_variances: Features, n_features: int) -> Features:
    """The log density at each row of each weighted Gaussian."""
    # log N(x; c_j, v_j I) = -(D / 2) (d / v_j + log v_j + log 2 pi), with D features and
    # |x - c_j|^2 = D d; all Gaussians have the weight 1 / n_synthetic
    scaled = distances / np.exp(log_variances) + log_variances + np.log(2 * np.pi)
    joint: Features = -n_features / 2 * scaled - np.log(len(log_variances))
    return joint


def _log(variances: ArrayLike) -> Features:
    with np.errstate(divide="ignore"):
        return np.maximum(np.log(variances), SMALLEST_LOG_VARIANCE)


def _warn_if_few(*sets: Features) -> None:
    fewest = min(len(X) for X in sets)
    if fewest < FEW_ROWS:
        warnings.warn(
            f"feature_likelihood_gap from {fewest} rows of a set: under {FEW_ROWS} it varies by "
            "more than most generators differ; compare with its baseline only",
            SmallSampleWarning,
            stacklevel=3,
        )

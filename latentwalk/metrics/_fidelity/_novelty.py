"""Novelty: whether synthetic rows are new, or copies of real ones.

These are common figures, for comparison with published tables. They are not tests with a known
level. `PrivacyAuditor` has such tests.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from sklearn.cluster import KMeans

from latentwalk.metrics._fidelity._common import (
    Features,
    check_features,
    check_pair,
    check_width,
    directed,
)
from latentwalk.metrics._fidelity._manifold import ball_radii
from latentwalk.neighbors import ExactNeighbors

MIN_CELL = 20


@directed(higher_is_better=True)
def mean_minimum_distance(X_syn: ArrayLike, X_real: ArrayLike, *, squared: bool = False) -> float:
    """Return the mean distance of synthetic rows to their nearest real row.

    With the squared distances of `LPIPSFeatures`, which are LPIPS, it is the published mmL.
    A higher value means further from the real images, because of novelty or because of bad quality.
    Compare it with its baseline, held-out rows against the real rows. It hardly changes if a few
    rows are copies.

    Parameters
    ----------
    X_syn : array-like of shape (n_synthetic, n_features)
        Features of the synthetic images.
    X_real : array-like of shape (n_real, n_features)
        Features of the real images.
    squared : bool, default=False
        Average squared distances, as LPIPS features need.

    Returns
    -------
    distance : float
        In the units of the features.

    Raises
    ------
    ValueError
        For widths that differ or values that are not finite.

    References
    ----------
    M. Pennisi et al., "A privacy-preserving walk in the latent space of generative models for
    medical applications", MICCAI 2023.

    Examples
    --------
    >>> from latentwalk.metrics import mean_minimum_distance
    >>> mean_minimum_distance([[0.0], [3.0]], [[1.0], [2.0]])
    1.0
    """
    synthetic, real = check_pair(X_syn, X_real, min_real=1)
    distances = ExactNeighbors(real).kneighbors(synthetic)[0]
    return float(np.mean(distances**2 if squared else distances))


@directed(higher_is_better=True)
def authenticity(X_syn: ArrayLike, X_real: ArrayLike) -> float:
    """Return the share of synthetic rows whose nearest real row has a nearer real neighbour.

    A row counts as authentic when its distance to its nearest real row exceeds that real row's
    distance to its own nearest real neighbour.

    Parameters
    ----------
    X_syn : array-like of shape (n_synthetic, n_features)
        Features of the synthetic images.
    X_real : array-like of shape (n_real, n_features)
        Features of the real images.

    Returns
    -------
    authenticity : float
        In [0, 1]: 0 for copies, about 0.5 for new rows of the same distribution.

    Raises
    ------
    ValueError
        For widths that differ, too few rows, or values that are not finite.

    Notes
    -----
    Two published packages compare with the neighbour distance of a wrong real row, the one whose
    row number is that of the synthetic row. This gives 0.472 instead of the right 0.504.

    References
    ----------
    A. M. Alaa et al., ICML 2022.

    Examples
    --------
    >>> from latentwalk.metrics import authenticity
    >>> authenticity([[0.1], [9.0]], [[0.0], [1.0], [4.0]])
    0.5
    """
    synthetic, real = check_pair(X_syn, X_real)
    distances, nearest = ExactNeighbors(real).kneighbors(synthetic)
    own = ball_radii(real, 1, "X_real")
    return float(np.mean(distances[:, 0] > own[nearest[:, 0]]))


@directed(higher_is_better=True)
def data_copying_score(
    X_syn: ArrayLike,
    X_real: ArrayLike,
    X_holdout: ArrayLike,
    *,
    n_cells: int = 5,
    random_state: Any = 0,
) -> float:
    """Return C_T: whether synthetic rows are nearer to the real rows than held-out ones are.

    In each cell of a k-means partition of the real rows, the Mann-Whitney statistic compares
    distances to the nearest real row, as a standard normal deviate. The cells are averaged with
    their shares of held-out rows as weights. A release that is only shrunk towards the centre
    scores like one of copies: this is a figure for comparison, not a verdict.

    Parameters
    ----------
    X_syn : array-like of shape (n_synthetic, n_features)
        Features of the synthetic images.
    X_real : array-like of shape (n_real, n_features)
        Features of the real images that the generator was trained on.
    X_holdout : array-like of shape (n_holdout, n_features)
        Features of real images that the generator has not seen.
    n_cells : int, default=5
        Cells of the partition. Those with fewer than 20 synthetic or held-out rows are left out.
    random_state : int, RandomState or None, default=0
        Seeds k-means.

    Returns
    -------
    score : float
        About 0 is right. Far below 0 (-3 and less) means copying, far above 0 underfitting.

    Raises
    ------
    ValueError
        For widths that differ, values that are not finite, or when no cell has enough rows.

    References
    ----------
    C. Meehan, K. Chaudhuri and S. Dasgupta, "A non-parametric test to detect data-copying in
    generative models", AISTATS 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.metrics import data_copying_score
    >>> X_real, X_holdout = np.random.default_rng(0).normal(size=(2, 200, 3))
    >>> data_copying_score(X_real, X_real, X_holdout, n_cells=1) < -10
    True
    """
    synthetic, real = check_pair(X_syn, X_real)
    holdout = check_features(X_holdout, "X_holdout", 1)
    check_width(holdout, "X_holdout", real)
    if not 1 <= n_cells <= len(real):
        raise ValueError(f"n_cells={n_cells!r}; expected 1 to {len(real)}, the rows of X_real")
    neighbors = ExactNeighbors(real)
    cells = KMeans(n_cells, random_state=random_state).fit(real)
    scores = _cell_scores(
        (neighbors.kneighbors(synthetic)[0][:, 0], cells.predict(synthetic)),
        (neighbors.kneighbors(holdout)[0][:, 0], cells.predict(holdout)),
        n_cells,
    )
    if not len(scores):
        raise ValueError(
            f"no cell has {MIN_CELL} synthetic and {MIN_CELL} held-out rows (X_syn has "
            f"{len(synthetic)}, X_holdout {len(holdout)} rows); use fewer than {n_cells} cells"
        )
    return float(np.average(scores[:, 0], weights=scores[:, 1]))


def _cell_scores(
    synthetic: tuple[Features, NDArray[Any]], holdout: tuple[Features, NDArray[Any]], n_cells: int
) -> Features:
    """Deviate and number of held-out rows for each cell with enough rows."""
    scores = []
    for cell in range(n_cells):
        ours = synthetic[0][synthetic[1] == cell]
        theirs = holdout[0][holdout[1] == cell]
        if min(len(ours), len(theirs)) >= MIN_CELL:
            scores.append((_mann_whitney_deviate(ours, theirs), len(theirs)))
    return np.array(scores)


def _mann_whitney_deviate(first: Features, second: Features) -> float:
    """The standard normal deviate of how often `first` exceeds `second`."""
    n, m = len(first), len(second)
    exceed = rankdata(np.concatenate([first, second]))[:n].sum() - n * (n + 1) / 2
    return float((exceed - n * m / 2) / np.sqrt(n * m * (n + m + 1) / 12))

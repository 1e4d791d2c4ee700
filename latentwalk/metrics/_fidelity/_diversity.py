"""Diversity: how many different images a set holds."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import entr

from latentwalk.metrics._fidelity._common import check_features, directed


@directed(higher_is_better=True)
def vendi_score(X: ArrayLike) -> float:
    """Return the effective number of different rows, under cosine similarity.

    It is the exponential of the entropy of the eigenvalues of the similarity matrix, divided by its
    size: 1 if all rows have the same direction, n_samples if all are orthogonal. It grows with the
    number of rows: compare at equal numbers only.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Features; none may be all zeros.

    Returns
    -------
    score : float
        In [1, n_samples]; higher is more diverse.

    Raises
    ------
    ValueError
        For values that are not finite or rows of zeros.

    References
    ----------
    D. Friedman and A. B. Dieng, "The Vendi score: a diversity evaluation metric for machine
    learning", TMLR 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.metrics import vendi_score
    >>> round(vendi_score(np.eye(4)), 6), round(vendi_score(np.ones((4, 2))), 6)
    (4.0, 1.0)
    """
    X = check_features(X, "X", min_samples=1)
    norms = np.linalg.norm(X, axis=1, keepdims=True)
    if (norms == 0).any():
        raise ValueError(
            f"X has {int((norms == 0).sum())} rows of zeros, which have no cosine similarity"
        )
    unit = X / norms
    # the smaller Gram matrix has the same eigenvalues but zeros
    gram = unit @ unit.T if len(X) <= X.shape[1] else unit.T @ unit
    eigenvalues = np.linalg.eigvalsh(gram / len(X)).clip(min=0)
    return float(np.exp(entr(eigenvalues).sum()))

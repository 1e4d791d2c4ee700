"""Train on synthetic images, test on real ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.metrics import check_scoring

from latentwalk.utils import check_images, check_targets, to_float


def tstr_score(
    classifier: Any,
    X_syn: ArrayLike,
    y_syn: ArrayLike,
    X_real: ArrayLike,
    y_real: ArrayLike,
    *,
    scoring: Any = "balanced_accuracy",
) -> float:
    """Train a classifier on synthetic images and score it on real images.

    Higher is better. Compare the score with that of the same classifier trained on the real images
    from which the release was made, and scored on the same real images.

    Parameters
    ----------
    classifier : estimator
        Cloned and fitted on the synthetic images.
    X_syn : array-like of shape (n_synthetic, n_channels, height, width) or flat
        The training images.
    y_syn : array-like of shape (n_synthetic,)
        The classes.
    X_real : array-like of shape (n_real, n_channels, height, width) or flat
        The test images, of patients that were not used to make the release. The synthetic images
        are passed to the classifier in the same form, flat or not.
    y_real : array-like of shape (n_real,)
        The classes.
    scoring : str, callable or None, default="balanced_accuracy"
        As in `sklearn.model_selection.cross_val_score`; None is the classifier's own ``score``.
        Accuracy can be high for a release that never shows a rare class; balanced accuracy cannot.

    Returns
    -------
    score : float
        The value of the scorer.

    Raises
    ------
    ValueError
        When images and labels do not fit together.

    References
    ----------
    C. Esteban et al., "Real-valued (Medical) Time Series Generation with Recurrent Conditional
    GANs", 2017, arXiv 1706.02633.

    Examples
    --------
    >>> from latentwalk.evaluation import tstr_score
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import RidgeClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> tstr_score(RidgeClassifier(), X[:900] / 16, y[:900], X[900:] / 16, y[900:]) > 0.8
    True
    """
    real = as_floats(X_real, name="X_real")
    synthetic = in_the_form_of(real, X_syn, name="X_syn")
    model = clone(classifier).fit(synthetic, check_targets(y_syn, len(synthetic), name="y_syn"))
    scorer = check_scoring(model, scoring)
    return float(scorer(model, real, check_targets(y_real, len(real), name="y_real")))


def as_floats(X: ArrayLike, *, name: str) -> NDArray[Any]:
    """Images as float32 in [0, 1]; rows of features as they are, bytes scaled."""
    X = np.asarray(X)
    return to_float(X if X.ndim == 2 else check_images(X, name=name))


def in_the_form_of(X_real: NDArray[Any], X_syn: ArrayLike, *, name: str) -> NDArray[Any]:
    """Synthetic images as floats, in the form of the real images, flat or not."""
    X = as_floats(X_syn, name=name)
    if X[:1].size != X_real[:1].size:
        raise ValueError(
            f"{name} has shape {X.shape}; rows of {X_real.shape[1:]} were expected, as the real "
            "images have"
        )
    return X.reshape(len(X), *X_real.shape[1:])

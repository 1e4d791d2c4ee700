"""How a classifier learns from a release besides a plain fit, and what it remembers of members."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import has_fit_parameter

from latentwalk.metrics import Rate, auc

Labelled = tuple[NDArray[Any], NDArray[Any], NDArray[np.intp]]  # images, classes, patients

LEAST_WEIGHT = 0.01  # a class below this posterior gets no row


def check_learner(classifier: Any, *, fine_tune: bool, soft: bool) -> None:
    """Raise unless a classifier can go on with other images, and learn weighted rows.

    Raises
    ------
    TypeError
        When it has neither ``warm_start`` nor ``partial_fit``, or takes no ``sample_weight``.
    """
    name = type(classifier).__name__
    if fine_tune and not (_warm_starts(classifier) or hasattr(classifier, "partial_fit")):
        raise TypeError(
            f"classifier is a {name}, which has neither warm_start nor partial_fit; fine_tune_size "
            "needs one of them, as LabelClassifier and SGDClassifier have"
        )
    if soft and not has_fit_parameter(classifier, "sample_weight"):
        raise TypeError(
            f"classifier is a {name}, whose fit takes no sample_weight; a teacher needs it, since "
            "soft labels are weights"
        )


def fit_softly(classifier: Any, X: NDArray[Any], teacher: Any) -> None:
    """Fit a classifier on the posteriors of a fitted teacher, in the place of labels.

    An image becomes a row for each class, weighted by the posterior p of the class: the weighted
    log loss of these rows is the cross entropy with p.

    References
    ----------
    G. Hinton et al., "Distilling the Knowledge in a Neural Network", 2015, arXiv 1503.02531.
    """
    posteriors = np.asarray(teacher.predict_proba(X))  # (n_samples, n_classes)
    rows, columns = np.nonzero(posteriors >= LEAST_WEIGHT)
    weights = posteriors[rows, columns]
    classifier.fit(X[rows], teacher.classes_[columns], sample_weight=weights)


def fine_tune(classifier: Any, X: NDArray[Any], y: NDArray[Any], classes: NDArray[Any]) -> None:
    """Go on training a fitted classifier with other images of the same classes.

    Raises
    ------
    ValueError
        When the images lack a class: a warm start would forget it.
    """
    if not _warm_starts(classifier):
        classifier.partial_fit(X, y)
        return
    missing = np.setdiff1d(classes, y)
    if len(missing):
        raise ValueError(
            f"fine_tune_size leaves no image of {len(missing)} of {len(classes)} classes to "
            "fine-tune with; take a larger share"
        )
    before = classifier.get_params()["warm_start"]
    classifier.set_params(warm_start=True).fit(X, y)
    classifier.set_params(warm_start=before)


def loss_auc(classifier: Any, members: Labelled, held_out: Labelled) -> Rate | None:
    """Return how well the loss of a classifier tells members from held-out patients.

    The attacker has the classifier, and an image of a patient with its class. The exposure of a
    patient is the mean log loss of their images.

    Returns
    -------
    rate : Rate or None
        The AUC with its interval; None without ``predict_proba``.

    References
    ----------
    S. Yeom et al., "Privacy Risk in Machine Learning: Analyzing the Connection to Overfitting",
    CSF 2018, arXiv 1709.01604.
    """
    if not hasattr(classifier, "predict_proba"):
        return None
    return auc(_patient_losses(classifier, *members), _patient_losses(classifier, *held_out))


def _patient_losses(
    classifier: Any, X: NDArray[Any], y: NDArray[Any], codes: NDArray[np.intp]
) -> NDArray[np.float64]:
    """The mean log loss of each patient's images; classes that no member has are left out."""
    known = np.isin(y, classifier.classes_)
    columns = np.searchsorted(classifier.classes_, y[known])
    posteriors = np.asarray(classifier.predict_proba(X[known]))[np.arange(known.sum()), columns]
    losses = -np.log(np.maximum(posteriors, np.finfo(np.float32).tiny))
    _, patients = np.unique(codes[known], return_inverse=True)
    return np.bincount(patients, losses) / np.bincount(patients)


def _warm_starts(classifier: Any) -> bool:
    return "warm_start" in classifier.get_params()

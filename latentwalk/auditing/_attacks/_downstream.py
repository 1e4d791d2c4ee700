"""Membership from a classifier that was trained on the release."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentwalk.auditing._attacks._base import MembershipAttack, register_attack


@register_attack("downstream")
class DownstreamAttack(MembershipAttack):
    """A classifier trained on the release is surer of records that the release copies.

    `fit` needs ``classifier``, trained on the release by whoever uses it, with ``predict_proba``.
    `membership_accuracy` of its scores is the form in which PLAN prints this attack.

    References
    ----------
    S. Yeom, I. Giacomelli, M. Fredrikson and S. Jha, "Privacy risk in machine learning: analyzing
    the connection to overfitting", CSF 2018 (the loss). A. Salem et al., "ML-Leaks", NDSS 2019
    (the largest posterior, where the label is not known).

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.auditing import ATTACKS
    >>> from sklearn.naive_bayes import GaussianNB
    >>> release, labels = np.array([[0.0], [1.0], [4.0], [5.0]]), np.array([0, 0, 1, 1])
    >>> classifier = GaussianNB().fit(release, labels)
    >>> attack = ATTACKS["downstream"]().fit(release, classifier=classifier)
    >>> right, wrong = attack.score_samples(np.array([[0.0], [0.0]]), np.array([0, 1]))
    >>> bool(right > wrong)
    True
    """

    needs: ClassVar[Mapping[str, tuple[str, ...]]] = {"classifier": ("predict_proba", "classes_")}
    sees_records = True
    sees_labels = True
    classifier_: Any

    def score_samples(self, X: NDArray[Any], y: ArrayLike | None = None) -> NDArray[np.float64]:
        """Return minus the loss on the record's label.

        Parameters
        ----------
        X : ndarray of shape (n_samples, ...)
            Records, in the form that the classifier takes.
        y : array-like of shape (n_samples,), default=None
            Their labels; None is an attacker who does not know them and takes the largest
            posterior.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            Logarithms of probabilities.

        Raises
        ------
        ValueError
            For labels that the classifier does not know.
        """
        log_proba = np.log(np.maximum(self.classifier_.predict_proba(X), np.finfo(np.float64).tiny))
        if y is None:
            return np.asarray(log_proba.max(axis=1), dtype=np.float64)
        labels, classes = np.asarray(y), np.asarray(self.classifier_.classes_)
        is_own = labels[:, None] == classes  # (n_samples, n_classes)
        if is_own.shape != log_proba.shape or not is_own.any(axis=1).all():
            raise ValueError(
                f"y has shape {labels.shape} and values {np.unique(labels).tolist()[:9]}; expected "
                f"for each of the {len(X)} records one of the classes {classes.tolist()[:9]}"
            )
        return np.asarray(log_proba[is_own], dtype=np.float64)

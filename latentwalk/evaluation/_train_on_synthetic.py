"""TrainOnSynthetic: a release and a classifier as one estimator."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import Pipeline
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_y, check_is_fitted, validate_data

from latentwalk.datasets import split_patients
from latentwalk.evaluation._check_pipeline import check_pipeline
from latentwalk.evaluation._routing import release_params
from latentwalk.evaluation._tstr import in_the_form_of
from latentwalk.utils import check_groups, check_targets, to_float, validate_images


def _classifier_has(method: str) -> Any:
    def check(self: TrainOnSynthetic) -> bool:
        getattr(getattr(self, "classifier_", self.classifier), method)
        return True

    return check


class TrainOnSynthetic(ClassifierMixin, BaseEstimator):
    """Learn from a release of the training images, and predict real images.

    If a classifier is placed after the walk in a pipeline, it is scored on synthetic copies of its
    training output. Such a score has no meaning. This estimator works differently. ``fit`` holds
    some patients out, makes the release from the others, trains the classifier on the release only,
    and audits the release against the held-out patients. It keeps the classifier and the report,
    and neither the images nor the release. ``predict`` and ``score`` take real images. So
    cross-validation and grid search measure the utility of the release for its users, and the
    privacy scores measure its cost in privacy.

    Before any work ``fit`` checks that the sets of the audit share no image. It also checks the
    release as `check_pipeline` does, on the patients that are not held out. Every class needs k of
    these, or 2k for a walk.

    Parameters
    ----------
    release : Pipeline or transformer
        Cloned; its ``fit_transform`` gives a synthetic image for every real one. Steps whose
        ``fit`` takes ``groups`` or ``X_real`` get the patients and the images of the members. With
        metadata routing on, only steps that request them get them, and every step must request or
        refuse groups.
    classifier : classifier
        Cloned. It gets images in the form of ``X``: pass X as flat rows ``(n_samples, n_channels *
        height * width)`` for scikit-learn's own classifiers. If classes are uneven, set
        ``class_weight="balanced"``.
    auditor : PrivacyAuditor, default=None
        Cloned; None is ``PrivacyAuditor()``.
    holdout_size : float, default=0.3
        The share of patients that are held out for the audit, in (0, 1).
    random_state : int, RandomState instance or None, default=None
        Seeds the draw of the held-out patients.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes.
    classifier_ : classifier
        Trained on synthetic images only.
    report_ : AuditReport
        The audit of the release against the held-out patients.
    n_features_in_ : int
        Number of values in an image.

    See Also
    --------
    tstr_score : The same measure for an existing release.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import RidgeClassifier
    >>> from sklearn.preprocessing import FunctionTransformer
    >>> from latentwalk import TrainOnSynthetic
    >>> X, y = load_digits(return_X_y=True)
    >>> copies = FunctionTransformer(lambda X: 0.999 * X)  # stands for a release, a bad one
    >>> model = TrainOnSynthetic(copies, RidgeClassifier(), random_state=0).fit(X / 16, y)
    >>> model.predict(X[:5] / 16)
    array([0, 1, 2, 3, 4])
    >>> model.report_.verdict.value
    'LEAK'
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "release": [HasMethods(["fit_transform"])],
        "classifier": [HasMethods(["fit", "predict"])],
        "auditor": [HasMethods(["fit", "audit"]), None],
        "holdout_size": [Interval(Real, 0, 1, closed="neither")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        release: Any,
        classifier: Any,
        *,
        auditor: Any = None,
        holdout_size: float = 0.3,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.release = release
        self.classifier = classifier
        self.auditor = auditor
        self.holdout_size = holdout_size
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike, *, groups: ArrayLike | None = None) -> Self:
        """Make the release of the members, train on it, and audit it.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_channels, height, width) or (n_samples, n_features)
            Real images.
        y : array-like of shape (n_samples,)
            Their classes.
        groups : array-like of shape (n_samples,), default=None
            Patient ids; None counts every image as a patient.

        Returns
        -------
        self : TrainOnSynthetic
            The fitted estimator.

        Raises
        ------
        ValueError
            When lengths differ, when there are too few patients to hold some out, or when the
            release cannot be made from the others, as `check_pipeline` finds before any work.
        """
        self._validate_params()
        if y is None:
            raise ValueError("TrainOnSynthetic requires y to be passed, but the target y is None")
        images, classes = self._check(X, y, reset=True)
        codes = check_groups(groups, len(images))
        shares = (1 - self.holdout_size, 0.0, 0.0, self.holdout_size)
        split = split_patients(
            images, classes, codes, shares=shares, random_state=self.random_state
        )
        members, held_out = split.members, split.audit
        # what the audit refuses is refused before the release is made
        auditor = self._new_auditor().fit(
            images[members],
            X_holdout=images[held_out],
            groups=codes[members],
            groups_holdout=codes[held_out],
        )
        patients = None if groups is None else codes[members]
        X_syn = self._make_release(images[members], classes[members], patients)
        self.classes_ = np.unique(classes[members])
        self.classifier_ = clone(self.classifier).fit(X_syn, classes[members])
        self.report_ = auditor.audit(X_syn)
        return self

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Predict the classes of real images.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_channels, height, width) or (n_samples, n_features)
            Real images, in the form that ``fit`` had.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            The classes.
        """
        check_is_fitted(self, "classifier_")
        return np.asarray(self.classifier_.predict(self._check(X)[0]))

    @available_if(_classifier_has("predict_proba"))
    def predict_proba(self, X: ArrayLike) -> NDArray[Any]:
        """Predict the probabilities of the classes of real images.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_channels, height, width) or (n_samples, n_features)
            Real images, in the form that ``fit`` had.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        check_is_fitted(self, "classifier_")
        return np.asarray(self.classifier_.predict_proba(self._check(X)[0]))

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the balanced accuracy on real images: the mean recall of the classes.

        It equals the accuracy if all classes are equally frequent. Otherwise accuracy can be high
        for a release that never shows a rare class. ``scoring="accuracy"`` gives the accuracy.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_channels, height, width) or (n_samples, n_features)
            Real images, in the form that ``fit`` had.
        y : array-like of shape (n_samples,)
            Their classes.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the images.

        Returns
        -------
        score : float
            In [0, 1]; higher is better.
        """
        predicted = self.predict(X)
        return float(balanced_accuracy_score(y, predicted, sample_weight=sample_weight))

    def _make_release(
        self, X: NDArray[Any], y: NDArray[Any], groups: NDArray[np.intp] | None
    ) -> NDArray[Any]:
        release = clone(self.release)
        params = release_params(release, groups=groups, X_real=X)
        if isinstance(release, Pipeline):
            others = {name: value for name, value in params.items() if name != "groups"}
            check_pipeline(release, X, y, groups, **others)
        X_syn = np.asarray(release.fit_transform(X, y, **params))
        if len(X_syn) != len(X):
            raise ValueError(
                f"release gave {len(X_syn)} images for {len(X)}; a row for every row is needed, "
                "since the classes are those of the rows"
            )
        return in_the_form_of(X, X_syn, name="the release")

    def _new_auditor(self) -> Any:
        from latentwalk.auditing import PrivacyAuditor

        return PrivacyAuditor() if self.auditor is None else clone(self.auditor)

    def _check(self, X: Any, y: Any = "no_validation", *, reset: bool = False) -> tuple[Any, Any]:
        """Images as float32 in [0, 1], in their original form, and classes."""
        n_least = 2 if reset else 1
        if getattr(X, "ndim", None) == 4:
            X = np.asarray(X)  # files are read once
        if np.asarray(X).ndim == 4:
            X = validate_images(self, X, reset=reset)
            y = _check_y(y, estimator=self) if reset else y
        else:
            checked = validate_data(self, X, y, reset=reset, ensure_min_samples=n_least)
            X, y = checked if reset else (checked, None)
        if reset:
            check_classification_targets(y)
            y = check_targets(y, len(X))
        return to_float(X), y

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = False
        return tags

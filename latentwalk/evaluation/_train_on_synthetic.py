"""TrainOnSynthetic: a release and a classifier as one estimator."""

from __future__ import annotations

import sys
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

from latentwalk.datasets import PatientSplit, split_patients
from latentwalk.evaluation._check_pipeline import check_pipeline
from latentwalk.evaluation._learning import check_learner, fine_tune, fit_softly, loss_auc
from latentwalk.evaluation._routing import release_params
from latentwalk.evaluation._tstr import in_the_form_of
from latentwalk.evaluation._warnings import each_warning_once
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

    Before any work ``fit`` checks the release as `check_pipeline` does, on the patients that it is
    made from. Every class needs k of these, or 2k for a walk. ``fit`` also checks that the sets of
    the audit share no image. Each fit shows a warning once, however many of its steps give it.

    Two variants are for the hospital that receives a release. With `fine_tune_size` the classifier
    is trained on the release first, and then on real images of patients of its own. With a
    `teacher` it learns soft labels. Soft labels come from a classifier that saw the members, so
    they carry the members too, and the audit of the images does not see that. `classifier_auc_`
    measures it.

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
    fine_tune_size : float, default=0.0
        The share of patients, in [0, 1), whose real images fine-tune the classifier after the
        release. They stand for the receiver's own patients: the release is not made from them, and
        they do not judge it. The classifier needs ``warm_start`` or ``partial_fit``.
    teacher : classifier, default=None
        Cloned and fitted on the members. Its posteriors on the synthetic images are the soft labels
        that the classifier learns, as weights of one row for each class: its ``fit`` must take
        ``sample_weight``. None gives every synthetic image the class of its row.
    random_state : int, RandomState instance or None, default=None
        Seeds the draw of the held-out patients.
    verbose : bool, default=False
        Show the stages of ``fit`` on standard error.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes.
    classifier_ : classifier
        Trained on synthetic images and, with `fine_tune_size`, on the receiver's real ones.
    report_ : AuditReport
        The audit of the release against the held-out patients.
    classifier_auc_ : Rate or None
        How well the loss of the classifier tells members from held-out patients, with its 95 %
        interval; 0.5 is chance. An interval above 0.5 says that the classifier gives members away.
        None for a classifier without ``predict_proba``.
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
        "fine_tune_size": [Interval(Real, 0, 1, closed="left")],
        "teacher": [HasMethods(["fit", "predict_proba"]), None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        release: Any,
        classifier: Any,
        *,
        auditor: Any = None,
        holdout_size: float = 0.3,
        fine_tune_size: float = 0.0,
        teacher: Any = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool | int = False,
    ) -> None:
        self.release = release
        self.classifier = classifier
        self.auditor = auditor
        self.holdout_size = holdout_size
        self.fine_tune_size = fine_tune_size
        self.teacher = teacher
        self.random_state = random_state
        self.verbose = verbose

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
        with each_warning_once():
            return self._fit(images, classes, codes, has_groups=groups is not None)

    def _fit(
        self, X: NDArray[Any], y: NDArray[Any], codes: NDArray[np.intp], *, has_groups: bool
    ) -> Self:
        split = self._split(X, y, codes)
        members, own, held_out = split.members, split.calibration, split.audit
        patients = codes[members] if has_groups else None
        # what would fail later fails before the release is made
        is_soft = self.teacher is not None
        check_learner(self.classifier, fine_tune=self.fine_tune_size > 0, soft=is_soft)
        release, params = self._checked_release(X[members], y[members], patients)
        auditor = self._new_auditor().fit(
            X[members],
            X_holdout=X[held_out],
            groups=codes[members],
            groups_holdout=codes[held_out],
        )
        self._say(
            f"a release of {len(members)} images of {len(np.unique(codes[members]))} patients"
        )
        X_syn = self._make_release(release, X[members], y[members], params)
        self.classes_ = np.unique(y[members])
        self._say(f"a classifier of {len(X_syn)} synthetic images")
        model = clone(self.classifier)
        if self.teacher is None:
            model.fit(X_syn, y[members])
        else:
            fit_softly(model, X_syn, clone(self.teacher).fit(X[members], y[members]))
        if len(own):
            self._say(f"the classifier goes on with {len(own)} real images of the receiver")
            fine_tune(model, X[own], y[own], self.classes_)
        self.classifier_ = model
        self._say(f"the audit, with {len(np.unique(codes[held_out]))} held-out patients")
        self.report_ = auditor.audit(X_syn)
        sides = ((X[rows], y[rows], codes[rows]) for rows in (members, held_out))
        self.classifier_auc_ = loss_auc(model, *sides)
        self._say(f"the verdict is {self.report_.verdict}")
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

    def _split(self, X: NDArray[Any], y: NDArray[Any], codes: NDArray[np.intp]) -> PatientSplit:
        own, held_out = self.fine_tune_size, self.holdout_size
        if own + held_out >= 1:
            raise ValueError(
                f"fine_tune_size={own} and holdout_size={held_out} leave nobody to make the "
                "release from; expected a sum below 1"
            )
        shares = (1 - own - held_out, own, 0.0, held_out)
        return split_patients(X, y, codes, shares=shares, random_state=self.random_state)

    def _checked_release(
        self, X: NDArray[Any], y: NDArray[Any], groups: NDArray[np.intp] | None
    ) -> tuple[Any, dict[str, Any]]:
        """The release, not fitted yet, and the arguments of its ``fit_transform``."""
        release = clone(self.release)
        params = release_params(release, groups=groups, X_real=X)
        if isinstance(release, Pipeline):
            others = {name: value for name, value in params.items() if name != "groups"}
            check_pipeline(release, X, y, groups, **others)
        return release, params

    def _make_release(
        self, release: Any, X: NDArray[Any], y: NDArray[Any], params: dict[str, Any]
    ) -> NDArray[Any]:
        X_syn = np.asarray(release.fit_transform(X, y, **params))
        if len(X_syn) != len(X):
            raise ValueError(
                f"release gave {len(X_syn)} images for {len(X)}; a row for every row is needed, "
                "since the classes are those of the rows"
            )
        return in_the_form_of(X, X_syn, name="the release")

    def _say(self, text: str) -> None:
        if self.verbose:
            print(f"TrainOnSynthetic: {text}", file=sys.stderr, flush=True)

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

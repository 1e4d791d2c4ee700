"""The base of both guides: checks, training, prediction, pickling."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    _check_y,
    check_is_fitted,
    validate_data,
)
from torch import nn

from latentwalk.classifiers._augment import AUGMENTATIONS
from latentwalk.classifiers._backbone import backbone_net
from latentwalk.classifiers._nets import Temperature, guide_net
from latentwalk.classifiers._training import (
    Labelled,
    Schedule,
    fit_temperature,
    predict_logits,
    train,
    validation_figures,
)
from latentwalk.utils import (
    check_images,
    check_targets,
    drawing_from,
    pack_module,
    resolve_device,
    to_float,
    torch_generator,
    unpack_module,
    validate_images,
)

DEFAULT_AUGMENTATION = ("flip", "shift")


class GuideClassifier(ClassifierMixin, BaseEstimator):
    """Base of the guides: a small net behind scikit-learn's interface."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "image_shape": [tuple, list, None],
        "backbone": [StrOptions({"lpips"}), nn.Module, None],
        "width": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "augmentation": [tuple, list, None],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "patience": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "device": [str, torch.device, None],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    module_: nn.Module
    classes_: NDArray[Any]
    history_: list[dict[str, float]]
    temperature_: float
    image_shape_: tuple[int, int, int] | None

    def __init__(
        self,
        *,
        image_shape: tuple[int, int, int] | None = None,
        backbone: str | nn.Module | None = None,
        width: int = 24,
        max_iter: int = 30,
        learning_rate: float = 5e-3,
        label_smoothing: float = 0.1,
        augmentation: tuple[str, ...] | None = DEFAULT_AUGMENTATION,
        class_weight: dict[Any, float] | str | None = None,
        patience: int = 10,
        warm_start: bool = False,
        device: str | torch.device | None = None,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: bool | int = False,
    ) -> None:
        self.image_shape = image_shape
        self.backbone = backbone
        self.width = width
        self.max_iter = max_iter
        self.learning_rate = learning_rate
        self.label_smoothing = label_smoothing
        self.augmentation = augmentation
        self.class_weight = class_weight
        self.patience = patience
        self.warm_start = warm_start
        self.device = device
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    @classmethod
    def from_module(
        cls,
        module: nn.Module,
        classes: ArrayLike,
        *,
        image_shape: tuple[int, int, int] | None = None,
        device: str | torch.device | None = None,
    ) -> Self:
        """Return a fitted classifier around a trained torch module.

        `sklearn.clone` returns an unfitted classifier: put this one into a
        `sklearn.frozen.FrozenEstimator` wherever scikit-learn clones (grid search,
        cross-validation, ``Pipeline(memory=...)``).

        Parameters
        ----------
        module : nn.Module
            Gives logits of shape (n_samples, n_classes) for float images in [0, 1] of shape
            (n_samples, n_channels, height, width). If a net expects another range or size, put a
            layer in front of it that converts the images.
        classes : array-like of shape (n_classes,)
            The label of each logit, distinct.
        image_shape : tuple (n_channels, height, width), default=None
            The shape of its images; with None only the module checks them.
        device : str or torch.device, default=None
            Where it runs.

        Returns
        -------
        classifier : estimator
            Fitted; ``history_`` is empty.

        Raises
        ------
        TypeError
            When `module` is not a torch module.
        ValueError
            When `classes` is not 1-D or repeats a label.
        """
        if not isinstance(module, nn.Module):
            raise TypeError(f"module is a {type(module).__name__}; expected a torch nn.Module")
        labels = np.asarray(classes)
        if labels.ndim != 1 or len(np.unique(labels)) != len(labels):
            raise ValueError(
                f"classes has shape {labels.shape} and {len(np.unique(labels))} distinct labels; "
                "expected one distinct label a logit, 1-D"
            )
        guide = cls(image_shape=image_shape, device=device)
        guide.module_ = module.eval()
        guide.classes_, guide.history_, guide.temperature_ = labels, [], 1.0
        guide.image_shape_ = image_shape
        if image_shape is not None:
            guide.n_features_in_ = int(np.prod(image_shape))
        return guide

    def _fit(
        self,
        X: Any,
        y: ArrayLike | None,
        X_val: Any,
        y_val: ArrayLike | None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Check everything, set the attributes (an interrupted fit keeps them), then train."""
        X = self._validated(X, reset=True)
        labels = self._targets(y, len(X))
        classes, codes = np.unique(labels, return_inverse=True)
        weights = compute_class_weight(self.class_weight, classes=classes, y=labels)
        row_weights = _check_sample_weight(sample_weight, X, dtype=np.float32)
        schedule = self._schedule(weights.astype(np.float32))
        validation = self._validation_data(X_val, y_val, classes)
        generator, device = torch_generator(self.random_state), resolve_device(self.device)
        if not (self.warm_start and self._can_resume(classes)):
            self.module_, self.history_ = self._net(X, codes, device, generator), []
        self.classes_, self.temperature_ = classes, 1.0
        self._temperature(1.0)
        if len(X) > 1:
            train(
                self.module_,
                (X, codes, row_weights),
                schedule,
                device=device,
                generator=generator,
                history=self.history_,
                validation=validation,
                verbose=self.verbose,
            )
        self.module_.eval()
        if validation is not None:
            self._calibrate(validation, device)
        return self

    def _schedule(self, class_weights: NDArray[np.float32]) -> Schedule:
        """The training parameters, checked."""
        kinds = tuple(self.augmentation or ())
        unknown = sorted(set(kinds) - set(AUGMENTATIONS))
        if unknown:
            raise ValueError(f"augmentation has {unknown}; expected any of {AUGMENTATIONS}")
        return Schedule(
            max_iter=self.max_iter,
            learning_rate=self.learning_rate,
            label_smoothing=self.label_smoothing,
            augmentation=kinds,
            patience=self.patience,
            class_weights=class_weights,
        )

    def _net(
        self,
        X: NDArray[Any],
        codes: NDArray[np.intp],
        device: torch.device,
        generator: torch.Generator,
    ) -> nn.Module:
        """An untrained net for checked rows."""
        with drawing_from(generator):
            if self.backbone is None or X.ndim == 2:
                return guide_net(to_float(X), int(codes.max()) + 1, self.width)
            kinds = self.augmentation or ()
            return backbone_net(self.backbone, X, codes, kinds, device, generator)

    def _validated(self, X: Any, *, reset: bool) -> NDArray[Any]:
        """X as checked images, or as float32 features if no image shape is known."""
        shape = self.image_shape if reset else self.image_shape_
        if shape is None and np.asarray(X).ndim <= 2:
            X = validate_data(self, X, dtype=np.float32, reset=reset)
        elif shape is None and not reset:
            return check_images(X)
        else:
            X = validate_images(self, X, image_shape=_as_shape(shape), reset=reset)
        if reset:
            self.image_shape_ = None if X.ndim == 2 else (X.shape[1], X.shape[2], X.shape[3])
        return X

    def _targets(self, y: ArrayLike | None, n_samples: int) -> NDArray[Any]:
        """The class of each row."""
        if y is not None and np.asarray(y).ndim == 1:  # says how many are missing, and shows none
            y = check_targets(y, n_samples)
        labels = check_targets(_check_y(y, estimator=self), n_samples)
        check_classification_targets(labels)
        return np.asarray(labels)

    def _validation_data(
        self, X_val: Any, y_val: ArrayLike | None, classes: NDArray[Any]
    ) -> Labelled | None:
        """Held-out rows with their class codes."""
        if X_val is None and y_val is None:
            return None
        if X_val is None or y_val is None:
            raise ValueError("X_val and y_val belong together; one of them is None: pass both")
        X_val = self._validated(X_val, reset=False)
        labels = np.asarray(check_targets(y_val, len(X_val), name="y_val"))
        unknown = ~np.isin(labels, classes)
        if unknown.any():
            raise ValueError(
                f"y_val has {int(unknown.sum())} rows of classes that y does not have; hold out "
                "other images of the classes in y"
            )
        return X_val, np.searchsorted(classes, labels)

    def _can_resume(self, classes: NDArray[Any]) -> bool:
        """Whether what was fitted before has the same classes."""
        return hasattr(self, "module_") and np.array_equal(self.classes_, classes)

    def _temperature(self, value: float) -> None:
        """Set the temperature of the net that fit made."""
        last = list(self.module_.children())[-1]
        if isinstance(last, Temperature):
            last.set(value)

    def _calibrate(self, validation: Labelled, device: torch.device) -> None:
        """Fit the temperature on the held-out rows and keep the figures there."""
        self.temperature_ = fit_temperature(
            predict_logits(self.module_, validation[0], device), validation[1]
        )
        self._temperature(self.temperature_)
        figures = validation_figures(self.module_, validation, device)
        self.validation_score_ = figures["validation_accuracy"]
        self.validation_balanced_accuracy_ = figures["validation_balanced_accuracy"]
        if self.verbose:
            print(
                f"{type(self).__name__}: {len(validation[1])} held-out rows, rank 1 "
                f"{self.validation_score_:.3f}, balanced accuracy "
                f"{self.validation_balanced_accuracy_:.3f}, by chance {1 / len(self.classes_):.3f}"
            )

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return class probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_channels, height, width) or (n_samples, n_features)
            Images or features, as in fit.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        check_is_fitted(self)
        X = self._validated(X, reset=False)
        logits = predict_logits(self.module_, X, resolve_device(self.device), self.n_jobs)
        return np.asarray(softmax(logits.astype(np.float64), axis=1))

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable class of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_channels, height, width) or (n_samples, n_features)
            Images or features, as in fit.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Values of ``classes_``.
        """
        proba = self.predict_proba(X)
        return np.asarray(self.classes_[proba.argmax(axis=1)])

    @property
    def n_iter_(self) -> int:
        """Epochs trained."""
        return len(self.history_)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "module_")

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if "module_" in state:
            state["module_"] = pack_module(state["module_"])
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "module_" in state:
            self.module_ = unpack_module(state["module_"])


def _as_shape(shape: Sequence[int] | None) -> tuple[int, int, int] | None:
    """An image shape given as any sequence."""
    if shape is None:
        return None
    channels, height, width = shape
    return int(channels), int(height), int(width)

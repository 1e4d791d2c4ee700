"""The guide that recognises the subject of an image."""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import _fit_context
from sklearn.utils import Tags

from latentwalk.classifiers._base import GuideClassifier

N_CHECKED = 1000  # training images on which a fitted classifier is tried
LEAST_RECOGNISED = 0.5


class IdentityClassifier(GuideClassifier):
    """Recognise the subject (patient) of an image: the identity guide of the walk.

    Every subject of the private collection is a class. The walk keeps its images where this
    classifier recognises nobody. It protects only those whom the classifier recognises, so measure
    ``score`` on held-out images of the same subjects (the re-identification rate). `fit` warns
    when fewer than half of the training images are recognised.

    A pickle of a fitted classifier holds the subjects' ids, and weights that were trained on them.
    It is as private as the images.

    Parameters
    ----------
    image_shape : tuple (n_channels, height, width), default=None
        How to read the rows of 2-D input as images. With None, 2-D input is features.
    backbone : "lpips", nn.Module or None, default=None
        The network that gives the features of images. None trains a small convolutional net on the
        private images alone. "lpips" is the AlexNet of the LPIPS distance, which ships with the
        package and sees images at 64 pixels. A module takes float images in [0, 1] and gives a row
        of features for each. A backbone is frozen, and a module is copied. The features are
        whitened over augmented training images. A head of cosines, which starts at the class means,
        is trained on up to 512 principal components. Not used if X holds features.
    width : int, default=24
        Channels of the first layer of the net without a backbone. The last layer has four times as
        many.
    max_iter : int, default=30
        Epochs.
    learning_rate : float, default=5e-3
        The peak of the one-cycle schedule.
    label_smoothing : float, default=0.1
        Keeps the posteriors from saturating if there is no `X_val` to calibrate them.
    augmentation : tuple of str or None
        Any of "flip", "vertical_flip", "rotate", "shift", "crop", "brightness"; by default "flip"
        and "shift". Choose what the modality allows: left and right differ in a chest X-ray, not
        in a blood cell. More of it needs more epochs. Not used if X holds features.
    class_weight : "balanced", dict or None, default=None
        Weights of classes in the loss, by label. "balanced" gives every class the same total
        weight, however many rows it has; None gives every row the same.
    patience : int, default=10
        With `X_val`, training ends after so many epochs without a lower validation loss.
    warm_start : bool, default=False
        Start from the weights of the last fit, also of an interrupted one.
    device : str or torch.device, default=None
        None uses CUDA if available, else the CPU.
    n_jobs : int, default=None
        Number of blocks of batches in parallel (`joblib`) in `predict_proba`.
    random_state : int, RandomState instance or None, default=None
        Seeds weights, order and augmentation.
    verbose : bool or int, default=False
        Show a progress bar, and print the figures on `X_val`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The subject ids, or row numbers if fit got no ids.
    module_ : nn.Module
        Gives logits for float images in [0, 1].
    history_ : list of dict
        Loss and accuracy of each epoch, on augmented images, and on `X_val`.
    n_iter_ : int
        Epochs trained.
    temperature_ : float
        The number by which logits are divided; 1 without `X_val`.
    validation_score_ : float
        The re-identification rate (rank 1) on `X_val`; only with `X_val`.
    validation_balanced_accuracy_ : float
        The same rate as a mean over subjects, however many images each has.
    image_shape_ : tuple or None
        The shape of an image; None for features.
    n_features_in_ : int
        Values in a row.

    See Also
    --------
    LabelClassifier : The guide that keeps a path within its class.

    References
    ----------
    Pennisi et al., "A Privacy-Preserving Walk in the Latent Space of Generative Models for Medical
    Applications", MICCAI 2023, arXiv:2307.02984 (the auxiliary identity classifier).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from latentwalk import IdentityClassifier
    >>> X = load_digits().images[:40, None] / 16
    >>> guide = IdentityClassifier(max_iter=2, augmentation=("shift",), random_state=0)
    >>> guide.fit(X).predict_proba(X).shape
    (40, 40)
    """

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: ArrayLike | None = None,
        *,
        X_val: Any = None,
        y_val: ArrayLike | None = None,
    ) -> Self:
        """Train on the private images.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_channels, height, width) or (n_samples, n_features)
            Images, uint8 or float in [0, 1]; or features.
        y : array-like of shape (n_samples,), default=None
            The subject of each row; None counts every row as a subject.
        X_val, y_val : array-like, default=None
            Other images of the same subjects. They decide when training ends, set the temperature,
            and give the re-identification rate. Do not use images of the audit.

        Returns
        -------
        self : IdentityClassifier
            Fitted.

        Raises
        ------
        ValueError
            For bad images, ids of another length, or validation rows of unknown subjects (their
            number, not their ids).
        """
        self._fit(X, y, X_val, y_val)
        self._warn_if_blind(X, y)
        return self

    def _warn_if_blind(self, X: Any, y: ArrayLike | None) -> None:
        """Warn when few training images are recognised: a walk relies on this guide."""
        images = self._validated(X, reset=False)
        rows = np.unique(np.linspace(0, len(images) - 1, N_CHECKED).astype(int))
        share = float(np.mean(self.predict(images[rows]) == self._targets(y, len(images))[rows]))
        if share < LEAST_RECOGNISED:
            warnings.warn(
                f"IdentityClassifier recognises only {share:.0%} of its training images: a walk "
                "cannot keep away from subjects whom its guide does not recognise. Train longer "
                f"(max_iter={self.max_iter} epochs now), with a larger learning_rate or less "
                "augmentation, or take backbone='lpips'",
                stacklevel=4,
            )

    def _targets(self, y: ArrayLike | None, n_samples: int) -> NDArray[Any]:
        if y is None:
            return np.arange(n_samples)
        with warnings.catch_warnings():
            # as many classes as rows are normal here: most subjects have one image or two
            warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
            return super()._targets(y, n_samples)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        return tags

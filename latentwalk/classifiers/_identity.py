"""Who could be recognised in an image."""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import _fit_context
from sklearn.utils import Tags

from latentwalk.classifiers._base import GuideClassifier


class IdentityClassifier(GuideClassifier):
    """Recognise the subject (patient) of an image: the identity guide of the walk.

    Every subject of the private collection is a class. The walk keeps its images where this
    classifier recognises nobody, so it protects as well as this classifier recognises: measure
    ``score`` on held-out images of the same subjects (the re-identification rate).

    A pickle of a fitted classifier holds the subjects' ids and weights that know them: it is as
    private as the images.

    Parameters
    ----------
    image_shape : tuple (n_channels, height, width), default=None
        Reads the rows of 2-D input as images; with None 2-D input is features.
    backbone : "lpips", nn.Module or None, default=None
        Where images get their features from. None trains a small convolutional net on the private
        images alone. "lpips" is the AlexNet of the LPIPS distance, which ships with the package and
        sees images at 64 pixels. A module takes float images in [0, 1] and gives a row of features
        for each. Either is frozen (a module is copied); its features are whitened over augmented
        training images, and a head of cosines that starts at the class means is trained on up to
        512 principal components. Not used for features.
    width : int, default=24
        Channels of the first layer of the net without a backbone; the last has four times as many.
    max_iter : int, default=30
        Epochs.
    batch_size : int or "auto", default="auto"
        Rows a training step; "auto" is a sixteenth of the rows, between 8 and 64.
    learning_rate : float, default=5e-3
        The peak of the one-cycle schedule.
    weight_decay : float, default=0.01
        Of AdamW.
    label_smoothing : float, default=0.1
        Keeps the posteriors from saturating where there is nothing to calibrate them on.
    augmentation : tuple of str or None
        Any of "flip", "vertical_flip", "rotate", "shift", "crop", "brightness"; by default "flip"
        and "shift". Choose what the modality allows: left and right differ in a chest X-ray, not
        in a blood cell. More of it needs more epochs. Not used for features.
    patience : int, default=10
        Epochs without a lower validation loss after which training ends (with `X_val`).
    warm_start : bool, default=False
        Go on from the weights of the last fit, also after an interrupted one.
    device : str or torch.device, default=None
        None is "cuda" where there is one, else "cpu".
    random_state : int, RandomState instance or None, default=None
        Seeds weights, order and augmentation.
    verbose : bool or int, default=False
        Show a progress bar.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The subject ids, or row numbers where fit got none.
    module_ : nn.Module
        Gives logits for float images in [0, 1].
    history_ : list of dict
        Loss and accuracy of each epoch, on augmented images, and on `X_val`.
    n_iter_ : int
        Epochs trained.
    temperature_ : float
        What the logits are divided by; 1 without `X_val`.
    validation_score_ : float
        The re-identification rate on `X_val`; only with `X_val`.
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
            The subject of each row; None makes every row its own subject.
        X_val, y_val : array-like, default=None
            Other images of the same subjects: they end the training early, set the temperature,
            and give the re-identification rate. Never images of the audit.

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
        return self._fit(X, y, X_val, y_val)

    def _targets(self, y: ArrayLike | None, n_samples: int) -> NDArray[Any]:
        if y is None:
            return np.arange(n_samples)
        with warnings.catch_warnings():
            # most subjects have one image or two: nothing is amiss
            warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
            return super()._targets(y, n_samples)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        return tags

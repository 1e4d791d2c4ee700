"""The guide that recognises the class of an image."""

from __future__ import annotations

from typing import Any, Self

from numpy.typing import ArrayLike
from sklearn.base import _fit_context

from latentwalk.classifiers._base import GuideClassifier


class LabelClassifier(GuideClassifier):
    """Recognise the class (diagnosis) of an image: the guide that keeps a path within its class.

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
        and "shift". Choose changes that keep the class: a flipped digit is not a digit. More
        augmentation needs more epochs. Not used if X holds features.
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
        The labels.
    module_ : nn.Module
        Gives logits for float images in [0, 1].
    history_ : list of dict
        Loss and accuracy of each epoch, on augmented images, and on `X_val`.
    n_iter_ : int
        Epochs trained.
    temperature_ : float
        The number by which logits are divided; 1 without `X_val`.
    validation_score_ : float
        The accuracy on `X_val`; only with `X_val`.
    validation_balanced_accuracy_ : float
        The mean over classes of the accuracy on `X_val`; only with `X_val`.
    image_shape_ : tuple or None
        The shape of an image; None for features.
    n_features_in_ : int
        Values in a row.

    See Also
    --------
    IdentityClassifier : The guide that keeps a path away from all subjects.

    References
    ----------
    Pennisi et al., "A Privacy-Preserving Walk in the Latent Space of Generative Models for Medical
    Applications", MICCAI 2023, arXiv:2307.02984 (the auxiliary class classifier).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from latentwalk import LabelClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> guide = LabelClassifier(
    ...     image_shape=(1, 8, 8), max_iter=4, augmentation=("shift",), random_state=0
    ... )
    >>> guide.fit(X[:200] / 16, y[:200]).predict(X[:3] / 16).shape
    (3,)
    """

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: Any = None,
        y_val: ArrayLike | None = None,
    ) -> Self:
        """Train on the private images.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_channels, height, width) or (n_samples, n_features)
            Images, uint8 or float in [0, 1]; or features.
        y : array-like of shape (n_samples,)
            The class of each row.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in the loss. Soft labels are rows that come once for each class,
            with its probability as their weight.
        X_val, y_val : array-like, default=None
            Images of calibration patients. They decide when training ends and set the temperature.
            Do not use images of the audit.

        Returns
        -------
        self : LabelClassifier
            Fitted.

        Raises
        ------
        ValueError
            For bad images, labels of another length, or validation rows of unknown classes.
        """
        return self._fit(X, y, X_val, y_val, sample_weight)

"""The interface that all features share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)

from latentwalk.utils import validate_images


class ImageFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator, ABC):
    """A transformer of images to rows of features. Subclasses implement `_extract`.

    Nothing is learnt: `fit` checks the images and stores their shape. `transform` also works
    without `fit`.
    """

    image_shape: tuple[int, int, int] | None

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: Any = None) -> ImageFeatures:
        """Check the images and store their shape.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_channels, height, width) or (n_samples, n_features)
            uint8 in 0..255, or floats in [0, 1]; the flat form needs `image_shape`.
        y : None
            Ignored.

        Returns
        -------
        self : estimator
            The transformer itself.
        """
        images = self._validate(X, reset=True)
        self.image_shape_ = images.shape[1:]
        self._n_features_out = self._checked(images[:1]).shape[1]
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return the features of each image.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_channels, height, width) or (n_samples, n_features)
            Images as in `fit`.

        Returns
        -------
        features : ndarray of shape (n_samples, n_features_out)
            Float32.

        Raises
        ------
        ValueError
            For images of another shape, rank or range, or features that are not finite.
        """
        return self._checked(self._validate(X, reset=False))

    @abstractmethod
    def _extract(self, images: NDArray[Any]) -> NDArray[Any]:
        """Features of checked images (n, c, h, w), uint8 or float32."""

    def _validate(self, X: ArrayLike, *, reset: bool) -> NDArray[Any]:
        shape = self.image_shape if reset else getattr(self, "image_shape_", self.image_shape)
        return validate_images(self, X, image_shape=shape, reset=reset)

    def _checked(self, images: NDArray[Any]) -> NDArray[np.float32]:
        """The features as finite float32 rows, one for each image."""
        features = np.asarray(self._extract(images), dtype=np.float32)
        if features.ndim < 2 or len(features) != len(images):
            raise ValueError(
                f"{type(self).__name__} gave features of shape {features.shape} for {len(images)} "
                "images; expected (n_samples, n_features)"
            )
        features = features.reshape(len(features), -1)
        if not np.isfinite(features).all():
            raise ValueError(f"{type(self).__name__} gave features with NaN or infinite values")
        return features

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = []
        tags.input_tags.two_d_array = self.image_shape is not None
        return tags

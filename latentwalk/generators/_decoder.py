"""GANDecoder: latents to images, the last step of a pipeline."""

from __future__ import annotations

from math import prod
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from latentwalk.generators._generator import Generator, decode_latents
from latentwalk.utils import validate_latents


class GANDecoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Decode latents to images.

    Parameters
    ----------
    generator : Generator
        The network. Its latent space, device and batch size are used.
    output_dtype : {"float32", "uint8"}, default="float32"
        Floats in [0, 1], or bytes.
    flatten : bool, default=False
        Return rows of ``n_channels * height * width`` values, as data frames need.
    n_jobs : int, default=None
        Number of blocks of batches in parallel (`joblib`). The images are the same for any number.
    verbose : bool, default=False
        Show progress.

    Attributes
    ----------
    n_features_in_ : int
        Width of a latent.

    Examples
    --------
    >>> import numpy as np
    >>> import latentwalk as lw
    >>> from latentwalk.datasets import dermoscopy_generator_path
    >>> generator = lw.load_generator(dermoscopy_generator_path())
    >>> lw.GANDecoder(generator).fit_transform(generator.latent_moments[0][None]).shape
    (1, 3, 32, 32)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "generator": [Generator],
        "output_dtype": [StrOptions({"float32", "uint8"})],
        "flatten": ["boolean"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        generator: Generator,
        *,
        output_dtype: str = "float32",
        flatten: bool = False,
        n_jobs: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.generator = generator
        self.output_dtype = output_dtype
        self.flatten = flatten
        self.n_jobs = n_jobs
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, W: ArrayLike, y: Any = None) -> Self:
        """Check that the latents are the generator's.

        Parameters
        ----------
        W : array-like of shape (n_samples, n_latent_features)
            Latents.
        y : ignored
            For the pipeline.

        Returns
        -------
        self : GANDecoder
            The fitted decoder.
        """
        self._check_latents(W, reset=True)
        self._n_features_out = prod(self.generator.image_shape)
        return self

    def transform(self, W: ArrayLike) -> NDArray[Any]:
        """Decode latents.

        Parameters
        ----------
        W : array-like of shape (n_samples, n_latent_features)
            Latents.

        Returns
        -------
        X : ndarray of shape (n_samples, n_channels, height, width), or 2-D with `flatten`
            The images.
        """
        check_is_fitted(self, "_n_features_out")
        latents = self._check_latents(W, reset=False)
        X = decode_latents(
            self.generator,
            latents,
            output_dtype=self.output_dtype,
            n_jobs=self.n_jobs,
            verbose=self.verbose,
        )
        return X.reshape(len(X), -1) if self.flatten else X

    def _check_latents(self, W: ArrayLike, *, reset: bool) -> NDArray[np.float32]:
        latents = validate_latents(self, W, reset=reset)
        expected = self.generator.n_latent_features
        if latents.shape[1] != expected:
            raise ValueError(
                f"W has {latents.shape[1]} features; the generator's "
                f"{self.generator.latent_space!r} space has {expected}"
            )
        return latents

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags

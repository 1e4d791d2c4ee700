"""GANDecoder: latents to images, the last step of a pipeline."""

from __future__ import annotations

from math import prod
from numbers import Integral
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from latentwalk.generators._generator import Generator, LatentSpace
from latentwalk.utils import map_batches, resolve_device, to_bytes, to_numpy


def decode_latents(
    generator: Generator,
    W: NDArray[Any],
    *,
    latent_space: LatentSpace = "w",
    batch_size: int | str = "auto",
    device: str | torch.device | None = None,
    verbose: bool = False,
) -> NDArray[np.float32]:
    """Make images from latents, in batches.

    Parameters
    ----------
    generator : Generator
        The network.
    W : ndarray of shape (n_samples, n_latent_features)
        Latents.
    latent_space : {"w", "w+", "z"}, default="w"
        Their space.
    batch_size, device, verbose
        See `GANDecoder`.

    Returns
    -------
    X : ndarray of shape (n_samples, n_channels, height, width)
        float32 in [0, 1].
    """
    place = resolve_device(device)

    @torch.no_grad()
    def decode(rows: slice) -> NDArray[Any]:
        latents = torch.tensor(W[rows], dtype=torch.float32, device=place)
        return to_numpy(generator.decode(latents, latent_space))

    return map_batches(
        decode, len(W), batch_size=batch_size, device=place, desc="decoding", verbose=verbose
    )


class GANDecoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Decode latents to images.

    Parameters
    ----------
    generator : Generator
        The network.
    latent_space : {"w", "w+", "z"}, default="w"
        The space of the latents: as in the steps before it.
    output_dtype : {"float32", "uint8"}, default="float32"
        Floats in [0, 1], or bytes.
    flatten : bool, default=False
        Give rows of ``n_channels * height * width`` values, as data frames need.
    batch_size : int or "auto", default="auto"
        Images at a time; "auto" halves when memory runs out.
    device : str or torch.device, default=None
        None is "cuda" where there is one.
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
    >>> lw.GANDecoder(generator).fit_transform(generator.w_mean[None]).shape
    (1, 3, 32, 32)
    """

    _parameter_constraints = {  # noqa: RUF012
        "generator": [Generator],
        "latent_space": [StrOptions({"w", "w+", "z"})],
        "output_dtype": [StrOptions({"float32", "uint8"})],
        "flatten": ["boolean"],
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "device": [str, torch.device, None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        generator: Generator,
        *,
        latent_space: LatentSpace = "w",
        output_dtype: str = "float32",
        flatten: bool = False,
        batch_size: int | str = "auto",
        device: str | torch.device | None = None,
        verbose: bool = False,
    ) -> None:
        self.generator = generator
        self.latent_space = latent_space
        self.output_dtype = output_dtype
        self.flatten = flatten
        self.batch_size = batch_size
        self.device = device
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
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
        X: NDArray[Any] = decode_latents(
            self.generator,
            self._check_latents(W, reset=False),
            latent_space=self.latent_space,
            batch_size=self.batch_size,
            device=self.device,
            verbose=self.verbose,
        )
        if self.output_dtype == "uint8":
            X = to_bytes(X)
        return X.reshape(len(X), -1) if self.flatten else X

    def _check_latents(self, W: ArrayLike, *, reset: bool) -> NDArray[np.float32]:
        latents: NDArray[np.float32] = validate_data(self, W, reset=reset, dtype=np.float32)
        expected = self.generator.n_latent_features(self.latent_space)
        if latents.shape[1] != expected:
            raise ValueError(
                f"W has {latents.shape[1]} features; the generator's {self.latent_space!r} space "
                f"has {expected}"
            )
        return latents

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags

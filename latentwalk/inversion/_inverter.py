"""GANInverter: images to latents, the first step of a pipeline."""

from __future__ import annotations

import os
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from latentwalk.generators import Generator, decode_latents
from latentwalk.inversion._encoder import fine_tune_encoder, train_encoder
from latentwalk.inversion._invert import find_poor, invert_images, reconstruction_errors
from latentwalk.inversion._objective import Objective
from latentwalk.inversion._preconditioner import feature_spread, preconditioner
from latentwalk.inversion._settings import InversionSettings, resolve_loss
from latentwalk.inversion._store import Inverted, RowStore, check_cache
from latentwalk.utils import (
    check_latents,
    pack_module,
    to_numpy,
    torch_generator,
    unpack_module,
    validate_images,
)


class GANInverter(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Find the latents whose generated images are nearest to given images.

    `fit` trains an encoder on the generator's own samples, whose latents are known. `transform`
    starts every image from the encoder and optimises in batches, by L-BFGS in coordinates in which
    all latent directions change the image equally. Rows that no longer gain leave their batch. A
    row's result does not depend on its batch: with ``max_iter=0`` exactly, otherwise to 1e-4.

    The generator's weights and its noise do not change, so nothing of a private image is stored
    except its latent.

    Parameters
    ----------
    generator : Generator
        The network. Its latent space, device, precision and batch size are used.
    max_iter : int, default=100
        The most steps of the optimisation for a row. 0 uses only the encoder, for previews.
    loss : {"auto", "pixels", "lpips"}, default="auto"
        "pixels" is the mean squared difference at full, half and quarter resolution; "lpips" adds
        the perceptual distance LPIPS, at about three times the cost for small images. "auto" is
        "lpips" for grey and RGB images of 32 pixels or more, and "pixels" for all others.
    regularization : float, default=0.015
        Weight of the mean squared latent (in standard deviations from the mean) against the squared
        distance of images (over the variance of the generator's images). It keeps averages of
        latents usable.
    tol : float, default=0.03
        A row whose objective fell by less than this share in five steps has converged.
    max_error : float, default=None
        Rows with a larger reconstruction error (pixels, see `reconstruction_error`) are poor. They
        are marked in `poor_`, and a warning gives their number.
    encoder_iter : int, default=500
        Training steps of the encoder, of 64 samples each. 0 starts from the mean latent.
    fine_tune_iter : int, default=0
        Further steps of the encoder on the images given to `fit`. The encoder then knows them.
    n_jobs : int, default=None
        Number of batches in parallel (`joblib`).
    cache_dir : path-like, default=None
        Folder for finished rows, which are found by the content of their image. It holds latents of
        private images. Set `random_state` too: rows of another encoder are not reused.
    random_state : int, RandomState instance or None, default=None
        Seeds the encoder's training.
    verbose : bool, default=False
        Show progress.

    Attributes
    ----------
    encoder_ : nn.Module
        The network from images to latents.
    reconstruction_error_ : ndarray of shape (n_samples,)
        After `fit_transform`: root mean squared pixel difference of each row.
    perceptual_error_ : ndarray of shape (n_samples,)
        After `fit_transform`, for grey and RGB images: LPIPS of each row.
    converged_ : ndarray of bool of shape (n_samples,)
        After `fit_transform`: more steps would gain little. A converged row can still be poor.
    poor_ : ndarray of bool of shape (n_samples,)
        After `fit_transform` with `max_error`: rows with a larger error.
    n_iter_ : ndarray of int of shape (n_samples,)
        After `fit_transform`: steps of each row.
    n_features_in_ : int
        Values in an image.

    Notes
    -----
    A fitted inverter holds neither images nor latents, but its errors are figures about private
    images.

    References
    ----------
    T. Karras et al., "Analyzing and improving the image quality of StyleGAN", CVPR 2020 (the
    projector). J.-Y. Zhu et al., "Generative visual manipulation on the natural image manifold",
    ECCV 2016 (an encoder as the start of an optimisation).

    Examples
    --------
    >>> import latentwalk as lw
    >>> from latentwalk.datasets import dermoscopy_generator_path
    >>> generator = lw.load_generator(dermoscopy_generator_path())
    >>> X, _ = generator.sample(2, random_state=0)
    >>> inverter = lw.GANInverter(generator, max_iter=2, encoder_iter=2, random_state=0)
    >>> inverter.fit_transform(X).shape
    (2, 128)
    >>> inverter.reconstruction_error_.shape
    (2,)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "generator": [Generator],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "loss": [StrOptions({"auto", "pixels", "lpips"})],
        "regularization": [Interval(Real, 0, None, closed="left")],
        "tol": [Interval(Real, 0, 1, closed="left")],
        "max_error": [Interval(Real, 0, None, closed="neither"), None],
        "encoder_iter": [Interval(Integral, 0, None, closed="left")],
        "fine_tune_iter": [Interval(Integral, 0, None, closed="left")],
        "n_jobs": [Integral, None],
        "cache_dir": [str, os.PathLike, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        generator: Generator,
        *,
        max_iter: int = 100,
        loss: str = "auto",
        regularization: float = 0.015,
        tol: float = 0.03,
        max_error: float | None = None,
        encoder_iter: int = 500,
        fine_tune_iter: int = 0,
        n_jobs: int | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.generator = generator
        self.max_iter = max_iter
        self.loss = loss
        self.regularization = regularization
        self.tol = tol
        self.max_error = max_error
        self.encoder_iter = encoder_iter
        self.fine_tune_iter = fine_tune_iter
        self.n_jobs = n_jobs
        self.cache_dir = cache_dir
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Train the encoder on samples of the generator.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_channels, height, width) or (n_samples, n_features)
            Images, uint8 or float in [0, 1], of the generator's shape. Their values are used with
            `fine_tune_iter` only.
        y : ignored
            For the pipeline.

        Returns
        -------
        self : GANInverter
            The fitted inverter.
        """
        images = validate_images(self, X, image_shape=self.generator.image_shape, lazy=True)
        if self.cache_dir is not None:
            check_cache(self.cache_dir)
        self._n_features_out = self.generator.n_latent_features
        loss, device = resolve_loss(self.loss, self.generator), self.generator.device
        rng = torch_generator(self.random_state, device)
        objective = Objective.of(self.generator, loss)
        spread = feature_spread(objective, rng)
        # in the units of the features, so that one default serves all generators and losses
        objective = replace(objective, regularization=float(self.regularization) * spread)
        self.encoder_ = train_encoder(objective, self.encoder_iter, rng, verbose=self.verbose)
        if self.fine_tune_iter:
            steps = self.fine_tune_iter
            fine_tune_encoder(self.encoder_, objective, images, steps, rng, verbose=self.verbose)
        self.encoder_ = self.encoder_.cpu()
        P = to_numpy(preconditioner(objective, spread, rng)) if self.max_iter else None
        self._settings = InversionSettings(
            self.generator, loss, objective.regularization, self.max_iter, float(self.tol), P
        )
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """Invert images.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_channels, height, width) or (n_samples, n_features)
            Images.

        Returns
        -------
        W : ndarray of shape (n_samples, n_latent_features)
            Latents, a row each.

        Raises
        ------
        ValueError
            For images of another shape.
        """
        images = self._check_images(X)
        W = self._invert(images).latents
        if self.max_error is not None:
            find_poor(self._errors(images, W, "pixel"), self.max_error)
        return W

    def fit_transform(self, X: ArrayLike, y: Any = None, **fit_params: Any) -> NDArray[np.float32]:
        """Fit, invert the images, and keep the error of every row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_channels, height, width) or (n_samples, n_features)
            Images.
        y : ignored
            For the pipeline.
        **fit_params : dict
            Passed to `fit`.

        Returns
        -------
        W : ndarray of shape (n_samples, n_latent_features)
            Latents, a row each.
        """
        self.fit(X, y, **fit_params)
        images = self._check_images(X)
        inverted = self._invert(images)
        W, self.n_iter_, self.converged_ = inverted.latents, inverted.n_iter, inverted.converged
        self.reconstruction_error_ = self._errors(images, W, "pixel")
        if self.generator.image_shape[0] in (1, 3):
            self.perceptual_error_ = self._errors(images, W, "lpips")
        if self.max_error is not None:
            self.poor_ = find_poor(self.reconstruction_error_, self.max_error)
        return W

    def inverse_transform(self, W: ArrayLike) -> NDArray[np.float32]:
        """Decode latents, as `GANDecoder` does.

        Parameters
        ----------
        W : array-like of shape (n_samples, n_latent_features)
            Latents.

        Returns
        -------
        X : ndarray of shape (n_samples, n_channels, height, width)
            Images in [0, 1].
        """
        check_is_fitted(self, "_n_features_out")
        return decode_latents(self.generator, check_latents(W, self._n_features_out))

    def reconstruction_error(
        self, X: ArrayLike, W: ArrayLike, *, metric: str = "pixel"
    ) -> NDArray[np.float32]:
        """Return how far each image is from the image of its latents.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_channels, height, width) or (n_samples, n_features)
            Images.
        W : array-like of shape (n_samples, n_latent_features)
            Their latents.
        metric : {"pixel", "lpips"}, default="pixel"
            "pixel": root mean squared difference of values in [0, 1]; 0 is equal, and 0.05 is 13
            grey levels of 256. "lpips": LPIPS (AlexNet, v0.1), about 1 for unlike images.

        Returns
        -------
        error : ndarray of shape (n_samples,)
            Lower is better.
        """
        images = self._check_images(X)
        latents = check_latents(W, self._n_features_out)
        if len(latents) != len(images):
            raise ValueError(f"W has {len(latents)} rows; X has {len(images)}")
        if metric not in ("pixel", "lpips"):
            raise ValueError(f"metric={metric!r}; expected 'pixel' or 'lpips'")
        return self._errors(images, latents, metric)

    def _check_images(self, X: ArrayLike) -> NDArray[Any]:
        """The images as they are, bytes or floats: each batch becomes floats when it is used."""
        check_is_fitted(self, "encoder_")
        return validate_images(
            self, X, image_shape=self.generator.image_shape, reset=False, lazy=True
        )

    def _invert(self, images: NDArray[Any]) -> Inverted:
        if self.generator != self._settings.generator:
            raise ValueError(
                f"generator is {self.generator!r}; fit was given {self._settings.generator!r}: fit "
                "again"
            )
        # resolved here, since a worker may resolve "auto" otherwise
        generator = self.generator.using(precision=self.generator.precision)
        settings = replace(self._settings, generator=generator, max_iter=self.max_iter)
        store = None
        if self.cache_dir is not None:
            store = RowStore(self.cache_dir, settings.context(self.encoder_))
        return invert_images(
            settings,
            self.encoder_,
            images,
            n_jobs=self.n_jobs,
            store=store,
            verbose=self.verbose,
        )

    def _errors(
        self, images: NDArray[Any], W: NDArray[np.float32], metric: str
    ) -> NDArray[np.float32]:
        return reconstruction_errors(self.generator, images, W, metric=metric, n_jobs=self.n_jobs)

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        if "encoder_" in state:
            state = state | {"encoder_": pack_module(state["encoder_"])}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "encoder_" in state:
            state = state | {"encoder_": unpack_module(state["encoder_"])}
        super().__setstate__(state)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags

"""ShellNormalizer: prototypes back to where the generator's own latents lie."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin, _fit_context
from sklearn.utils import Tags
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.validation import check_is_fitted

from latentwalk.utils import validate_latents

N_SAMPLES = 2000


class ShellNormalizer(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Scale latents to the distance from the mean that the generator's own latents have.

    In many dimensions the latents of a generator lie near a shell around their mean, and an average
    of k of them lies well inside it: it decodes to a smooth image without fine detail. This step
    moves each row outwards along its own direction, or inwards, until its norm in standard
    deviations is the median norm of the generator's own samples. Equal rows stay equal.

    Put it between `KSameAggregator` and `latentwalk.GuidedWalker`. The images get sharper and
    more varied, and a little more can be found in them: the user guide has the figures. Use it with
    inversions by LPIPS, and look at the images: inversions by pixels alone lie far inside the
    shell, and their averages turn to black, white and garish colours on it.

    Parameters
    ----------
    generator : Generator
        Its samples define the shell; no private latent has a part in it.
    random_state : int, default=0
        Seed of the samples.

    Attributes
    ----------
    mean_, scale_ : ndarray of shape (n_features,)
        Mean and standard deviation of the generator's latents.
    radius_ : float
        Median norm of the samples, in standard deviations.
    n_features_in_ : int
        Width of a latent.

    See Also
    --------
    KSameAggregator : Makes the averages.
    sklearn.preprocessing.Normalizer : Unit norms, around 0.

    Examples
    --------
    >>> import torch
    >>> from latentwalk import Generator
    >>> from latentwalk.aggregation import ShellNormalizer
    >>> decoder = torch.nn.Sequential(torch.nn.Linear(4, 64), torch.nn.Unflatten(1, (1, 8, 8)))
    >>> generator = Generator.from_module(decoder, w_dim=4, image_shape=(1, 8, 8))
    >>> _, W = generator.sample(20, random_state=0)
    >>> means = W.reshape(5, 4, 4).mean(axis=1)
    >>> ShellNormalizer(generator).fit_transform(means).shape
    (5, 4)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "generator": [HasMethods(["sample", "decode"])],
        "random_state": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(self, generator: Any, *, random_state: int = 0) -> None:
        self.generator = generator
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, W: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Measure the shell of the generator. Nothing is learned from `W`.

        Parameters
        ----------
        W : array-like of shape (n_samples, n_features)
            Latents.
        y : None
            Not used.

        Returns
        -------
        self : ShellNormalizer
            Fitted.

        Raises
        ------
        ValueError
            For NaN and latents of another width.
        """
        rows = validate_latents(self, W)
        if rows.shape[1] != self.generator.n_latent_features:
            raise ValueError(
                f"W has {rows.shape[1]} features; the generator's latents have "
                f"{self.generator.n_latent_features}"
            )
        mean, std = self.generator.latent_moments
        self.mean_, self.scale_ = mean, np.maximum(std, 1e-12)
        classes = None
        if self.generator.n_classes:
            classes = np.arange(N_SAMPLES) % self.generator.n_classes
        own = self.generator.sample(N_SAMPLES, classes, random_state=self.random_state)[1]
        self.radius_ = float(np.median(self._norms(own)))
        return self

    def transform(self, W: ArrayLike) -> NDArray[np.float32]:
        """Scale each row to the shell.

        Parameters
        ----------
        W : array-like of shape (n_samples, n_features)
            Latents.

        Returns
        -------
        W : ndarray of shape (n_samples, n_features)
            Float32. A row that is the mean itself has no direction and stays.
        """
        check_is_fitted(self)
        rows = validate_latents(self, W, reset=False)
        factors = self.radius_ / np.maximum(self._norms(rows), 1e-12)
        return (self.mean_ + (rows - self.mean_) * factors[:, None]).astype(np.float32)

    def _norms(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        scaled = (rows - self.mean_) / self.scale_
        norms: NDArray[np.float64] = np.linalg.norm(scaled.astype(np.float64), axis=1)
        return norms

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

"""Attacks of somebody who holds the generator and inverts real images with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentwalk.auditing._attacks._base import MembershipAttack, register_attack
from latentwalk.neighbors import ExactNeighbors


@register_attack("inversion residual")
class InversionResidualAttack(MembershipAttack):
    """The generator reproduces best what it was trained on; the release is not looked at.

    `fit` needs ``inverter``, fitted, with ``transform`` (images to latents) and
    ``inverse_transform`` (back), as `latentwalk.GANInverter` has them.

    References
    ----------
    D. Chen, N. Yu, Y. Zhang and M. Fritz, "GAN-Leaks: a taxonomy of membership inference attacks
    against generative models", CCS 2020 (its white-box attack).

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.auditing import ATTACKS
    >>> from sklearn.decomposition import PCA
    >>> plane = PCA(1).fit(np.array([[0.0, 0.0], [1.0, 1.0]]))  # makes points of a line only
    >>> attack = ATTACKS["inversion residual"]().fit(np.zeros((1, 2)), inverter=plane)
    >>> attack.score_samples(np.array([[0.5, 0.5], [0.0, 1.0]])).round(3) + 0.0
    array([ 0. , -0.5])
    """

    needs: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "inverter": ("transform", "inverse_transform")
    }
    sees_records = True
    inverter_: Any

    def score_samples(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return minus the root mean squared residual over the values of each record."""
        return -residuals(X, self.inverter_.inverse_transform(self.inverter_.transform(X)))


@register_attack("latent distance")
class LatentDistanceAttack(MembershipAttack):
    """Distance to the closest synthetic image in the latent space, where averages are made.

    `fit` needs ``inverter``, fitted, with ``transform`` (images to latents), and takes
    ``latents``, of shape (n_synthetic, n_latent_features): those of the release, where they were
    published; without them its images are inverted.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.auditing import ATTACKS
    >>> from sklearn.preprocessing import StandardScaler
    >>> inverter = StandardScaler().fit(np.array([[-2.0], [2.0]]))
    >>> attack = ATTACKS["latent distance"]().fit(np.array([[4.0]]), inverter=inverter)
    >>> attack.score_samples(np.array([[4.0], [0.0]]))
    array([-0., -2.])
    """

    needs: ClassVar[Mapping[str, tuple[str, ...]]] = {"inverter": ("transform",)}
    takes: ClassVar[tuple[str, ...]] = ("latents",)
    sees_records = True
    inverter_: Any
    latents_: Any

    def _learn(self) -> None:
        if self.latents_ is None:
            self.latents_ = self.inverter_.transform(self.synthetic_)
        self.latents_ = np.asarray(self.latents_)

    def score_samples(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return minus the distance."""
        inverted = np.asarray(self.inverter_.transform(X))
        if inverted.shape[1] != self.latents_.shape[1]:
            raise ValueError(
                f"latents have {self.latents_.shape[1]} features a row; the inverter gives "
                f"{inverted.shape[1]}: invert to the latent space that was released"
            )
        return -ExactNeighbors(self.latents_).kneighbors(inverted)[0][:, 0]


def residuals(X: NDArray[Any], found: ArrayLike) -> NDArray[np.float64]:
    """Return the root mean squared difference of each record and its reconstruction."""
    apart = np.asarray(found, dtype=np.float64).reshape(len(X), -1) - X.reshape(len(X), -1)
    errors: NDArray[np.float64] = np.sqrt(np.square(apart).mean(axis=1))
    return errors

"""Attacks of somebody who holds the generator and inverts real images with it."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from latentwalk.auditing._attacks import MembershipAttack, register_attack
from latentwalk.neighbors import ExactNeighbors


@register_attack("inversion residual")
class InversionResidualAttack(MembershipAttack):
    """The generator reproduces best what it was trained on; the release is not looked at.

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

    needs: ClassVar[tuple[str, ...]] = ("inverter",)
    sees_records = True

    def fit(
        self, X_syn: NDArray[Any], X_reference: NDArray[Any] | None = None, *, inverter: Any = None
    ) -> Self:
        """Take the inverter.

        Parameters
        ----------
        X_syn : ndarray of shape (n_synthetic, ...)
            The release.
        X_reference : None
            Not used.
        inverter : object
            Fitted, with ``transform`` (images to latents) and ``inverse_transform`` (back), as
            `latentwalk.GANInverter` has them.

        Returns
        -------
        self : InversionResidualAttack
            Fitted.

        Raises
        ------
        ValueError
            When there is no inverter.
        TypeError
            When it lacks one of the two methods.
        """
        self._check_handed(inverter=inverter)
        check_methods(inverter, "inverter", "transform", "inverse_transform")
        self.inverter_ = inverter
        return super().fit(X_syn, X_reference)

    def score_samples(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return minus the root mean squared residual over the values of each record."""
        images = np.asarray(self.inverter_.inverse_transform(self.inverter_.transform(X)))
        residuals = (images.reshape(len(X), -1) - X.reshape(len(X), -1)).astype(np.float64)
        errors: NDArray[np.float64] = np.sqrt((residuals**2).mean(axis=1))
        return -errors


@register_attack("latent distance")
class LatentDistanceAttack(MembershipAttack):
    """Distance to the closest synthetic image in the latent space, where averages are made.

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

    needs: ClassVar[tuple[str, ...]] = ("inverter",)
    takes: ClassVar[tuple[str, ...]] = ("latents",)
    sees_records = True

    def fit(
        self,
        X_syn: NDArray[Any],
        X_reference: NDArray[Any] | None = None,
        *,
        inverter: Any = None,
        latents: Any = None,
    ) -> Self:
        """Invert the release.

        Parameters
        ----------
        X_syn : ndarray of shape (n_synthetic, ...)
            The release.
        X_reference : None
            Not used.
        inverter : object
            Fitted, with ``transform``: images to latents.
        latents : array-like of shape (n_synthetic, n_latent_features), default=None
            Those of the release, where they were published; None inverts its images.

        Returns
        -------
        self : LatentDistanceAttack
            Fitted.

        Raises
        ------
        ValueError
            When there is no inverter.
        TypeError
            When it cannot transform.
        """
        self._check_handed(inverter=inverter)
        check_methods(inverter, "inverter", "transform")
        self.inverter_ = inverter
        self.latents_ = np.asarray(inverter.transform(X_syn) if latents is None else latents)
        return super().fit(X_syn, X_reference)

    def score_samples(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return minus the distance."""
        inverted = np.asarray(self.inverter_.transform(X))
        if inverted.shape[1] != self.latents_.shape[1]:
            raise ValueError(
                f"latents have {self.latents_.shape[1]} features a row; the inverter gives "
                f"{inverted.shape[1]}: invert to the latent space that was released"
            )
        return -ExactNeighbors(self.latents_).kneighbors(inverted)[0][:, 0]


def check_methods(thing: Any, name: str, *methods: str) -> None:
    """Raise unless `thing` has the methods."""
    missing = [method for method in methods if not hasattr(thing, method)]
    if missing:
        raise TypeError(f"{name} is a {type(thing).__name__} without {', '.join(missing)}")

"""NearestMatchDisplay: synthetic images and the members that are nearest to them."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentwalk.utils import to_bytes


class NearestMatchDisplay:
    """Pairs of a synthetic image and its nearest member, nearest first. Do not release them.

    Parameters
    ----------
    synthetic, members : ndarray of shape (n_matches, n_channels, height, width)
        uint8, or floats in [0, 1].
    distances : ndarray of shape (n_matches,)
        In the auditor's first feature space.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (2, n_matches)
        Synthetic images above, members below.
    figure_ : matplotlib Figure
        Its figure.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> import numpy as np
    >>> from latentwalk.auditing import PrivacyAuditor
    >>> from latentwalk.inspection import NearestMatchDisplay
    >>> X = np.random.default_rng(0).random((20, 1, 8, 8))
    >>> auditor = PrivacyAuditor().fit(X)
    >>> display = NearestMatchDisplay.from_estimator(auditor, X[:4], X, n_matches=3)
    >>> display.axes_.shape
    (2, 3)
    """

    def __init__(
        self, *, synthetic: NDArray[Any], members: NDArray[Any], distances: NDArray[np.float64]
    ) -> None:
        self.synthetic = synthetic
        self.members = members
        self.distances = distances

    @classmethod
    def from_estimator(
        cls, estimator: Any, X_syn: ArrayLike, X: ArrayLike, *, n_matches: int = 8
    ) -> Self:
        """Find the pairs with a fitted `PrivacyAuditor` and draw them.

        Parameters
        ----------
        estimator : PrivacyAuditor
            Fitted.
        X_syn : array-like of shape (n_synthetic, n_channels, height, width)
            The release.
        X : array-like of shape (n_samples, n_channels, height, width)
            The members as given to the auditor.
        n_matches : int, default=8
            Pairs.

        Returns
        -------
        display : NearestMatchDisplay
            Drawn.
        """
        found = estimator.nearest_matches(X_syn, X, n_matches=n_matches)
        return cls(
            synthetic=found.synthetic, members=found.members, distances=found.distances
        ).plot()

    def plot(self) -> Self:
        """Draw on a new figure.

        Returns
        -------
        display : NearestMatchDisplay
            The display itself.
        """
        import matplotlib.pyplot as plt

        n = len(self.distances)
        figure, axes = plt.subplots(2, n, figsize=(1.3 * n, 3), squeeze=False)
        for column, distance in enumerate(self.distances):
            for row, images in enumerate((self.synthetic, self.members)):
                _show(axes[row, column], images[column])
            axes[0, column].set_title(f"{distance:.3g}", fontsize="small")
        axes[0, 0].set_ylabel("synthetic")
        axes[1, 0].set_ylabel("nearest member")
        self.axes_, self.figure_ = axes, figure
        return self


def _show(ax: Any, image: NDArray[Any]) -> None:
    """One image (c, h, w), grey or colour, without ticks."""
    pixels = to_bytes(image)
    shown = pixels.transpose(1, 2, 0) if len(pixels) == 3 else pixels[0]
    ax.imshow(shown, cmap="gray", vmin=0, vmax=255)
    ax.set(xticks=[], yticks=[])

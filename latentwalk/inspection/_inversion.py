"""Images and their reconstructions."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentwalk.utils import check_images, to_float


class InversionDisplay:
    """Images, their reconstructions by the generator, and the differences.

    Use `from_estimator` to make one. The pictures show real images: they are for internal use.

    Parameters
    ----------
    images, reconstructions : array-like of shape (n_samples, n_channels, height, width)
        uint8 or float in [0, 1]; grey or RGB.
    error : array-like of shape (n_samples,), default=None
        Title of each column; None computes the root mean squared difference.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (3, n_samples)
        Target, reconstruction and difference of each image.
    figure_ : matplotlib Figure
        The figure.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.inspection import InversionDisplay
    >>> X = np.zeros((2, 1, 8, 8))
    >>> InversionDisplay(X, X + 0.1).error.round(2)
    array([0.1, 0.1], dtype=float32)
    """

    axes_: NDArray[Any]
    figure_: Any

    def __init__(
        self, images: ArrayLike, reconstructions: ArrayLike, *, error: ArrayLike | None = None
    ) -> None:
        self.images = to_float(check_images(images, name="images"))
        shape = self.images.shape[1:]
        self.reconstructions = to_float(
            check_images(reconstructions, shape, name="reconstructions")
        )
        if len(self.reconstructions) != len(self.images):
            raise ValueError(
                f"reconstructions has {len(self.reconstructions)} rows; images has "
                f"{len(self.images)}"
            )
        difference = self.reconstructions - self.images
        computed = np.sqrt(np.square(difference).mean((1, 2, 3)))
        self.error = computed if error is None else np.asarray(error)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        W: ArrayLike | None = None,
        *,
        max_images: int = 8,
        axes: Any = None,
    ) -> Self:
        """Invert images, or take their latents, decode them, and plot both.

        Parameters
        ----------
        estimator : GANInverter
            Fitted.
        X : array-like of shape (n_samples, n_channels, height, width) or (n_samples, n_features)
            Images.
        W : array-like of shape (n_samples, n_latent_features), default=None
            Their latents if they are known; None inverts the images.
        max_images : int, default=8
            Number of images shown. With W they are spread evenly from the lowest error to the
            highest; without it they are the first ones.
        axes : ndarray of matplotlib Axes of shape (3, n_shown), default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : InversionDisplay
            The drawn display.
        """
        images = check_images(X, estimator.generator.image_shape)
        if W is None:
            rows = np.arange(min(max_images, len(images)))
            latents = estimator.transform(images[rows])
        else:
            rows = _spread(estimator.reconstruction_error(images, W), max_images)
            latents = np.asarray(W)[rows]
        return cls(images[rows], estimator.inverse_transform(latents)).plot(axes)

    def plot(self, axes: Any = None) -> Self:
        """Draw the images in three rows.

        Parameters
        ----------
        axes : ndarray of matplotlib Axes of shape (3, n_samples), default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : InversionDisplay
            The display itself.
        """
        from matplotlib import pyplot as plt

        n = len(self.images)
        if axes is None:
            _, axes = plt.subplots(3, n, figsize=(1.3 * n + 0.6, 4.4), squeeze=False)
        self.axes_ = np.asarray(axes).reshape(3, n)
        self.figure_ = self.axes_[0, 0].figure
        difference = np.abs(self.reconstructions - self.images)
        # one scale for all columns, so that they can be compared
        parts = [self.images, self.reconstructions, difference / max(float(difference.max()), 1e-6)]
        names = ["target", "reconstruction", f"difference\n(white = {difference.max():.2f})"]
        for row, part, name in zip(self.axes_, parts, names, strict=True):
            for axis, image in zip(row, part, strict=True):
                axis.imshow(_as_picture(image), cmap="gray", vmin=0, vmax=1)
                axis.set(xticks=[], yticks=[])
            row[0].set_ylabel(name)
        for axis, error in zip(self.axes_[0], self.error, strict=True):
            axis.set_title(f"{error:.3f}", fontsize="small")
        return self


def _spread(error: NDArray[Any], n: int) -> NDArray[np.intp]:
    """Return rows from the lowest to the highest error."""
    order = np.argsort(error, kind="stable")
    return order[np.linspace(0, len(order) - 1, min(n, len(order))).round().astype(int)]


def _as_picture(image: NDArray[Any]) -> NDArray[Any]:
    """Return (h, w, 3) for RGB, and the mean over channels (h, w) for others."""
    return image.transpose(1, 2, 0) if len(image) == 3 else image.mean(0)

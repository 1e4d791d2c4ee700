"""One path of a walk, compared with the straight line."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

CURVES = {
    "identity": "highest identity posterior",
    "class_proba": "posterior of the class",
    "distance": "distance to the nearest real image",
}


class PathDisplay:
    """Figures and images along a walked path and along the straight line.

    Use `from_estimator` to make one. The axis of posteriors goes from 0 to 1 and the axis of
    distances starts at 0, so a small change looks small. The images come from private prototypes,
    and the ends are the prototypes themselves: the figure is for internal use.

    Parameters
    ----------
    times : ndarray of shape (n_points,)
        Positions on the path, in [0, 1].
    curves : dict of dict of ndarray of shape (n_points,)
        ``curves[figure][path]``, with figures "identity", "class_proba" and "distance" (those that
        could be measured) and paths "linear" and "guided".
    strips : dict of ndarray of shape (n_images, n_channels, height, width)
        Images of each path, in [0, 1].

    Attributes
    ----------
    figure_ : matplotlib Figure
        The figure.
    axes_ : ndarray of matplotlib Axes
        One for each measured figure, then one for the strip of each path.
    lines_ : dict of dict of matplotlib Line2D
        The lines, by the keys of `curves`.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.inspection import PathDisplay
    >>> times = np.linspace(0, 1, 5)
    >>> curves = {"identity": {"linear": times, "guided": times / 2}}
    >>> strips = {"linear": np.zeros((3, 1, 8, 8)), "guided": np.zeros((3, 1, 8, 8))}
    >>> display = PathDisplay(times, curves, strips).plot()
    >>> len(display.axes_)
    3
    """

    def __init__(
        self,
        times: NDArray[np.floating],
        curves: dict[str, dict[str, NDArray[np.floating]]],
        strips: dict[str, NDArray[np.floating]],
    ) -> None:
        self.times = times
        self.curves = curves
        self.strips = strips

    @classmethod
    def from_estimator(
        cls,
        walker: Any,
        path: int = 0,
        *,
        X_real: Any = None,
        n_images: int = 10,
        figure: Any = None,
    ) -> Self:
        """Measure and plot one path of a fitted `GuidedWalker`.

        Parameters
        ----------
        walker : GuidedWalker
            Fitted.
        path : int, default=0
            Number of the path.
        X_real : array-like of shape (n_real, n_channels, height, width), default=None
            The real images, for the distance.
        n_images : int, default=10
            Images in a strip.
        figure : matplotlib Figure, default=None
            Where to draw.

        Returns
        -------
        display : PathDisplay
            Plotted.

        Raises
        ------
        IndexError
            When there is no such path.
        """
        if not 0 <= path < len(walker.paths_):
            raise IndexError(f"path={path}; the walker has paths 0 to {len(walker.paths_) - 1}")
        guided = walker.paths_[path]
        times = np.linspace(0, 1, len(guided))
        linear = (1 - times)[:, None] * guided[:1] + times[:, None] * guided[-1:]
        latents = {"linear": linear.astype(np.float32), "guided": guided}
        labels = np.repeat(walker.path_targets_[path], len(guided))
        figures = {
            name: walker.measure(W, labels, X_real=X_real, return_images=True)
            for name, W in latents.items()
        }
        curves = {
            curve: {name: measured[curve] for name, measured in figures.items()}
            for curve in CURVES
            if not np.isnan(figures["guided"][curve]).any()
        }
        shown = np.linspace(0, len(guided) - 1, min(n_images, len(guided))).round().astype(int)
        strips = {name: measured["images"][shown] for name, measured in figures.items()}
        return cls(times, curves, strips).plot(figure=figure)

    def plot(self, figure: Any = None) -> Self:
        """Draw.

        Parameters
        ----------
        figure : matplotlib Figure, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        self : PathDisplay
            With ``figure_``, ``axes_`` and ``lines_``.
        """
        import matplotlib.pyplot as plt

        heights = [2.0] * len(self.curves) + [0.8] * len(self.strips)
        if figure is None:
            figure = plt.figure(figsize=(8, sum(heights)), layout="constrained")
        self.figure_ = figure
        self.axes_ = figure.subplots(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
        self.lines_ = {}
        for axis, (curve, values) in zip(self.axes_, self.curves.items(), strict=False):
            self.lines_[curve] = {
                name: axis.plot(self.times, row, label=name)[0] for name, row in values.items()
            }
            label = CURVES[curve].replace(" of ", "\nof ").replace(" to ", "\nto ")
            axis.set(ylabel=label, ylim=(0, None if curve == "distance" else 1))
        if self.curves:
            self.axes_[0].legend()
        strips = self.axes_[len(self.curves) :]
        for axis, (name, images) in zip(strips, self.strips.items(), strict=True):
            film = np.concatenate(list(images.transpose(0, 2, 3, 1)), axis=1)
            axis.imshow(film.squeeze(), cmap="gray", vmin=0, vmax=1)
            axis.set(xticks=[], yticks=[], ylabel=name)
        return self

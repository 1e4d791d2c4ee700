"""The stock of points: which points of the paths can be given out, each once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from latentwalk.walking._examine import Bounds, Examiner, Points
from latentwalk.walking._paths import Paths, redraw
from latentwalk.walking._selection import allocate, check_enough


@dataclass(frozen=True)
class Stock:
    """Measured paths, and which of their points were released.

    Parameters
    ----------
    paths : Paths
        The paths.
    classes : ndarray of shape (n_classes,)
        The classes of their codes, for errors.
    released : ndarray of bool of shape (n_paths, n_points)
        Points that are no longer available.
    seed : int
        Seed of the points that are drawn when a path has too few.
    compared : bool
        Whether the points were compared with real images. Newly drawn points then must be, too.
    """

    paths: Paths
    classes: NDArray[Any]
    released: NDArray[np.bool_]
    seed: int
    compared: bool

    def take(
        self,
        slots: NDArray[np.intp],
        order: NDArray[Any],
        examiner: Examiner,
        bounds: Bounds,
        selection: str,
        *,
        fresh: bool,
    ) -> Points:
        """Return a distinct checked point for each slot.

        Parameters
        ----------
        slots : ndarray of shape (n_slots,)
            The path of each slot.
        order : ndarray of shape (n_slots,)
            Slots with smaller values get the earlier points of a path.
        examiner : Examiner
            Measures newly drawn points.
        bounds : Bounds
            The limits of the points.
        selection : {"safest", "uniform"}
            See `select_points`.
        fresh : bool
            Leave out the released points.

        Returns
        -------
        points : Points
            A row for each slot.

        Raises
        ------
        ValueError
            When there are too few points within the bounds, or real images are missing.
        """
        points = self.paths.inner_points(bounds)
        # samples draw at other times than the release, so that no point is given out twice
        rng = np.random.RandomState(self.seed + fresh)
        if fresh:
            points = points[~self.released[points.path, points.index(self.paths.n_points)]]

        def draw(short: NDArray[np.intp]) -> Points:
            if self.compared and not examiner.has_real:
                raise ValueError(
                    "the checked points have run out and the walker was fitted with X_real: pass "
                    "the real images again as X_real, so that new points are checked as the "
                    "others were"
                )
            return redraw(self.paths, short, examiner, bounds, rng)

        codes = self.paths.codes
        points, chosen = allocate(points, slots, order, codes, draw, selection)
        check_enough(codes[slots[chosen < 0]], self.classes, bounds)
        return points[chosen]

    def without(self, points: Points) -> Self:
        """Return the stock after the release of some points."""
        released, n_points = self.released.copy(), self.paths.n_points
        index = points.index(n_points)
        even = points.time == index / (n_points - 1)  # the others were drawn between these
        released[points.path[even], index[even]] = True
        return replace(self, released=released)

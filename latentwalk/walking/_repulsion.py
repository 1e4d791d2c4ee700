"""A hinge away from the nearest real images, for collections with too many subjects for a guide.

For a point of a path with the image x it is ``max(0, 1 - d(x) / m)``: d is the root mean square
pixel difference to the nearest real image, and the margin m is the median over the real images of
their own nearest such distance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

import numpy as np
import torch
from torch import Tensor

from latentwalk.neighbors import ExactNeighbors
from latentwalk.utils import to_numpy, to_tensor

N_ANCHORS = 4
N_MARGIN_ROWS = 1000
REFRESH = 5


@dataclass(frozen=True)
class Repulsion:
    """The hinge and its real images.

    Parameters
    ----------
    neighbors : ExactNeighbors
        Over the pixels of the real images, (n_real, n_pixels).
    weight : float
        Weight of the term in the objective.
    margin : float
        Root mean square pixel distance from which an image is far enough.
    """

    neighbors: ExactNeighbors
    weight: float
    margin: float

    def hinge(self, images: Tensor, anchors: Tensor) -> Tensor:
        """Return how far each image is inside the margin, (n,): 0 outside, 1 on a real image.

        `anchors` are the numbers of real images near each image, (n, n_anchors).
        """
        numbers = to_numpy(anchors)
        real = to_tensor(np.asarray(self.neighbors.references)[numbers], images.device)
        squared = (images.flatten(1)[:, None] - real).square().mean(dim=2).amin(dim=1)
        # the slope of a root is infinite at 0
        return torch.relu(1 - (squared + 1e-12).sqrt() / self.margin)

    def nearest(self, images: Tensor) -> Tensor:
        """Return the numbers of the nearest real images of each image, (n, n_anchors)."""
        count = min(N_ANCHORS, len(self.neighbors.references))
        numbers = self.neighbors.kneighbors(to_numpy(images.flatten(1)), count)[1]
        return torch.as_tensor(numbers, device=images.device)


class Anchors:
    """The real images near the points of each path, looked up in every fifth evaluation.

    The points of a step are near those of the step before, so they keep the neighbours of their
    places on the path. All paths of a batch have had equally many evaluations, so the anchors of a
    path do not depend on its batch.
    """

    def __init__(self, repulsion: Repulsion, decode: Callable[[Tensor], Tensor]) -> None:
        self.repulsion, self.decode = repulsion, decode
        self._near: dict[int, Tensor] = {}
        self._calls: dict[int, int] = {}

    @torch.no_grad()
    def of(self, paths: Tensor, latents: Tensor, batch_size: int) -> Tensor:
        """Return the anchors of points (n_paths, n_times, n_features), a row for each point."""
        numbers = paths.tolist()
        n_calls = self._calls.get(numbers[0], 0)
        if n_calls % REFRESH == 0:
            flat = torch.split(latents.flatten(0, 1), batch_size)
            near = torch.cat([self.repulsion.nearest(self.decode(part)) for part in flat])
            self._near |= zip(numbers, near.reshape(*latents.shape[:2], -1), strict=True)
        self._calls |= dict.fromkeys(numbers, n_calls + 1)
        return torch.cat([self._near[number] for number in numbers])


def make_repulsion(neighbors: ExactNeighbors, weight: float) -> Repulsion | None:
    """Return the hinge; None for a weight of 0.

    Its margin is the median of the nearest distances among the real images. With more than a
    thousand images, it is the median for a thousand of them.

    Raises
    ------
    ValueError
        When half of the real images equal another one, so that the margin is 0.
    """
    if not weight:
        return None
    n_real, n_pixels = neighbors.references.shape
    rows = np.unique(np.linspace(0, n_real - 1, N_MARGIN_ROWS).astype(np.intp))
    distances = neighbors.kneighbors(neighbors.references[rows], exclude=rows)[0][:, 0]
    margin = float(np.median(distances)) / sqrt(n_pixels)
    if margin == 0:
        raise ValueError(
            f"half of the images of X_real or more are equal to another one; repulsion={weight} "
            "takes its margin from their nearest distances: leave the copies out of X_real"
        )
    return Repulsion(neighbors, weight, margin)

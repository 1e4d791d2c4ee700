"""The best network that a run has met."""

from __future__ import annotations

import math
import warnings
from typing import Any

from latentwalk.generators._stylegan2 import StyleGAN2

MEMORISATION_LEVEL = 0.05


class BestSnapshot:
    """The snapshot nearest to the calibration images among those without memorisation found.

    Where memorisation is found in all of them, the first: a generator copies more the longer it
    trains.
    """

    def __init__(self, wanted: bool) -> None:
        self.wanted = wanted
        self.step, self.distance, self.memorised = 0, math.inf, True
        self.weights: dict[str, Any] | None = None

    def consider(self, network: StyleGAN2, found: dict[str, float]) -> None:
        """Keep the network if it is better; found : the figures of its snapshot."""
        if not self.wanted:
            return
        memorised = found["memorisation_p"] < MEMORISATION_LEVEL
        nearer = found["kernel_distance_val"] < self.distance
        better = not memorised and (self.memorised or nearer)
        if self.weights is None or better:
            self.weights = {k: v.clone() for k, v in network.state_dict().items()}
            self.step, self.memorised = int(found["snapshot_step"]), memorised
            self.distance = found["kernel_distance_val"]

    def restore(self, network: StyleGAN2) -> int:
        """Put the weights into a network; returns their step."""
        assert self.weights is not None
        if self.memorised:
            warnings.warn(
                f"snapshot='best': memorisation was found in every snapshot; the first, of step "
                f"{self.step}, is kept. Train on more subjects, or for fewer steps with a smaller "
                "checkpoint_interval",
                UserWarning,
                stacklevel=3,
            )
        network.load_state_dict(self.weights)
        return self.step

    def state_dict(self) -> dict[str, Any]:
        return {k: v for k, v in vars(self).items() if k != "wanted"}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        vars(self).update(state)

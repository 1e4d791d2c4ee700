"""What an inversion depends on besides the images."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.metadata import version
from typing import cast

import numpy as np
from numpy.typing import NDArray
from torch import nn

from latentwalk.generators import Generator
from latentwalk.inversion._objective import Loss, Objective
from latentwalk.utils import to_numpy

# Below this side LPIPS sees little but its own enlargement of the image.
MIN_LPIPS_SIZE = 32


@dataclass(frozen=True)
class InversionSettings:
    """Everything that a row depends on besides its image and the encoder; picklable and small.

    Attributes
    ----------
    generator : Generator
        The network, with its latent space and a definite precision.
    loss : {"pixels", "lpips"}
        What images are compared by.
    regularization : float
        Weight of the mean squared latent, in the units of the loss.
    max_iter, tol
        See `GANInverter`.
    preconditioner : ndarray or None
        Coordinates of the search, see `preconditioner`; None where nothing is optimised.
    """

    generator: Generator
    loss: Loss
    regularization: float
    max_iter: int
    tol: float
    preconditioner: NDArray[np.float32] | None

    def objective(self) -> Objective:
        """Return what is minimised, on the generator's device."""
        return Objective.of(self.generator, self.loss, self.regularization)

    def context(self, encoder: nn.Module) -> str:
        """Return everything that a row depends on besides its image, as text."""
        arrays = {name: to_numpy(value) for name, value in encoder.state_dict().items()}
        if self.preconditioner is not None:
            arrays["preconditioner"] = self.preconditioner
        digest = hashlib.sha256()
        for name, array in sorted(arrays.items()):
            digest.update(f"{name} {array.shape}".encode() + np.ascontiguousarray(array).tobytes())
        generator = self.generator
        values = (
            version("latentwalk"),
            *(generator.sha256, generator.latent_space, generator.precision),
            *(self.loss, self.regularization, self.max_iter, self.tol, digest.hexdigest()),
        )
        return repr(values)


def resolve_loss(loss: str, generator: Generator) -> Loss:
    """Return "pixels" or "lpips"; "auto" is LPIPS if the images have the channels and the size."""
    visible = generator.image_shape[0] in (1, 3)
    if loss == "lpips" and not visible:
        raise ValueError(
            f"loss='lpips' needs grey or RGB images; the generator makes "
            f"{generator.image_shape[0]} channels: pass loss='pixels'"
        )
    if loss != "auto":
        return cast(Loss, loss)
    return "lpips" if visible and min(generator.image_shape[1:]) >= MIN_LPIPS_SIZE else "pixels"

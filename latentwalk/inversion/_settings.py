"""What an inversion depends on beside the images, settled once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from latentwalk.generators import Generator
from latentwalk.inversion._objective import FEATURES, Loss, Objective
from latentwalk.utils import autocast, to_numpy

# Below this side LPIPS sees little but its own enlargement of the image.
MIN_LPIPS_SIZE = 32


@dataclass(frozen=True)
class InversionPlan:
    """Everything that an inversion depends on beside the images; picklable and small."""

    generator: Generator
    loss: Loss
    regularization: float
    precision: str
    max_iter: int
    tol: float
    preconditioner: NDArray[np.float32] | None

    def objective(self, device: torch.device) -> Objective:
        mean, std = self.generator.latent_moments
        return Objective(
            generator=self.generator,
            features=FEATURES[self.loss],
            regularization=self.regularization,
            mean=torch.tensor(mean, device=device),
            std=torch.tensor(std, device=device),
            autocast=autocast(self.precision, device),
        )

    def context(self, encoder: nn.Module) -> str:
        """Everything a row's result depends on beside its image, as text."""
        arrays = {name: to_numpy(value) for name, value in encoder.state_dict().items()}
        if self.preconditioner is not None:
            arrays["preconditioner"] = self.preconditioner
        identity = f"{self.generator.sha256} {self.generator.latent_space}"
        digest = hashlib.sha256(identity.encode())
        for name, array in sorted(arrays.items()):
            digest.update(name.encode() + np.ascontiguousarray(array).tobytes())
        held = ("generator", "preconditioner")
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in held}
        return f"{values} {digest.hexdigest()}"


def resolve_loss(loss: str, generator: Generator) -> Loss:
    """Return "pixels" or "lpips"; "auto" is LPIPS where it is defined and has something to see."""
    seen = generator.image_shape[0] in (1, 3)
    if loss == "lpips" and not seen:
        raise ValueError(
            f"loss='lpips' needs grey or RGB images; the generator makes "
            f"{generator.image_shape[0]} channels: pass loss='pixels'"
        )
    if loss != "auto":
        return cast(Loss, loss)
    return "lpips" if seen and min(generator.image_shape[1:]) >= MIN_LPIPS_SIZE else "pixels"

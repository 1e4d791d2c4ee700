"""What a process keeps of the generators that it used last."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from latentwalk.utils import to_numpy

if TYPE_CHECKING:
    from latentwalk.generators._generator import Generator

N_MOMENT_SAMPLES = 10_000


@lru_cache(maxsize=8)
def load_network(generator: Generator, device: torch.device) -> Any:
    """Return the network on a device; the few used last stay loaded in this process."""
    network = generator._source.load().eval().requires_grad_(False).to(device)
    # convolutions over this layout take half the time on a CPU; no value changes
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


@lru_cache(maxsize=8)
def latent_moments(generator: Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mean and deviation of w over fixed draws of z, the classes evenly mixed."""
    rng = np.random.RandomState(0)
    z = torch.as_tensor(rng.normal(size=(N_MOMENT_SAMPLES, generator.z_dim)).astype(np.float32))
    y = np.arange(N_MOMENT_SAMPLES) % generator.n_classes if generator.n_classes else None
    with torch.no_grad():
        w = to_numpy(generator.mapping(z, y)).astype(np.float64)
    moments = w.mean(0).astype(np.float32), w.std(0).astype(np.float32)
    for values in moments:
        values.flags.writeable = False
    return moments

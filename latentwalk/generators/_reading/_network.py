"""A StyleGAN2 network from a configuration and arrays, checked before memory is allocated."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from latentwalk.generators._stylegan2 import StyleGAN2, StyleGAN2Config
from latentwalk.utils._torch import drawing_from

State = Mapping[str, NDArray[np.float32]]
N_MEAN_SAMPLES = 10_000
MAX_GROWTH = 10
MAX_SIZE, MAX_NUMBER = 2**31, 1e30  # of a width, and of a factor


def build_network(config: StyleGAN2Config, state: State) -> StyleGAN2:
    """Return the network of a file.

    Parameters
    ----------
    config : StyleGAN2Config
        Its configuration.
    state : mapping of str to ndarray
        Its tensors by name, float32.

    Returns
    -------
    network : StyleGAN2
        On the CPU, holding the arrays.

    Raises
    ------
    ValueError
        When the configuration is impossible, or tensors are missing, unexpected, of another shape,
        or not finite.
    """
    _check_config(config, len(state))
    _check_size(config, sum(array.size for array in state.values()))
    # weights that are overwritten: torch's global generator stays as it is
    with drawing_from(torch.Generator()):
        network = StyleGAN2(config)
    _check_shapes({k: tuple(v.shape) for k, v in network.state_dict().items()}, state)
    broken = [name for name, array in state.items() if not np.isfinite(array).all()]
    if broken:
        raise ValueError(f"its {_some(broken)} holds NaN or infinite values")
    tensors = {name: torch.as_tensor(array) for name, array in state.items()}
    network.load_state_dict(tensors, assign=True)
    return network


@torch.no_grad()
def mean_latent(network: StyleGAN2) -> NDArray[np.float32]:
    """Return the mean of w over draws of z, for files that do not hold it; shape (w_dim,)."""
    config, rng = network.config, np.random.RandomState(0)
    z = torch.as_tensor(rng.normal(size=(N_MEAN_SAMPLES, config.z_dim)).astype(np.float32))
    c = None
    if config.c_dim:
        c = torch.eye(config.c_dim)[torch.arange(N_MEAN_SAMPLES) % config.c_dim]
    return np.asarray(network.mapping(z, c).double().mean(0).numpy(), dtype=np.float32)


def _check_config(config: StyleGAN2Config, n_tensors: int) -> None:
    if not isinstance(config.channels, tuple) or not isinstance(config.resample_filter, tuple):
        raise ValueError("its configuration is impossible: channels and filter are not lists")
    sizes = [*config.channels, config.img_channels, config.z_dim, config.w_dim]
    counts = [config.c_dim + 1, config.mapping_layers]
    numbers = [config.mapping_lr, *config.resample_filter]
    numbers += [] if config.conv_clamp is None else [config.conv_clamp]
    right = (
        all(type(size) is int and 0 < size < MAX_SIZE for size in [*sizes, *counts])
        and all(isinstance(n, int | float) and abs(n) < MAX_NUMBER for n in numbers)
        and 1 <= len(config.channels) <= n_tensors
        and config.mapping_layers <= n_tensors
        and config.mapping_lr > 0
        and config.architecture in ("skip", "resnet", "orig")
        and isinstance(config.use_noise, bool)
        and len(config.resample_filter) >= 2
        and sum(config.resample_filter) != 0
    )
    if not right:
        raise ValueError(f"its configuration is impossible: {str(config)[:500]}")


def _check_size(config: StyleGAN2Config, n_numbers: int) -> None:
    """Refuse a network much larger than its file, before memory is allocated."""
    widths, w_dim = config.channels, config.w_dim
    convolutions = 9 * (widths[0] ** 2 + sum((a + b) * b for a, b in pairwise(widths)))
    mapping = w_dim * (config.z_dim + config.c_dim + (config.mapping_layers - 1) * w_dim)
    styles = w_dim * sum(widths) + config.img_channels * widths[-1]
    buffers = config.resolution**2 * config.use_noise + len(config.resample_filter) ** 2
    needed = convolutions + mapping + styles + buffers
    # if little is missing, the error names what is missing
    if needed > MAX_GROWTH * n_numbers:
        raise ValueError(
            f"its tensors do not fit its configuration: they hold {n_numbers} numbers, and the "
            f"network has at least {needed}"
        )


def _check_shapes(expected: Mapping[str, tuple[int, ...]], state: State) -> None:
    missing, extra = sorted(expected.keys() - state), sorted(state.keys() - expected.keys())
    for names, what in ((missing, "missing"), (extra, "unexpected")):
        if names:
            raise ValueError(f"its tensors do not fit its configuration: {_some(names)} is {what}")
    for name, shape in expected.items():
        if state[name].shape != shape:
            raise ValueError(
                f"its tensors do not fit its configuration: {name} has shape "
                f"{state[name].shape}, expected {shape}"
            )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0]}{more}"


def as_floats(state: Mapping[str, Any]) -> dict[str, NDArray[np.float32]]:
    """Return torch tensors of a file as float32 arrays.

    Raises
    ------
    ValueError
        For a tensor that does not hold floating-point numbers.
    """
    for name, tensor in state.items():
        if not tensor.is_floating_point():
            raise ValueError(f"its tensor {name} holds {tensor.dtype}, expected floats")
    return {name: tensor.float().numpy() for name, tensor in state.items()}

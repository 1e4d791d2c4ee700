"""Checkpoints of rosinality's stylegan2-pytorch, and weights converted to its layout.

They hold tensors alone. The configuration follows from their names and shapes, and every tensor has
a counterpart under the published names.
"""

from __future__ import annotations

import re
from math import prod, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentwalk.generators._reading._official import taps
from latentwalk.generators._reading._refused import RefusedError
from latentwalk.generators._reading._restricted_pickle import some_names
from latentwalk.generators._reading._torch_records import TensorRecord, read_tensors
from latentwalk.generators._stylegan2 import StyleGAN2Config

State = dict[str, NDArray[np.float32]]
KERNEL = "convs.0.conv.blur.kernel"
LAYER_PARTS = {
    "conv.modulation.weight": "affine.weight",
    "conv.modulation.bias": "affine.bias",
    "noise.weight": "noise_strength",
    "activate.bias": "bias",
}
RGB_PARTS = {
    "conv.weight": "weight",
    "conv.modulation.weight": "affine.weight",
    "conv.modulation.bias": "affine.bias",
    "bias": "bias",
}


def read_rosinality(checkpoint: Any, file_size: int) -> tuple[StyleGAN2Config, State]:
    """Return configuration and tensors of a checkpoint; ``mapping.w_avg`` only where it has one.

    Parameters
    ----------
    checkpoint : dict
        With ``g_ema``, and ``latent_avg`` in converted files.
    file_size : int
        Bytes of the file, which hold all its numbers.

    Raises
    ------
    RefusedError
        When it is not a checkpoint of this layout.
    """
    if not isinstance(checkpoint, dict):
        raise RefusedError(f"it holds a {type(checkpoint).__name__}, not a dict with g_ema")
    found = checkpoint.get("g_ema")
    if not isinstance(found, dict):
        raise RefusedError(f"it holds no weights under g_ema, but {some_names(checkpoint)}")
    tensors = {k: v for k, v in found.items() if isinstance(k, str) and isinstance(v, TensorRecord)}
    if len(tensors) < len(found):
        raise RefusedError("its g_ema holds something other than tensors")
    config = _config(tensors)
    state = _rename(read_tensors(tensors, file_size), len(config.channels))
    latent = checkpoint.get("latent_avg")
    if isinstance(latent, TensorRecord):
        state["mapping.w_avg"] = latent.numpy().reshape(-1)
    return config, state | {name: _kernel(tensors) for name in _filters(len(config.channels))}


def _config(tensors: dict[str, TensorRecord]) -> StyleGAN2Config:
    def shape(name: str, axes: int) -> tuple[int, ...]:
        if name not in tensors or len(tensors[name].shape) != axes:
            raise RefusedError(f"its g_ema has no usable tensor {name}")
        return tensors[name].shape

    n_up = sum(bool(re.fullmatch(r"to_rgbs\.\d+\.bias", name)) for name in tensors)
    n_layers = sum(bool(re.fullmatch(r"style\.\d+\.weight", name)) for name in tensors)
    layers = ["conv1", *(f"convs.{2 * j + 1}" for j in range(n_up))]
    shape(KERNEL, 2)
    return StyleGAN2Config(
        channels=tuple(shape(f"{layer}.conv.weight", 5)[1] for layer in layers),
        img_channels=shape("to_rgb1.conv.weight", 5)[1],
        z_dim=shape("style.1.weight", 2)[1],
        w_dim=shape("conv1.conv.modulation.weight", 2)[1],
        mapping_layers=n_layers,
        resample_filter=taps(_kernel(tensors)),
    )


def _kernel(tensors: dict[str, TensorRecord]) -> NDArray[np.float32]:
    """The low-pass kernel, which this layout holds with the gain of the upsampling."""
    return tensors[KERNEL].numpy() * np.float32(0.25)


def _rename(tensors: State, n_blocks: int) -> State:
    """Tensors under the published names; what is unknown keeps its own and is refused later."""
    names = {"input.input": "synthesis.b4.const"}
    for old, new in _layers(n_blocks).items():
        names |= {f"{old}.{a}": f"{new}.{b}" for a, b in LAYER_PARTS.items()}
        names[f"{old}.conv.weight"] = f"{new}.weight"
    for old, new in _images(n_blocks).items():
        names |= {f"{old}.{a}": f"{new}.{b}" for a, b in RGB_PARTS.items()}
    for k, new in enumerate(_layers(n_blocks).values()):
        names[f"noises.noise_{k}"] = f"{new}.noise_const"
    state = {}
    for name, tensor in tensors.items():
        style = re.fullmatch(r"style\.([1-9]\d*)\.(weight|bias)", name)
        if style:
            state[f"mapping.fc{int(style[1]) - 1}.{style[2]}"] = tensor
        elif not name.endswith(".kernel"):
            new = names.get(name, name)
            state[new] = _convert(new, tensor)
    return state


def _convert(name: str, array: NDArray[np.float32]) -> NDArray[np.float32]:
    """Drop the leading axes of 1, and fold in the gain that this layout applies when it runs."""
    if name.endswith("noise_const"):
        return array.reshape(array.shape[-2:])
    if name.endswith("noise_strength"):
        return array.reshape(())
    if name.endswith("torgb.bias"):
        return array.reshape(-1)
    if name.endswith(".const") or array.ndim == 5:
        array = array.reshape(array.shape[1:])
    if re.search(r"\.conv[01]\.weight$", name):
        array = array / np.float32(sqrt(prod(array.shape[1:])))
    return array


def _layers(n_blocks: int) -> dict[str, str]:
    """Convolutions by their names in both layouts, in the order of the noise buffers."""
    names = {"conv1": "synthesis.b4.conv1"}
    for j in range(n_blocks - 1):
        names[f"convs.{2 * j}"] = f"synthesis.b{8 * 2**j}.conv0"
        names[f"convs.{2 * j + 1}"] = f"synthesis.b{8 * 2**j}.conv1"
    return names


def _images(n_blocks: int) -> dict[str, str]:
    later = {f"to_rgbs.{j}": f"synthesis.b{8 * 2**j}.torgb" for j in range(n_blocks - 1)}
    return {"to_rgb1": "synthesis.b4.torgb", **later}


def _filters(n_blocks: int) -> list[str]:
    blocks = [f"synthesis.b{4 * 2**i}.resample_filter" for i in range(n_blocks)]
    layers = [f"{name}.resample_filter" for name in _layers(n_blocks).values()]
    return blocks + layers

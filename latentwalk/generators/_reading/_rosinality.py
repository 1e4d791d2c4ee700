"""Checkpoints of rosinality's stylegan2-pytorch, and weights converted to its layout.

They hold tensors only. The configuration follows from names and shapes, and every tensor has a
counterpart with a published name.
"""

from __future__ import annotations

import re
from math import prod, sqrt

import numpy as np
from numpy.typing import NDArray

from latentwalk.generators._reading._official import taps
from latentwalk.generators._reading._refused import RefusedError
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


def read_rosinality(
    tensors: dict[str, TensorRecord], file_size: int, place: str
) -> tuple[StyleGAN2Config, State]:
    """Return configuration and tensors, without ``mapping.w_avg``, which this layout has elsewhere.

    Files of older code hold no constant noise, since that code drew noise for every image. For them
    it is drawn here, from a fixed seed.

    Parameters
    ----------
    tensors : dict
        Tensors by their names in this layout.
    file_size : int
        Bytes of the file, which hold all its numbers.
    place : str
        Where in the file they are, for errors.

    Raises
    ------
    RefusedError
        When they are not of this layout.
    """
    config = _config(tensors, place)
    state = _rename(read_tensors(tensors, file_size), len(config.channels))
    if not any(name.startswith("noises.") for name in tensors):
        state |= _draw_noise(config, sum(array.size for array in state.values()))
    return config, state | {name: _kernel(tensors) for name in _filters(len(config.channels))}


def _draw_noise(config: StyleGAN2Config, n_numbers: int) -> State:
    """Return constant noise for every layer."""
    rng, noise = np.random.RandomState(0), {}
    if config.resolution**2 > n_numbers:
        raise RefusedError(f"its tensors are too few for {config.resolution} pixels")
    for name in _layers(len(config.channels)).values():
        size = int(name.split(".")[1][1:])
        noise[f"{name}.noise_const"] = rng.normal(size=(size, size)).astype(np.float32)
    return noise


def _config(tensors: dict[str, TensorRecord], place: str) -> StyleGAN2Config:
    def shape(name: str, axes: int) -> tuple[int, ...]:
        if name not in tensors or len(tensors[name].shape) != axes:
            raise RefusedError(f"its {place} has no usable tensor {name}")
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
    """The low-pass kernel; this layout holds it multiplied by the gain of the upsampling."""
    return tensors[KERNEL].numpy() * np.float32(0.25)


def _rename(tensors: State, n_blocks: int) -> State:
    """Tensors under the published names; an unknown tensor keeps its name and is refused later."""
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

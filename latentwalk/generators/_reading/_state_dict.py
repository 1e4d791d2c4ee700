"""Files of tensors by name: their layout, and the tensors under the published names."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentwalk.generators._reading._official import taps
from latentwalk.generators._reading._refused import RefusedError
from latentwalk.generators._reading._restricted_pickle import some_names
from latentwalk.generators._reading._rosinality import read_rosinality
from latentwalk.generators._reading._torch_records import TensorRecord, read_tensors
from latentwalk.generators._stylegan2 import StyleGAN2Config

State = dict[str, NDArray[np.float32]]
Tensors = dict[str, TensorRecord]
PLACES = ("g_ema", "G_ema", "state_dict")  # where the weights are, in this order
DECODER = "decoder."  # their names in pSp, e4e and ReStyle, whose encoder is left out


def read_state_dict(checkpoint: Any, file_size: int) -> tuple[StyleGAN2Config, State]:
    """Return configuration and tensors; ``mapping.w_avg`` only if the file has one.

    Parameters
    ----------
    checkpoint : dict
        Tensors by name, or a dict that has them under ``g_ema`` or ``state_dict``; in the layout of
        rosinality's code, with or without ``decoder.`` before each name, or under official names.
    file_size : int
        Bytes of the file, which hold all its numbers.

    Raises
    ------
    RefusedError
        When it is not a generator in one of these layouts.
    """
    place, tensors = _find(checkpoint)
    if "synthesis.b4.const" in tensors:
        return _official_config(tensors), read_tensors(tensors, file_size)
    config, state = read_rosinality(tensors, file_size, place)
    latent = checkpoint.get("latent_avg")
    if isinstance(latent, TensorRecord):
        # (w_dim,), or a row for every layer: (num_ws, w_dim)
        rows = latent.numpy()
        if rows.size % config.w_dim:
            raise RefusedError(f"its latent_avg has shape {latent.shape}, not that of w")
        state["mapping.w_avg"] = rows.reshape(-1, config.w_dim).mean(0)
    return config, state


def _find(checkpoint: Any) -> tuple[str, Tensors]:
    """Return where in the file the weights are, and the weights."""
    if not isinstance(checkpoint, dict):
        raise RefusedError(f"it holds a {type(checkpoint).__name__}, not a dict with g_ema")
    place = next((p for p in PLACES if isinstance(checkpoint.get(p), dict)), "file")
    weights = checkpoint if place == "file" else checkpoint[place]
    decoder = {
        k.removeprefix(DECODER): v
        for k, v in weights.items()
        if isinstance(k, str) and k.startswith(DECODER)
    }
    weights = decoder or weights
    tensors = {
        k: v for k, v in weights.items() if isinstance(k, str) and isinstance(v, TensorRecord)
    }
    if place == "file" and not tensors.keys() & {"synthesis.b4.const", "conv1.conv.weight"}:
        raise RefusedError(f"it holds no weights under g_ema, but {some_names(checkpoint)}")
    if len(tensors) < len(weights):
        raise RefusedError(f"its {place} holds something other than tensors")
    return place, tensors


def _official_config(tensors: Tensors) -> StyleGAN2Config:
    """Return the configuration that follows from the shapes.

    The shapes do not show whether activations are clamped; the published code clamps only in half
    precision, so they are not clamped. They do not show the learning rate of the mapping either;
    the published value is taken.
    """

    def shape(name: str, axes: int) -> tuple[int, ...]:
        if name not in tensors or len(tensors[name].shape) != axes:
            raise RefusedError(f"it has no usable tensor {name}")
        return tensors[name].shape

    matches = (re.fullmatch(r"synthesis\.b(\d{1,5})\.conv1\.weight", name) for name in tensors)
    sizes = sorted(int(match[1]) for match in matches if match)
    if not sizes or sizes != [4 * 2**i for i in range(len(sizes))]:
        raise RefusedError(f"it has blocks of {sizes[:12]} pixels, expected 4, 8, 16 ..")
    architecture = "skip" if "synthesis.b4.torgb.weight" in tensors else "orig"
    if any(name.endswith(".skip.weight") for name in tensors):
        architecture = "resnet"
    embedded, c_dim = (
        shape("mapping.embed.weight", 2) if "mapping.embed.weight" in tensors else (0, 0)
    )
    shape("synthesis.b4.resample_filter", 2)
    return StyleGAN2Config(
        channels=tuple(shape(f"synthesis.b{size}.conv1.weight", 4)[0] for size in sizes),
        img_channels=shape(f"synthesis.b{sizes[-1]}.torgb.weight", 4)[0],
        z_dim=shape("mapping.fc0.weight", 2)[1] - embedded,
        w_dim=shape("synthesis.b4.conv1.affine.weight", 2)[1],
        c_dim=c_dim,
        mapping_layers=sum(bool(re.fullmatch(r"mapping\.fc\d+\.weight", n)) for n in tensors),
        architecture=architecture,
        use_noise="synthesis.b4.conv1.noise_strength" in tensors,
        resample_filter=taps(tensors["synthesis.b4.resample_filter"].numpy()),
    )

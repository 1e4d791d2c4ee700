"""latentwalk's own format of a StyleGAN2 network: numbers and text only."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save_file

from latentwalk.generators._reading._network import State, as_floats
from latentwalk.generators._spec import TRAINED_ON, TrainedOn
from latentwalk.generators._stylegan2 import StyleGAN2, StyleGAN2Config
from latentwalk.utils._files import replacing

FORMAT = "latentwalk.stylegan2"


def write_safetensors(
    network: StyleGAN2, path: Path, *, dtype: str, trained_on: str | None = None
) -> None:
    """Write a network to a file, in "float32" or "float16", and whom it was trained on."""
    if dtype not in ("float32", "float16"):
        raise ValueError(f"dtype={dtype!r}; expected 'float32' or 'float16'")
    kind = torch.float32 if dtype == "float32" else torch.float16
    state = {k: v.contiguous().to(kind) for k, v in network.state_dict().items()}
    metadata = {"format": FORMAT, "config": json.dumps(network.config.to_dict())}
    if trained_on is not None:
        metadata["trained_on"] = trained_on
    with replacing(path, "the weights file") as partial:
        save_file(state, partial, metadata=metadata)


def read_trained_on(path: str) -> TrainedOn:
    """Return whom the network in a file was trained on, if the file says so."""
    with open(path, "rb") as file:
        start = file.read(9)
        if start[8:] != b"{":
            return None
        header = start[8:] + file.read(int.from_bytes(start[:8], "little") - 1)
    told: TrainedOn = json.loads(header).get("__metadata__", {}).get("trained_on")
    return told if told in TRAINED_ON else None


def read_safetensors(content: bytes) -> tuple[StyleGAN2Config, State]:
    """Return the configuration and the arrays of a network in a file's bytes."""
    try:
        tensors = load_tensors(content)
        size = int.from_bytes(content[:8], "little")
        metadata = json.loads(content[8 : 8 + size]).get("__metadata__", {})
    except (SafetensorError, ValueError) as error:
        raise ValueError(f"it is not a readable safetensors file ({error})") from error
    if metadata.get("format") != FORMAT:
        raise ValueError("it is a safetensors file, but not a generator saved by latentwalk")
    try:
        config = StyleGAN2Config.from_dict(json.loads(metadata["config"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"its configuration cannot be read ({error})") from error
    state = as_floats(tensors)
    if "mapping.w_avg" not in state:
        raise ValueError("its tensors do not fit its configuration: mapping.w_avg is missing")
    return config, state

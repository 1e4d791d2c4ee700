"""Weights files in and out. Nothing in a file is executed."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save_file
from torch import nn

from latentwalk.generators._generator import Generator
from latentwalk.generators._network import (
    State,
    as_floats,
    build_network,
    mean_latent,
    stylegan2_spec,
)
from latentwalk.generators._reading._official import read_official
from latentwalk.generators._reading._restricted_pickle import RefusedError
from latentwalk.generators._reading._rosinality import read_rosinality
from latentwalk.generators._reading._torch_records import (
    CHECKPOINT,
    open_archive,
    read_archive,
    read_stream,
)
from latentwalk.generators._stylegan2 import StyleGAN2, StyleGAN2Config
from latentwalk.generators._training._checkpoints import replacing

FORMAT = "latentwalk.stylegan2"
TORCH_STREAM = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
PICKLE_STARTS = b"\x80(c}]i"
OTHER_KINDS = {
    b"\x89HDF": "an HDF5 file",
    b"\x1f\x8b": "a gzip archive: unpack it first",
    b"\x93NUMPY": "a numpy array",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"version https://git-lfs": "a Git LFS pointer: fetch the file itself with `git lfs pull`",
    b"<": "an HTML or XML page: the download returned a page instead of the file",
}
TORCHSCRIPT = (
    "it is a TorchScript archive, which is a program and would be executed; if you trust it, use "
    "Generator.from_module(torch.jit.load(path), w_dim, image_shape)"
)


def load_generator(path: str | os.PathLike[str], *, strict: bool = True) -> Generator:
    """Open a generator's weights file, without executing anything in it.

    The kind of file is found from its content:

    - official pickles (``network-snapshot-*.pkl``) of stylegan2-ada-pytorch, and of the stylegan3
      repository where they hold a StyleGAN2 network; ``G_ema`` is read;
    - checkpoints of rosinality's stylegan2-pytorch, and weights converted to its layout (``.pt``);
    - safetensors files written by `Generator.save`.

    Pickles are interpreted by a reader that imports nothing and knows only the names that such
    files need; the source text embedded in official files is ignored.

    Parameters
    ----------
    path : path-like
        The file.
    strict : bool, default=True
        Refuse a file that names anything unknown. False turns unknown classes into inert stubs,
        which is needed where the discriminator or the augmentation beside ``G_ema`` are not the
        published ones; they aren't executed either.

    Returns
    -------
    generator : Generator
        A handle on the file. Its ``save`` writes a safetensors file, which holds numbers and text
        alone.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When the file is corrupt, is not a generator, holds what is refused (the message names it),
        holds a network that is not supported, as StyleGAN3, or is a TorchScript archive, which
        would be executed (the message says how to open one that is trusted).

    Examples
    --------
    >>> import latentwalk as lw
    >>> from latentwalk.datasets import dermoscopy_generator_path
    >>> lw.load_generator(dermoscopy_generator_path()).image_shape
    (3, 32, 32)
    """
    path = Path(path).resolve()
    content = path.read_bytes()
    source = WeightsFile(str(path), hashlib.sha256(content).hexdigest(), strict)
    network = _parse(content, path.name, strict)
    return Generator(source, stylegan2_spec(network.config), source.sha256)


def save_stylegan2(
    generator: Generator, path: str | os.PathLike[str], *, dtype: str = "float32"
) -> Generator:
    """See ``Generator.save``."""
    if dtype not in ("float32", "float16"):
        raise ValueError(f"dtype={dtype!r}; expected 'float32' or 'float16'")
    network = generator.module("cpu")
    if not isinstance(network, StyleGAN2):
        raise TypeError(
            "only StyleGAN2 networks can be saved; keep this module's code and weights as you "
            "made them"
        )
    kind = torch.float32 if dtype == "float32" else torch.float16
    state = {k: v.contiguous().to(kind) for k, v in network.state_dict().items()}
    config = json.dumps(network.config.to_dict())
    path = Path(path)
    with replacing(path, "the weights file") as partial:
        save_file(state, partial, metadata={"format": FORMAT, "config": config})
    return load_generator(path)


class WeightsFile:
    """A network in a file, known by its hash."""

    def __init__(self, path: str, sha256: str, strict: bool) -> None:
        self.path, self.sha256, self.strict = path, sha256, strict

    def load(self) -> nn.Module:
        path = Path(self.path)
        if not path.exists():
            raise FileNotFoundError(
                f"the weights file {path.name} is no longer where it was; "
                "generator.relocate(path) returns a handle on its new place"
            )
        content = path.read_bytes()
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256:
            raise ValueError(
                f"the weights file {path.name} has changed: SHA-256 {found}, expected {self.sha256}"
            )
        return _parse(content, path.name, self.strict)


def _parse(content: bytes, name: str, strict: bool) -> StyleGAN2:
    """The network in a file's bytes."""
    try:
        config, state = _read(content, strict)
        if "mapping.w_avg" in state:
            return build_network(config, state)
        network = build_network(config, {**state, "mapping.w_avg": np.zeros(config.w_dim, "f4")})
        network.mapping.w_avg.copy_(torch.as_tensor(mean_latent(network)))
        return network
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} was not opened: {error}; nothing in it was executed") from error


def _read(content: bytes, strict: bool) -> tuple[StyleGAN2Config, State]:
    if content[:4] == b"PK\x03\x04":
        return read_rosinality(_read_zip(content, strict), len(content))
    if content[8:9] == b"{":
        return _read_safetensors(content)
    if content.startswith(TORCH_STREAM):
        checkpoint = read_stream(content, CHECKPOINT, strict=strict)
        return read_rosinality(checkpoint, len(content))
    if content[:1] and content[0] in PICKLE_STARTS:
        return read_official(content, strict=strict)
    raise RefusedError(f"it is {_kind(content)}, not a generator's weights")


def _kind(content: bytes) -> str:
    if not content:
        return "empty"
    known = (kind for start, kind in OTHER_KINDS.items() if content.startswith(start))
    return next(known, f"a file of an unknown kind (it starts with {content[:8]!r})")


def _read_zip(content: bytes, strict: bool) -> Any:
    names = open_archive(content).namelist()
    if any(n.endswith("/constants.pkl") or "/code/" in n for n in names):
        raise RefusedError(TORCHSCRIPT)
    if not any(n.endswith("/data.pkl") for n in names):
        some = ", ".join(sorted(names)[:4])
        raise RefusedError(f"it is a zip archive of {some}, not a generator's weights")
    return read_archive(content, strict=strict)


def _read_safetensors(content: bytes) -> tuple[StyleGAN2Config, State]:
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

"""Weights files in and out. Nothing in a file is executed."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save_file
from torch import nn

from latentwalk.generators._generator import Generator, stylegan2_spec
from latentwalk.generators._stylegan2 import StyleGAN2, StyleGAN2Config

FORMAT = "latentwalk.stylegan2"


def load_generator(path: str | os.PathLike[str]) -> Generator:
    """Open a weights file.

    Parameters
    ----------
    path : path-like
        A safetensors file written by ``Generator.save``.

    Returns
    -------
    generator : Generator
        A handle on the file.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When the file is corrupt, is not a generator, or its tensors do not fit its configuration.

    Examples
    --------
    >>> import latentwalk as lw
    >>> from latentwalk.datasets import dermoscopy_generator_path
    >>> lw.load_generator(dermoscopy_generator_path()).image_shape
    (3, 32, 32)
    """
    path = Path(path).resolve()
    content = path.read_bytes()
    source = SafetensorsFile(str(path), hashlib.sha256(content).hexdigest())
    network = _parse(content, path.name)
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
    state = {k: v.contiguous().to(getattr(torch, dtype)) for k, v in network.state_dict().items()}
    config = json.dumps(network.config.to_dict())
    path = Path(path)
    partial = path.with_name(path.name + ".partial")
    save_file(state, partial, metadata={"format": FORMAT, "config": config})
    os.replace(partial, path)
    return load_generator(path)


class SafetensorsFile:
    """A network in a file, known by its hash."""

    def __init__(self, path: str, sha256: str) -> None:
        self.path, self.sha256 = path, sha256

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
        return _parse(content, path.name)


def _parse(content: bytes, name: str) -> StyleGAN2:
    """The network in a file's bytes."""
    try:
        state = load_tensors(content)
        size = int.from_bytes(content[:8], "little")
        metadata = json.loads(content[8 : 8 + size]).get("__metadata__", {})
    except (SafetensorError, ValueError) as error:
        raise ValueError(f"{name} is not a readable safetensors file: {error}") from error
    if metadata.get("format") != FORMAT:
        raise ValueError(f"{name} is a safetensors file, but not a generator saved by latentwalk")
    try:
        network = StyleGAN2(StyleGAN2Config.from_dict(json.loads(metadata["config"])))
        network.load_state_dict({k: v.float() for k, v in state.items()})
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"the tensors of {name} do not fit its configuration: {error}") from error
    return network

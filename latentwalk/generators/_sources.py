"""Where a handle's network comes from when it is held by value."""

from __future__ import annotations

import copy
import hashlib
from io import BytesIO
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from latentwalk.utils import pack_module, unpack_module
from latentwalk.utils._modules import PackedModule


class Source(Protocol):
    """Gives a network when it is needed."""

    def load(self) -> nn.Module:
        """Return the network, on the CPU."""


class HeldByValue:
    """A network held as numpy arrays."""

    def __init__(self, packed: PackedModule) -> None:
        self.packed = packed

    def load(self) -> nn.Module:
        return unpack_module(self.packed)


class HeldProgram:
    """A TorchScript decoder held as its archive, which runs when it is loaded."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def load(self) -> nn.Module:
        module = torch.jit.load(BytesIO(self.content), "cpu")  # type: ignore[no-untyped-call]
        return DecoderNetwork(module)


class DecoderNetwork(nn.Module):
    """Any decoder, with the two networks that a handle calls."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.synthesis = FirstRow(module)
        self.mapping = IdentityMapping()


class FirstRow(nn.Module):
    """A module that takes w, given rows of w of shape (n, 1, w_dim)."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, ws: Tensor) -> Tensor:
        return self.module(ws[:, 0])


class IdentityMapping(nn.Module):
    """z is w."""

    w_avg: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("w_avg", torch.zeros(()))

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        return z


def hold_decoder(module: nn.Module) -> tuple[Source, str]:
    """Return a copy of a decoder, to be loaded again, and the SHA-256 of what it is."""
    if isinstance(module, torch.jit.ScriptModule):
        archive = BytesIO()
        torch.jit.save(module, archive)
        content = archive.getvalue()
        return HeldProgram(content), hashlib.sha256(content).hexdigest()
    packed = pack_module(DecoderNetwork(copy.deepcopy(module)).eval())
    return HeldByValue(packed), hash_packed(packed)


def hash_packed(packed: PackedModule) -> str:
    """Return the SHA-256 of a module's structure, plain attributes and values."""
    digest = hashlib.sha256(repr(packed.skeleton).encode())
    for path, part in packed.skeleton.named_modules():
        # a scale or a gain changes the images, and no repr need show it
        plain = sorted((k, repr(v)) for k, v in vars(part).items() if _is_plain(v))
        digest.update(f"{path} {type(part).__qualname__} {plain}".encode())
    for name, array in sorted(packed.arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(k, str) and _is_plain(v) for k, v in value.items())
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def check_decoder(generator: Any) -> None:
    """Raise unless a handle on a decoder turns latents into images of its shape."""
    found: Any
    try:
        with torch.no_grad():
            images = generator.synthesis(torch.zeros(2, generator.w_dim))
        found = tuple(images.shape)
    except RuntimeError as error:
        raise ValueError(
            f"module cannot take latents of shape (2, {generator.w_dim}): {error}"
        ) from error
    expected = (2, *generator.image_shape)
    if found != expected:
        raise ValueError(f"module returns images of shape {found}; expected {expected}")

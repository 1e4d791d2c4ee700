"""Where a handle's network comes from when it is held by value."""

from __future__ import annotations

import hashlib
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from latentwalk.utils import unpack_module
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


class DecoderNetwork(nn.Module):
    """Any decoder, with the two networks that a handle calls."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        if isinstance(module, torch.jit.ScriptModule):
            raise TypeError(
                "module is a TorchScript program, which cannot be held by value; load its "
                "state_dict() into the module that it was made from, and pass that"
            )
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


def hash_packed(packed: PackedModule, extra: str = "") -> str:
    """Return the SHA-256 of a module's structure and values."""
    digest = hashlib.sha256((repr(packed.skeleton) + extra).encode())
    for name, array in sorted(packed.arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


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

"""The sources of a handle's network, and the networks that a process keeps loaded."""

from __future__ import annotations

import copy
import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from io import BytesIO
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from latentwalk.generators._classes import one_hot
from latentwalk.generators._spec import GeneratorSpec
from latentwalk.utils import pack_module, to_numpy, unpack_module
from latentwalk.utils._modules import PackedModule

N_MOMENT_SAMPLES = 10_000


class Source(Protocol):
    """Loads a network when it is needed. Sources of the same network are equal."""

    def load(self) -> nn.Module:
        """Return the network, on the CPU."""

    def __hash__(self) -> int: ...


@dataclass(frozen=True)
class HeldByValue:
    """A network held as numpy arrays."""

    packed: PackedModule = field(compare=False)
    sha256: str

    def load(self) -> nn.Module:
        return unpack_module(self.packed)


@dataclass(frozen=True)
class HeldProgram:
    """A TorchScript decoder held as its archive, which is executed when it is loaded."""

    content: bytes = field(compare=False)
    sha256: str

    def load(self) -> nn.Module:
        module = torch.jit.load(BytesIO(self.content), "cpu")  # type: ignore[no-untyped-call]
        return DecoderNetwork(module)


@lru_cache(maxsize=8)
def load_network(source: Source, device: torch.device) -> Any:
    """Return the network on a device; the last few networks stay loaded in this process."""
    network = source.load().eval().requires_grad_(False).to(device)
    # convolutions over this layout take half the time on a CPU; no value changes
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


@lru_cache(maxsize=8)
def w_moments(
    source: Source, spec: GeneratorSpec
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mean and deviation of w over fixed draws of z, the classes evenly mixed."""
    n, cpu, rng = N_MOMENT_SAMPLES, torch.device("cpu"), np.random.RandomState(0)
    z = torch.as_tensor(rng.normal(size=(n, spec.z_dim)).astype(np.float32))
    y = np.arange(n) % spec.n_classes if spec.n_classes else None
    network = load_network(source, cpu)
    with torch.no_grad():
        w = to_numpy(network.mapping(z, one_hot(y, spec.n_classes, n, cpu))).astype(np.float64)
    return w.mean(0).astype(np.float32), w.std(0).astype(np.float32)


class DecoderNetwork(nn.Module):
    """A decoder with the two parts that a handle calls, mapping and synthesis."""

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
    """Return a copy of a decoder, to be loaded later, and its SHA-256."""
    if isinstance(module, torch.jit.ScriptModule):
        archive = BytesIO()
        torch.jit.save(module, archive)
        content = archive.getvalue()
        digest = hashlib.sha256(content).hexdigest()
        return HeldProgram(content, digest), digest
    packed = pack_module(DecoderNetwork(copy.deepcopy(module)).eval())
    digest = hash_packed(packed)
    return HeldByValue(packed, digest), digest


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

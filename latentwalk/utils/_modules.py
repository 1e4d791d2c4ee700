"""Torch modules as plain numpy state, so that a pickle made on a GPU loads on a CPU."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import torch
from numpy.typing import NDArray
from torch import nn

from latentwalk.utils._torch import to_numpy


class PackedModule(NamedTuple):
    """A module's structure without values, and its values by name."""

    skeleton: nn.Module
    arrays: dict[str, NDArray[Any]]
    training: bool


def pack_module(module: nn.Module) -> PackedModule:
    """Return the module's structure and its tensors as numpy arrays."""
    tensors = dict(module.named_parameters()) | dict(module.named_buffers())
    skeleton = copy.deepcopy(module).to("meta")
    return PackedModule(skeleton, {k: to_numpy(v) for k, v in tensors.items()}, module.training)


def unpack_module(packed: PackedModule) -> nn.Module:
    """Return the module that `pack_module` took apart, on the CPU."""
    module = copy.deepcopy(packed.skeleton).to_empty(device="cpu")
    tensors = dict(module.named_parameters()) | dict(module.named_buffers())
    with torch.no_grad():
        for name, tensor in tensors.items():
            tensor.copy_(torch.as_tensor(packed.arrays[name]))
    return module.train(packed.training)

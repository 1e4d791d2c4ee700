"""Small things that every stage shares: input checks, pixels, devices, batches, progress.

They are private to the package. What needs torch is imported when it is first used: grouping
latents and splitting patients do not wait for it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from latentwalk.utils._pixels import to_bytes, to_float
from latentwalk.utils._progress import progress, timed
from latentwalk.utils._validation import (
    check_class_sizes,
    check_groups,
    check_images,
    check_latents,
    check_names,
    check_targets,
    is_missing,
    validate_images,
    validate_latents,
)

if TYPE_CHECKING:
    from latentwalk.utils._batching import map_batches
    from latentwalk.utils._blocks import map_rows
    from latentwalk.utils._modules import pack_module, unpack_module
    from latentwalk.utils._torch import (
        autocast,
        drawing_from,
        resolve_device,
        resolve_precision,
        to_numpy,
        to_tensor,
        torch_generator,
    )

_NEED_TORCH = {
    "autocast": "_torch",
    "drawing_from": "_torch",
    "map_batches": "_batching",
    "map_rows": "_blocks",
    "pack_module": "_modules",
    "resolve_device": "_torch",
    "resolve_precision": "_torch",
    "to_numpy": "_torch",
    "to_tensor": "_torch",
    "torch_generator": "_torch",
    "unpack_module": "_modules",
}

__all__ = [
    "autocast",
    "check_class_sizes",
    "check_groups",
    "check_images",
    "check_latents",
    "check_names",
    "check_targets",
    "drawing_from",
    "is_missing",
    "map_batches",
    "map_rows",
    "pack_module",
    "progress",
    "resolve_device",
    "resolve_precision",
    "timed",
    "to_bytes",
    "to_float",
    "to_numpy",
    "to_tensor",
    "torch_generator",
    "unpack_module",
    "validate_images",
    "validate_latents",
]


def __getattr__(name: str) -> Any:
    if name not in _NEED_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_NEED_TORCH[name]}"), name)

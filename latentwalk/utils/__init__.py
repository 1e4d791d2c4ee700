"""Small things that every stage shares: input validation, devices, batching, progress."""

from latentwalk.utils._batching import map_batches, progress
from latentwalk.utils._modules import pack_module, unpack_module
from latentwalk.utils._pixels import to_bytes, to_float
from latentwalk.utils._torch import (
    autocast,
    resolve_device,
    resolve_precision,
    to_numpy,
    to_tensor,
    torch_generator,
)
from latentwalk.utils._validation import (
    check_class_sizes,
    check_groups,
    check_images,
    check_latents,
    check_targets,
    validate_images,
)

__all__ = [
    "autocast",
    "check_class_sizes",
    "check_groups",
    "check_images",
    "check_latents",
    "check_targets",
    "map_batches",
    "pack_module",
    "progress",
    "resolve_device",
    "resolve_precision",
    "to_bytes",
    "to_float",
    "to_numpy",
    "to_tensor",
    "torch_generator",
    "unpack_module",
    "validate_images",
]

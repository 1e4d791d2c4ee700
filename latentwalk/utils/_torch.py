"""Arrays to tensors and back, devices and seeds."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from torch import nn
from torch.overrides import TorchFunctionMode

# what the constructors of modules draw with
DRAWS = {
    *(torch.rand, torch.randn, torch.Tensor.normal_, torch.Tensor.uniform_),
    *(nn.init.normal_, nn.init.uniform_, nn.init.kaiming_normal_, nn.init.kaiming_uniform_),
    *(nn.init.xavier_normal_, nn.init.xavier_uniform_),
}


def resolve_device(device: str | torch.device | None = None) -> torch.device:
    """Return the device; None uses CUDA if available, else the CPU."""
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(device)


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """Return the context in which a generator runs."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


def resolve_precision(precision: str, device: torch.device) -> str:
    """Return "float32" or "bfloat16"; "auto" is bfloat16 on CPUs with instructions for it."""
    if precision != "auto":
        return precision
    # not in the oldest torch that is supported, where nothing tells
    has_bfloat16 = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return "bfloat16" if device.type == "cpu" and has_bfloat16() else "float32"


def to_tensor(
    X: NDArray[Any] | torch.Tensor, device: str | torch.device | None = "cpu"
) -> torch.Tensor:
    """Return float32 on `device`; uint8 images are scaled to [0, 1] there."""
    # torch takes neither read-only arrays nor negative strides: copy
    tensor = X if isinstance(X, torch.Tensor) else torch.tensor(np.ascontiguousarray(X))
    tensor = tensor.to(device)
    return tensor.float() / 255 if tensor.dtype == torch.uint8 else tensor.float()


def to_numpy(tensor: torch.Tensor) -> NDArray[Any]:
    """Return the tensor's values as an array on the CPU, in C order.

    A channels_last tensor would give an array that joblib's caches take for another one.
    """
    return np.asarray(tensor.detach().cpu().contiguous().numpy())


def check_made(images: torch.Tensor) -> torch.Tensor:
    """Return images that a generator made; raise where one has NaN or infinite values.

    A figure of such an image is NaN, which nothing bounds: it would pass every check.
    """
    bad = ~images.isfinite().flatten(1).all(dim=1)
    if bad.any():
        raise ValueError(
            f"the generator made NaN or infinite values for {int(bad.sum())} of {len(images)} "
            "latents of a batch: its weights are damaged, or the latents are far from those that "
            "it knows"
        )
    return images


def torch_generator(
    random_state: Any = None, device: str | torch.device = "cpu"
) -> torch.Generator:
    """Return a torch generator seeded from a scikit-learn `random_state`."""
    seed = int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
    return torch.Generator(device=device).manual_seed(seed)


class drawing_from(TorchFunctionMode):
    """A context in which modules that are made draw their weights from a generator.

    The global generator of torch is neither read nor set: it is shared between threads, so that
    two fits at once would change each other's weights.
    """

    def __init__(self, rng: torch.Generator) -> None:
        super().__init__()
        self.rng = rng

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func in DRAWS and kwargs.get("generator") is None:
            kwargs["generator"] = self.rng
        return func(*args, **kwargs)

"""Convert published LPIPS weights to `lpips_alex.safetensors`: `lpips_alex.md` tells how to run it.

The source is a pickle of plain numpy arrays. It is read by an unpickler that knows the three names
which rebuild an array and refuses every other.
"""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

# the stream calls numpy's private rebuilder by its old home, which newer versions warn about
ARRAY_NAMES: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): np.ndarray.__reduce__(np.zeros(0))[0],
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class ArrayUnpickler(pickle.Unpickler):
    """Builds containers and numpy arrays, nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what rebuilds an array; refuse any other name."""
        if (module, name) not in ARRAY_NAMES:
            raise pickle.UnpicklingError(f"{module}.{name} is not part of a numpy array")
        return ARRAY_NAMES[module, name]


def convert(source: str | Path, target: str | Path) -> None:
    """Read ``alexnet.ckpt`` and write the network's state, convolutions in half precision."""
    with open(source, "rb") as file:
        tree = ArrayUnpickler(file).load()
    state: dict[str, NDArray[Any]] = {}
    for layer in range(5):
        convolution = tree["AlexNet_0"][f"Conv_{layer}"]
        kernel = convolution["kernel"].transpose(3, 2, 0, 1)
        state[f"convolutions.{layer}.weight"] = np.ascontiguousarray(kernel, dtype=np.float16)
        state[f"convolutions.{layer}.bias"] = convolution["bias"].astype(np.float16)
        head = tree[f"NetLinLayer_{layer}"]["Conv_0"]["kernel"]
        state[f"heads.{layer}"] = head.reshape(-1).astype(np.float32)
    save_file(state, target)


if __name__ == "__main__":
    convert(*sys.argv[1:3])

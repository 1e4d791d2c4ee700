"""The names in official pickles, and the records that stand for them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from latentwalk.generators._reading._refused import RefusedError
from latentwalk.generators._reading._restricted_pickle import (
    Allowed,
    Record,
    Stub,
    make_dict,
    make_set,
)
from latentwalk.generators._reading._torch_records import (
    STORAGES,
    TENSORS,
    Storage,
    TensorRecord,
    read_stream,
)

ARRAY_MODULES = ("numpy._core.multiarray", "numpy.core.multiarray")
MAX_NAME = 100


def as_dict(value: Any) -> dict[Any, Any]:
    """The value if it is a dict, otherwise an empty dict."""
    return value if isinstance(value, dict) else {}


def _name(key: Any) -> str:
    """The checked name of a module or a tensor, for paths."""
    if not isinstance(key, str) or len(key) > MAX_NAME:
        raise RefusedError("its network has a part without a valid name")
    return key


class ModuleRecord(Record):
    """A pickled module: the name of its class and its attributes."""

    __slots__ = ("class_name", "state")

    def __init__(self, meta: Any) -> None:
        name, state = as_dict(meta).get("class_name"), as_dict(meta).get("state")
        if not isinstance(name, str) or not isinstance(state, dict):
            raise RefusedError("it has a module without a class name or a state")
        self.class_name, self.state = name, state

    def children(self) -> dict[str, ModuleRecord]:
        """Its submodules by name."""
        items = as_dict(self.state.get("_modules")).items()
        return {_name(k): v for k, v in items if isinstance(v, ModuleRecord)}

    def tensors(self) -> Iterator[tuple[str, TensorRecord]]:
        """Its own tensors by name."""
        for kind in ("_parameters", "_buffers"):
            for name, value in as_dict(self.state.get(kind)).items():
                if isinstance(value, TensorRecord):
                    yield _name(name), value
                elif value is not None:
                    what = value.name if isinstance(value, Stub) else type(value).__name__
                    raise RefusedError(f"its G_ema holds {what} where a tensor is expected")


class DtypeRecord(Record):
    """A numpy dtype by its code."""

    __slots__ = ("code",)

    def __init__(self, code: Any, *ignored: Any) -> None:
        self.code = code

    def build(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", "|", "="):
            raise RefusedError("it holds a numpy dtype that is not little-endian")


def make_scalar(dtype: Any, content: Any) -> Any:
    """Stand in for numpy's pickled scalars."""
    code = dtype.code if isinstance(dtype, DtypeRecord) else None
    if not isinstance(code, str) or not re.fullmatch("[fiub][1248]", code):
        raise RefusedError("it holds a numpy scalar that is not a number")
    if not isinstance(content, bytes) or len(content) != np.dtype(code).itemsize:
        raise RefusedError("it holds a numpy scalar of the wrong length")
    return np.frombuffer(content, code)[0].item()


def _array_stub(*args: Any) -> Stub:
    """Arrays are attributes of StyleGAN3 layers, which nothing here reads."""
    return Stub("numpy.ndarray")


def _encode(text: Any, encoding: Any) -> bytes:
    """Stand in for ``_codecs.encode``: how protocol 2 holds bytes."""
    if not isinstance(text, str) or encoding != "latin1":
        raise RefusedError("it encodes something other than bytes")
    return text.encode("latin1")


def _storage(content: Any) -> Storage:
    """Stand in for ``torch.storage._load_from_bytes``."""
    if not isinstance(content, bytes):
        raise RefusedError("it has a storage that is not bytes")
    found = read_stream(content, STORAGES)
    if not isinstance(found, Storage):
        raise RefusedError("a torch stream in it is not a storage")
    return found


OFFICIAL: Allowed = {
    **TENSORS,
    ("torch_utils.persistence", "_reconstruct_persistent_obj"): ModuleRecord,
    ("dnnlib.util", "EasyDict"): make_dict,
    ("torch.storage", "_load_from_bytes"): _storage,
    ("_codecs", "encode"): _encode,
    ("numpy", "dtype"): DtypeRecord,
    ("numpy", "ndarray"): None,
    **{(module, "set"): make_set for module in ("builtins", "__builtin__")},
    **{(module, "scalar"): make_scalar for module in ARRAY_MODULES},
    **{(module, "_reconstruct"): _array_stub for module in ARRAY_MODULES},
}

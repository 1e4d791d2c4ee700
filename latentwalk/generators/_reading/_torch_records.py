"""Tensors in files as numpy records: the streams that torch writes, read without torch.

There are three containers: the stream inside an official pickle, the same stream as a separate file
(torch before 1.6), and the zip archive of newer versions.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from functools import cache, partial
from io import BytesIO
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentwalk.generators._reading._budget import Budget
from latentwalk.generators._reading._refused import RefusedError
from latentwalk.generators._reading._restricted_pickle import (
    Allowed,
    Global,
    PickleMachine,
    Record,
    Stub,
    make_dict,
)

MAX_AXES = 8
MAX_EMPTY = 2**20  # length of an axis, if another axis is empty
MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001
STORAGE_TYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
STORAGES: Allowed = {("torch", name): None for name in STORAGE_TYPES}


class Storage(Record):
    """A row of numbers, read when they are needed."""

    __slots__ = ("dtype", "numel", "read")

    def __init__(self, dtype: str, numel: int, read: Callable[[], bytes] | None = None) -> None:
        self.dtype, self.numel, self.read = np.dtype(dtype), numel, read

    @property
    def nbytes(self) -> int:
        return int(self.numel * self.dtype.itemsize)

    def array(self) -> NDArray[Any]:
        """Return the numbers, shape (numel,)."""
        content = b"" if self.read is None else self.read()
        if len(content) != self.nbytes:
            raise RefusedError(
                f"a storage declares {self.nbytes} bytes and has {len(content)}: it is truncated"
            )
        return np.frombuffer(content, self.dtype)


class TensorRecord(Record):
    """A strided view of a storage, checked to lie inside it."""

    __slots__ = ("offset", "shape", "storage", "strides")

    def __init__(self, storage: Any, offset: Any, shape: Any, strides: Any) -> None:
        if not isinstance(storage, Storage) or len(shape) != len(strides):
            raise RefusedError("it has a tensor without a storage")
        if len(shape) > MAX_AXES or not all(map(_is_count, [offset, *shape, *strides])):
            raise RefusedError("it has a tensor whose shape or strides are not counts")
        # the stride of an axis of one is never used, and may be any number
        strides = [s if n > 1 else 0 for n, s in zip(shape, strides, strict=True)]
        last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True) if n)
        # a stride of 0 would make a huge tensor out of one number
        empty = 0 in shape and max([offset, *shape]) <= max(storage.numel, MAX_EMPTY)
        if not empty and (last >= storage.numel or not 0 < prod(shape) <= storage.numel):
            raise RefusedError(
                f"a tensor of shape {tuple(shape)} reaches outside its storage of "
                f"{storage.numel} numbers"
            )
        self.storage, self.offset = storage, offset
        self.shape, self.strides = tuple(shape), tuple(strides)

    def numpy(self) -> NDArray[np.float32]:
        """Return its values as contiguous float32.

        Raises
        ------
        RefusedError
            When they are not floating-point numbers or the file ends before them.
        """
        if self.storage.dtype.kind != "f":
            raise RefusedError(f"a tensor of weights holds {self.storage.dtype}, not floats")
        flat = self.storage.array()[self.offset :]
        strides = [s * flat.itemsize for s in self.strides]
        if 0 in self.shape:
            raise RefusedError(f"a tensor of weights has shape {self.shape}: it is empty")
        view = np.lib.stride_tricks.as_strided(flat, self.shape, strides, writeable=False)
        return np.array(view, dtype=np.float32, order="C")


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def read_tensors(
    tensors: Mapping[str, TensorRecord], file_size: int
) -> dict[str, NDArray[np.float32]]:
    """Return the values of all tensors of a file, see `TensorRecord.numpy`.

    Raises
    ------
    RefusedError
        When there are more numbers than the file has bytes, since one storage is then used many
        times.
    """
    if sum(prod(tensor.shape) for tensor in tensors.values()) > file_size:
        raise RefusedError("its tensors hold more numbers than the file has bytes")
    return {name: tensor.numpy() for name, tensor in tensors.items()}


def rebuild_tensor(
    storage: Any, offset: Any, size: Any, stride: Any, *ignored: Any
) -> TensorRecord:
    """Stand in for ``torch._utils._rebuild_tensor_v2``."""
    return TensorRecord(storage, offset, size, stride)


def rebuild_parameter(data: Any, *ignored: Any) -> Any:
    """Stand in for ``torch._utils._rebuild_parameter``."""
    return data


TENSORS: Allowed = {
    ("collections", "OrderedDict"): make_dict,
    ("torch._utils", "_rebuild_tensor_v2"): rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): rebuild_parameter,
}
CHECKPOINT: Allowed = {
    **TENSORS,
    **STORAGES,
    ("argparse", "Namespace"): lambda *args: Stub("argparse.Namespace"),
}


def read_stream(
    content: bytes, allowed: Allowed, *, strict: bool = True, budget: Budget | None = None
) -> Any:
    """Return the value in a stream of torch's older format.

    It is five pickles (magic number, version, facts on the system, the value, the storages' keys)
    and the storages' bytes.

    Raises
    ------
    RefusedError
        For names outside `allowed` and for a stream that is corrupt or ends early.
    """
    stream, storages = BytesIO(content), dict[str, Storage]()
    budget = budget or Budget(len(content))
    if PickleMachine({}).load(stream) != MAGIC_NUMBER:
        raise RefusedError("a storage in it is not a torch stream")
    if PickleMachine({}).load(stream) != PROTOCOL_VERSION:
        raise RefusedError("a torch stream in it has an unknown version")
    system = PickleMachine({}).load(stream)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise RefusedError("a torch stream in it is not little-endian")

    def persistent(pid: Any) -> Storage:
        key, dtype, numel = _storage_id(pid)
        return storages.setdefault(key, Storage(dtype, numel))

    machine = PickleMachine(allowed, strict=strict, persistent=persistent, budget=budget)
    value = machine.load(stream)
    _fill(storages, PickleMachine({}).load(stream), stream)
    return value


def _fill(storages: dict[str, Storage], keys: Any, stream: BytesIO) -> None:
    named = isinstance(keys, list) and all(isinstance(key, str) for key in keys)
    if not named or sorted(keys) != sorted(storages):
        raise RefusedError("a torch stream in it does not hold the storages that it names")
    for key in keys:
        storage = storages[key]
        numel = stream.read(8)
        if len(numel) < 8:
            raise RefusedError("a storage that it names is missing: it is truncated")
        if int.from_bytes(numel, "little") != storage.numel:
            raise RefusedError("a storage has another size than it declares")
        content = stream.read(storage.nbytes)
        storage.read = _constant(content)
        if len(content) != storage.nbytes:
            raise RefusedError(
                f"a storage declares {storage.nbytes} bytes and has {len(content)}: it is truncated"
            )


def _constant(content: bytes) -> Callable[[], bytes]:
    return lambda: content


def open_archive(content: bytes) -> zipfile.ZipFile:
    """Return a zip archive; raises RefusedError for a corrupt one."""
    try:
        return zipfile.ZipFile(BytesIO(content))
    # zipfile raises NotImplementedError for a version or compression that it does not know
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise RefusedError(f"its zip archive is truncated or corrupt ({error})") from error


def read_archive(content: bytes, budget: Budget, *, strict: bool = True) -> Any:
    """Return the value in a zip archive written by ``torch.save``.

    Raises
    ------
    RefusedError
        For names other than those of tensors, and for a corrupt archive.
    """
    archive = open_archive(content)
    entries = [n for n in archive.namelist() if n.endswith("/data.pkl") and n.count("/") == 1]
    if len(entries) != 1:
        raise RefusedError(f"its zip archive has {len(entries)} entries data.pkl; expected one")
    (entry,) = entries
    folder = entry.removesuffix("data.pkl")
    order = f"{folder}byteorder"
    if order in archive.namelist() and _entry(archive, order, budget) != b"little":
        raise RefusedError("it is not little-endian")
    read = cache(lambda key: _entry(archive, f"{folder}data/{key}", budget))

    def persistent(pid: Any) -> Storage:
        key, dtype, numel = _storage_id(pid)
        return Storage(dtype, numel, partial(read, key))

    machine = PickleMachine(CHECKPOINT, strict=strict, persistent=persistent, budget=budget)
    return machine.load(BytesIO(_entry(archive, entry, budget)))


def _entry(archive: zipfile.ZipFile, name: str, budget: Budget) -> bytes:
    """Return the bytes of an entry; torch does not compress, and a zip bomb would be compressed."""
    try:
        entry = archive.getinfo(name)
        if entry.compress_type != zipfile.ZIP_STORED:
            raise RefusedError(f"the entry {name[:100]!r} of its archive is compressed")
        budget.spend(n_bytes=entry.file_size)  # entries may overlap
        return archive.read(name)
    except (KeyError, zipfile.BadZipFile, EOFError, OSError, RuntimeError) as error:
        raise RefusedError(f"the entry {name[:100]!r} of its archive cannot be read") from error


def _storage_id(pid: Any) -> tuple[str, str, int]:
    """Return key, dtype and length of a storage from its persistent id."""
    if not isinstance(pid, tuple) or len(pid) not in (5, 6) or pid[0] != "storage":
        raise RefusedError("it holds a persistent id that is not a storage")
    kind = pid[1]
    if not isinstance(kind, Global) or kind.module != "torch" or kind.name not in STORAGE_TYPES:
        raise RefusedError("it holds a storage of an unknown type")
    key, numel = pid[2], pid[4]
    if not isinstance(key, str) or type(numel) is not int or numel < 0:
        raise RefusedError("it holds a storage without a key or a length")
    if len(pid) == 6 and pid[5] is not None:
        raise RefusedError("it holds a storage that is a view of another one")
    return key, STORAGE_TYPES[kind.name], numel

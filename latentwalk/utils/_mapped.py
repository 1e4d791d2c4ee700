"""Rows of an array on their way to a worker: a memory map travels as a place in its file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class MappedRows:
    """Rows of an array in a file, a few hundred bytes to send. The worker must see the file.

    Attributes
    ----------
    filename : str
        The file of the memory map.
    offset : int
        Bytes before the array.
    dtype, shape
        Of the whole array.
    rows : slice or ndarray of int
        The rows.
    """

    filename: str
    offset: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    rows: slice | NDArray[np.intp]

    def array(self) -> NDArray[Any]:
        """Return the whole array, which stays in its file."""
        return np.memmap(self.filename, self.dtype, "r", self.offset, self.shape)

    def read(self) -> NDArray[Any]:
        """Return the rows, in memory."""
        return np.array(self.array()[self.rows])


def pack_rows(X: Any, rows: slice | NDArray[np.intp]) -> NDArray[Any] | MappedRows:
    """Return what travels to a worker for some rows: themselves, or their place in a file."""
    mapped = in_file(X)
    if mapped is None:
        return np.asarray(X[rows])
    return MappedRows(mapped.filename, mapped.offset, mapped.dtype, mapped.shape, rows)


def unpack_rows(part: NDArray[Any] | MappedRows) -> NDArray[Any]:
    """Return the rows that `pack_rows` packed."""
    return part.read() if isinstance(part, MappedRows) else part


def in_file(X: Any) -> MappedRows | None:
    """Return the place of an array that is a memory map, or an unbroken part of one."""
    root, base = None, X
    while isinstance(base, np.ndarray):
        root = base if isinstance(base, np.memmap) else root
        base = base.base
    # changes of a copy-on-write map are not in the file
    if root is None or root.filename is None or root.mode == "c" or not X.flags.c_contiguous:
        return None
    offset = root.offset + X.ctypes.data - root.ctypes.data
    return MappedRows(str(root.filename), int(offset), X.dtype, X.shape, slice(None))

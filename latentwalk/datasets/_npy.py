"""A `.npy` file that is there whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterable
from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray


def write_npy(
    path: str | os.PathLike[str], images: Iterable[NDArray[np.uint8]], shape: tuple[int, ...]
) -> None:
    """Write bytes, image by image, to a file that its owner alone can read.

    The room is reserved first and each image is written, not mapped: on a full disk a write raises
    OSError where a memory map would end the process.

    Parameters
    ----------
    path : path-like
        The file, replaced when the last image is on the disk.
    images : iterable of ndarray of shape ``shape[1:]``
        As many as ``shape[0]``.
    shape : tuple of int
        The shape of the whole.
    """
    path = Path(path)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
    partial = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            _reserve(file, file.tell() + prod(shape))
            for image in images:
                file.write(np.ascontiguousarray(image, dtype=np.uint8).tobytes())
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _reserve(file: BinaryIO, n_bytes: int) -> None:
    """Raise OSError unless the disk has room for the file."""
    if not hasattr(os, "posix_fallocate"):
        return  # a full disk is then found while writing
    try:
        os.posix_fallocate(file.fileno(), 0, n_bytes)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
            raise OSError(
                error.errno, f"no room for a file of {n_bytes} bytes: {os.strerror(error.errno)}"
            ) from None
        # some file systems cannot reserve

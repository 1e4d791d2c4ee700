"""Files that are there whole or not at all, even after a loss of power."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import time
from uuid import uuid4

from safetensors import SafetensorError

FORGOTTEN = 3600.0  # seconds after which nobody can still be writing to a partial file


@contextmanager
def replacing(path: Path, what: str, *, private: bool = False) -> Iterator[Path]:
    """Give a place to write to, which takes the place of `path` once it is whole.

    Parameters
    ----------
    path : Path
        The file.
    what : str
        What it is, for errors.
    private : bool, default=False
        Let nobody but the owner read it.

    Raises
    ------
    OSError
        When it cannot be written, as on a full disk; what was at `path` is as it was.
    """
    _remove_forgotten(path)
    # two threads, and two containers with the same process id, may write to one place
    partial = path.with_name(f".{path.name}.{uuid4().hex}.partial")
    try:
        partial.touch(mode=0o600 if private else 0o666, exist_ok=False)
        yield partial
        flush(partial)
        os.replace(partial, path)
        flush(path.parent)
    # torch and safetensors have errors of their own for a disk that is full
    except (OSError, RuntimeError, SafetensorError) as error:
        raise OSError(
            f"{what} {path} could not be written ({error}): what was there before is as it was. "
            "Free space or choose another place"
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def _remove_forgotten(path: Path) -> None:
    """Remove what killed processes left of earlier writes."""
    for partial in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):
        with suppress(OSError):
            if time() - partial.stat().st_mtime > FORGOTTEN:
                partial.unlink()


def flush(path: Path) -> None:
    """Wait until the disk has a file's content, or a folder's entries where the system can."""
    if path.is_dir() and os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def check_place(path: Path | None, what: str) -> None:
    """Make the folder of a file that a long run will write, and raise where that cannot be."""
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"the folder of {what} {path} cannot be made ({error})") from error
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise OSError(f"{what} {path} is not a file that can be written")

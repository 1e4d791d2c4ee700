"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError


@contextmanager
def replacing(path: Path, what: str) -> Iterator[Path]:
    """Give a place to write to, which takes the place of `path` once it is whole.

    Raises
    ------
    OSError
        When it cannot be written, as on a full disk; what was at `path` is as it was.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        yield partial
        os.replace(partial, path)
    # torch and safetensors have errors of their own for a disk that is full
    except (OSError, RuntimeError, SafetensorError) as error:
        raise OSError(
            f"{what} {path} could not be written ({error}): what was there before is as it was. "
            "Free space or choose another place"
        ) from error
    finally:
        partial.unlink(missing_ok=True)


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

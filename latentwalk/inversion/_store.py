"""Finished rows on disk, so that an interrupted inversion goes on where it stopped."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray


class RowStore:
    """Latents by the content of their image, in one folder for each set of circumstances.

    The files hold latents of private images: they are as private as the images.

    Parameters
    ----------
    folder : path-like
        The cache.
    context : str
        Everything a result depends on beside the image; another context is another folder.
    """

    def __init__(self, folder: str | os.PathLike[str], context: str) -> None:
        self.folder = Path(folder) / hashlib.sha256(context.encode()).hexdigest()[:16]
        check_cache(self.folder)

    @staticmethod
    def keys(images: NDArray[np.float32]) -> list[str]:
        """A key for every image, by its content."""
        return [hashlib.sha256(np.ascontiguousarray(i).tobytes()).hexdigest() for i in images]

    def load(self) -> dict[str, NDArray[Any]]:
        """Every stored row by its key; a file whose content is damaged is deleted."""
        found: dict[str, NDArray[Any]] = {}
        for path in sorted(self.folder.glob("*.npz")):
            try:
                with path.open("rb") as file, np.load(file) as content:
                    found |= dict(zip(content["keys"].tolist(), content["rows"], strict=True))
            except (BadZipFile, EOFError, KeyError, ValueError):
                path.unlink()
        return found

    def save(self, keys: list[str], rows: NDArray[Any]) -> None:
        """Write the rows beside their place and move them there: never half a file."""
        name = hashlib.sha256("".join(keys).encode()).hexdigest()[:32]
        partial = self.folder / f"{name}.{os.getpid()}.partial"
        try:
            with partial.open("wb") as file:
                np.savez(file, keys=np.array(keys), rows=rows)
            os.replace(partial, self.folder / f"{name}.npz")
        except OSError as error:
            raise OSError(
                error.errno,
                f"cache_dir cannot take the rows just finished ({error.strerror}); those before "
                "are kept there: make room, or set another cache_dir, and run it again",
            ) from error
        finally:
            partial.unlink(missing_ok=True)


def check_cache(folder: str | os.PathLike[str]) -> None:
    """Make the folder, and raise where nothing can be written into it."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(
            error.errno, f"cache_dir is no folder that can be written into ({error.strerror})"
        ) from error

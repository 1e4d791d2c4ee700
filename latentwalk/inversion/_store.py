"""Rows of an inversion, and finished rows on disk, so that an interrupted one goes on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, fields
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from latentwalk.utils import to_float
from latentwalk.utils._files import replacing

BLOCK = 256  # images in memory at a time


@dataclass(frozen=True)
class Inverted:
    """A row for each image.

    Attributes
    ----------
    latents : ndarray of shape (n, n_latent_features)
        The latents that were found, float32.
    n_iter : ndarray of int of shape (n,)
        Steps of the optimisation.
    converged : ndarray of bool of shape (n,)
        Whether more steps would gain little.
    """

    latents: NDArray[np.float32]
    n_iter: NDArray[np.int64]
    converged: NDArray[np.bool_]

    @classmethod
    def empty(cls, n_rows: int, n_features: int) -> Self:
        """Return rows that nothing is known of yet."""
        latents = np.zeros((n_rows, n_features), np.float32)
        return cls(latents, np.zeros(n_rows, np.int64), np.zeros(n_rows, np.bool_))

    @classmethod
    def concatenate(cls, parts: Iterable[Inverted]) -> Self:
        columns = zip(*(part.arrays().values() for part in parts), strict=True)
        return cls(*(np.concatenate(column) for column in columns))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the columns by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def put(self, rows: Any, part: Inverted) -> None:
        """Write other rows into some of these."""
        for name, column in self.arrays().items():
            column[rows] = getattr(part, name)

    def row(self, i: int) -> Inverted:
        return Inverted(*(column[i] for column in self.arrays().values()))


class RowStore:
    """Finished rows by the content of their image, in one folder for each set of circumstances.

    The files hold latents of private images: they are as private as the images, and only their
    owner can read them. A file's name is the hash of its content, so that damage shows.

    Parameters
    ----------
    folder : path-like
        The cache.
    context : str
        Everything a result depends on besides the image; another context is another folder.
    """

    def __init__(self, folder: str | os.PathLike[str], context: str) -> None:
        self.folder = Path(folder) / hashlib.sha256(context.encode()).hexdigest()[:16]
        check_cache(self.folder)

    @staticmethod
    def keys(images: NDArray[Any]) -> list[str]:
        """Return a key for every image, by its content as floats."""
        blocks = (images[i : i + BLOCK] for i in range(0, len(images), BLOCK))
        floats = (image for block in blocks for image in to_float(np.asarray(block)))
        return [hashlib.sha256(image.tobytes()).hexdigest() for image in floats]

    def load(self) -> dict[str, Inverted]:
        """Return every stored row by its key; a damaged file is deleted."""
        stored: dict[str, Inverted] = {}
        for path in sorted(self.folder.glob("*.npz")):
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() != path.stem:
                path.unlink(missing_ok=True)
                continue
            with np.load(BytesIO(content)) as columns:
                keys = columns["keys"].tolist()
                rows = Inverted(*(columns[field.name] for field in fields(Inverted)))
            stored |= {key: rows.row(i) for i, key in enumerate(keys)}
        return stored

    def save(self, keys: list[str], rows: Inverted) -> None:
        """Write rows to a file of their own."""
        buffer = BytesIO()
        columns: dict[str, Any] = {"keys": np.array(keys), **rows.arrays()}
        np.savez(buffer, **columns)
        content = buffer.getvalue()
        path = self.folder / f"{hashlib.sha256(content).hexdigest()}.npz"
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # removed during the run?
            with replacing(path, "the cache file", private=True) as partial:
                partial.write_bytes(content)
        except OSError as error:
            reason = getattr(error.__cause__, "strerror", None) or error
            raise OSError(
                f"cache_dir cannot take the rows just finished ({reason}); those before are kept "
                "there: make room, or set another cache_dir, and run it again"
            ) from error


def check_cache(folder: str | os.PathLike[str]) -> None:
    """Make the folder, and raise where nothing can be written into it."""
    try:
        Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(
            error.errno,
            f"cache_dir is not a folder that can be written into ({error.strerror})",
        ) from error

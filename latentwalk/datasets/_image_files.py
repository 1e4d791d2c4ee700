"""Images in files, as an array that is read where it is needed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentwalk.datasets._equal_images import digest_image
from latentwalk.datasets._examine import (
    UnreadableFile,
    examine_files,
    find_unreadable,
    n_channels_of,
    raise_unreadable,
    warn_of_names,
)
from latentwalk.datasets._npy import write_npy
from latentwalk.datasets._reading import UnreadableImageError, Window, read_image
from latentwalk.utils import progress

FileState = tuple[int, int]  # size in bytes, time of change in nanoseconds


def file_state(path: Path) -> FileState | None:
    """Return what changes when a file does; None when it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


class ImageFiles:
    """Images in files, as an array of bytes whose rows are read when they are asked for.

    ``images[rows]`` chooses rows and reads none of them: it is another such object, so that
    ``images[split.members]`` goes to `StyleGAN2Trainer`, which reads a batch at a time, in the way
    of an array. ``np.asarray(images)`` reads all of it, as every other estimator does;
    ``images[3]`` reads one. Each image is cut to its central square and resized. Nothing but the
    pixels of the files is used.

    A file is told by its content, never by its name. What cannot be read as it is meant is refused:
    files of several frames, colours other than grey, RGB and palettes (CMYK, Lab), compressions
    that no decoder is there for. Transparent pixels lie on black. Colour profiles are not applied.

    A pickle of this object holds the paths of the files, and the size and time of change that each
    file has at that moment. A cache such as ``Pipeline(memory=...)`` therefore sees that a file has
    changed under its name.

    Parameters
    ----------
    paths : sequence of path-like
        A file for each row: PNG, JPEG, BMP, TIFF, WebP, JPEG 2000, PBM, PGM, PPM, or DICOM (which
        needs pydicom).
    size : int
        Height and width of the images.
    n_channels : {1, 3}, default=None
        1 is grey, 3 is RGB. None looks at the header of every file and keeps colour: it is 3 where
        any file has colours, else 1.
    window : tuple (centre, width), default=None
        What becomes 0..255 in files of more than 8 bits, of signed values and of real numbers, and
        in every DICOM file, in their units (Hounsfield units in CT). None is the window that a
        DICOM file names, else the range of each image by itself.

    Attributes
    ----------
    shape : tuple (n_samples, n_channels, size, size)
        The shape of the whole.
    dtype : dtype
        uint8.
    paths : list of Path
        The files, one for each row. Errors give the row alone: the names of files can be those of
        patients.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from latentwalk.datasets import ImageFiles
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.png"
    ...     Image.fromarray(np.full((20, 30), 7, dtype=np.uint8)).save(path)
    ...     images = ImageFiles([path, path], size=16)
    ...     print(images, np.asarray(images[:1]).max())
    ImageFiles(2 images of 1x16x16) 7
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(
        self,
        paths: Sequence[str | os.PathLike[str]],
        *,
        size: int,
        n_channels: int | None = None,
        window: Window | None = None,
    ) -> None:
        _check_options(size, n_channels, window)
        self.paths = [Path(path) for path in paths]
        self.size, self.window = int(size), window
        self.n_channels = int(n_channels or n_channels_of(examine_files(self.paths)[0]))
        # errors tell the row as it was before any were chosen, whichever batch is being read
        self._rows = np.arange(len(self.paths))
        self._digests: dict[tuple[Path, FileState | None], bytes] = {}

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return len(self.paths), self.n_channels, self.size, self.size

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, rows: Any) -> ImageFiles | NDArray[np.uint8]:
        """Return other `ImageFiles` for a slice or an array of rows, an image for a number."""
        if isinstance(rows, tuple) and len(rows) == 2 and rows[1] is Ellipsis:
            rows = rows[0]
        if isinstance(rows, tuple):
            raise IndexError("images in files are chosen by rows alone: read them with np.asarray")
        chosen = np.arange(len(self.paths))[rows]
        if chosen.ndim == 0:
            return self._read(int(chosen))
        part = object.__new__(type(self))
        part.__dict__.update(self.__dict__)  # the digests are shared, and no file is looked at
        part.paths, part._rows = [self.paths[row] for row in chosen], self._rows[chosen]
        return part

    def of(self, paths: Sequence[Path]) -> ImageFiles:
        """Return the images of other files, read in the same way; known digests are kept."""
        other = type(self)(paths, size=self.size, n_channels=self.n_channels, window=self.window)
        other._digests = self._digests
        return other

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("images in files cannot be an array without being read")
        array = np.empty(self.shape, np.uint8)
        for row in range(len(self.paths)):
            array[row] = self._read(row)
        return array if dtype is None else array.astype(dtype, copy=False)

    def _read(self, row: int) -> NDArray[np.uint8]:
        with self._numbered_errors(row):
            return self._pixels(row)

    def _pixels(self, row: int) -> NDArray[np.uint8]:
        return read_image(self.paths[row], self.size, self.n_channels, self.window)

    @contextmanager
    def _numbered_errors(self, row: int) -> Iterator[None]:
        try:
            yield
        except UnreadableImageError as error:
            raise UnreadableImageError(f"image {self._rows[row]} of the files: {error}") from None

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__ | {"_digests": {}}
        return state | {"_states": [file_state(path) for path in self.paths]}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update({name: state[name] for name in state if name != "_states"})

    def digests(self) -> list[bytes]:
        """Return a digest of the pixels of each image, empty for a blank one.

        Each file is read once: the digests are remembered as long as a file keeps its size and its
        time of change, also by the objects that were made by choosing rows.

        Returns
        -------
        digests : list of bytes
            Equal for images with equal pixels.
        """
        digests = []
        for row in range(len(self)):
            with self._numbered_errors(row):
                digests.append(self._digest(row))
        return digests

    def _digest(self, row: int) -> bytes:
        key = self.paths[row], file_state(self.paths[row])
        if key not in self._digests:
            self._digests[key] = digest_image(self._pixels(row))
        return self._digests[key]

    def check(self) -> None:
        """Look at the header of every file.

        Raises
        ------
        ValueError
            With the rows of files that are not one image each.
        ImportError
            When there are DICOM files and pydicom is not installed.

        Warns
        -----
        UserWarning
            When DICOM files say that their pixels identify the patient.
        """
        pictures, unreadable = examine_files(self.paths)
        raise_unreadable(unreadable, len(self), "paths")
        warn_of_names(pictures)

    def unreadable(self) -> list[UnreadableFile]:
        """Read every file, and return those that cannot be read.

        `check` looks at headers alone: a file that was cut short passes it. The digests of the
        pixels are kept for later (see `digests`).

        Returns
        -------
        unreadable : list of UnreadableFile
            With their rows in this object.
        """
        return find_unreadable(self.paths, self._digest)

    def save(self, path: str | os.PathLike[str], *, verbose: bool = False) -> NDArray[np.uint8]:
        """Read every file once into one ``.npy`` file, which is faster to train from.

        Parameters
        ----------
        path : path-like
            The file, a byte for each value, which its owner alone can read. It holds the real
            images: protect it as you protect them.
        verbose : bool, default=False
            Show progress.

        Returns
        -------
        images : memmap of shape (n_samples, n_channels, size, size)
            The file, read-only; ``np.load(path, mmap_mode="r")`` opens it again.

        Raises
        ------
        OSError
            When the disk has too little room, which is asked before the first file is read. Nothing
            is left behind.
        """
        rows = progress(range(len(self)), desc="images", verbose=verbose)
        write_npy(path, (self._read(row) for row in rows), self.shape)
        return np.load(path, mmap_mode="r", allow_pickle=False)

    def __repr__(self) -> str:
        n, channels, size, _ = self.shape
        return f"ImageFiles({n} images of {channels}x{size}x{size})"


def _check_options(size: Any, n_channels: Any, window: ArrayLike | None) -> None:
    if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1:
        raise ValueError(f"size={size!r}; expected a positive integer")
    if n_channels not in (None, 1, 3):
        raise ValueError(f"n_channels={n_channels!r}; expected 1 (grey), 3 (RGB) or None")
    if window is not None:
        values = np.asarray(window)
        if values.shape != (2,) or values.dtype.kind not in "iuf" or not values[1] > 0:
            raise ValueError(f"window={window!r}; expected (centre, width) with a width above 0")

"""A file's format by its content, and from a path to an image of a fixed size."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from latentwalk.datasets._reading import _dicom
from latentwalk.datasets._reading._deep import open_jpeg2000, open_netpbm, open_png
from latentwalk.datasets._reading._errors import UnreadableImageError, silenced, unquoted_errors
from latentwalk.datasets._reading._picture import Picture
from latentwalk.datasets._reading._pillow import open_with_pillow
from latentwalk.datasets._reading._samples import Window
from latentwalk.datasets._reading._tiff import open_tiff

PICTURE_SUFFIXES = frozenset(
    {".png", ".bmp", ".tif", ".tiff", ".webp"}
    | {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"}
    | {".jp2", ".j2k", ".j2c", ".jpx", ".jpf"}
    | {".pbm", ".pgm", ".ppm", ".pnm"}
)
DICOM_SUFFIXES = frozenset({".dcm", ".dicom", ".ima"})
DICOM_MAGIC = slice(128, 132), b"DICM"

# Format, where a file of it is marked, and with what; the first that fits is taken
SIGNATURES: list[tuple[str, slice, tuple[bytes, ...]]] = [
    ("DICOM", DICOM_MAGIC[0], (DICOM_MAGIC[1],)),
    ("PNG", slice(8), (b"\x89PNG\r\n\x1a\n",)),
    ("JPEG", slice(3), (b"\xff\xd8\xff",)),
    ("TIFF", slice(4), (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    ("BMP", slice(2), (b"BM",)),
    ("WEBP", slice(8, 12), (b"WEBP",)),
    ("JPEG 2000", slice(12), (b"\0\0\0\x0cjP  \r\n\x87\n",)),
    ("JPEG 2000", slice(4), (b"\xff\x4f\xff\x51",)),
    ("netpbm", slice(2), (b"P1", b"P2", b"P3", b"P4", b"P5", b"P6")),
    # DICOM from before files had a preamble begins with the group 2 or 8
    ("DICOM", slice(4), tuple(bytes([group, 0, n, 0]) for group in (2, 8) for n in range(32))),
]
OPENERS: dict[str, Callable[[BinaryIO], Picture]] = {
    "DICOM": _dicom.open_dicom,
    "PNG": open_png,
    "JPEG": partial(open_with_pillow, kind="JPEG"),
    "TIFF": open_tiff,
    "BMP": partial(open_with_pillow, kind="BMP"),
    "WEBP": partial(open_with_pillow, kind="WEBP"),
    "JPEG 2000": open_jpeg2000,
    "netpbm": open_netpbm,
}


def read_image(
    path: Path, size: int, n_channels: int, window: Window | None = None
) -> NDArray[np.uint8]:
    """Return the image in a file, cut to its central square and resized.

    Parameters
    ----------
    path : Path
        A file of one of the formats above.
    size : int
        Height and width of the result.
    n_channels : {1, 3}
        1 is grey, 3 is RGB.
    window : tuple (centre, width), default=None
        What becomes 0 to 255, for files of more than 8 bits.

    Returns
    -------
    image : ndarray of shape (n_channels, size, size)
        Bytes.

    Raises
    ------
    UnreadableImageError
        When the file does not hold one image that can be read truly.
    """
    with _opened(path) as (kind, file), unquoted_errors(f"{kind} pixels"):
        image = Image.fromarray(OPENERS[kind](file).decode(window))
    image = image.convert("L" if n_channels == 1 else "RGB")
    square = ImageOps.fit(image, (size, size), method=Image.Resampling.LANCZOS)
    return np.asarray(square).reshape(size, size, n_channels).transpose(2, 0, 1)


def examine_image(path: Path) -> Picture:
    """Return what the header of a file says; raises UnreadableImageError as `read_image` does."""
    with _opened(path) as (kind, file), unquoted_errors(f"{kind} header"):
        return OPENERS[kind](file)


def kind_of_file(path: Path) -> str | None:
    """Return the kind of a regular file that is not an image; None for an image.

    The suffix of an image is believed: when the content is something else, reading says so.
    """
    suffix = path.suffix.lower()
    if suffix in PICTURE_SUFFIXES:
        return None
    # a file that cannot be opened is judged by its suffix, and reading it says what is wrong
    with suppress(UnreadableImageError), _regular(path) as file:
        if file.read(DICOM_MAGIC[0].stop)[DICOM_MAGIC[0]] == DICOM_MAGIC[1]:
            _dicom.import_pydicom()
            return _dicom.other_kind(_dicom.sop_class(file))
    return None if suffix in DICOM_SUFFIXES else "file of another kind"


@contextmanager
def _opened(path: Path) -> Iterator[tuple[str, BinaryIO]]:
    """The format of a file by its content, and the file at its beginning."""
    with _regular(path) as file, silenced("PIL"):
        head = file.read(DICOM_MAGIC[0].stop)
        file.seek(0)
        kinds = (kind for kind, where, marks in SIGNATURES if head[where] in marks)
        kind = next(kinds, None)
        if kind is None:
            raise UnreadableImageError(f"it is not {', '.join(OPENERS)}, by its content")
        yield kind, file


@contextmanager
def _regular(path: Path) -> Iterator[BinaryIO]:
    """An open file that is neither a pipe, a device nor a folder: nothing waits for a writer."""
    with unquoted_errors("content"):
        file = os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb")
    with file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise UnreadableImageError("it is not a regular file")
        yield file

"""One image file to bytes of a fixed size; nothing but its pixels is kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from latentwalk.datasets._bytes import UnreadableImageError, Window, check_frames, to_bytes
from latentwalk.datasets._dicom import SUFFIXES as DICOM_SUFFIXES
from latentwalk.datasets._dicom import import_pydicom, is_dicom, read_dicom

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})


def is_image(path: Path) -> bool:
    """Tell whether a file of a folder is to be read as an image."""
    return path.suffix.lower() in SUFFIXES | DICOM_SUFFIXES or (not path.suffix and is_dicom(path))


def read_image(
    path: Path, size: int, n_channels: int, window: Window | None = None
) -> NDArray[np.uint8]:
    """Return the image in a file, cut to its central square and resized.

    Parameters
    ----------
    path : Path
        An image that Pillow opens, or a DICOM file.
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
        When the file does not hold one image.
    """
    picture = _open(path, window).convert("L" if n_channels == 1 else "RGB")
    square = ImageOps.fit(picture, (size, size), method=Image.Resampling.LANCZOS)
    return np.asarray(square).reshape(size, size, n_channels).transpose(2, 0, 1)


def _open(path: Path, window: Window | None) -> Image.Image:
    """The picture in a file, grey or RGB, its values 0 to 255."""
    with _unnamed_errors():
        if is_dicom(path):
            return Image.fromarray(read_dicom(path, window))
        with Image.open(path) as file:
            check_frames(getattr(file, "n_frames", 1))
            picture = ImageOps.exif_transpose(file)
            if picture.mode.startswith(("I", "F")):
                return Image.fromarray(to_bytes(np.asarray(picture), window))
            # a palette or transparency becomes colours before it becomes grey
            return picture.copy() if picture.mode == "L" else picture.convert("RGB")


def check_image(path: Path) -> None:
    """Raise UnreadableImageError unless a file begins as one image; decodes nothing."""
    with _unnamed_errors():
        if is_dicom(path):
            import_pydicom()
            return
        with Image.open(path) as file:
            check_frames(getattr(file, "n_frames", 1))


@contextmanager
def _unnamed_errors() -> Iterator[None]:
    """Turn the errors of reading into one that does not hold the name of the file, as theirs do."""
    try:
        yield
    except UnreadableImageError:
        raise
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = f"it cannot be read as an image ({type(error).__name__})"
        raise UnreadableImageError(reason) from None

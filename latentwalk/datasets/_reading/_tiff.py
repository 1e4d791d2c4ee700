"""TIFF files: every number of bits, sample format and photometric interpretation as it is meant."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from tifffile import COMPRESSION, EXTRASAMPLE, PHOTOMETRIC, TiffFile

from latentwalk.datasets._reading._errors import (
    UnreadableImageError,
    check_frames,
    check_size,
    silenced,
)
from latentwalk.datasets._reading._picture import Picture, raster
from latentwalk.datasets._reading._pillow import open_with_pillow
from latentwalk.datasets._reading._samples import Samples, split_alpha

ORIENTATION = 274
REDUCED, MASK = 1, 4  # bits of NewSubfileType: a smaller copy, a mask of another page
MAX_PAGES = 64  # that are looked at to find a second image
COMPRESSIONS = {
    COMPRESSION.NONE,
    COMPRESSION.CCITTRLE,
    COMPRESSION.CCITT_T4,
    COMPRESSION.CCITT_T6,
    COMPRESSION.LZW,
    COMPRESSION.JPEG,
    COMPRESSION.ADOBE_DEFLATE,
    COMPRESSION.DEFLATE,
    COMPRESSION.PACKBITS,
}
GREY = {PHOTOMETRIC.MINISWHITE, PHOTOMETRIC.MINISBLACK}


def open_tiff(file: BinaryIO) -> Picture:
    """Return the picture in a TIFF file; smaller copies and masks of it are passed over."""
    with _tifffile(file) as tiff:
        page = _only_page(tiff)
        _check_layout(page)
        number = page.index
        in_colour = page.photometric not in GREY
        is_jpeg = page.compression == COMPRESSION.JPEG
    if is_jpeg:
        # libtiff compares the size of a JPEG strip with that of the page before it is decoded
        file.seek(0)
        return open_with_pillow(file, "TIFF", frame=number)
    return raster(in_colour, partial(_decode, file, number))


@contextmanager
def _tifffile(file: BinaryIO) -> Iterator[TiffFile]:
    """A file as tifffile sees it, without its name."""
    file.seek(0)
    with silenced("tifffile"):
        yield TiffFile(file, name="image")


def _only_page(tiff: TiffFile) -> Any:
    """The page of a file that is no smaller copy and no mask, without reading all of the others."""
    pages: dict[int, Any] = {}  # by their place in the file, since a chain of pages can be a circle
    for number in range(MAX_PAGES + 1):
        try:
            page: Any = tiff.pages[number]
        except IndexError:
            break
        if page.offset in pages:
            break
        if number == MAX_PAGES:
            check_frames(f"more than {MAX_PAGES}")
        pages[page.offset] = page
    whole = [page for page in pages.values() if not page.subfiletype & (REDUCED | MASK)]
    check_frames(len(whole))
    return whole[0]


def _check_layout(page: Any) -> None:
    """Raise unless the values of a page can be read as they are meant."""
    check_size(page.imagelength, page.imagewidth)
    if page.imagedepth != 1:
        raise UnreadableImageError("it is a volume: make each slice a file")
    if page.compression not in COMPRESSIONS:
        raise UnreadableImageError("its compression is not supported: save it with another")
    photometric, n_samples = page.photometric, page.samplesperpixel
    expected = 1 if photometric in GREY or photometric == PHOTOMETRIC.PALETTE else 3
    jpeg = page.compression == COMPRESSION.JPEG
    # JPEG turns its own YCbCr to RGB; in others the colours are subsampled in many ways
    known = {*GREY, PHOTOMETRIC.PALETTE, PHOTOMETRIC.RGB} | ({PHOTOMETRIC.YCBCR} if jpeg else set())
    if photometric not in known:
        raise UnreadableImageError("its colours are not grey, RGB or a palette: convert them first")
    # an extra sample is alpha, or of unknown meaning and left out
    if n_samples not in (expected, expected + 1) or not isinstance(page.bitspersample, int):
        raise UnreadableImageError(f"it has {n_samples} samples a pixel, or samples of many sizes")
    if page.dtype is None or page.dtype.kind not in "buif":
        raise UnreadableImageError("its values are not real numbers")
    if jpeg and page.bitspersample != 8:
        raise UnreadableImageError("its values are JPEG of more than 8 bits")


def _decode(file: BinaryIO, number: int) -> Samples:
    with _tifffile(file) as tiff:
        page: Any = tiff.pages[number]
        values = page.asarray(maxworkers=1)
        if page.planarconfig == 2 and values.ndim == 3:
            values = values.transpose(1, 2, 0)  # a plane for each sample, made one image
        if values.shape[:2] != (page.imagelength, page.imagewidth):
            raise UnreadableImageError("its samples are not where its header says")
        bits = page.bitspersample if values.dtype.kind in "bu" else None
        orientation = page.tags.valueof(ORIENTATION, 1)
        white_is_zero = page.photometric == PHOTOMETRIC.MINISWHITE
        palette = page.colormap if page.photometric == PHOTOMETRIC.PALETTE else None
        n_extra = values.ndim == 3 and values.shape[-1] in (2, 4)
        kind = (page.extrasamples or (EXTRASAMPLE.UNSPECIFIED,))[0] if n_extra else None
    values, alpha = _without_extra(values, bits, kind)
    if palette is not None:
        values, bits = _look_up(palette, values), 8
    return Samples(values, bits, white_is_zero, alpha, orientation)


def _without_extra(
    values: NDArray[Any], bits: int | None, kind: EXTRASAMPLE | int | None
) -> tuple[NDArray[Any], NDArray[Any] | None]:
    if kind is None:
        return values, None
    if kind == EXTRASAMPLE.UNSPECIFIED:
        return split_alpha(values, 1, premultiplied=True)
    if bits is None:
        raise UnreadableImageError("it has signed or real values with alpha")
    return split_alpha(values, bits, premultiplied=kind == EXTRASAMPLE.ASSOCALPHA)


def _look_up(palette: NDArray[Any], values: NDArray[Any]) -> NDArray[np.uint8]:
    """Colours of 8 bits; a palette has 16, but for old writers that left it at 8."""
    colours = palette >> 8 if palette.max(initial=0) > 255 else palette
    return np.moveaxis(colours.astype(np.uint8), 0, -1)[values.astype(np.intp)]

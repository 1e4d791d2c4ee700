"""Files that Pillow would cut to 8 bits, or scale: 16-bit PNG, netpbm and JPEG 2000."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from functools import partial
from typing import Any, BinaryIO

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from latentwalk.datasets._reading._errors import UnreadableImageError, check_size
from latentwalk.datasets._reading._picture import Picture, raster
from latentwalk.datasets._reading._pillow import open_with_pillow
from latentwalk.datasets._reading._samples import Samples, split_alpha

PNG_COLOUR_TYPES = {0: False, 2: True, 4: False, 6: True}  # of 16 bits; whether RGB
CODESTREAM = b"\xff\x4f\xff\x51"
SRGB, GREYSCALE = 16, 17  # enumerated colour spaces of a JP2 file


def open_png(file: BinaryIO) -> Picture:
    """Return the picture in a PNG file."""
    head = file.read(26)
    file.seek(0)
    # signature (8), length and name of the first chunk (8), then width, height, depth, colour type
    width, height, depth, colour_type = struct.unpack(">IIBB", head[16:26])
    if depth != 16:
        return open_with_pillow(file, "PNG")
    check_size(height, width)
    return raster(PNG_COLOUR_TYPES[colour_type], partial(_decode_png, file))


def _decode_png(file: BinaryIO) -> Samples:
    file.seek(0)
    values = imagecodecs.png_decode(file.read())
    return _with_alpha(values, 16)


def _with_alpha(values: NDArray[Any], bits: int) -> Samples:
    """Samples of values with 1 to 4 channels: grey, grey and alpha, RGB, RGB and alpha."""
    if values.ndim == 3 and values.shape[-1] in (2, 4):
        colours, alpha = split_alpha(values, bits)
        return Samples(colours, bits, alpha=alpha)
    return Samples(values, bits)


_COMMENT_OR_SPACE = rb"(?:\s|#[^\n]*\n)+"
_NETPBM = re.compile(rb"P([2356])" + 3 * (_COMMENT_OR_SPACE + rb"(\d{1,9})") + rb"\s")


def open_netpbm(file: BinaryIO) -> Picture:
    """Return the picture in a PBM, PGM or PPM file."""
    head = _NETPBM.match(file.read(4096))
    file.seek(0)
    if head is None or int(head[4]) < 256:
        return open_with_pillow(file, "PPM")
    kind, width, height, top = map(int, head.groups())
    check_size(height, width)
    if top > 65535:
        raise UnreadableImageError("its largest value is above 65535")
    shape = (height, width) if kind in (2, 5) else (height, width, 3)
    return raster(len(shape) == 3, partial(_decode_netpbm, file, kind < 5, head.end(), shape))


def _decode_netpbm(file: BinaryIO, plain: bool, start: int, shape: tuple[int, ...]) -> Samples:
    file.seek(start)
    n_values = int(np.prod(shape))
    if plain:
        values = np.array(file.read().split()[:n_values], dtype=np.int64)
    else:
        values = np.frombuffer(file.read(2 * n_values), dtype=">u2")
    return Samples(values.astype(np.uint16).reshape(shape), 16)


def open_jpeg2000(file: BinaryIO) -> Picture:
    """Return the picture in a JPEG 2000 file or codestream."""
    content = file.read()
    header = dict(_boxes(_box(content, b"jp2h") or b""))
    _check_colour_space(header)
    stream = _box(content, b"jp2c") or content
    # ITU-T T.800 A.5.1: marks, length, capabilities; the ends of the image; the grid of its tiles
    x1, y1, x0, y0, n_components = struct.unpack(">8x4I16xH", stream[:42])
    check_size(y1 - y0, x1 - x0)
    components = stream[42 : 42 + 3 * n_components]
    # a byte for depth and sign, and one for each step between samples
    if n_components not in (1, 2, 3, 4) or components != n_components * (components[:1] + b"\1\1"):
        raise UnreadableImageError(
            "its components are not grey, RGB or these with alpha at one depth and size"
        )
    depth, signed = (components[0] & 127) + 1, components[0] > 127
    return raster(n_components > 2, partial(_decode_jpeg2000, content, None if signed else depth))


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Names and contents of the boxes of a JP2 file (ITU-T T.800 I.4); none of a codestream."""
    at = 0
    while at + 8 <= len(content) and not content.startswith(CODESTREAM):
        length, name = struct.unpack(">I4s", content[at : at + 8])
        start = at + 8
        if length == 1:  # a length of 64 bits follows
            length, start = int.from_bytes(content[start : start + 8], "big"), start + 8
        end = len(content) if length == 0 else at + length
        if end < start:
            raise UnreadableImageError("its boxes are broken")
        yield name, content[start:end]
        at = end


def _box(content: bytes, name: bytes) -> bytes | None:
    """The content of the first box of a name."""
    return next((inside for found, inside in _boxes(content) if found == name), None)


def _check_colour_space(header: dict[bytes, bytes]) -> None:
    """Raise for a palette, and for a colour space by name that is neither grey nor RGB."""
    box = header.get(b"colr", b"")
    is_named = box[:1] == b"\1"
    is_other = is_named and int.from_bytes(box[3:7], "big") not in (SRGB, GREYSCALE)
    if is_other or b"pclr" in header:
        raise UnreadableImageError("its colours are not grey or RGB: convert them first")


def _decode_jpeg2000(content: bytes, bits: int | None) -> Samples:
    values = imagecodecs.jpeg2k_decode(content)
    if bits is None:
        if values.ndim == 3 and values.shape[-1] != 3:
            raise UnreadableImageError("it has signed values with alpha")
        return Samples(values, None)
    return _with_alpha(values, bits)

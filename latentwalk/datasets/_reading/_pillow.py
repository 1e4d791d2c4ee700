"""Pictures of 8 bits in the formats that Pillow reads truly."""

from __future__ import annotations

from functools import partial
from typing import BinaryIO

import numpy as np
from PIL import Image

from latentwalk.datasets._reading._errors import UnreadableImageError, check_frames, check_size
from latentwalk.datasets._reading._picture import Picture, raster
from latentwalk.datasets._reading._samples import Samples, split_alpha

ORIENTATION = 274  # the EXIF tag
GREY, COLOUR = {"1", "L", "LA"}, {"P", "PA", "RGB", "RGBA", "RGBX"}


def open_with_pillow(file: BinaryIO, kind: str, frame: int | None = None) -> Picture:
    """Return the picture in a file of one of Pillow's formats, and of no other.

    `frame` is the one to take; None is for files of a single one.

    Pillow tries every format that it knows on a file of any name, and starts Ghostscript for one of
    them: `kind` is the only one that it may try here.
    """
    # photographs with a preview beside them are JPEG files to everybody else
    formats = ["JPEG", "MPO"] if kind == "JPEG" else [kind]
    image = Image.open(file, formats=formats)
    if frame is not None:
        image.seek(frame)
    elif image.format != "MPO":
        check_frames(getattr(image, "n_frames", 1))
    check_size(image.height, image.width)
    if image.mode not in GREY | COLOUR:
        raise UnreadableImageError("its colours are not grey, RGB or a palette: convert them first")
    in_colour = image.mode in COLOUR and not _has_grey_palette(image)
    return raster(in_colour, partial(_decode, image))


def _has_grey_palette(image: Image.Image) -> bool:
    if image.mode != "P":
        return False
    colours = np.reshape(image.getpalette("RGB") or [], (-1, 3))
    return bool((colours == colours[:, :1]).all())


def _decode(image: Image.Image) -> Samples:
    orientation = image.getexif().get(ORIENTATION, 1)
    see_through = image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info
    if see_through:
        values = np.asarray(image.convert("LA" if image.mode in GREY else "RGBA"))
        colours, alpha = split_alpha(values, 8)
        return Samples(colours, 8, alpha=alpha, orientation=orientation)
    values = np.asarray(image.convert("L" if image.mode in GREY else "RGB"))
    return Samples(values, 8, orientation=orientation)

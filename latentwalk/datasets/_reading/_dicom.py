"""DICOM objects: which of them hold one image, and its stored values."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import partial
from typing import Any, BinaryIO

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from latentwalk.datasets._reading._dicom_values import (
    ELEMENTS,
    macro,
    present,
    show_grey,
    show_palette,
)
from latentwalk.datasets._reading._errors import (
    MAX_PIXELS,
    UnreadableImageError,
    check_frames,
    check_size,
    silenced,
)
from latentwalk.datasets._reading._picture import Picture
from latentwalk.datasets._reading._samples import Samples, Window, whole_window

LAYOUT = [
    "SOPClassUID",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PlanarConfiguration",
    "BurnedInAnnotation",
    "RecognizableVisualFeatures",
]
# The height and width of a pixel; the ratio is there when no spacing is (PS3.3 C.7.6.3.1.7)
SPACINGS = ["PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelAspectRatio"]
PIXELS = ["PixelData", "FloatPixelData", "DoubleFloatPixelData"]
STORAGE = "1.2.840.10008.5.1.4.1.1."
# Objects without an image, by the beginning of their SOP class
OTHER_KINDS = {
    "1.2.840.10008.1.3.10": "DICOMDIR",
    STORAGE + "88.": "structured report",
    STORAGE + "481.": "radiotherapy object",
    "1.2.840.10008.5.1.4.34.7.": "radiotherapy object",
    STORAGE + "66.4.": "segmentation",
    STORAGE + "66.7.": "segmentation",
    STORAGE + "66.": "raw data, registration or surface",
    STORAGE + "11.": "presentation state",
    STORAGE + "9.": "waveform",
    STORAGE + "104.": "document",
    STORAGE + "4.2.": "spectroscopy",
}
RT_IMAGE = STORAGE + "481.1."
DEFLATED = "1.2.840.10008.1.2.1.99"
MAX_INFLATED = 2 * MAX_PIXELS + 2**24  # bytes: the largest image and its header
MAX_SLACK = 2**20  # bytes of compressed pixels beyond twice the uncompressed ones
# Decoders for what pydicom leaves to packages of their own: JPEG of 12 bits and without loss, and
# JPEG-LS
JPEG, JPEG_LS = imagecodecs.jpeg_decode, imagecodecs.jpegls_decode
CODECS = {
    "1.2.840.10008.1.2.4.51": JPEG,
    "1.2.840.10008.1.2.4.57": JPEG,
    "1.2.840.10008.1.2.4.70": JPEG,
    "1.2.840.10008.1.2.4.80": JPEG_LS,
    "1.2.840.10008.1.2.4.81": JPEG_LS,
}
GREY = ("MONOCHROME1", "MONOCHROME2")
RGB = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")


def import_pydicom() -> Any:
    """Return pydicom; raises ImportError that says how to get it."""
    try:
        import pydicom
    except ImportError as error:
        raise ImportError(
            "DICOM files need pydicom: run pip install '.[dicom]' in the folder of latentwalk's "
            "source"
        ) from error
    return pydicom


def open_dicom(file: BinaryIO) -> Picture:
    """Return the image in a DICOM object; raises for objects without one image."""
    import_pydicom()
    with silenced("pydicom"):
        header, has_pixels = _read_header(file)
        other = other_kind(str(header.file_meta.get("MediaStorageSOPClassUID", "")))
        if other or not has_pixels:
            raise UnreadableImageError(f"it is DICOM without an image ({other or 'no pixels'})")
        check_frames(int(header.get("NumberOfFrames") or 1))
        _check_layout(header)
        _check_decoder(header)
        says_yes = (
            header.get("BurnedInAnnotation") == "YES"
            or header.get("RecognizableVisualFeatures") == "YES"
        )
        in_colour = header.PhotometricInterpretation not in GREY
    return Picture(in_colour, partial(_decode, file), names_patient=says_yes)


def other_kind(sop_class: str) -> str | None:
    """Return the kind of an object without an image, by its SOP class; None for images."""
    if (sop_class + ".").startswith(RT_IMAGE):
        return None
    kinds = (kind for start, kind in OTHER_KINDS.items() if (sop_class + ".").startswith(start))
    return next(kinds, None)


def sop_class(file: BinaryIO) -> str:
    """Return the SOP class that the file's meta information names, or an empty text."""
    from pydicom.filereader import _read_file_meta_info, read_preamble

    with silenced("pydicom"):
        try:
            file.seek(0)
            read_preamble(file, force=True)
            return str(_read_file_meta_info(file).get("MediaStorageSOPClassUID", ""))
        except Exception:  # said when it is opened
            return ""


def _read_header(file: BinaryIO) -> tuple[Any, bool]:
    """The elements before the pixels, and whether pixels follow."""
    from pydicom.datadict import tag_for_keyword
    from pydicom.filereader import read_partial
    from pydicom.tag import Tag

    pixel_tags = {Tag(tag_for_keyword(name)) for name in PIXELS}
    seen = []

    def at_pixels(tag: Any, _vr: Any, _length: Any) -> bool:
        seen.extend([tag] if tag in pixel_tags else [])
        return tag in pixel_tags

    _check_inflated(file)
    file.seek(0)
    tags = [Tag(tag_for_keyword(name)) for name in LAYOUT]
    header = read_partial(file, at_pixels, force=True, specific_tags=tags)
    _complete_meta(header)
    return header, bool(seen)


def _check_inflated(file: BinaryIO) -> None:
    """Raise when a deflated object would fill the memory: pydicom inflates all of it at once."""
    from pydicom.filereader import _read_file_meta_info, read_preamble

    file.seek(0)
    read_preamble(file, force=True)
    if _read_file_meta_info(file).get("TransferSyntaxUID") != DEFLATED:
        return
    inflater, n_bytes = zlib.decompressobj(-zlib.MAX_WBITS), 0
    while not inflater.eof and (chunk := inflater.unconsumed_tail or file.read(2**16)):
        n_bytes += len(inflater.decompress(chunk, 2**20))
        if n_bytes > MAX_INFLATED:
            raise UnreadableImageError(f"it inflates to more than {MAX_INFLATED // 10**6} MB")


def _complete_meta(header: Any) -> None:
    """Name the transfer syntax of an object from before files had one."""
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    if "TransferSyntaxUID" not in header.file_meta:
        implicit, little = header.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        header.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit


def _check_layout(header: Any) -> None:
    """Raise unless the image pixel module makes sense."""
    check_size(int(header.Rows), int(header.Columns))
    photometric, n_samples = header.PhotometricInterpretation, int(header.get("SamplesPerPixel", 1))
    grey_or_palette = photometric in (*GREY, "PALETTE COLOR")
    if not grey_or_palette and photometric not in RGB:
        raise UnreadableImageError("its photometric interpretation is not supported")
    if n_samples != (1 if grey_or_palette else 3):
        raise UnreadableImageError("its samples a pixel do not fit its photometric interpretation")
    stored = int(header.get("BitsStored") or header.BitsAllocated)
    high = header.get("HighBit")
    if high is not None and int(high) != stored - 1:
        raise UnreadableImageError("its high bit is not the last of its stored bits")


def _own_codec(header: Any) -> Callable[..., NDArray[Any]] | None:
    """The decoder here for an object's pixels; None leaves them to pydicom."""
    codec = CODECS.get(header.file_meta.TransferSyntaxUID)
    # JPEG in colour would need to know which transformation it was written with
    is_plain = header.PhotometricInterpretation in GREY or (
        codec is JPEG_LS and header.PhotometricInterpretation == "RGB"
    )
    return codec if is_plain else None


def _check_decoder(header: Any) -> None:
    """Raise unless the pixels of an object can be decoded."""
    from pydicom.pixels import get_decoder

    syntax = header.file_meta.TransferSyntaxUID
    if _own_codec(header) is not None or not syntax.is_compressed or syntax == DEFLATED:
        return
    name = syntax.name if not syntax.is_private else "a private syntax"
    try:
        available = get_decoder(syntax).is_available
    except NotImplementedError:
        raise UnreadableImageError(f"its pixels are compressed as {name}: convert it") from None
    if not available:
        raise UnreadableImageError(
            f"its pixels are compressed as {name}: install a decoder that pydicom names for it"
        )


def _decode(file: BinaryIO, window: Window | None) -> NDArray[np.uint8]:
    """Bytes of shape (h, w) or (h, w, 3) in which high is bright and pixels are square."""
    pydicom = import_pydicom()
    with silenced("pydicom"):
        file.seek(0)
        data = pydicom.dcmread(
            file, force=True, specific_tags=[*LAYOUT, *SPACINGS, *PIXELS, *ELEMENTS]
        )
        _complete_meta(data)
        values = _stored_values(data)
        if data.PhotometricInterpretation in GREY:
            image = show_grey(data, values, window)
        elif data.PhotometricInterpretation == "PALETTE COLOR":
            image = show_palette(data, values)
        else:
            bits = int(data.BitsStored)
            image = Samples(values, bits).show(window or whole_window(bits))
        return _with_square_pixels(image, _pixel_aspect(data))


def _pixel_aspect(data: Any) -> float:
    """The height of a pixel over its width."""
    place = macro(data, "PixelMeasuresSequence")
    for name in SPACINGS:
        spacing = present(place, name)
        if spacing is not None and len(spacing) == 2 and min(map(float, spacing)) > 0:
            return float(spacing[0]) / float(spacing[1])
    return 1.0


def _with_square_pixels(image: NDArray[np.uint8], aspect: float) -> NDArray[np.uint8]:
    """An image whose pixels were stretched along their shorter side, unless they are square."""
    height, width = image.shape[:2]
    if abs(aspect - 1) < 0.01:
        return image
    height, width = round(height * max(aspect, 1)), round(width * max(1 / aspect, 1))
    check_size(height, width)
    stretched = Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(stretched)


def _stored_values(data: Any) -> NDArray[Any]:
    """Values of shape (h, w), or of (h, w, 3) in RGB, as they are stored."""
    from pydicom.encaps import get_frame

    n_values = int(data.Rows) * int(data.Columns) * int(data.get("SamplesPerPixel", 1))
    if data.file_meta.TransferSyntaxUID.is_encapsulated and (
        len(data.PixelData) > n_values * int(data.BitsAllocated) // 4 + MAX_SLACK
    ):
        raise UnreadableImageError("its compressed pixels are far more than its header says")
    codec = _own_codec(data)
    if codec is None:
        return data.pixel_array
    shape = (int(data.Rows), int(data.Columns)) + (3,) * (int(data.SamplesPerPixel) == 3)
    # the place for the result keeps a stream from asking for more memory than the header says
    out = np.empty(shape, np.uint8 if int(data.BitsStored) <= 8 else np.uint16)
    values = codec(get_frame(data.PixelData, 0, number_of_frames=1), out=out)
    return sign_extend(values, int(data.BitsStored), signed=data.PixelRepresentation == 1)


def sign_extend(values: NDArray[Any], bits: int, *, signed: bool) -> NDArray[Any]:
    """Return the integers that the lowest bits of unsigned ones mean."""
    low = values.astype(np.int64) & (2**bits - 1)
    return low - (low >> (bits - 1) << bits) if signed else low

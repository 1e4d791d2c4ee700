"""The pixels of a DICOM file. Of its header only what describes them is read."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentwalk.datasets._bytes import UnreadableImageError, Window, check_frames, to_bytes

SUFFIXES = frozenset({".dcm", ".dicom"})
PREAMBLE, MAGIC = 128, b"DICM"
LAYOUT_TAGS = ["SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns", "NumberOfFrames"]
LAYOUT_TAGS += ["BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"]
LAYOUT_TAGS += ["PlanarConfiguration", "PixelData", "FloatPixelData", "DoubleFloatPixelData"]
VALUE_TAGS = ["RescaleSlope", "RescaleIntercept", "ModalityLUTSequence"]
VALUE_TAGS += ["WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence"]
COLORS = ["Red", "Green", "Blue"]
PALETTE_TAGS = [f"{color}PaletteColorLookupTableDescriptor" for color in COLORS]
PALETTE_TAGS += [f"{color}PaletteColorLookupTableData" for color in COLORS]
PALETTE_TAGS += [f"Segmented{color}PaletteColorLookupTableData" for color in COLORS]
TAGS = [*LAYOUT_TAGS, *VALUE_TAGS, *PALETTE_TAGS]


def is_dicom(path: Path) -> bool:
    """Tell a DICOM file by its suffix, or by its content where it has none."""
    if path.suffix:
        return path.suffix.lower() in SUFFIXES
    with path.open("rb") as file:
        return file.read(PREAMBLE + len(MAGIC))[PREAMBLE:] == MAGIC


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


def read_dicom(path: Path, window: Window | None = None) -> NDArray[np.uint8]:
    """Return the image of a DICOM file as bytes of shape (h, w) or, in colour, (h, w, 3).

    Values are rescaled to their units first (Hounsfield units in CT). `window` (centre, width) in
    these units becomes 0..255; None takes the file's own window, else the range of its values.
    MONOCHROME1 is inverted: high is bright in every result.
    """
    pydicom = import_pydicom()
    with warnings.catch_warnings():
        # they quote the values of a header
        warnings.simplefilter("ignore")
        try:
            data = pydicom.dcmread(path, specific_tags=TAGS)
            check_frames(int(data.get("NumberOfFrames", 1) or 1))
            if data.get("SamplesPerPixel", 1) == 1:
                return _grey(data, window)
            return _eight_bits(data.pixel_array, int(data.BitsStored))
        except UnreadableImageError:
            raise
        except OSError as error:  # its message names the file
            kind = type(error).__name__
            raise UnreadableImageError(f"its DICOM pixels cannot be read ({kind})") from None
        except Exception as error:  # of many kinds, pydicom's and those of its decoders
            reason = f"{type(error).__name__}: {error}"
            raise UnreadableImageError(f"its DICOM pixels cannot be read ({reason})") from None


def _grey(data: Any, window: Window | None) -> NDArray[np.uint8]:
    from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut

    if data.PhotometricInterpretation == "PALETTE COLOR":
        colors = apply_color_lut(data.pixel_array, data)
        return _eight_bits(colors, 8 * colors.dtype.itemsize)
    values = apply_modality_lut(data.pixel_array, data)
    named = "WindowCenter" in data and "WindowWidth" in data
    if window is None and "VOILUTSequence" in data:
        values = apply_voi_lut(values, data)
    elif window is None and named:
        window = _first(data.WindowCenter), _first(data.WindowWidth)
    image = to_bytes(values, window)
    return 255 - image if data.PhotometricInterpretation == "MONOCHROME1" else image


def _eight_bits(colors: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    top = 2**bits - 1
    return to_bytes(colors, (top / 2, top))


def _first(value: Any) -> float:
    """The first of a file's windows, where it names several."""
    return float(np.ravel(value)[0])

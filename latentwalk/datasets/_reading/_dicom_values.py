"""From stored values to the screen, in the steps of DICOM PS3.3 (C.7.5, C.7.6.3, C.11.1, C.11.2).

Stored values pass the modality transformation (a rescale, or a table), which gives them their
units; then the values of interest transformation (a window, or a table), which chooses what is
seen; then they are inverted where low values are meant to be bright. Padding takes no part.
Enhanced objects keep these elements in functional groups, of the frame or of all frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentwalk.datasets._reading._errors import UnreadableImageError
from latentwalk.datasets._reading._samples import Window, apply_window, whole_window

COLOURS = ["Red", "Green", "Blue"]
ELEMENTS = [
    "RescaleSlope",
    "RescaleIntercept",
    "ModalityLUTSequence",
    "PixelIntensityRelationship",
    "WindowCenter",
    "WindowWidth",
    "VOILUTFunction",
    "VOILUTSequence",
    "PresentationLUTShape",
    "PixelPresentation",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "FloatPixelPaddingValue",
    "FloatPixelPaddingRangeLimit",
    "DoubleFloatPixelPaddingValue",
    "DoubleFloatPixelPaddingRangeLimit",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    *(f"{colour}PaletteColorLookupTableDescriptor" for colour in COLOURS),
    *(f"{colour}PaletteColorLookupTableData" for colour in COLOURS),
    *(f"Segmented{colour}PaletteColorLookupTableData" for colour in COLOURS),
]
# In X-ray angiography and fluoroscopy of these relationships the modality table leads back to
# intensities of the beam and is not for the screen (C.8.7.1.1.2)
ANGIOGRAPHY = ("1.2.840.10008.5.1.4.1.1.12.1", "1.2.840.10008.5.1.4.1.1.12.2")
NOT_FOR_THE_SCREEN = ("LOG", "DISP")


def show_grey(data: Any, values: NDArray[Any], window: Window | None) -> NDArray[np.uint8]:
    """Return the bytes of a monochrome image; `window` takes the place of what the file names."""
    if present(data, "PixelPresentation") in ("COLOR", "MIXED"):
        raise UnreadableImageError("its greys are shown in colours of a supplemental palette")
    padding = find_padding(data, values)
    if padding.all():
        raise UnreadableImageError("all of its pixels are padding")
    units, is_identity = to_units(data, values)
    if not np.isfinite(units[~padding]).all():
        raise UnreadableImageError("it has NaN or infinite pixels")
    # padding takes the value of a pixel, so that it moves no range
    units = np.where(padding, units[~padding][0], units)
    if window is not None:
        image = apply_window(units, window)
    else:
        image = show_values_of_interest(data, units, values if is_identity else None)
    if data.PhotometricInterpretation == "MONOCHROME1" or (
        present(data, "PresentationLUTShape") == "INVERSE"
    ):
        image = 255 - image
    return np.where(padding, 0, image).astype(np.uint8)


def show_palette(data: Any, values: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the bytes of a palette image, of shape (h, w, 3), by PS3.3 C.7.6.3.1.5 and .6."""
    if present(data, "RedPaletteColorLookupTableData") is None:  # tables in segments
        return _show_segmented_palette(data, values)
    signed = data.PixelRepresentation == 1
    tables = [Table.of_palette(data, colour) for colour in COLOURS]
    channels = [apply_window(table.look_up(values, signed), table.whole) for table in tables]
    return np.stack(channels, axis=-1)


def _show_segmented_palette(data: Any, values: NDArray[Any]) -> NDArray[np.uint8]:
    from pydicom.pixels import apply_color_lut

    colours = apply_color_lut(values, data)[..., :3]  # without the alpha that some have
    return apply_window(colours, whole_window(8 * colours.itemsize))


def present(data: Any, name: str) -> Any:
    """Return the value of an element; None when it is absent, or empty as anonymisers leave it."""
    value = data.get(name)
    empty = value is None or (hasattr(value, "__len__") and len(value) == 0)
    return None if empty else value


def number(data: Any, name: str) -> float | None:
    """Return the first number of an element, or None when it is absent or empty."""
    value = present(data, name)
    first = value if isinstance(value, (int, float)) or value is None else np.ravel(value)[0]
    if first is None or first == "":
        return None
    result = float(first)
    if not np.isfinite(result):
        raise UnreadableImageError("it describes its values with a number that is not finite")
    return result


def macro(data: Any, name: str) -> Any:
    """Return where the elements of a functional group are: of the frame, of all, or at the top."""
    for groups in ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"):
        of_first_frame = present(data, groups)
        item = None if of_first_frame is None else present(of_first_frame[0], name)
        if item is not None:
            return item[0]
    return data


@dataclass(frozen=True)
class Table:
    """A lookup table of PS3.3 C.11.1.1, C.11.2.1 or C.7.6.3.1.5.

    Attributes
    ----------
    entries : ndarray of shape (n_entries,)
        What the values from `first` on become; others become the first or the last entry.
    first : int
        A value of 16 bits, of whichever sign it was written with.
    bits : int
        The number of bits of an entry.
    """

    entries: NDArray[np.int64]
    first: int
    bits: int

    @classmethod
    def read(cls, descriptor: Any, content: Any, *, big_endian: bool) -> Table:
        """Return the table of a descriptor and of data in one of the ways to write them."""
        n_entries, first, bits = (int(number) for number in descriptor)
        n_entries = n_entries % 2**16 or 2**16  # 0 is 65536, which 16 bits cannot hold
        if isinstance(content, bytes):
            words = np.frombuffer(content, ">u2" if big_endian else "<u2").astype("<u2")
            # entries of 8 bits can be two to a word
            content = words.view("u1") if len(words) < n_entries else words
        entries = np.atleast_1d(np.asarray(content, dtype=np.int64))[:n_entries]
        if len(entries) < n_entries or not 1 <= bits <= 16:
            raise UnreadableImageError("it has a lookup table that is not what is said of it")
        return cls(entries & (2**bits - 1), first, bits)

    @classmethod
    def of_sequence(cls, sequence: Any) -> Table:
        """Return the table in the first item of a sequence."""
        item = sequence[0]
        big_endian = item.original_encoding[1] is False
        return cls.read(item.LUTDescriptor, item.LUTData, big_endian=big_endian)

    @classmethod
    def of_palette(cls, data: Any, colour: str) -> Table:
        """Return the table of a colour of a palette."""
        descriptor = data[f"{colour}PaletteColorLookupTableDescriptor"].value
        content = data[f"{colour}PaletteColorLookupTableData"].value
        return cls.read(descriptor, content, big_endian=data.original_encoding[1] is False)

    @property
    def whole(self) -> Window:
        """The window of all that an entry can be."""
        return whole_window(self.bits)

    def look_up(self, values: NDArray[Any], signed: bool) -> NDArray[np.int64]:
        """Return the entries of values, which can be negative when `signed`."""
        first = self.first - 2**16 if signed and self.first >= 2**15 else self.first
        at = np.rint(values).astype(np.int64) - first
        return self.entries[at.clip(0, len(self.entries) - 1)]


def find_padding(data: Any, values: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which stored values are padding: one value, or a range with both its ends."""
    kind = {4: "Float", 8: "DoubleFloat"}[values.itemsize] if values.dtype.kind == "f" else ""
    first = number(data, f"{kind}PixelPaddingValue")
    if first is None:
        return np.zeros(values.shape, dtype=bool)
    last = number(data, f"{kind}PixelPaddingRangeLimit")
    ends = sorted(_as_stored(data, end) for end in (first, first if last is None else last))
    return (values >= ends[0]) & (values <= ends[1])


def _as_stored(data: Any, value: float) -> float:
    """A padding value with the sign of the stored ones, whichever sign it was written with."""
    if "PixelRepresentation" not in data:
        return value  # of real numbers
    bits = int(data.BitsStored)
    low = int(value) & (2**bits - 1)
    return low - (low >> (bits - 1) << bits) if data.PixelRepresentation == 1 else low


def to_units(data: Any, values: NDArray[Any]) -> tuple[NDArray[Any], bool]:
    """Return values after the modality transformation, and whether it changed nothing."""
    place = macro(data, "PixelValueTransformationSequence")
    table = present(place, "ModalityLUTSequence")
    if table is not None:
        if _leads_back_to_intensities(data):
            return values, True
        return Table.of_sequence(table).look_up(values, data.PixelRepresentation == 1), False
    slope, intercept = number(place, "RescaleSlope"), number(place, "RescaleIntercept")
    if slope == 0:
        raise UnreadableImageError("its rescale slope is 0")
    if slope in (None, 1) and intercept in (None, 0):
        return values, True
    return values * (1.0 if slope is None else slope) + (intercept or 0.0), False


def _leads_back_to_intensities(data: Any) -> bool:
    relationship = present(data, "PixelIntensityRelationship")
    return data.get("SOPClassUID") in ANGIOGRAPHY and relationship in NOT_FOR_THE_SCREEN


def show_values_of_interest(
    data: Any, units: NDArray[Any], stored: NDArray[Any] | None
) -> NDArray[np.uint8]:
    """Return bytes by the file's own table or window, or by the range of the values.

    `stored` are the values where the modality transformation changed nothing: those of up to 8
    unsigned bits have a range of their own.
    """
    place = macro(data, "FrameVOILUTSequence")
    sequence = present(place, "VOILUTSequence")
    if sequence is not None:
        table = Table.of_sequence(sequence)
        return apply_window(table.look_up(units, bool(units.min() < 0)), table.whole)
    centre, width = number(place, "WindowCenter"), number(place, "WindowWidth")
    if centre is not None and width is not None:
        shares = window_shares(units, centre, width, present(place, "VOILUTFunction") or "LINEAR")
        return np.rint(255 * shares).astype(np.uint8)
    if stored is not None and stored.dtype.kind == "u" and int(data.BitsStored) <= 8:
        return apply_window(stored, whole_window(int(data.BitsStored)))
    return apply_window(units, None)


def window_shares(
    values: NDArray[Any], centre: float, width: float, function: str
) -> NDArray[np.float64]:
    """Return values in [0, 1] by one of the window functions of PS3.3 C.11.2.1.2 and C.11.2.1.3."""
    x = values.astype(np.float64)
    if width <= 0 or (function == "LINEAR" and width < 1):
        raise UnreadableImageError(f"its window has the width {width:g}: give window=")
    if function == "SIGMOID":
        # 1 / (1 + exp(-4 (x - c) / w)), written so that nothing overflows
        return 0.5 * (1 + np.tanh(2 * (x - centre) / width))
    if function == "LINEAR_EXACT":
        return ((x - centre) / width + 0.5).clip(0, 1)
    if function != "LINEAR":
        raise UnreadableImageError("its window has a function that the standard does not know")
    if width == 1:
        return (x > centre - 0.5).astype(np.float64)
    return ((x - (centre - 0.5)) / (width - 1) + 0.5).clip(0, 1)

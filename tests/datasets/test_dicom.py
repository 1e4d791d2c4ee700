"""From stored values to the screen: reference values by hand from DICOM PS3.3."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pytest
from latentwalk.datasets import ImageFiles

pydicom = pytest.importorskip("pydicom", reason="pydicom is not installed")

from dicom_files import SIZE, VALUES, item, make, write  # noqa: E402
from pydicom.encaps import encapsulate  # noqa: E402
from pydicom.uid import (  # noqa: E402
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)


def read(path, **options):
    return np.asarray(ImageFiles([path], **({"size": SIZE} | options)))[0]


def grey(path, **options):
    return read(path, **options)[0]


def ours(values, centre, width):
    """The window of an argument: its ends are centre - width / 2 and centre + width / 2."""
    return np.rint(((values - (centre - width / 2)) / width).clip(0, 1) * 255)


def linear(values, centre, width):
    """PS3.3 C.11.2.1.2.1, word by word, with y from 0 to 255."""
    y = np.empty(values.shape)
    low = values <= centre - 0.5 - (width - 1) / 2
    high = values > centre - 0.5 + (width - 1) / 2
    inside = ~low & ~high
    y[low], y[high] = 0, 255
    y[inside] = ((values[inside] - (centre - 0.5)) / (width - 1) + 0.5) * 255
    return np.rint(y)


def whole(values):
    """The range of the values themselves."""
    values = values.astype(float)
    return ours(values, (values.min() + values.max()) / 2, float(np.ptp(values)))


def test_values_are_rescaled_before_the_window(tmp_path):
    path = write(tmp_path / "ct.dcm", RescaleSlope=2, RescaleIntercept=-1024)
    units = VALUES * 2.0 - 1024
    np.testing.assert_array_equal(grey(path, window=(40, 400)), ours(units, 40, 400))
    np.testing.assert_array_equal(grey(path), whole(units))


def test_the_files_own_window_is_the_default(tmp_path):
    path = write(tmp_path / "a.dcm", WindowCenter=1000, WindowWidth=500)
    np.testing.assert_array_equal(grey(path), linear(VALUES, 1000, 500))
    np.testing.assert_array_equal(grey(path, window=(50, 60)), ours(VALUES, 50, 60))
    path = write(tmp_path / "b.dcm", WindowCenter=[1000, 5], WindowWidth=[500, 6])
    np.testing.assert_array_equal(grey(path), linear(VALUES, 1000, 500))


def test_the_three_window_functions(tmp_path):
    window = {"WindowCenter": 2048, "WindowWidth": 1024}
    path = write(tmp_path / "linear.dcm", **window, VOILUTFunction="LINEAR")
    np.testing.assert_array_equal(grey(path), linear(VALUES, 2048, 1024))
    path = write(tmp_path / "exact.dcm", **window, VOILUTFunction="LINEAR_EXACT")
    np.testing.assert_array_equal(grey(path), ours(VALUES, 2048, 1024))
    path = write(tmp_path / "sigmoid.dcm", **window, VOILUTFunction="SIGMOID")
    expected = np.rint(255 / (1 + np.exp(-4 * (VALUES - 2048.0) / 1024)))
    np.testing.assert_array_equal(grey(path), expected)
    path = write(tmp_path / "step.dcm", WindowCenter=2048, WindowWidth=1)
    np.testing.assert_array_equal(grey(path), 255 * (VALUES > 2047.5))
    path = write(tmp_path / "other.dcm", **window, VOILUTFunction="CUBIC")
    with pytest.raises(ValueError, match="function that the standard does not know"):
        grey(path)


@pytest.mark.parametrize(
    ("width", "function"), [(0, "LINEAR"), (-400, "LINEAR"), (0.5, "LINEAR"), (0, "SIGMOID")]
)
def test_a_window_without_a_width_is_refused(tmp_path, width, function):
    path = write(tmp_path / "a.dcm", WindowCenter=9, WindowWidth=width, VOILUTFunction=function)
    with pytest.raises(ValueError, match=r"its window has the width .*: give window="):
        grey(path)
    np.testing.assert_array_equal(grey(path, window=(50, 60)), ours(VALUES, 50, 60))


def test_empty_elements_are_absent_ones(tmp_path):
    empty = ["RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth", "VOILUTFunction"]
    empty += ["PixelPaddingValue", "PresentationLUTShape", "NumberOfFrames", "VOILUTSequence"]
    empty += ["ModalityLUTSequence", "SharedFunctionalGroupsSequence"]
    data = make()
    for name in empty:
        setattr(data, name, [] if name.endswith("Sequence") else None)
    data.save_as(tmp_path / "a.dcm")
    np.testing.assert_array_equal(grey(tmp_path / "a.dcm"), whole(VALUES))
    path = write(tmp_path / "b.dcm", WindowCenter=1000)
    np.testing.assert_array_equal(grey(path), whole(VALUES))


def test_low_values_that_are_bright_are_turned_once(tmp_path):
    window = {"WindowCenter": 900, "WindowWidth": 700}
    plain = grey(write(tmp_path / "a.dcm", photometric="MONOCHROME2", **window))
    for photometric, shape in [
        ("MONOCHROME1", None),
        ("MONOCHROME1", "INVERSE"),
        ("MONOCHROME2", "INVERSE"),
    ]:
        shapes = {} if shape is None else {"PresentationLUTShape": shape}
        path = write(tmp_path / "b.dcm", photometric=photometric, **window, **shapes)
        np.testing.assert_array_equal(grey(path), 255 - plain)
    path = write(tmp_path / "c.dcm", **window, PresentationLUTShape="IDENTITY")
    np.testing.assert_array_equal(grey(path), plain)


def test_signed_values(tmp_path):
    values = (VALUES.astype(np.int16) - 2000).astype(np.int16)
    path = write(tmp_path / "signed.dcm", values)
    np.testing.assert_array_equal(grey(path, window=(0, 1000)), ours(values, 0, 1000))


@pytest.mark.parametrize("signed", [False, True])
def test_bits_above_the_stored_ones_are_no_part_of_a_value(tmp_path, signed):
    values = VALUES.astype(np.int32) - 2048 * signed
    stored = ((values & 0xFFF) | 0x5000).astype(np.uint16)  # an overlay in the upper bits
    path = write(
        tmp_path / "a.dcm", stored, BitsStored=12, HighBit=11, PixelRepresentation=int(signed)
    )
    np.testing.assert_array_equal(grey(path, window=(100, 999)), ours(values, 100, 999))
    path = write(tmp_path / "b.dcm", stored, BitsStored=12, HighBit=15)
    with pytest.raises(ValueError, match="high bit is not the last of its stored bits"):
        grey(path)


def test_eight_bits_without_a_window_are_shown_as_they_are(tmp_path):
    values = (VALUES // 64 + 50).astype(np.uint8)
    np.testing.assert_array_equal(grey(write(tmp_path / "a.dcm", values)), values)
    path = write(tmp_path / "b.dcm", values, RescaleSlope=2, RescaleIntercept=0)
    np.testing.assert_array_equal(grey(path), whole(values))


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("limit", [None, -1990])
def test_padding_is_black_and_moves_no_range(tmp_path, signed, limit):
    values = (VALUES.astype(np.int32) // 8 + (0 if signed else 3000)).astype(np.int32)
    padding, ends = (-2000, limit) if signed else (3, None if limit is None else 13)
    values[:4, :4] = padding
    values[5, 5] = padding if ends is None else ends
    stored = values.astype(np.int16 if signed else np.uint16)
    options = {} if ends is None else {"PixelPaddingRangeLimit": ends}
    padded = np.zeros(values.shape, dtype=bool)
    padded[:4, :4] = padded[5, 5] = True
    expected = np.where(padded, 0, whole(np.where(padded, values[~padded].min(), values)))
    for photometric in ("MONOCHROME2", "MONOCHROME1"):
        path = write(
            tmp_path / "a.dcm",
            stored,
            photometric,
            PixelPaddingValue=padding,
            RescaleSlope=1,
            RescaleIntercept=-1024,
            **options,
        )
        turned = expected if photometric == "MONOCHROME2" else np.where(padded, 0, 255 - expected)
        np.testing.assert_array_equal(grey(path), turned)


def test_padding_of_another_sign_is_understood(tmp_path):
    # 63536 is how -2000 reads as an unsigned number, and many scanners write it so
    values = np.where(VALUES < 99, -2000, VALUES).astype(np.int16)
    data = make(values)
    data.add_new("PixelPaddingValue", "US", 63536)
    data.save_as(tmp_path / "a.dcm")
    seen = np.where(values == -2000, 112, values)
    expected = np.where(values == -2000, 0, whole(seen))
    np.testing.assert_array_equal(grey(tmp_path / "a.dcm"), expected)


def test_real_numbers_and_their_padding(tmp_path):
    for dtype, name in [(np.float32, "Float"), (np.float64, "DoubleFloat")]:
        values = ((VALUES / 4080) ** 2).astype(dtype)
        np.testing.assert_array_equal(grey(write(tmp_path / "a.dcm", values)), whole(values))
        values[0, :3] = -999
        path = write(tmp_path / "b.dcm", values, **{f"{name}PixelPaddingValue": -999.0})
        seen = np.where(values == -999, values[1, 0], values)
        expected = np.where(values == -999, 0, whole(seen))
        np.testing.assert_array_equal(grey(path), expected)
        values[3, 3] = np.nan
        with pytest.raises(ValueError, match="NaN or infinite"):
            grey(write(tmp_path / "c.dcm", values))


def table(entries, first, bits, *, as_bytes=True):
    data = item(LUTDescriptor=[len(entries) % 2**16, first, bits])
    if as_bytes:
        data.add_new("LUTData", "OW", np.asarray(entries, "<u2").tobytes())
    else:
        data.add_new("LUTData", "US", list(map(int, entries)))
    return [data]


@pytest.mark.parametrize("as_bytes", [True, False])
def test_a_modality_table_reaches_beyond_its_ends(tmp_path, as_bytes):
    entries = np.arange(1000, 3000)[::-1]
    sequence = table(entries, 500, 12, as_bytes=as_bytes)
    data = make(ModalityLUTSequence=sequence)
    data.ModalityLUTSequence[0].LUTDescriptor = [2000, 500, 12]
    data.save_as(tmp_path / "a.dcm")
    units = entries[(VALUES.astype(int) - 500).clip(0, 1999)]
    found = grey(tmp_path / "a.dcm", window=(2000, 1500))
    np.testing.assert_array_equal(found, ours(units, 2000, 1500))


@pytest.mark.parametrize("intercept", [0, -1024])
def test_a_table_of_interest_follows_the_rescale(tmp_path, intercept):
    entries = (np.arange(4096) ** 2 / 4095).astype(int)  # 12 bits
    data = make(RescaleSlope=1, RescaleIntercept=intercept, WindowCenter=1, WindowWidth=2)
    first = -1000 if intercept else 100
    lut = item()
    lut.add_new("LUTDescriptor", "SS" if first < 0 else "US", [4096, first, 12])
    lut.add_new("LUTData", "OW", entries.astype("<u2").tobytes())
    data.VOILUTSequence = [lut]
    data.save_as(tmp_path / "a.dcm")
    at = VALUES.astype(int) + intercept - first
    expected = np.rint(entries[at.clip(0, 4095)] / 4095 * 255)
    np.testing.assert_array_equal(grey(tmp_path / "a.dcm"), expected)


def test_entries_of_eight_bits_can_be_two_to_a_word(tmp_path):
    entries = np.arange(256, dtype=np.uint8)[::-1]
    lut = item(LUTDescriptor=[256, 0, 8])
    lut.add_new("LUTData", "OW", entries.tobytes())
    values = (VALUES // 16).astype(np.uint8)
    path = write(tmp_path / "a.dcm", values, VOILUTSequence=[lut])
    np.testing.assert_array_equal(grey(path), 255 - values)


def test_angiography_is_shown_without_its_table_of_intensities(tmp_path):
    lut = table(np.arange(4096)[::-1], 0, 12)
    angiography = pydicom.uid.XRayAngiographicImageStorage
    for relationship, expected in [("LOG", VALUES), ("LIN", 4095 - VALUES.astype(int))]:
        path = write(
            tmp_path / "a.dcm",
            sop_class=angiography,
            ModalityLUTSequence=lut,
            PixelIntensityRelationship=relationship,
        )
        np.testing.assert_array_equal(grey(path, window=(2000, 1000)), ours(expected, 2000, 1000))


@pytest.mark.parametrize(
    "groups", ["SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"]
)
def test_functional_groups_of_enhanced_objects(tmp_path, groups):
    rescale = item(RescaleSlope=3, RescaleIntercept=-100, RescaleType="US")
    window = item(WindowCenter=2000, WindowWidth=800, VOILUTFunction="LINEAR_EXACT")
    of_frame = item(PixelValueTransformationSequence=[rescale], FrameVOILUTSequence=[window])
    path = write(
        tmp_path / "a.dcm",
        sop_class=pydicom.uid.EnhancedCTImageStorage,
        NumberOfFrames=1,
        **{groups: [of_frame]},
    )
    units = VALUES * 3.0 - 100
    np.testing.assert_array_equal(grey(path), ours(units, 2000, 800))
    np.testing.assert_array_equal(grey(path, window=(9, 999)), ours(units, 9, 999))


def test_pixels_that_are_not_square_are_stretched(tmp_path):
    values = np.zeros((SIZE, SIZE), dtype=np.uint8)
    values[6:10, 4:12] = 255  # 4 rows of double height make a square of 8
    for name, value in [("PixelSpacing", [2, 1]), ("PixelAspectRatio", [2, 1])]:
        path = write(tmp_path / "a.dcm", values, **{name: value})
        np.testing.assert_allclose(grey(path)[4:12, 4:12], 255, atol=60)
        found = grey(path) > 127
        assert (found.sum(0).max(), found.sum(1).max()) == (8, 8)
    path = write(tmp_path / "b.dcm", values, PixelSpacing=[0.3, 0.3])
    np.testing.assert_array_equal(grey(path), values)


COLOURS = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)


def test_colours_by_pixel_and_by_plane(tmp_path):
    expected = COLOURS.transpose(2, 0, 1)
    path = write(tmp_path / "rgb.dcm", COLOURS, "RGB")
    np.testing.assert_array_equal(read(path), expected)
    assert read(path, n_channels=1).shape == (1, SIZE, SIZE)
    data = make(COLOURS, "RGB", PlanarConfiguration=1)
    data.PixelData = expected.tobytes()
    data.save_as(tmp_path / "planes.dcm")
    np.testing.assert_array_equal(read(tmp_path / "planes.dcm"), expected)


def to_rgb(ybr):
    """The inverse of PS3.3 C.7.6.3.1.2, YBR_FULL."""
    y, b, r = (ybr[..., i].astype(float) for i in range(3))
    channels = [
        y + 1.402 * (r - 128),
        y - 0.114 * 1.772 / 0.587 * (b - 128) - 0.299 * 1.402 / 0.587 * (r - 128),
        y + 1.772 * (b - 128),
    ]
    return np.rint(np.stack(channels).clip(0, 255))


def test_luminance_and_chrominance(tmp_path):
    path = write(tmp_path / "full.dcm", COLOURS, "YBR_FULL")
    np.testing.assert_allclose(read(path), to_rgb(COLOURS), atol=1)
    halved = COLOURS.copy()
    halved[:, 1::2, 1:] = halved[:, ::2, 1:]
    y, b, r = (halved[..., i] for i in range(3))
    words = np.stack([y[:, ::2], y[:, 1::2], b[:, ::2], r[:, ::2]], axis=-1)
    data = make(COLOURS, "YBR_FULL_422")
    data.PixelData = words.tobytes()
    data.save_as(tmp_path / "422.dcm")
    np.testing.assert_allclose(read(tmp_path / "422.dcm"), to_rgb(halved), atol=1)
    for photometric in ("YBR_PARTIAL_422", "HSV", "CMYK", "ARGB"):
        path = write(tmp_path / "other.dcm", COLOURS, photometric)
        with pytest.raises(
            ValueError, match="photometric interpretation is not supported"
        ) as found:
            read(path)
        assert photometric not in str(found.value)


def test_colours_of_sixteen_bits_take_a_window(tmp_path):
    deep = COLOURS.astype(np.uint16) * 16  # 12 bits in 16
    path = write(tmp_path / "a.dcm", deep, "RGB", BitsStored=12, HighBit=11)
    planes = deep.transpose(2, 0, 1)
    np.testing.assert_array_equal(read(path), np.rint(planes / 4095 * 255))
    np.testing.assert_array_equal(read(path, window=(999, 777)), ours(planes, 999, 777))


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_palettes_in_either_order_of_bytes(tmp_path, syntax):
    values = (VALUES // 16).astype(np.uint8)
    palette = np.random.default_rng(1).integers(0, 2**16, (3, 200), dtype=np.uint16)
    data = make(values, "PALETTE COLOR", syntax=syntax)
    order = ">u2" if syntax == ExplicitVRBigEndian else "<u2"
    for name, entries in zip(("Red", "Green", "Blue"), palette, strict=True):
        descriptor = f"{name}PaletteColorLookupTableDescriptor"
        data.add_new(descriptor, "US", [200, 30, 16])
        data.add_new(f"{name}PaletteColorLookupTableData", "OW", entries.astype(order).tobytes())
    little = syntax != ExplicitVRBigEndian
    options = {"implicit_vr": syntax == ImplicitVRLittleEndian, "little_endian": little}
    pydicom.dcmwrite(tmp_path / "a.dcm", data, **options, force_encoding=True)
    at = (values.astype(int) - 30).clip(0, 199)
    expected = np.rint(palette[:, at] / 65535 * 255)
    np.testing.assert_array_equal(read(tmp_path / "a.dcm"), expected)


def test_greys_with_a_supplemental_palette_are_refused(tmp_path):
    path = write(tmp_path / "a.dcm", PixelPresentation="COLOR")
    with pytest.raises(ValueError, match="supplemental palette"):
        grey(path)


def encapsulated(path, frame, syntax, values=VALUES, **attributes):
    data = make(values, syntax=syntax, **attributes)
    data.PixelData = encapsulate([frame])
    data["PixelData"].VR = "OB"
    data["PixelData"].is_undefined_length = True
    data.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(
    ("encode", "syntax"),
    [
        (lambda v: imagecodecs.ljpeg_encode(v, bitspersample=12), JPEGLosslessSV1),
        (imagecodecs.jpegls_encode, JPEGLSLossless),
    ],
)
def test_compressions_without_a_package_of_their_own(tmp_path, encode, syntax, signed):
    values = VALUES.astype(int) - 2048 * signed
    frame = encode((values & 0xFFF).astype(np.uint16))
    options = {"BitsStored": 12, "HighBit": 11, "PixelRepresentation": int(signed)}
    path = encapsulated(tmp_path / "a.dcm", frame, syntax, **options)
    np.testing.assert_array_equal(grey(path, window=(100, 2000)), ours(values, 100, 2000))
    # a stream that is larger than its header says
    large = encode(np.zeros((2000, 2000), dtype=np.uint16))
    with pytest.raises(ValueError, match="its DICOM pixels cannot be read"):
        grey(encapsulated(tmp_path / "b.dcm", large, syntax, **options))


def test_compressions_of_pydicom(tmp_path):
    for syntax in (RLELossless, DeflatedExplicitVRLittleEndian):
        data = make()
        if syntax == RLELossless:
            data.compress(RLELossless)
        else:
            data.file_meta.TransferSyntaxUID = syntax
        data.save_as(tmp_path / "a.dcm", enforce_file_format=True)
        np.testing.assert_array_equal(grey(tmp_path / "a.dcm"), whole(VALUES))
    frame = imagecodecs.jpeg2k_encode(VALUES, reversible=True, codecformat="j2k", bitspersample=12)
    options = {"BitsStored": 12, "HighBit": 11}
    path = encapsulated(tmp_path / "b.dcm", frame, JPEG2000Lossless, **options)
    np.testing.assert_array_equal(grey(path), whole(VALUES))


@pytest.mark.parametrize(
    ("compressed", "plain"),
    [
        ("MR_small_RLE.dcm", "MR_small.dcm"),
        ("MR_small_bigendian.dcm", "MR_small.dcm"),
        ("MR_small_implicit.dcm", "MR_small.dcm"),
        ("MR_small_jp2klossless.dcm", "MR_small.dcm"),
        ("MR_small_jpeg_ls_lossless.dcm", "MR_small.dcm"),
        ("SC_rgb_rle_16bit.dcm", "SC_rgb_rle.dcm"),
    ],
)
def test_published_files_in_two_encodings_are_the_same_image(compressed, plain):
    from pydicom.data import get_testdata_file

    first, second = (
        read(get_testdata_file(name, download=False), size=64) for name in (compressed, plain)
    )
    np.testing.assert_array_equal(first, second)
    assert first.std() > 10


def test_nothing_of_the_header_is_in_the_object_or_its_array(tmp_path):
    import pickle

    images = ImageFiles([write(tmp_path / "a.dcm")], size=SIZE)
    content = pickle.dumps((images, np.asarray(images)))
    assert b"Smith" not in content
    assert b"4711" not in content

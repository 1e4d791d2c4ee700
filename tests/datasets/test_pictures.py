"""Bits, signs, colours and orientations of picture files, with values known by construction."""

from __future__ import annotations

from io import BytesIO

import imagecodecs
import numpy as np
import pytest
import tifffile
from latentwalk.datasets import ImageFiles
from PIL import Image

SIZE = 16
DEEP = (np.arange(SIZE * SIZE, dtype=np.uint16).reshape(SIZE, SIZE) * 16).astype(np.uint16)
BYTES = np.arange(SIZE * SIZE, dtype=np.uint8).reshape(SIZE, SIZE)
WINDOW = (2000, 1000)


def read(path, **options):
    return np.asarray(ImageFiles([path], **({"size": SIZE} | options)))[0]


def write(path, content):
    path.write_bytes(content)
    return path


def windowed(values, centre, width):
    return np.rint(((values - (centre - width / 2)) / width).clip(0, 1) * 255)


def whole(values):
    """The window of an image's own range."""
    low, high = float(values.min()), float(values.max())
    return windowed(values.astype(float), (low + high) / 2, high - low)


def tiff(path, values, **options):
    tifffile.imwrite(path, values, **options)
    return path


def rgb(values):
    return np.stack([values, values // 2, values[::-1]], axis=-1)


def check_deep(path, values, *, inverted=False):
    """Compare a file of more than 8 bits with and without a window."""
    values = values[None] if values.ndim == 2 else values.transpose(2, 0, 1)
    for found, expected in (
        (read(path, window=WINDOW), windowed(values.astype(float), *WINDOW)),
        (read(path), whole(values)),
    ):
        np.testing.assert_array_equal(found, 255 - expected if inverted else expected)


@pytest.mark.parametrize("dtype", ["u2", "u4", "i2", "i4", "f4", "f8", ">u2", ">f4"])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_tiff_of_every_sample_format_and_either_zero(tmp_path, dtype, photometric):
    values = DEEP.astype(dtype)
    if np.dtype(dtype).kind != "u":
        values = (values - np.array(1500, dtype)).astype(dtype)
    # tifffile refuses to write floats with a white zero: the tag is changed afterwards
    path = tiff(tmp_path / "a.tif", values, photometric="minisblack", byteorder="<")
    if photometric == "miniswhite":
        with tifffile.TiffFile(path, mode="r+") as file:
            file.pages.first.tags["PhotometricInterpretation"].overwrite(0)
    check_deep(path, values, inverted=photometric == "miniswhite")


@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "packbits"])
@pytest.mark.parametrize("planarconfig", ["contig", "separate"])
def test_tiff_of_16_bit_colours(tmp_path, compression, planarconfig):
    values = rgb(DEEP)
    stored = values if planarconfig == "contig" else values.transpose(2, 0, 1)
    path = tiff(
        tmp_path / "a.tif",
        stored,
        photometric="rgb",
        compression=compression,
        planarconfig=planarconfig,
    )
    check_deep(path, values)


def test_8_bit_tiff_is_read_as_it_is(tmp_path):
    np.testing.assert_array_equal(read(tiff(tmp_path / "a.tif", BYTES))[0], BYTES)
    path = tiff(tmp_path / "b.tif", BYTES, photometric="miniswhite")
    np.testing.assert_array_equal(read(path)[0], 255 - BYTES)
    path = tiff(tmp_path / "c.tif", BYTES.view(np.int8))
    check_deep(path, BYTES.view(np.int8))
    np.testing.assert_array_equal(read(path, window=WINDOW), 0)


@pytest.mark.parametrize("bits", [2, 4])
def test_tiff_of_few_bits_reaches_white(tmp_path, bits):
    top = 2**bits - 1
    values = (BYTES % (top + 1)).astype(np.uint8)
    path = tiff(tmp_path / "a.tif", values, bitspersample=bits, photometric="minisblack")
    np.testing.assert_array_equal(read(path)[0], np.rint(values * (255 / top)))


@pytest.mark.parametrize("compression", [None, "group3", "group4", "tiff_lzw"])
@pytest.mark.parametrize("white_is_zero", [False, True])
def test_tiff_of_one_bit(tmp_path, compression, white_is_zero):
    path = tmp_path / "a.tif"
    tags = {262: 0 if white_is_zero else 1}
    Image.fromarray(BYTES > 99).save(path, compression=compression, tiffinfo=tags)
    np.testing.assert_array_equal(read(path)[0], 255 * (BYTES > 99))


def test_tiff_palette(tmp_path):
    palette = np.random.default_rng(0).integers(0, 2**16, (3, 256), dtype=np.uint16)
    path = tiff(tmp_path / "a.tif", BYTES, photometric="palette", colormap=palette)
    np.testing.assert_array_equal(read(path), (palette >> 8)[:, BYTES])


def test_alpha_lies_on_black_and_extra_samples_are_left_out(tmp_path):
    values = np.stack([DEEP, np.where(DEEP > 2000, 65535, 0).astype(np.uint16)], axis=-1)
    options = {"photometric": "minisblack", "planarconfig": "contig"}
    shown = windowed(DEEP.astype(float), *WINDOW)
    for kind, expected in [
        ("unassalpha", shown * (DEEP > 2000)),
        ("assocalpha", shown),
        ("unspecified", shown),
    ]:
        path = tiff(tmp_path / f"{kind}.tif", values, extrasamples=[kind], **options)
        np.testing.assert_array_equal(read(path, window=WINDOW)[0], expected)
    path = write(tmp_path / "a.png", imagecodecs.png_encode(values))
    np.testing.assert_array_equal(read(path, window=WINDOW)[0], shown * (DEEP > 2000))
    picture = Image.fromarray(BYTES).convert("LA")
    picture.putalpha(Image.fromarray(BYTES.T.copy()))
    picture.save(tmp_path / "b.png")
    expected = np.rint(BYTES * (BYTES.T / 255))
    np.testing.assert_array_equal(read(tmp_path / "b.png")[0], expected)
    Image.fromarray(BYTES).save(tmp_path / "c.png", transparency=7)
    np.testing.assert_array_equal(read(tmp_path / "c.png")[0], np.where(BYTES == 7, 0, BYTES))


def test_pages_that_are_smaller_copies_or_masks_are_no_frames(tmp_path):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:
        file.write(BYTES[::2, ::2].copy(), subfiletype=1)
        file.write(BYTES)
        file.write(BYTES > 9, subfiletype=4, photometric="mask")
    np.testing.assert_array_equal(read(path)[0], BYTES)
    tifffile.imwrite(path, np.stack([BYTES, BYTES]), photometric="minisblack")
    with pytest.raises(ValueError, match="it has 2 frames"):
        read(path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shape": 4, "photometric": "separated"}, "not grey, RGB or a palette"),
        ({"shape": 3, "photometric": "cielab"}, "not grey, RGB or a palette"),
        ({"shape": 3, "photometric": "ycbcr"}, "not grey, RGB or a palette"),
        ({"shape": 1, "compression": "lzma"}, "compression is not supported"),
        ({"shape": 1, "dtype": "c8"}, "not real numbers"),
        ({"shape": 1, "nan": True}, "NaN or infinite"),
    ],
)
def test_tiff_that_cannot_be_read_truly_is_refused(tmp_path, options, message):
    options = dict(options)
    values = np.repeat(BYTES[..., None], options.pop("shape"), axis=-1).squeeze()
    values = values.astype(options.pop("dtype", values.dtype))
    if options.pop("nan", False):
        values = np.where(BYTES == 3, np.nan, BYTES).astype(np.float32)
    with pytest.raises(ValueError, match=message):
        read(tiff(tmp_path / "a.tif", values, **options))


def test_png_of_16_bits(tmp_path):
    check_deep(write(tmp_path / "grey.png", imagecodecs.png_encode(DEEP)), DEEP)
    check_deep(write(tmp_path / "rgb.png", imagecodecs.png_encode(rgb(DEEP))), rgb(DEEP))


@pytest.mark.parametrize("top", [255, 4095, 65535])
@pytest.mark.parametrize("kind", ["grey", "rgb"])
@pytest.mark.parametrize("plain", [False, True])
def test_netpbm_of_any_depth_keeps_its_values(tmp_path, top, kind, plain):
    values = DEEP if top > 255 else BYTES
    values = values if kind == "grey" else rgb(values)
    magic = {("grey", False): 5, ("rgb", False): 6, ("grey", True): 2, ("rgb", True): 3}[
        kind, plain
    ]
    head = f"P{magic}\n# a comment 7\n{SIZE} {SIZE}\n{top}\n".encode()
    if plain:
        body = "\n".join(map(str, values.ravel())).encode()
    else:
        body = values.astype(">u2" if top > 255 else "u1").tobytes()
    path = write(tmp_path / "a.pgm", head + body)
    if top > 255:
        check_deep(path, values)
    else:
        expected = values[None] if kind == "grey" else values.transpose(2, 0, 1)
        np.testing.assert_array_equal(read(path), expected)


@pytest.mark.parametrize("codec", ["jp2", "j2k"])
def test_jpeg_2000_of_any_depth(tmp_path, codec):
    for values in (DEEP, rgb(DEEP)):
        content = imagecodecs.jpeg2k_encode(values, reversible=True, codecformat=codec)
        check_deep(write(tmp_path / f"a.{codec}", content), values)
    content = imagecodecs.jpeg2k_encode(rgb(BYTES), reversible=True, codecformat=codec)
    path = write(tmp_path / f"b.{codec}", content)
    np.testing.assert_array_equal(read(path), rgb(BYTES).transpose(2, 0, 1))
    content = imagecodecs.jpeg2k_encode(DEEP, reversible=True, codecformat=codec, bitspersample=12)
    check_deep(write(tmp_path / f"c.{codec}", content), DEEP)


def test_8_bit_formats_of_pillow(tmp_path):
    colours = rgb(BYTES)
    for name, options in [
        ("a.png", {}),
        ("a.bmp", {}),
        ("a.webp", {"lossless": True}),
        ("a.tif", {}),
    ]:
        Image.fromarray(colours).save(tmp_path / name, **options)
        np.testing.assert_array_equal(read(tmp_path / name), colours.transpose(2, 0, 1))
    Image.fromarray(BYTES > 99).save(tmp_path / "bits.png")
    np.testing.assert_array_equal(read(tmp_path / "bits.png")[0], 255 * (BYTES > 99))


def test_colour_is_kept_unless_asked(tmp_path):
    colours = np.zeros((SIZE, SIZE, 3), dtype=np.uint8)
    colours[..., 0], colours[..., 2] = 200, 100
    Image.fromarray(colours).save(tmp_path / "rgb.png")
    Image.fromarray(BYTES).save(tmp_path / "grey.png")
    found = read(tmp_path / "rgb.png")
    np.testing.assert_array_equal(found, colours.transpose(2, 0, 1))
    luma = 0.299 * 200 + 0.114 * 100
    assert abs(int(read(tmp_path / "rgb.png", n_channels=1)[0, 0, 0]) - luma) <= 1
    both = ImageFiles([tmp_path / "grey.png", tmp_path / "rgb.png"], size=SIZE)
    assert both.shape == (2, 3, SIZE, SIZE)
    np.testing.assert_array_equal(both[0], np.stack([BYTES] * 3))
    # a palette of greys has no colour
    Image.fromarray(BYTES).convert("P").save(tmp_path / "palette.png")
    np.testing.assert_array_equal(read(tmp_path / "palette.png"), BYTES[None])
    Image.fromarray(colours).convert("P").save(tmp_path / "palette.png")
    assert read(tmp_path / "palette.png").shape == (3, SIZE, SIZE)


def upright(stored, orientation):
    """The eight orientations of the TIFF standard: where the first row and column are shown."""
    turned = {
        1: stored,
        2: np.fliplr(stored),
        3: np.rot90(stored, 2),
        4: np.flipud(stored),
        5: stored.T,
        6: np.rot90(stored, -1),
        7: np.rot90(stored, 2).T,
        8: np.rot90(stored),
    }
    return turned[orientation]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_upright(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(BYTES).save(tmp_path / "a.png", exif=exif)
    tiff(tmp_path / "a.tif", BYTES, extratags=[(274, 3, 1, orientation, True)])
    for name in ("a.png", "a.tif"):
        np.testing.assert_array_equal(read(tmp_path / name)[0], upright(BYTES, orientation))


def test_a_photograph_with_a_preview_gives_the_photograph(tmp_path):
    first, second = (Image.fromarray(np.full((SIZE, SIZE, 3), v, np.uint8)) for v in (200, 10))
    first.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[second])
    with Image.open(tmp_path / "a.jpg") as file:
        assert file.n_frames == 2
    assert abs(int(read(tmp_path / "a.jpg").mean()) - 200) <= 2


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_animations_are_refused(tmp_path, kind):
    pictures = [Image.fromarray(np.full((SIZE, SIZE), v, np.uint8)) for v in (0, 99, 200)]
    pictures[0].save(tmp_path / "a", format=kind, save_all=True, append_images=pictures[1:])
    with pytest.raises(ValueError, match="it has 3 frames, expected one"):
        read(tmp_path / "a")


def test_cmyk_is_refused(tmp_path):
    Image.fromarray(rgb(BYTES)).convert("CMYK").save(tmp_path / "a.jpg")
    with pytest.raises(ValueError, match="not grey, RGB or a palette: convert them first"):
        read(tmp_path / "a.jpg")


def test_the_content_tells_the_format_and_not_the_name(tmp_path):
    buffer = BytesIO()
    Image.fromarray(BYTES).save(buffer, format="PNG")
    path = write(tmp_path / "a.jpg", buffer.getvalue())
    np.testing.assert_array_equal(read(path)[0], BYTES)

"""Image files that were made to run a program, or to fill the memory."""

from __future__ import annotations

import subprocess
import sys
import time
import zlib
from io import BytesIO
from struct import pack
from textwrap import dedent

import imagecodecs
import numpy as np
import pytest
from latentwalk.datasets import ImageFiles
from PIL import Image

BOMB = zlib.compress(bytes(2**28), 9)  # 256 MB in 260 kB


def refuse(path, message):
    """Read a file, which is refused with a message within seconds."""
    start = time.perf_counter()
    with pytest.raises(ValueError, match=message):
        ImageFiles([path], size=8, n_channels=1)[0]
    assert time.perf_counter() - start < 10


def write(path, content):
    path.write_bytes(content)
    return path


def tiff_page(start, size, following, compression=1, length=256, new_subfile_type=0):
    """One page of a TIFF file whose pixels are at `start`."""
    tags = [
        (254, new_subfile_type),
        (256, size),
        (257, size),
        (258, 8),
        (259, compression),
        (262, 1),
        (273, start),
        (277, 1),
        (278, size),
        (279, length),
    ]
    entries = b"".join(pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return pack("<H", len(tags)) + entries + pack("<I", following)


PAGE = 2 + 10 * 12 + 4


def png(width, height, depth, colour_type, data):
    def chunk(name, body):
        return pack(">I", len(body)) + name + body + pack(">I", zlib.crc32(name + body))

    header = chunk(b"IHDR", pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_postscript_under_the_name_of_a_picture_starts_no_program(tmp_path, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", lambda *args, **options: pytest.fail("a program"))
    content = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
    refuse(write(tmp_path / "scan.png", content), "it is not DICOM, PNG")
    # the signature of another format and the body of this one
    refuse(write(tmp_path / "scan.bmp", b"BM" + content), "its BMP pixels cannot be read")


@pytest.mark.parametrize("kind", ["GIF", "TGA", "PCX", "ICO", "PDF"])
def test_formats_that_are_not_documented_are_not_opened(tmp_path, kind):
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(tmp_path / "a.png", format=kind)
    refuse(tmp_path / "a.png", "it is not DICOM, PNG")


@pytest.mark.parametrize("new_subfile_type", [0, 1])
def test_a_tiff_of_a_hundred_thousand_pages_is_left_after_a_few(tmp_path, new_subfile_type):
    n = 100_000
    pages = [
        tiff_page(8, 16, 8 + (row + 1) * PAGE if row < n - 1 else 0, 1, 256, new_subfile_type)
        for row in range(n)
    ]
    path = write(tmp_path / "a.tif", b"II*\0" + pack("<I", 8) + b"".join(pages))
    start = time.perf_counter()
    refuse(path, "it has more than 64 frames")
    assert time.perf_counter() - start < 2


def test_a_tiff_whose_pages_are_a_circle_ends(tmp_path):
    second = 8 + PAGE
    pages = tiff_page(8, 16, second) + tiff_page(8, 16, 8)
    refuse(write(tmp_path / "a.tif", b"II*\0" + pack("<I", 8) + pages), "it has 2 frames")


def compressed_tiff(compression, strip):
    head = b"II*\0" + pack("<I", 8)
    return head + tiff_page(8 + PAGE, 16, 0, compression, len(strip)) + strip


def jpeg(width, height):
    buffer = BytesIO()
    Image.new("L", (width, height)).save(buffer, "JPEG", quality=1)
    return buffer.getvalue()


def jpeg2000(width, height):
    content = bytearray(imagecodecs.jpeg2k_encode(np.zeros((8, 8), np.uint8), codecformat="j2k"))
    content[8:16] = pack(">II", width, height)
    return bytes(content)


FILES = {
    "zip.tif": lambda: compressed_tiff(8, BOMB),
    "lzw.tif": lambda: compressed_tiff(5, imagecodecs.lzw_encode(bytes(2**27))),
    "packbits.tif": lambda: compressed_tiff(32773, b"\x81\x00" * 2**21),
    "jpeg.tif": lambda: compressed_tiff(7, jpeg(20_000, 5_000)),
    "deep.png": lambda: png(16, 16, 16, 2, BOMB),
    "large.png": lambda: png(60_000, 60_000, 16, 2, BOMB),
    "plain.png": lambda: png(60_000, 60_000, 8, 0, BOMB),
    "large.jp2": lambda: jpeg2000(60_000, 60_000),
    "hidden.jp2": lambda: jpeg2000(7_000, 7_000),
    "large.pgm": lambda: b"P5 60000 60000 65535\n",
    "short.pgm": lambda: b"P5 7000 7000 65535\n",
    "plain.pgm": lambda: b"P2 7000 7000 65535\n" + b"1 " * 99,
    "bomb.jpg": lambda: jpeg(20_000, 5_000),
}


@pytest.mark.parametrize("name", FILES)
def test_a_small_file_does_not_fill_the_memory(tmp_path, name):
    write(tmp_path / name, FILES[name]())
    code = """
        import resource, sys
        from latentwalk.datasets import ImageFiles
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            print(ImageFiles(sys.argv[1:], size=8, n_channels=1)[0].shape)
        except ValueError as error:
            print(error)
        print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
    """
    command = [sys.executable, "-c", dedent(code), str(tmp_path / name)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    message, megabytes = done.stdout.splitlines()
    assert int(megabytes) < 150
    # one image of the right size may come before the surplus
    assert message == "(1, 8, 8)" or message.startswith("image 0 of the files: it")


def test_deflated_and_nested_dicom(tmp_path):
    pydicom = pytest.importorskip("pydicom", reason="pydicom is not installed")
    from dicom_files import make
    from pydicom.encaps import encapsulate

    data = make(syntax=pydicom.uid.DeflatedExplicitVRLittleEndian, PixelData=bytes(2**28))
    data.save_as(tmp_path / "deflated.dcm")
    assert (tmp_path / "deflated.dcm").stat().st_size < 2**20
    refuse(tmp_path / "deflated.dcm", r"it inflates to more than \d+ MB")

    frame = pack("<16I", 2, 64, 64 + 2**22, *[0] * 13) + b"\x81\x00" * 2**22
    data = make(syntax=pydicom.uid.RLELossless, PixelData=encapsulate([frame]))
    data["PixelData"].is_undefined_length = True
    data.save_as(tmp_path / "rle.dcm")
    refuse(tmp_path / "rle.dcm", "compressed pixels are far more than its header says")

    content = (tmp_path / "rle.dcm").read_bytes()
    at = content.index(b"\x10\x00\x10\x00PN")
    nested = pack("<HH2sHIHHI", 0x0008, 0x1140, b"SQ", 0, 2**32 - 1, 0xFFFE, 0xE000, 2**32 - 1)
    write(tmp_path / "nested.dcm", content[:at] + nested * 50_000 + content[at:])
    refuse(tmp_path / "nested.dcm", "cannot be read")

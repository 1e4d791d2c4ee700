"""Which DICOM objects are images, told by their content and before any pixel is read."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from latentwalk.datasets import ImageFiles, load_image_folder

pydicom = pytest.importorskip("pydicom", reason="pydicom is not installed")

from dicom_files import SIZE, VALUES, make, write  # noqa: E402
from pydicom.data import get_testdata_file  # noqa: E402
from pydicom.encaps import encapsulate  # noqa: E402
from pydicom.uid import MPEG2MPML, HTJ2KLossless  # noqa: E402


def test_files_are_found_by_their_content(tmp_path):
    for name in ("IM000001", "1.2.840.10008.17.3", "scan.ima", "a.dcm", "b.DCM"):
        write(tmp_path / name)
    (tmp_path / "README").write_text("no image")
    (tmp_path / "notes.1").write_text("no image")
    data = load_image_folder(tmp_path, size=SIZE)
    assert len(data.images) == 5
    assert data.left_out == {"file of another kind": 2}
    assert np.asarray(data.images).max() == 255


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("DICOMDIR", "DICOMDIR"),
        ("test-SR.dcm", "structured report"),
        ("rtplan.dcm", "radiotherapy object"),
        ("rtdose_1frame.dcm", "radiotherapy object"),
        ("liver_1frame.dcm", "segmentation"),
        ("waveform_ecg.dcm", "waveform"),
    ],
)
def test_objects_that_are_no_pictures_are_left_out_and_counted(tmp_path, name, kind):
    with open(get_testdata_file(name, download=False), "rb") as file:
        content = file.read()
    (tmp_path / "object.dcm").write_bytes(content)
    with pytest.raises(ValueError, match=rf"no images .* 1 \({kind}\)"):
        load_image_folder(tmp_path, size=SIZE)
    write(tmp_path / "image.dcm")
    data = load_image_folder(tmp_path, size=SIZE)
    assert data.left_out == {kind: 1}
    with pytest.raises(ValueError, match=rf"it is DICOM without an image \({kind}\)"):
        ImageFiles([tmp_path / "object.dcm"], size=SIZE).check()


def objects():
    yield make(NumberOfFrames=2), "it has 2 frames, expected one"
    yield make(PixelData=None), r"it is DICOM without an image \(no pixels\)"
    yield make(SamplesPerPixel=3), "do not fit its photometric interpretation"
    yield make(Rows=0), "it has no pixels"
    yield make(np.zeros((16, 16, 3), np.uint8), "YBR_PARTIAL_422"), "interpretation is not supp"
    yield make(Rows=60_000, Columns=60_000), "more than 50 million pixels"
    frame = encapsulate([b"12"])
    for syntax, message in [
        (MPEG2MPML, "compressed as MPEG2 Main Profile"),
        (HTJ2KLossless, "compressed as High-Throughput JPEG 2000"),
    ]:
        yield make(syntax=syntax, PixelData=frame), message


@pytest.mark.parametrize(("data", "message"), list(objects()))
def test_what_cannot_be_read_is_told_from_the_header(tmp_path, data, message):
    data.save_as(tmp_path / "smith.dcm", implicit_vr=False, little_endian=True)
    with pytest.raises(ValueError, match=message) as caught:
        load_image_folder(tmp_path, size=SIZE)
    assert "smith" not in str(caught.value).lower()
    assert "4711" not in str(caught.value)


def test_pixels_are_not_read_to_look_at_a_header(tmp_path, monkeypatch):
    write(tmp_path / "a.dcm")
    monkeypatch.setattr(pydicom.Dataset, "pixel_array", property(lambda self: pytest.fail("read")))
    load_image_folder(tmp_path, size=SIZE)


def test_objects_from_before_files_had_a_preamble(tmp_path):
    data = make()
    del data.file_meta
    data.preamble = None
    data.save_as(tmp_path / "old.dcm", implicit_vr=True, little_endian=True)
    found = np.asarray(load_image_folder(tmp_path, size=SIZE).images)
    np.testing.assert_array_equal(found[0, 0], np.rint(VALUES / 4080 * 255))


@pytest.mark.parametrize("element", ["BurnedInAnnotation", "RecognizableVisualFeatures"])
def test_pixels_that_identify_a_patient_are_warned_of(tmp_path, element):
    write(tmp_path / "a.dcm", **{element: "YES"})
    write(tmp_path / "b.dcm", **{element: "NO"})
    with pytest.warns(UserWarning, match="1 of 2 files say that their pixels identify"):
        images = load_image_folder(tmp_path, size=SIZE).images
    with pytest.warns(UserWarning, match="1 of 2 files say"):
        images.check()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        images[1:].check()


def test_no_text_of_pydicom_and_no_header_is_in_a_message(tmp_path, caplog):
    data = make(PixelData=b"12")  # too short, which pydicom tells with the sizes
    data.save_as(tmp_path / "smith.dcm")
    content = (tmp_path / "smith.dcm").read_bytes()
    (tmp_path / "b.dcm").write_bytes(content.replace(b"MONOCHROME2 ", b"SMITH^JOHN  "))
    data.BitsStored = 77
    data.save_as(tmp_path / "c.dcm")
    (tmp_path / "text.dcm").write_text("Smith^John")
    for name in ("smith.dcm", "b.dcm", "c.dcm", "text.dcm"):
        with pytest.raises(ValueError, match="image 0 of the files: it") as caught:
            np.asarray(ImageFiles([tmp_path / name], size=SIZE, n_channels=1))
        assert "smith" not in str(caught.value).lower()
        assert "bytes" not in str(caught.value)
    assert "smith" not in caplog.text.lower()

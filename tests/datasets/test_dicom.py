"""DICOM files, made here with pydicom and taken from its own test files."""

from __future__ import annotations

import numpy as np
import pytest
from latentwalk.datasets import ImageFiles, load_image_folder

pydicom = pytest.importorskip("pydicom", reason="pydicom is not installed")

SIZE = 16
VALUES = np.arange(SIZE * SIZE, dtype=np.uint16).reshape(SIZE, SIZE) * 16  # 0 .. 4080


def write(path, values=VALUES, photometric="MONOCHROME2", **attributes):
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = pydicom.uid.SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    data = FileDataset(str(path), {}, file_meta=meta, preamble=bytes(128))
    data.PatientName, data.PatientID = "Smith^John", "4711"
    data.Rows, data.Columns = values.shape[:2]
    data.SamplesPerPixel = 1 if values.ndim == 2 else 3
    if values.ndim == 3:
        data.PlanarConfiguration = 0
    bits = 8 * values.dtype.itemsize
    data.BitsAllocated, data.BitsStored, data.HighBit = bits, bits, bits - 1
    data.PixelRepresentation = int(values.dtype.kind == "i")
    data.PhotometricInterpretation = photometric
    for name, value in attributes.items():
        setattr(data, name, value)
    data.PixelData = values.tobytes()
    data.save_as(path)
    return path


def read(path, **options):
    return np.asarray(ImageFiles([path], **({"size": SIZE} | options)))[0]


def windowed(values, centre, width):
    return np.rint(((values - (centre - width / 2)) / width).clip(0, 1) * 255)


def test_values_are_rescaled_before_the_window(tmp_path):
    path = write(tmp_path / "ct.dcm", RescaleSlope=2, RescaleIntercept=-1024)
    units = VALUES * 2.0 - 1024
    np.testing.assert_array_equal(read(path, window=(40, 400))[0], windowed(units, 40, 400))
    np.testing.assert_array_equal(read(path)[0], windowed(units, units.mean(), np.ptp(units)))


def test_the_files_own_window_is_the_default(tmp_path):
    path = write(tmp_path / "a.dcm", WindowCenter=1000, WindowWidth=500)
    np.testing.assert_array_equal(read(path)[0], windowed(VALUES, 1000, 500))
    np.testing.assert_array_equal(read(path, window=(50, 60))[0], windowed(VALUES, 50, 60))
    path = write(tmp_path / "b.dcm", WindowCenter=[1000, 5], WindowWidth=[500, 6])
    np.testing.assert_array_equal(read(path)[0], windowed(VALUES, 1000, 500))


def test_inverted_greys_are_turned_back(tmp_path):
    plain, inverted = (
        read(write(tmp_path / f"{kind}.dcm", photometric=kind, WindowCenter=900, WindowWidth=700))
        for kind in ("MONOCHROME2", "MONOCHROME1")
    )
    np.testing.assert_array_equal(inverted, 255 - plain)


def test_signed_values(tmp_path):
    values = (VALUES.astype(np.int16) - 2000).astype(np.int16)
    path = write(tmp_path / "signed.dcm", values)
    np.testing.assert_array_equal(read(path, window=(0, 1000))[0], windowed(values, 0, 1000))


def test_colour(tmp_path):
    colors = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    path = write(tmp_path / "rgb.dcm", colors, photometric="RGB")
    np.testing.assert_array_equal(read(path, n_channels=3), colors.transpose(2, 0, 1))
    assert read(path).shape == (1, SIZE, SIZE)


def test_several_frames_and_files_without_pixels_are_refused(tmp_path):
    path = write(tmp_path / "frames.dcm", np.stack([VALUES, VALUES])[0], NumberOfFrames=2)
    with pytest.raises(ValueError, match="image 0 of the files: it has 2 frames"):
        read(path)
    data = pydicom.dcmread(write(tmp_path / "none.dcm"))
    del data.PixelData
    data.save_as(tmp_path / "none.dcm")
    (tmp_path / "text.dcm").write_text("no DICOM file")
    for name in ("none.dcm", "text.dcm"):
        with pytest.raises(ValueError, match="its DICOM pixels cannot be read") as caught:
            read(tmp_path / name)
        assert name not in str(caught.value)
        assert "Smith" not in str(caught.value)


def test_files_without_a_suffix_are_found_by_their_content(tmp_path):
    write(tmp_path / "IM000001")
    (tmp_path / "README").write_text("no image")
    data = load_image_folder(tmp_path, size=SIZE)
    assert len(data.images) == 1
    assert data.n_left_out == 1
    assert np.asarray(data.images).max() == 255


@pytest.mark.parametrize(
    ("name", "n_channels"),
    [
        ("CT_small.dcm", 1),
        ("MR_small.dcm", 1),
        ("MR_small_RLE.dcm", 1),
        ("SC_rgb_rle.dcm", 3),
        ("examples_palette.dcm", 3),
    ],
)
def test_published_files(name, n_channels):
    from pydicom.data import get_testdata_file

    image = read(get_testdata_file(name, download=False), n_channels=n_channels, size=64)
    assert image.std() > 10
    assert np.ptp(image) > 100


def test_nothing_of_the_header_is_in_the_object_or_its_array(tmp_path):
    import pickle

    images = ImageFiles([write(tmp_path / "a.dcm")], size=SIZE)
    content = pickle.dumps((images, np.asarray(images)))
    assert b"Smith" not in content
    assert b"4711" not in content

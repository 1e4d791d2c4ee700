"""DICOM files that tests write."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

SIZE = 16
VALUES = np.arange(SIZE * SIZE, dtype=np.uint16).reshape(SIZE, SIZE) * 16  # 0 .. 4080


def make(
    values=VALUES,
    photometric="MONOCHROME2",
    syntax=ExplicitVRLittleEndian,
    sop_class=SecondaryCaptureImageStorage,
    **attributes,
):
    """A DICOM object of one image; `attributes` are set last, and None deletes one."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = generate_uid()
    data = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    data.SOPClassUID = sop_class
    data.PatientName, data.PatientID = "Smith^John", "4711"
    data.Rows, data.Columns = values.shape[:2]
    data.SamplesPerPixel = 1 if values.ndim == 2 else 3
    if values.ndim == 3:
        data.PlanarConfiguration = 0
    data.PhotometricInterpretation = photometric
    if values.dtype.kind == "f":
        data.BitsAllocated = 8 * values.dtype.itemsize
        name = "FloatPixelData" if values.dtype.itemsize == 4 else "DoubleFloatPixelData"
        setattr(data, name, values.tobytes())
    else:
        bits = 8 * values.dtype.itemsize
        data.BitsAllocated, data.BitsStored, data.HighBit = bits, bits, bits - 1
        data.PixelRepresentation = int(values.dtype.kind == "i")
        data.PixelData = values.tobytes()
        data["PixelData"].VR = "OB" if bits == 8 else "OW"
    for name, value in attributes.items():
        if value is None:
            delattr(data, name)
        else:
            setattr(data, name, value)
    return data


def write(path, *arguments, **attributes):
    make(*arguments, **attributes).save_as(path, enforce_file_format=True)
    return path


def item(**attributes):
    """A dataset for a sequence."""
    data = Dataset()
    for name, value in attributes.items():
        setattr(data, name, value)
    return data

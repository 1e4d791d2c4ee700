"""Images in: folders, DICOM, real data with a generator for it, and splits by patient."""

from latentwalk.datasets._dermoscopy import fetch_dermoscopy
from latentwalk.datasets._equal_images import join_equal_images
from latentwalk.datasets._examine import UnreadableFile
from latentwalk.datasets._folder import ImageFolder, load_image_folder
from latentwalk.datasets._image_files import ImageFiles
from latentwalk.datasets._shipped_generators import (
    chest_xray_generator_path,
    dermoscopy_generator_path,
)
from latentwalk.datasets._split import PatientSplit, split_patients

__all__ = [
    "ImageFiles",
    "ImageFolder",
    "PatientSplit",
    "UnreadableFile",
    "chest_xray_generator_path",
    "dermoscopy_generator_path",
    "fetch_dermoscopy",
    "join_equal_images",
    "load_image_folder",
    "split_patients",
]

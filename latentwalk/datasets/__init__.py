"""Images in: the real data of the examples with a generator for it, and splits by patient."""

from latentwalk.datasets._dermoscopy import fetch_dermoscopy
from latentwalk.datasets._dermoscopy_generator import dermoscopy_generator_path
from latentwalk.datasets._split import PatientSplit, split_patients

__all__ = ["PatientSplit", "dermoscopy_generator_path", "fetch_dermoscopy", "split_patients"]

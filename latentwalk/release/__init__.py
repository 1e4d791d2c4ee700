"""Release: a folder of synthetic images that can be handed on, and nothing else in it.

`make_release` does the whole job: it splits patients, makes images, audits them once and writes
them. `write_release` is its last step, for a pipeline of one's own: it shuffles the images with the
operating system's entropy, strips them to bytes, and writes them with their labels, the verdict of
their audit and a manifest of public facts. `as_torch_dataset` reads it again.
"""

from latentwalk.release._make_release import make_release
from latentwalk.release._release import write_release
from latentwalk.release._results import ReleasePaths, ReleaseResult, Utility
from latentwalk.release._torch import ReleaseDataset, as_torch_dataset

__all__ = [
    "ReleaseDataset",
    "ReleasePaths",
    "ReleaseResult",
    "Utility",
    "as_torch_dataset",
    "make_release",
    "write_release",
]

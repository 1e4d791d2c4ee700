"""From a file of a stranger to the bytes of one image: by content, truly, or with a clear refusal.

A file is told by its content, never by its name. Its header is read first: it says whether the
pixels can be read as they were meant (`open_picture`). Only then are they decoded. Every reason for
a refusal is an `UnreadableImageError`, whose message neither names nor quotes the file: names and
headers are often those of patients.
"""

from latentwalk.datasets._reading._errors import UnreadableImageError
from latentwalk.datasets._reading._files import examine_image, kind_of_file, read_image
from latentwalk.datasets._reading._picture import Picture
from latentwalk.datasets._reading._samples import Window

__all__ = [
    "Picture",
    "UnreadableImageError",
    "Window",
    "examine_image",
    "kind_of_file",
    "read_image",
]

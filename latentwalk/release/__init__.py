"""Release: a folder of synthetic images that can be handed on, and nothing else in it.

`write_release` shuffles the images with the operating system's entropy, strips them to bytes, and
writes them with their labels, the verdict of their audit and a manifest of public facts.
"""

from latentwalk.release._release import write_release

__all__ = ["write_release"]

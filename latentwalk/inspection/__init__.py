"""Displays: pictures of what each stage does. Matplotlib is imported where it draws."""

from latentwalk.inspection._inversion import InversionDisplay
from latentwalk.inspection._path import PathDisplay

__all__ = ["InversionDisplay", "PathDisplay"]

"""Displays: pictures of what each stage does. Matplotlib is imported where it draws."""

from latentwalk.inspection._inversion import InversionDisplay

__all__ = ["InversionDisplay"]

"""Displays of each stage. Matplotlib is imported when one is drawn."""

from latentwalk.inspection._exposure import ExposureDisplay
from latentwalk.inspection._inversion import InversionDisplay
from latentwalk.inspection._matches import NearestMatchDisplay
from latentwalk.inspection._pareto import ParetoDisplay
from latentwalk.inspection._path import PathDisplay
from latentwalk.inspection._roc import AttackROCDisplay

__all__ = [
    "AttackROCDisplay",
    "ExposureDisplay",
    "InversionDisplay",
    "NearestMatchDisplay",
    "ParetoDisplay",
    "PathDisplay",
]

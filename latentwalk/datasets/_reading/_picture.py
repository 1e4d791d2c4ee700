"""What a header says before anything is decoded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentwalk.datasets._reading._samples import Samples, Window

Decoder = Callable[[Window | None], NDArray[np.uint8]]


@dataclass(frozen=True)
class Picture:
    """An image whose header was read and accepted.

    Attributes
    ----------
    in_colour : bool
        Whether its pixels are colours.
    decode : callable
        ``decode(window)`` gives the bytes, of shape (height, width) or (height, width, 3), as long
        as the file is open.
    names_patient : bool
        Whether the header says that the pixels identify the patient.
    """

    in_colour: bool
    decode: Decoder
    names_patient: bool = False


def raster(in_colour: bool, samples: Callable[[], Samples]) -> Picture:
    """Return the picture of a file whose decoded values are `Samples`."""

    def decode(window: Window | None) -> NDArray[Any]:
        return samples().show(window)

    return Picture(in_colour, decode)

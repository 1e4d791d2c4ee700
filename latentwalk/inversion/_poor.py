"""Rows whose reconstruction is not them."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray


def report_poor(errors: NDArray[np.float32], max_error: float, on_poor: str) -> NDArray[np.bool_]:
    """Return which rows are over the bound; warn or raise with their number, or stay silent."""
    poor = np.asarray(errors > max_error)
    if not poor.any() or on_poor == "flag":
        return poor
    message = (
        f"{poor.sum()} of {len(poor)} images have a reconstruction error over "
        f"max_error={max_error} (median of all {np.median(errors):.3g}): the generator cannot "
        "make them. Leave them out, or train the generator on images like them"
    )
    if on_poor == "raise":
        raise ValueError(message)
    warnings.warn(message, stacklevel=3)
    return poor

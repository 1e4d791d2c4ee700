"""Guides that are fitted by the walker."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from latentwalk.utils._guides import is_fitted_guide


def fit_guide(guide: Any, name: str, X_real: NDArray[Any] | None, targets: ArrayLike | None) -> Any:
    """Return the guide itself when fitted, else a clone that was fitted on the real images.

    Raises
    ------
    ValueError
        When it is not fitted and there are no real images, or no targets of their length.
    """
    if guide is None or is_fitted_guide(guide):
        return guide
    if not hasattr(guide, "fit"):
        raise TypeError(
            f"{name} is a {type(guide).__name__}; expected a classifier with a torch module_, "
            "fitted or not, or a torch module"
        )
    if X_real is None:
        raise ValueError(
            f"{name} is not fitted: fit it before, or pass the real images as X_real to fit it on"
        )
    return clone(guide).fit(X_real, targets)

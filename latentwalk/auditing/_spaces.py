"""The feature spaces in which a release is audited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentwalk.utils import to_float

AS_GIVEN = "features"


def resolve_spaces(features: Any, is_image: bool) -> dict[str, Any]:
    """Return named transformers; None stands for 2-D features taken as they are."""
    if isinstance(features, Mapping):
        named = [(str(name), spec) for name, spec in features.items()]
    else:
        specs = features if isinstance(features, list | tuple) else [features]
        named = [(_name(spec), spec) for spec in specs]
    if not named:
        raise ValueError("features is empty; at least one feature space is needed")
    spaces: dict[str, Any] = {}
    for name, spec in named:
        if isinstance(spec, str) and not is_image:
            spaces[AS_GIVEN] = None
            continue
        # imported here: 2-D features need none of it
        from latentwalk.features import resolve_features

        spaces[_unused(name, spaces)] = resolve_features(spec)
    return spaces


def extract(spaces: dict[str, Any], X: NDArray[Any], name: str) -> dict[str, NDArray[np.float32]]:
    """Return the rows of `X` in each space."""
    found = {}
    for space, transformer in spaces.items():
        rows = X if transformer is None else _transform(transformer, X)
        rows = np.asarray(rows, dtype=np.float64 if rows.dtype == np.float64 else np.float32)
        if len(rows) != len(X):
            raise ValueError(f"feature space {space!r} gave {len(rows)} rows for {len(X)} images")
        rows = rows.reshape(len(rows), -1)
        if not np.isfinite(rows).all():
            raise ValueError(f"feature space {space!r} gave NaN or infinite values for {name}")
        found[space] = rows
    return found


def _transform(transformer: Any, X: NDArray[Any]) -> NDArray[Any]:
    """Features of images; functions and transformers from elsewhere get floats in [0, 1].

    A release is mostly float where the real images are bytes: handed over as they are, the two
    would be on different scales, and every distance between them without a meaning.
    """
    from latentwalk.features import LPIPSFeatures, ModuleFeatures, PixelFeatures

    scales_itself = isinstance(transformer, LPIPSFeatures | ModuleFeatures | PixelFeatures)
    return np.asarray(transformer.transform(X if scales_itself or X.ndim != 4 else to_float(X)))


def check_not_constant(features: dict[str, NDArray[Any]], name: str) -> None:
    """Raise where all rows are the same: every distance would be equal."""
    for space, rows in features.items():
        if len(rows) > 1 and (rows == rows[0]).all():
            raise ValueError(
                f"the features of {name} are constant in space {space!r}: all {len(rows)} rows "
                "are equal, so no distance says anything"
            )


def check_guided_by(guided_by: Sequence[str], spaces: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the spaces that guided the release."""
    names = (guided_by,) if isinstance(guided_by, str) else tuple(guided_by)
    unknown = [name for name in names if name not in spaces]
    if unknown:
        raise ValueError(
            f"guided_by names {unknown}; the audited feature spaces are {list(spaces)}, name those "
            "of them that guided, selected or repelled the release"
        )
    return names


def _name(spec: Any) -> str:
    if isinstance(spec, str):
        return spec
    name = getattr(spec, "__name__", type(spec).__name__)
    return "callable" if name == "<lambda>" else str(name)


def _unused(name: str, taken: dict[str, Any]) -> str:
    number, candidate = 1, name
    while candidate in taken:
        number += 1
        candidate = f"{name}_{number}"
    return candidate

"""The feature spaces in which a release is audited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import gen_batches

from latentwalk.utils import check_names, to_float

AS_GIVEN = "features"
PART = 256  # images
SMALLEST_SIDE = 16  # smaller images are too blurred for LPIPS, which enlarges them


def resolve_spaces(features: Any, shape: tuple[int, ...]) -> dict[str, Any]:
    """Return transformers by name; None takes 2-D features as they are."""
    is_image = len(shape) == 3
    if isinstance(features, str) and features == "auto":
        small = not is_image or min(shape[1:]) < SMALLEST_SIDE
        features = ["pixels"] if small else ["pixels", "lpips"]
    if isinstance(features, Mapping):
        named = [(str(name), spec) for name, spec in features.items()]
    else:
        specs = features if isinstance(features, list | tuple) else [features]
        named = [(_name(spec), spec) for spec in specs]
    if not named:
        raise ValueError("features is empty; at least one feature space is needed")
    check_names((name for name, _ in named), "features")
    spaces: dict[str, Any] = {}
    for name, spec in named:
        if isinstance(spec, str) and not is_image:
            spaces[AS_GIVEN] = None
            continue
        # imported here: 2-D features need none of it
        from latentwalk.features import resolve_features

        spaces[_unused(name, spaces)] = resolve_features(spec)
    return spaces


def extract(spaces: dict[str, Any], X: NDArray[Any], name: str) -> dict[str, NDArray[Any]]:
    """Return the rows of `X` in each space; those of LPIPS, 31,872 of them, in half precision."""
    features = {}
    for space, transformer in spaces.items():
        rows = _as_floats(X) if transformer is None else _rows(transformer, X)
        if len(rows) != len(X):
            raise ValueError(f"feature space {space!r} gave {len(rows)} rows for {len(X)} images")
        rows = rows.reshape(len(rows), -1)
        if not np.isfinite(rows).all():
            raise ValueError(f"feature space {space!r} gave NaN or infinite values for {name}")
        features[space] = rows
    return features


def _rows(transformer: Any, X: NDArray[Any]) -> NDArray[Any]:
    """Features as the auditor keeps them.

    LPIPS is a distance over so many small values that their rounding to half precision moves it by
    less than 1e-4 of itself. Made by parts, so that all of them are never there in float32.
    """
    from latentwalk.features import LPIPSFeatures

    if not isinstance(transformer, LPIPSFeatures):
        return _as_floats(_transform(transformer, X))
    parts = [
        _transform(transformer, X[part]).astype(np.float16) for part in gen_batches(len(X), PART)
    ]
    return np.concatenate(parts)


def _as_floats(rows: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(rows, dtype=np.float64 if rows.dtype == np.float64 else np.float32)


def _transform(transformer: Any, X: NDArray[Any]) -> NDArray[Any]:
    """Features of images; functions and transformers from elsewhere get floats in [0, 1].

    A release is often float where the real images are bytes. Handed over as they are, the two
    would be on different scales, and no distance between them would mean anything.
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
            f"guided_by names {unknown}; the audited feature spaces are {list(spaces)}: name those "
            "that guided, selected or repelled the release"
        )
    return names


def find_guided(
    pipeline: Any, spaces: Mapping[str, Any], named: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the audited spaces that guided the release: those named, and those its steps know.

    A step's `guided_spaces_` has names such as "lpips". An audited space of that kind is meant
    whatever its own name is.
    """
    steps = [step for _, step in getattr(pipeline, "steps", [("", pipeline)])]
    known = {str(name) for step in steps for name in getattr(step, "guided_spaces_", ())}
    return tuple(
        name
        for name, space in spaces.items()
        if name in named or name in known or any(_is_kind(space, kind) for kind in known)
    )


def _is_kind(space: Any, kind: str) -> bool:
    from latentwalk.features import resolve_features

    try:
        return type(space) is type(resolve_features(kind))
    except ValueError:  # a space of the user's own, which its name alone tells
        return False


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

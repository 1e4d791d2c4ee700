"""Which steps of a release want the patients and the real images."""

from __future__ import annotations

from inspect import signature
from typing import Any

from sklearn import get_config
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import get_routing_for_object


def release_params(release: Any, **available: Any) -> dict[str, Any]:
    """Return the keyword arguments of ``release.fit_transform``.

    Parameters
    ----------
    release : Pipeline or transformer
        With metadata routing on, what its steps request is passed by its plain name. Otherwise a
        step of a pipeline gets ``step__name`` for every name that its ``fit`` takes.
    **available
        What there is to pass; None is not passed.

    Returns
    -------
    params : dict
        A part of what is available, named as ``fit_transform`` wants it.
    """
    available = {name: value for name, value in available.items() if value is not None}
    if get_config()["enable_metadata_routing"]:
        wanted = get_routing_for_object(release).consumes("fit_transform", available)
        return {name: value for name, value in available.items() if name in wanted}
    if not isinstance(release, Pipeline):
        return {n: v for n, v in available.items() if n in fit_parameters(release)}
    return {
        f"{step}__{name}": value
        for step, transformer in release.steps
        for name, value in available.items()
        if name in fit_parameters(transformer)
    }


def fit_parameters(transformer: Any) -> list[str]:
    """Return the names that a step's ``fit`` takes; "passthrough" takes none."""
    return list(signature(transformer.fit).parameters) if hasattr(transformer, "fit") else []

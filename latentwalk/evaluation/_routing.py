"""Which steps of a release want the patients and the real images."""

from __future__ import annotations

from inspect import signature
from typing import Any

from sklearn import get_config
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import get_routing_for_object


def release_params(release: Any, *, groups: Any, X_real: Any) -> dict[str, Any]:
    """Return the keyword arguments of ``release.fit_transform``.

    Parameters
    ----------
    release : Pipeline or transformer
        With metadata routing on, what its steps request is passed by its plain name. Otherwise a
        step of a pipeline gets ``step__name`` for every name that its ``fit`` takes.
    groups : array-like or None
        Patient ids, or None. With metadata routing on they are also passed to a step that takes
        them but neither requests nor refuses them. scikit-learn then raises, so no step silently
        counts images instead of patients.
    X_real : array-like
        The real images, for the steps that want them.

    Returns
    -------
    params : dict
        The arguments, with the names that ``fit_transform`` expects.
    """
    given = {"groups": groups, "X_real": X_real}
    available = {name: value for name, value in given.items() if value is not None}
    if get_config()["enable_metadata_routing"]:
        wanted = get_routing_for_object(release).consumes("fit_transform", available)
        if any(undecided(step, "groups") for step in steps_of(release)):
            wanted = {*wanted, "groups"}
        return {name: value for name, value in available.items() if name in wanted}
    if not isinstance(release, Pipeline):
        return {n: v for n, v in available.items() if n in fit_parameters(release)}
    return {
        f"{step}__{name}": value
        for step, transformer in release.steps
        for name, value in available.items()
        if name in fit_parameters(transformer)
    }


def steps_of(release: Any) -> list[Any]:
    """Return the steps of a pipeline and of pipelines in it; a transformer is its only step."""
    if not isinstance(release, Pipeline):
        return [release]
    return [inner for _, step in release.steps for inner in steps_of(step)]


def undecided(transformer: Any, name: str) -> bool:
    """Return whether a transformer takes a name and neither requests nor refuses it."""
    request = getattr(get_routing_for_object(transformer), "fit", None)
    return request is not None and request.requests.get(name, False) is None


def takes(transformer: Any, name: str) -> bool:
    """Return whether a transformer requests a name, with metadata routing on."""
    request = getattr(get_routing_for_object(transformer), "fit", None)
    return request is not None and bool(request.requests.get(name, False))


def fit_parameters(transformer: Any) -> list[str]:
    """Return the names that a step's ``fit`` takes; "passthrough" takes none."""
    return list(signature(transformer.fit).parameters) if hasattr(transformer, "fit") else []

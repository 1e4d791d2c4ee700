"""The public facts of a release: what was run and what its audit found."""

from __future__ import annotations

import platform
from importlib.metadata import version
from math import isfinite
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from latentwalk.auditing import ReleaseFacts
from latentwalk.evaluation import PrivacyStatement

# By name, so that a new parameter stays out until somebody has decided that it is public. Seeds,
# devices, paths, weights and everything that is fitted stay out.
PUBLIC_PARAMETERS = {
    "GANInverter": ("max_iter", "loss", "regularization", "encoder_iter"),
    "KSameAggregator": ("k", "method"),
    # what was asked for and what is public: no count of patients is among them
    "DPKSameAggregator": ("k", "n_cells", "n_axes", "max_classes", "noise"),
    "GuidedWalker": (
        "objective",
        "identity_weight",
        "class_weight",
        "repulsion",
        "n_points",
        "max_iter",
        "selection",
        "max_identity",
        "duplicate_distance",
    ),
    "ShellNormalizer": (),
    "GANDecoder": ("output_dtype",),
}
# Rates, and not counts, in the digits of the page: all digits of a rate are a fraction, and its
# denominator is the number of patients.
PUBLIC_FIGURES = ("p_value", "tpr", "collision_rate")
# Stands for a report that stays in the house.
HELD_BACK = "held back"
SOFTWARE = ("latentwalk", "numpy", "scikit-learn", "torch")


def build_manifest(
    X: NDArray[np.uint8],
    y: NDArray[Any] | None,
    *,
    report: Any,
    pipeline: Pipeline | None,
    allowed: str | None,
    facts: ReleaseFacts,
) -> dict[str, Any]:
    """Return what `manifest.json` holds.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_channels, height, width)
        The released images.
    y : ndarray of shape (n_samples,) or None
        Their labels.
    report, pipeline
        See `write_release`; `HELD_BACK` is a report that is not shown.
    allowed : str or None
        Why the images were released without NO EVIDENCE; None where no reason was needed.
    facts : ReleaseFacts
        Its licence and its statement are recorded.

    Returns
    -------
    manifest : dict
        Of JSON values.
    """
    manifest = {
        "n_images": len(X),
        "image_shape": list(X.shape[1:]),
        "classes": None if y is None else [str(c) for c in np.unique(y)],
        "licence": facts.licence,
        "audit": public_audit(report),
        "guarantee": public_guarantee(facts.statement),
        "pipeline": None if pipeline is None else [public_step(s) for _, s in pipeline.steps],
        "software": software(),
    }
    return manifest if allowed is None else manifest | {"released_despite_the_verdict": allowed}


def software() -> dict[str, str]:
    """Return the versions of what made the release."""
    return {name: version(name) for name in SOFTWARE} | {"python": platform.python_version()}


def public_audit(report: Any) -> dict[str, Any]:
    """Return the verdict and the rates of a report; None is not audited."""
    if report is None:
        return {"verdict": verdict_of(None)}
    if report == HELD_BACK:
        return {"verdict": HELD_BACK}
    figures = {name: rounded(plain(getattr(report, name, None))) for name in PUBLIC_FIGURES}
    return {"verdict": verdict_of(report)} | figures


def public_guarantee(statement: PrivacyStatement | None) -> dict[str, Any]:
    """Return what a statement says; nothing in it was computed from private numbers."""
    if statement is None:
        return {"holds": False, "because": ["no guarantee was stated"]}
    if not statement.holds or statement.loss is None:
        return {"holds": False, "because": list(statement.voided_by)}
    loss = statement.loss
    figures = {name: getattr(loss, name) for name in ("mu", "epsilon", "delta", "tpr_bound", "fpr")}
    return {"holds": True, "of_each": "patient"} | figures | {"public": list(statement.public)}


def rounded(value: Any) -> Any:
    """Return a figure, or a pair of them, with three digits."""
    if isinstance(value, list):
        return [rounded(v) for v in value]
    if isinstance(value, dict):
        return {name: rounded(v) for name, v in value.items()}
    return float(f"{value:.3g}") if isinstance(value, float) else value


def verdict_of(report: Any) -> str:
    """Return a report's verdict in words; an audit without held-out patients gives none."""
    if report is None:
        return "not audited"
    verdict = getattr(report, "verdict", "unknown")
    return "no verdict" if verdict is None else str(verdict)


def public_step(step: Any) -> dict[str, Any]:
    """Return a step's class and those of its parameters that are public."""
    name = type(step).__name__
    if name not in PUBLIC_PARAMETERS:
        return {"step": "another step"}
    values = step.get_params(deep=False)
    public = {p: plain(values[p]) for p in PUBLIC_PARAMETERS[name] if p in values}
    if hasattr(values.get("generator"), "latent_space"):
        public = {"latent_space": values["generator"].latent_space} | public
    facts = {"step": name, "parameters": public}
    return facts | {"k_counts": what_k_counts(step)} if "k" in public else facts


def what_k_counts(aggregator: Any) -> str | None:
    """Return the unit of k: patients, or images where each was its own patient; None if unfitted.

    A fitted aggregator knows the subjects of its groups and its rows. As many subjects as rows
    are images that nobody joined to patients, or patients of one image each.
    """
    labels = getattr(aggregator, "labels_", None)
    sizes = getattr(aggregator, "cluster_sizes_", None)
    if hasattr(aggregator, "noise"):
        return "patients, counted with noise"
    if labels is None or sizes is None:
        return None
    one_each = int(np.sum(sizes)) == int(np.sum(np.asarray(labels) >= 0))
    return "images, each taken as a patient of its own" if one_each else "patients"


def least_group(pipeline: Pipeline | None) -> int | None:
    """Return the k of a pipeline; None where no step has one."""
    steps = () if pipeline is None else pipeline.steps
    found = (getattr(step, "k", None) for _, step in steps)
    return next((int(k) for k in found if isinstance(k, Integral)), None)


def plain(value: Any) -> Any:
    """A number, a name or a pair of numbers as JSON has them; None for everything else."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        number = float(value)
        return number if isfinite(number) else None
    if isinstance(value, tuple | list):
        names = getattr(value, "_fields", None)
        found = [plain(v) for v in value]
        return found if names is None else dict(zip(names, found, strict=True))
    return value if isinstance(value, str) else None

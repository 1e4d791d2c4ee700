"""What a release says of itself, besides its audit."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from latentwalk.auditing import ReleaseFacts
from latentwalk.release._gate import check_text
from latentwalk.release._manifest import least_group, software, what_k_counts

N_SHOWN = 48
TEXTS = {"name": "a title", "licence": "its name or its address", "contact": "whom to ask"}


def check_facts(facts: ReleaseFacts | None) -> ReleaseFacts:
    """Return facts whose texts stay in the line they are written to.

    Raises
    ------
    TypeError
        For anything but a ReleaseFacts.
    ValueError
        For line breaks and control characters, nothing to read, or a very long text.
    """
    if facts is None:
        return ReleaseFacts()
    if not isinstance(facts, ReleaseFacts):
        raise TypeError(f"facts is a {type(facts).__name__}; expected a ReleaseFacts, or None")
    checked: dict[str, Any] = {}
    for name, expected in TEXTS.items():
        text = getattr(facts, name)
        checked[name] = None if text is None else check_text(text, name, expected)
    return replace(facts, **checked)


def complete(
    facts: ReleaseFacts, X: NDArray[Any], y: NDArray[Any] | None, pipeline: Pipeline | None
) -> ReleaseFacts:
    """Return the facts with what images, classes and pipeline say.

    Parameters
    ----------
    facts : ReleaseFacts
        What was given.
    X : ndarray of shape (n_samples, n_channels, height, width)
        The images in random order.
    y : ndarray of shape (n_samples,) or None
        Their classes, by name.
    pipeline : Pipeline or None
        What made them.
    """
    names, counts = np.unique([] if y is None else y.astype(str), return_counts=True)
    averaging = [step for _, step in pipeline.steps if hasattr(step, "k")] if pipeline else []
    return replace(
        facts,
        date=facts.date or date.today().isoformat(),
        k=least_group(pipeline),
        k_counts=what_k_counts(averaging[0]) if averaging else None,
        software=software(),
        images=X[:N_SHOWN] if X.shape[1] in (1, 3) else None,
        classes=dict(zip(names.tolist(), counts.tolist(), strict=True)),
    )

"""What an attacker holds besides the release, handed to the attacks that need it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentwalk.auditing._checks import check_like, check_same
from latentwalk.auditing._cohorts import Cohorts
from latentwalk.utils import check_targets, to_float


@dataclass(frozen=True)
class AttackerKnowledge:
    """What an audit hands to the attacks that need more than features of the release.

    Parameters
    ----------
    X, X_holdout : array-like of shape (n_samples, ...), (n_holdout, ...), default=None
        Members and held-out records as the auditor was fitted with. They are needed with
        `inverter` and `classifier`, in the form that these take. Bytes are scaled to [0, 1].
    inverter : object, default=None
        Fitted, with ``transform`` and ``inverse_transform``: the attacker holds the generator.
    latents : array-like of shape (n_synthetic, n_latent_features), default=None
        Latents of the release, where they were published.
    classifier : classifier, default=None
        Trained on the release, with ``predict_proba``.
    y, y_holdout : array-like of shape (n_samples,), (n_holdout,), default=None
        Labels of the records; None is an attacker who does not know them.

    Examples
    --------
    >>> from latentwalk.auditing import AttackerKnowledge
    >>> AttackerKnowledge(latents=[[0.1, 0.2]]).has(("latents",))
    True
    """

    X: Any = None
    X_holdout: Any = None
    inverter: Any = None
    latents: Any = None
    classifier: Any = None
    y: Any = None
    y_holdout: Any = None

    def has(self, names: Iterable[str]) -> bool:
        """Return whether all of these were handed over."""
        return all(getattr(self, name) is not None for name in names)

    def only(self, names: Iterable[str]) -> dict[str, Any]:
        """Return these by name."""
        return {name: getattr(self, name) for name in names}

    def records(self, cohorts: Cohorts) -> NDArray[Any]:
        """Return members, then held-out records, as the auditor was fitted with them."""
        members, holdout = cohorts.pair
        rows = []
        for name, cohort, what in (
            ("X", members, "members"),
            ("X_holdout", holdout, "held-out records"),
        ):
            given = getattr(self, name)
            if given is None:
                raise ValueError(
                    f"knowledge has no {name}; an attack with an inverter or a classifier needs "
                    "the records, and the auditor keeps their features only"
                )
            checked = check_like(given, cohorts.shape, f"knowledge.{name}")
            check_same(checked, cohort.keys, f"knowledge.{name}", what)
            rows.append(to_float(np.asarray(given)))
        return np.concatenate(rows)

    def labels(self, cohorts: Cohorts) -> NDArray[Any] | None:
        """Return labels of members, then of held-out records; None where there are none."""
        members, holdout = cohorts.pair
        y = check_targets(self.y, len(members), name="y")
        y_holdout = check_targets(self.y_holdout, len(holdout), name="y_holdout")
        if (y is None) != (y_holdout is None):
            raise ValueError("y and y_holdout belong together; one of them is None")
        return None if y is None or y_holdout is None else np.concatenate([y, y_holdout])

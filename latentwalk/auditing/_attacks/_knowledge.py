"""What an attacker holds beside the release, handed to the attacks that need it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentwalk.auditing._auditor import PrivacyAuditor
from latentwalk.auditing._cohorts import check_records, check_same
from latentwalk.utils import check_targets, to_float


@dataclass(frozen=True)
class AttackerKnowledge:
    """What `run_attacks` hands to the attacks that need more than features of the release.

    Parameters
    ----------
    X, X_holdout : array-like of shape (n_samples, ...), (n_holdout, ...), default=None
        Members and held-out records as the auditor was fitted with, which keeps features alone;
        needed with `inverter` and `classifier`, in the form that these take. Bytes are scaled to
        [0, 1].
    inverter : object, default=None
        Fitted, with ``transform`` and ``inverse_transform``: the attacker holds the generator.
    latents : array-like of shape (n_synthetic, n_latent_features), default=None
        Latents of the release, where they were published.
    classifier : classifier, default=None
        Trained on the release, with ``predict_proba``.
    y, y_holdout : array-like of shape (n_samples,), (n_holdout,), default=None
        Labels of the records; None is an attacker who does not know them.
    groups_reference : array-like of shape (n_reference,), default=None
        Subject ids of the auditor's ``X_reference``.

    Examples
    --------
    >>> from latentwalk.auditing import AttackerKnowledge
    >>> AttackerKnowledge(groups_reference=["a", "a", "b"]).has(("groups_reference",))
    True
    """

    X: Any = None
    X_holdout: Any = None
    inverter: Any = None
    latents: Any = None
    classifier: Any = None
    y: Any = None
    y_holdout: Any = None
    groups_reference: Any = None

    def has(self, names: Iterable[str]) -> bool:
        """Return whether all of these were handed over."""
        return all(getattr(self, name) is not None for name in names)

    def only(self, names: Iterable[str]) -> dict[str, Any]:
        """Return these by name."""
        return {name: getattr(self, name) for name in names}

    def records(self, auditor: PrivacyAuditor) -> NDArray[Any]:
        """Return members, then held-out records, as the auditor knows them."""
        assert auditor.holdout_ is not None
        found = []
        for name, known, what in (
            ("X", auditor.members_, "members"),
            ("X_holdout", auditor.holdout_, "held-out records"),
        ):
            given = getattr(self, name)
            if given is None:
                raise ValueError(
                    f"knowledge has no {name}; an attack with an inverter or a classifier needs "
                    "the records, of which the auditor keeps features alone"
                )
            check_same(check_records(auditor, given, reset=False), known, f"knowledge.{name}", what)
            found.append(to_float(np.asarray(given)))
        return np.concatenate(found)

    def labels(self, auditor: PrivacyAuditor) -> ArrayLike | None:
        """Return labels of members, then of held-out records; None where there are none."""
        assert auditor.holdout_ is not None
        sets = (("y", auditor.members_), ("y_holdout", auditor.holdout_))
        found = [check_targets(getattr(self, n), len(s.codes), name=n) for n, s in sets]
        if (found[0] is None) != (found[1] is None):
            raise ValueError("y and y_holdout belong together; one of them is None")
        return None if found[0] is None else np.concatenate(found)  # type: ignore[arg-type]

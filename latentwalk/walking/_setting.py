"""The setting of a walk: guides, objective and bounds as one value, checked and fitted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from latentwalk.utils._guide_rules import (
    raise_first,
    swapped,
    unguided,
    unprotected,
    unusable_repulsion,
)
from latentwalk.utils._guides import is_fitted_guide
from latentwalk.walking._examine import Bounds, Examiner
from latentwalk.walking._guides import fit_guide, freeze_guides, guided_spaces, warn_of_labels
from latentwalk.walking._inputs import WalkInputs
from latentwalk.walking._losses import Objective
from latentwalk.walking._optimise import Walk, make_schedule
from latentwalk.walking._repulsion import make_repulsion


@dataclass(frozen=True)
class Setting:
    """How to walk, and with which guides.

    Parameters
    ----------
    generator : Generator
        Decodes latents.
    identity, label : guide or None
        The guides, fitted or not.
    objective : Objective
        What the paths minimise.
    max_iter : int or "auto"
        Steps of Adam.
    repulsion : float
        Weight of the hinge away from real images.
    selection : {"safest", "uniform"}
        See `select_points`.
    bounds : Bounds
        The limits of released points.
    n_jobs : int or None
        Blocks of batches in parallel.
    verbose : bool or int
        Show progress bars.
    """

    generator: Any
    identity: Any
    label: Any
    objective: Objective
    max_iter: int | str
    repulsion: float
    selection: str
    bounds: Bounds
    n_jobs: int | None
    verbose: bool | int

    def check(self, labels: NDArray[Any] | None, X_real: Any, groups: Any) -> None:
        """Raise for guides that are missing, swapped, or made for other images or classes."""
        name = "X_real"
        raise_first(
            unprotected(
                self.identity,
                self.repulsion,
                X_real,
                identity_weight=self.objective.identity_weight,
                name=name,
            ),
            unusable_repulsion(self.repulsion, self.objective.name, X_real, name=name),
            unguided(self.identity, self.bounds.max_identity, self.selection),
            swapped(self.identity, self.label, labels, groups),
        )
        warn_of_labels(self.label, labels)
        freeze_guides(
            self.identity if is_fitted_guide(self.identity) else None,
            self.label if is_fitted_guide(self.label) else None,
            self.generator,
            None if labels is None else np.unique(labels),
        )

    def fitted(self, inputs: WalkInputs) -> Self:
        """Return the setting with fitted guides; without labels there is no label guide."""
        label = None if inputs.labels is None else self.label
        label = fit_guide(label, "label_classifier", inputs.real, inputs.labels)
        identity = fit_guide(self.identity, "identity_classifier", inputs.real, inputs.groups)
        return replace(self, identity=identity, label=label)

    def private_sources(self, inputs: WalkInputs) -> tuple[str, ...]:
        """Return the names of the inputs that may know private images."""
        used = {
            "X_real": inputs.real,
            "identity_classifier": self.identity,
            "label_classifier": self.label,
        }
        return tuple(name for name, value in used.items() if value is not None)

    def guided_spaces(self, inputs: WalkInputs) -> tuple[str, ...]:
        """Return the feature spaces in which the walk is guided or its points are rejected."""
        return guided_spaces(self.identity, self.label, has_real=inputs.real is not None)

    def examiner(self, real: NDArray[Any] | None, classes: NDArray[Any] | None) -> Examiner:
        """Return the examiner of points of these classes; the guides must be fitted."""
        guides = freeze_guides(self.identity, self.label, self.generator, classes)
        return Examiner(self.generator, guides, real, n_jobs=self.n_jobs, verbose=self.verbose)

    def walk(self, examiner: Examiner, seed: int) -> Walk:
        """Return the walk of this setting, with the guides and real images of an examiner."""
        real, with_classes = examiner.neighbors, examiner.guides.label is not None
        return Walk(
            self.generator,
            examiner.guides,
            self.objective,
            make_schedule(self.objective.name, with_classes, self.max_iter),
            seed,
            self.generator.precision,
            None if real is None else make_repulsion(real, self.repulsion),
            self.n_jobs,
            self.verbose,
        )

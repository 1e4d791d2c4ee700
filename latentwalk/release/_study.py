"""The four sets of a study, as images: members make the release, others judge it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentwalk.datasets import PatientSplit, split_patients
from latentwalk.utils import check_groups, check_images, check_targets


@dataclass(frozen=True)
class Cohort:
    """Images of some patients.

    Attributes
    ----------
    X : ndarray of shape (n_samples, n_channels, height, width)
        Images.
    y : ndarray of shape (n_samples,) or None
        Their classes.
    groups : ndarray of shape (n_samples,)
        Codes of their patients.
    """

    X: NDArray[Any]
    y: NDArray[Any] | None
    groups: NDArray[np.intp]

    @property
    def n_patients(self) -> int:
        """The number of patients."""
        return len(np.unique(self.groups))

    @property
    def codes(self) -> NDArray[np.intp] | None:
        """The classes as numbers from 0; None without classes."""
        return None if self.y is None else np.unique(self.y, return_inverse=True)[1].reshape(-1)

    def joined(self, other: Cohort) -> Cohort:
        """Return the images of both."""
        y = None if self.y is None or other.y is None else np.concatenate([self.y, other.y])
        groups = np.concatenate([self.groups, other.groups])
        return Cohort(np.concatenate([self.X, other.X]), y, groups)


@dataclass(frozen=True)
class Study:
    """Members, calibration, reference and audit patients; none is in two sets.

    Attributes
    ----------
    members : Cohort
        Train everything, and are what the release is made from.
    calibration : Cohort
        Choose k, and tell a generator that copies.
    reference : Cohort
        Stand for the population, in the audit.
    audit : Cohort
        Held out from everything but the one audit.
    """

    members: Cohort
    calibration: Cohort
    reference: Cohort
    audit: Cohort

    @classmethod
    def of(
        cls,
        X: ArrayLike,
        y: ArrayLike | None,
        groups: ArrayLike | None,
        split: PatientSplit | None,
        random_state: int,
    ) -> Self:
        """Split images by patient, or by `split`; files are read once."""
        images = check_images(np.asarray(X))
        classes = check_targets(y, len(images))
        codes = check_groups(groups, len(images))
        if split is None:
            split = split_patients(images, classes, codes, random_state=random_state)
        return cls(
            *(
                Cohort(images[rows], None if classes is None else classes[rows], codes[rows])
                for rows in _checked(split, codes)
            )
        )

    @property
    def judges(self) -> Cohort:
        """The patients on whom fidelity and utility are measured: neither members nor audit."""
        return self.calibration.joined(self.reference)


def _checked(split: PatientSplit, codes: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """The rows of each set; raises where two of them share a patient, or one is empty."""
    sets = [np.asarray(rows) for rows in split]
    if any(len(rows) == 0 for rows in sets):
        raise ValueError(
            f"split has sets of {[len(rows) for rows in sets]} rows; make_release needs members, "
            "calibration, reference and audit patients"
        )
    patients = [set(codes[rows].tolist()) for rows in sets]
    if sum(map(len, patients)) > len(set().union(*patients)):
        raise ValueError("split has a patient in two of its sets; expected one for each patient")
    return sets

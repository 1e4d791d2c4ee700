"""A collection in parts: patients who are added part by part, and sites that are joined later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentwalk.aggregation._fixed_cells import CellSums, FixedCells, count_and_sum
from latentwalk.aggregation._subjects import new_patients
from latentwalk.utils import check_groups


@dataclass
class Tally:
    """Exact numbers of the patients of all parts so far. Only the noise may look at them.

    Attributes
    ----------
    cells : FixedCells
        The cells in which patients are counted.
    n_classes, max_classes : int
        See `count_and_sum`.
    sums : CellSums or None
        What was added; None before the first part.
    """

    cells: FixedCells
    n_classes: int
    max_classes: int
    sums: CellSums | None = None
    _patients: set[Any] = field(default_factory=set, repr=False)

    def add(self, rows: NDArray[np.float32], codes: NDArray[np.intp], groups: Any) -> None:
        """Add the patients of a part.

        Parameters
        ----------
        rows : ndarray of shape (n_samples, n_features)
            Latents.
        codes : ndarray of int of shape (n_samples,)
            Their classes.
        groups : array-like of shape (n_samples,) or None
            Patient ids; None makes every row its own patient.

        Raises
        ------
        ValueError
            For a patient who was in an earlier part.
        """
        subjects = check_groups(groups, len(rows))
        patients = new_patients(groups, self._patients)
        part = count_and_sum(
            self.cells,
            rows,
            codes,
            subjects,
            n_classes=self.n_classes,
            max_classes=self.max_classes,
        )
        self._patients |= patients
        self.sums = part if self.sums is None else self.sums + part


def check_sites(sites: Sequence[Any]) -> None:
    """Raise unless fitted aggregators have the same public parts.

    Raises
    ------
    ValueError
        When there are none, or they have other cells, classes, k or max_classes.
    """
    if not sites:
        raise ValueError("there are no sites to merge; pass fitted aggregators")
    first = sites[0]
    for site in sites:
        same = site.cells_.equals(first.cells_) and list(site.classes_) == list(first.classes_)
        if not same or (site.k, site.max_classes) != (first.k, first.max_classes):
            raise ValueError(
                "the sites have other cells, classes, k or max_classes; share "
                "cells=lay_cells(generator), classes=[...], k and max_classes"
            )

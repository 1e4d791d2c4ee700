"""Which sizes k of groups are tried, and which one is taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from latentwalk.auditing import recommend_k
from latentwalk.metrics import chance_of_no_evidence
from latentwalk.release._study import Cohort, Study

CANDIDATES = (5, 10, 20)
LEAST_CHANCE = 0.5  # of NO EVIDENCE on the calibration patients, where nothing leaks


@dataclass(frozen=True)
class GroupSizes:
    """The sizes k to try, and whether the calibration patients are enough to choose one.

    Attributes
    ----------
    ks : tuple of int
        In rising order.
    judged : bool
        Whether each of them is made and audited on the calibration patients.
    n_calibration : int
        The number of these patients.
    """

    ks: tuple[int, ...]
    judged: bool
    n_calibration: int

    @classmethod
    def of(cls, k: Any, study: Study, auditor: Any) -> Self:
        """Return the sizes that were given, or with "auto" those that the classes allow.

        With "auto" they are judged only where the audit of the calibration patients would mostly
        say NO EVIDENCE if nothing leaked. A smaller audit is silent about any k.
        """
        ks = candidates(k, study.members)
        n_calibration = study.calibration.n_patients
        enough = not isinstance(k, str) or _chance(study, auditor) >= LEAST_CHANCE
        return cls(ks, len(ks) > 1 and enough, n_calibration)

    @property
    def least(self) -> int:
        """The smallest size."""
        return self.ks[0]

    @property
    def in_order(self) -> tuple[int, ...]:
        """The sizes in the order in which they are tried; if none is judged, the largest first."""
        return self.ks if self.judged else self.ks[::-1]

    @property
    def to_make(self) -> tuple[int, ...]:
        """The sizes that will be made, unless one of them does not work."""
        return self.ks if self.judged else self.ks[-1:]

    def reason(self, k: int, calibration: Mapping[int, Any]) -> str:
        """Return why k was taken."""
        patients = f"{self.n_calibration} calibration patients"
        if not self.judged:
            if len(self.ks) == 1:
                return "no other one was tried"
            return f"the largest of {self.ks}: {patients} are too few to judge a smaller one"
        if recommend_k(calibration) == k:
            return f"the smallest with NO EVIDENCE on {patients}"
        return f"the largest that was tried: none has NO EVIDENCE on {patients}"


def choose_k(calibration: Mapping[int, Any]) -> int:
    """Return the smallest k with NO EVIDENCE, else the largest.

    An audit without a finding is no reason for a smaller k if it would have missed a leak: 30
    calibration patients see nothing at k = 5, and 90 audit patients then see a signal.
    """
    return recommend_k(calibration) or max(calibration)


def candidates(k: Any, members: Cohort) -> tuple[int, ...]:
    """Return the sizes of groups to try: those given, or those that the classes allow.

    Raises
    ------
    ValueError
        When k is not one integer or more from 2 on.
    """
    if isinstance(k, str) and k == "auto":
        most = smallest_class(members) // 2
        return tuple(one for one in CANDIDATES if one <= most) or CANDIDATES[:1]
    values = np.atleast_1d(np.asarray(k))
    if values.dtype.kind not in "iu" or values.ndim != 1 or len(values) == 0 or values.min() < 2:
        raise ValueError(f"k={k!r}; expected an integer of 2 or more, several of them, or 'auto'")
    return tuple(sorted(set(values.tolist())))


def smallest_class(cohort: Cohort) -> int:
    """Return the number of patients of the class that has the fewest."""
    codes = np.zeros(len(cohort.X), np.intp) if cohort.codes is None else cohort.codes
    pairs = np.unique(np.column_stack([codes, cohort.groups]), axis=0)
    return int(np.bincount(pairs[:, 0]).min())


def _chance(study: Study, auditor: Any) -> float:
    """How probably the calibration patients end in NO EVIDENCE, where nothing leaks."""
    settings = auditor.get_params(deep=False)
    return chance_of_no_evidence(
        study.members.n_patients,
        study.calibration.n_patients,
        settings.get("tolerance", 0.05),
        fpr=settings.get("fpr", 0.01),
        confidence=1 - settings.get("alpha", 0.05),
    )

"""The cohorts of an audit: members, held-out records, reference, and how they compare."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentwalk.auditing._draws import Draws, lay_draws
from latentwalk.auditing._results import AuditSets
from latentwalk.auditing._spaces import check_not_constant, extract
from latentwalk.metrics import exposure
from latentwalk.neighbors import ExactNeighbors
from latentwalk.utils import timed

Pair = tuple[NDArray[np.float64], NDArray[np.float64]]  # of members, of held-out subjects


@dataclass(frozen=True, eq=False)
class Cohort:
    """Real records.

    Attributes
    ----------
    features : dict of str to ndarray of shape (n_samples, n_features)
        Rows by feature space; those of LPIPS are float16.
    codes : ndarray of int of shape (n_samples,)
        The subject of each row, from 0 without gaps.
    keys : ndarray of shape (n_samples,)
        Equal for equal records.
    """

    features: dict[str, NDArray[Any]]
    codes: NDArray[np.intp]
    keys: NDArray[np.bytes_]

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def n_subjects(self) -> int:
        """Number of subjects."""
        return int(self.codes.max()) + 1


@dataclass(frozen=True, eq=False)
class Cohorts:
    """The real records of an audit, and how their subjects compare. They are never released.

    Attributes
    ----------
    members : Cohort
        What anything was trained, selected or averaged on.
    holdout : Cohort or None
        Records of other subjects, used for nothing but the audit.
    reference : Cohort or None
        Records of further subjects.
    spaces : dict of str to transformer or None
        The feature spaces; None takes 2-D input as it is.
    draws : Draws
        Images drawn from each subject.
    shape : tuple of int
        The shape of one record.
    cache : dict
        What was made of them and can be made again; it is not pickled.
    """

    members: Cohort
    holdout: Cohort | None
    reference: Cohort | None
    spaces: dict[str, Any]
    draws: Draws
    shape: tuple[int, ...]
    cache: dict[Any, Any] = field(default_factory=dict, repr=False)

    @property
    def pair(self) -> tuple[Cohort, Cohort]:
        """Members and held-out records; raises ValueError where there are no held-out records."""
        if self.holdout is None:
            raise ValueError(
                "the auditor was fitted without X_holdout; without held-out records there is "
                "nothing to compare the members with"
            )
        return self.members, self.holdout

    def real(self, space: str) -> NDArray[Any]:
        """Return features of members, then of held-out records."""
        members, holdout = (cohort.features[space] for cohort in self.pair)
        if members.base is not None and members.base is holdout.base:
            return members.base  # they are its two parts
        return np.concatenate([members, holdout])

    def by_subject(self, values: NDArray[np.float64]) -> Pair:
        """Return values of records, members first, as those of subjects, comparable over strata.

        A subject's value is the smallest over its drawn images.
        """
        return self.split(self.draws.align(self.draws.smallest(values)))

    @property
    def width(self) -> int:
        """The number of features in the widest space."""
        return max(rows.shape[1] for rows in self.members.features.values())

    def split(self, values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return values of subjects as those of members and of held-out subjects."""
        n = self.members.n_subjects
        return values[..., :n], values[..., n:]

    @property
    def is_member(self) -> NDArray[np.bool_]:
        """Whether each subject is a member; members first."""
        return np.arange(len(self.draws.starts)) < self.members.n_subjects

    @property
    def strata(self) -> NDArray[np.intp]:
        """The stratum of each subject; members first."""
        return np.concatenate(self.draws.strata)

    def sizes(self, n_synthetic: int) -> AuditSets:
        """Return the numbers of subjects and records, for a release of `n_synthetic`."""
        holdout, reference = self.holdout, self.reference
        return AuditSets(
            n_members=self.members.n_subjects,
            n_holdout=0 if holdout is None else holdout.n_subjects,
            n_member_images=len(self.members),
            n_holdout_images=0 if holdout is None else len(holdout),
            n_reference_images=0 if reference is None else len(reference),
            n_synthetic=n_synthetic,
            images_per_subject=int(self.draws.n_images.min()),
            n_strata=len(self.draws.n_images),
        )

    @cached_property
    def indices(self) -> dict[str, ExactNeighbors]:
        """The members by feature space, for searches."""
        return {space: ExactNeighbors(rows) for space, rows in self.members.features.items()}

    @cached_property
    def holdout_distances(self) -> dict[str, float]:
        """Mean distance of the held-out records to the nearest member, by feature space."""
        rows = self.pair[1].features
        return {s: float(index.kneighbors(rows[s])[0].mean()) for s, index in self.indices.items()}

    @cached_property
    def sham(self) -> dict[str, Pair]:
        """Exposures to the reference, as if it had been released, by feature space."""
        if self.reference is None:
            return {}
        return {
            space: self.by_subject(exposure(self.real(space), rows))
            for space, rows in self.reference.features.items()
        }

    def __getstate__(self) -> dict[str, Any]:
        # an index of faiss does not pickle, nor do the functions of views
        return {k: v for k, v in self.__dict__.items() if k != "indices"} | {"cache": {}}


def gather_cohorts(
    records: dict[str, NDArray[Any]],
    codes: dict[str, NDArray[np.intp]],
    keys: dict[str, NDArray[np.bytes_]],
    spaces: dict[str, Any],
    seed: int,
    *,
    verbose: bool | int = False,
) -> Cohorts:
    """Make the features of checked records, by the names "X", "X_holdout" and "X_reference"."""

    def cohort(name: str) -> Cohort:
        with timed("PrivacyAuditor", f"features of {name}", verbose=verbose):
            features = extract(spaces, records[name], name)
        check_not_constant(features, name)
        return Cohort(features, codes[name], keys[name])

    found = {name: cohort(name) for name in records}
    if "X_holdout" in found:
        _join(found["X"], found["X_holdout"])
    return Cohorts(
        members=found["X"],
        holdout=found.get("X_holdout"),
        reference=found.get("X_reference"),
        spaces=spaces,
        draws=lay_draws(codes["X"], codes.get("X_holdout", codes["X"][:0]), seed),
        shape=records["X"].shape[1:],
    )


def _join(members: Cohort, holdout: Cohort) -> None:
    """Let the features of both be the two parts of one array, which is then not made again."""
    for space in [*members.features]:
        whole = np.concatenate([members.features.pop(space), holdout.features.pop(space)])
        members.features[space], holdout.features[space] = np.split(whole, [len(members)])

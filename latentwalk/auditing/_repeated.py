"""Two releases of overlapping people: what one gives away once the other is subtracted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from latentwalk.auditing._auditor import PrivacyAuditor
from latentwalk.auditing._checks import check_records
from latentwalk.auditing._cohorts import Cohorts
from latentwalk.auditing._nearness import read_chunks
from latentwalk.auditing._page._text import as_table
from latentwalk.auditing._report import AuditReport
from latentwalk.metrics import Verdict
from latentwalk.neighbors import ExactNeighbors
from latentwalk.utils import to_float

FACTORS = (1.0, 2.0, 5.0, 10.0, 20.0)
WORST_FIRST = (
    Verdict.LEAK,
    Verdict.INVALID,
    Verdict.SIGNAL,
    Verdict.UNDERPOWERED,
    Verdict.NO_EVIDENCE,
)


@dataclass(frozen=True)
class RepeatedRelease:
    """What `audit_repeated_release` returns; print it for a table.

    Attributes
    ----------
    first, second : AuditReport
        Each release by itself.
    differences : AuditReport
        What is computed from both, audited as if it had been released. A verdict that is worse than
        those of the two releases is what the repetition gives away.
    """

    first: AuditReport
    second: AuditReport
    differences: AuditReport

    @property
    def verdict(self) -> Verdict:
        """The worst of the three verdicts."""
        words = {report.verdict for report in self._named().values()}
        return next(word for word in WORST_FIRST if word in words)

    @property
    def reason(self) -> str:
        """What the verdict rests on; of equal verdicts that on the differences."""
        named = reversed(self._named().items())
        name, report = next((n, r) for n, r in named if r.verdict == self.verdict)
        return f"{name.capitalize()}: {report.reason}"

    def __str__(self) -> str:
        head = ("", "Verdict", "Exposed, at least", "Copies", "AUC", "p")
        rows = [
            (
                name,
                str(r.verdict),
                str(r.n_exposed_lower),
                str(r.n_copies),
                f"{r.auc.value:.3f}",
                f"{r.p_value:.2g}",
            )
            for name, r in self._named().items()
        ]
        return as_table(f"Two releases of the same people: {self.verdict}", [head, *rows])

    def _named(self) -> dict[str, AuditReport]:
        return {
            "first release": self.first,
            "second release": self.second,
            "differences": self.differences,
        }


def audit_repeated_release(
    auditor: PrivacyAuditor,
    X_first: ArrayLike,
    X_second: ArrayLike,
    *,
    factors: Sequence[float] = FACTORS,
) -> RepeatedRelease:
    """Audit two releases of overlapping people together: can one be subtracted from the other?

    Where the people of an average a are among those of an average b, the others are in the
    difference: of groups of k and of k + r people the mean of the r others is
    ``b + (k / r) (b - a)``. With one more person this is that person's record. The attacker does
    not know which averages belong together, and takes for each record the nearest one of the other
    release, in both directions, and each of the `factors`. What comes out is audited as if it had
    been released: the exact test holds for anything that is computed from releases.

    Parameters
    ----------
    auditor : PrivacyAuditor
        Fitted on the members of either release, with held-out records of people in none.
    X_first, X_second : array-like of shape (n_first, ...), (n_second, ...)
        The releases.
    factors : sequence of float, default=(1, 2, 5, 10, 20)
        The values of k / r that the attacker tries.

    Returns
    -------
    found : RepeatedRelease
        Three reports and the worst verdict. Each of the audits has a third of the level `alpha`.

    Raises
    ------
    ValueError
        For bad input, no factor, or an auditor without held-out records.

    Notes
    -----
    It finds what an attacker subtracts who knows no more than the releases. That it finds nothing
    does not allow a second release: who knows the groups needs no search.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.auditing import PrivacyAuditor, audit_repeated_release
    >>> X = np.random.default_rng(0).normal(size=(900, 12))
    >>> auditor = PrivacyAuditor(random_state=0).fit(X[:500], X_holdout=X[500:])
    >>> groups = X[:480].reshape(80, 6, 12)  # five people, then one joins each group
    >>> found = audit_repeated_release(auditor, groups[:, :5].mean(axis=1), groups.mean(axis=1))
    >>> found.verdict.value, found.differences.n_copies
    ('LEAK', 80)
    """
    check_is_fitted(auditor)
    cohorts = auditor.cohorts_
    _ = cohorts.pair
    steps = [float(factor) for factor in factors]
    if not steps or not np.isfinite(steps).all() or min(steps) <= 0:
        raise ValueError(f"factors={factors!r}; expected one positive number or more")
    first, second = (
        check_records(auditor, X, reset=False, name=name)
        for X, name in ((X_first, "X_first"), (X_second, "X_second"))
    )
    strict = copy(auditor)
    strict.alpha = auditor.alpha / 3
    made = np.concatenate([*differences(cohorts, first, second, steps)])
    return RepeatedRelease(*(strict.audit(X) for X in (first, second, made)))


def differences(
    cohorts: Cohorts, first: NDArray[Any], second: NDArray[Any], factors: list[float]
) -> Iterator[NDArray[Any]]:
    """Each record moved away from its nearest one in the other release."""
    space = next(iter(cohorts.spaces))
    one = {space: cohorts.spaces[space]}
    rows = [
        np.concatenate([c.features[space] for c in read_chunks(one, X)]) for X in (first, second)
    ]
    records = [to_float(X) if X.ndim == 4 else X for X in (first, second)]
    for here, there in ((0, 1), (1, 0)):
        nearest = ExactNeighbors(rows[there]).kneighbors(rows[here])[1][:, 0]
        apart = records[here] - records[there][nearest]
        for factor in factors:
            moved = records[here] + factor * apart
            yield np.clip(moved, 0, 1) if moved.ndim == 4 else moved

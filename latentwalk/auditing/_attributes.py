"""Attribute disclosure: what a release tells about a member beyond what it tells about anybody."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from latentwalk.auditing._auditor import PrivacyAuditor
from latentwalk.auditing._checks import check_records
from latentwalk.auditing._cohorts import Cohorts
from latentwalk.auditing._nearness import read_chunks
from latentwalk.metrics import Rate, auc, joint_test
from latentwalk.neighbors import ExactNeighbors
from latentwalk.utils import check_targets


@dataclass(frozen=True)
class AttributeDisclosure:
    """What `attribute_disclosure` returns. Subjects are the units.

    Attributes
    ----------
    members_right, holdout_right : float
        Share of the subjects whose value is guessed right: that of the nearest synthetic record.
        The difference is what the release tells about members only.
    p_value : float
        Tests that members are guessed no better, or worse, than held-out subjects.
    auc : Rate
        Probability that the release is surer of a member's true value than of a held-out subject's;
        0.5 is chance.
    """

    members_right: float
    holdout_right: float
    p_value: float
    auc: Rate


def attribute_disclosure(
    auditor: PrivacyAuditor,
    X_syn: ArrayLike,
    y_syn: ArrayLike,
    *,
    y: ArrayLike,
    y_holdout: ArrayLike,
) -> AttributeDisclosure:
    """Measure how well an attacker guesses a member's attribute from the release.

    The attacker holds a person's image and takes the attribute of the nearest synthetic record. A
    useful release tells something about everybody, so members are compared with held-out subjects.
    A score of each real record, how much nearer the release comes with its true value than with
    another, is tested as the audit tests its attacks.

    Parameters
    ----------
    auditor : PrivacyAuditor
        Fitted with held-out records.
    X_syn : array-like of shape (n_synthetic, ...)
        The release.
    y_syn : array-like of shape (n_synthetic,)
        The attribute of each synthetic record, such as the label that is released. For one that is
        not released, give what an attacker could infer.
    y, y_holdout : array-like of shape (n_samples,), (n_holdout,)
        The true attribute of members and of held-out records.

    Returns
    -------
    found : AttributeDisclosure
        Aggregates, in the auditor's first feature space.

    Raises
    ------
    ValueError
        For values of another length, a release with a single value, or no held-out records.

    References
    ----------
    "A consensus privacy metrics framework for synthetic data", Patterns 2025, arXiv 2503.04980.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.auditing import PrivacyAuditor, attribute_disclosure
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(400, 6)), rng.integers(0, 2, 400)
    >>> auditor = PrivacyAuditor(random_state=0).fit(X[:200], X_holdout=X[200:])
    >>> release = X[:200] + 0.3 * rng.normal(size=(200, 6))
    >>> found = attribute_disclosure(auditor, release, y[:200], y=y[:200], y_holdout=y[200:])
    >>> found.members_right > 0.8 > found.holdout_right, found.p_value <= 0.001
    (True, True)
    """
    check_is_fitted(auditor)
    cohorts = auditor.cohorts_
    members, holdout = cohorts.pair
    released = check_records(auditor, X_syn, reset=False, name="X_syn")
    sets = ((y_syn, len(released), "y_syn"), (y, len(members), "y"))
    values = [_check(v, n, name) for v, n, name in (*sets, (y_holdout, len(holdout), "y_holdout"))]
    if len(np.unique(values[0])) < 2:
        raise ValueError("y_syn has a single value; expected two or more, or nothing is disclosed")
    right, margins = _guess(cohorts, released, values[0], np.concatenate(values[1:]))
    draws = cohorts.draws
    shares = np.add.reduceat(right[draws.rows], draws.starts)
    shares = shares / np.diff(np.append(draws.starts, len(draws.rows)))
    exposures = draws.align(draws.smallest(margins))
    joint = joint_test(
        exposures[None],
        cohorts.is_member,
        fpr=auditor.fpr,
        strata=cohorts.strata,
        random_state=draws.seed,
    )
    of_members, of_holdout = (float(part.mean()) for part in cohorts.split(shares))
    area = auc(*cohorts.split(exposures), confidence=1 - auditor.alpha)
    return AttributeDisclosure(of_members, of_holdout, joint.p_value, area)


def _check(values: ArrayLike, n_rows: int, name: str) -> NDArray[np.object_]:
    return np.asarray(check_targets(values, n_rows, name=name))


def _guess(
    cohorts: Cohorts,
    released: NDArray[np.generic],
    y_syn: NDArray[np.object_],
    truth: NDArray[np.object_],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Whether each real record is guessed right, and how much nearer its true value is."""
    space = next(iter(cohorts.spaces))
    one = {space: cohorts.spaces[space]}
    rows = np.concatenate([chunk.features[space] for chunk in read_chunks(one, released)])
    real, names = cohorts.real(space), np.unique(y_syn)
    nearest = [ExactNeighbors(rows[y_syn == v]).kneighbors(real)[0][:, 0] for v in names]
    distances = np.stack(nearest, axis=1)  # (n_real, n_values)
    own = truth[:, None] == names
    known = own.any(axis=1)
    mine = np.where(known, np.where(own, distances, np.inf).min(axis=1), distances.max(axis=1))
    others = np.where(own, np.inf, distances).min(axis=1)
    return (known & (mine <= others)).astype(np.float64), mine - others

"""PrivacyAuditor: does a release say more about its members than about anybody else?"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from latentwalk.auditing._cohorts import (
    RealSet,
    check_apart,
    check_like,
    check_records,
    check_same,
    check_subjects,
)
from latentwalk.auditing._conclude import conclude, describe
from latentwalk.auditing._draws import by_subject, count_sets, draw_plan, run_controls
from latentwalk.auditing._figures import measure_space
from latentwalk.auditing._matches import NearestMatches, match_nearest
from latentwalk.auditing._nearness import measure_nearness
from latentwalk.auditing._per_record import COLUMNS, MEMBER_DISTANCE, is_flagged, row_table
from latentwalk.auditing._report import AuditReport
from latentwalk.auditing._spaces import check_guided_by, check_not_constant, extract, resolve_spaces
from latentwalk.metrics import match_keys, row_keys
from latentwalk.metrics._privacy._duplicates import digest
from latentwalk.neighbors import ExactNeighbors

FITTED = (
    "members_",
    "holdout_",
    "reference_",
    "controls_",
    "spaces_",
    "_seed",
    "_plan",
    "_sham",
    "_indices",
    "_holdout_means",
)


def _has_holdout(estimator: Any) -> bool:
    return not hasattr(estimator, "members_") or estimator.holdout_ is not None


class PrivacyAuditor(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Audit a synthetic release against the real records that it was made from.

    Members are what anything was trained, selected or averaged on; held-out records are of other
    subjects and were touched by nothing. If the release says no more about members than about
    others, the two are exchangeable in how near the release comes to them, which an exact test
    checks in both directions, with subjects as the units.

    A fitted auditor, and so its pickle, holds the features of real records, and with pixels
    these are the images: keep it where the images are kept, or call `forget`.

    Parameters
    ----------
    features : str, transformer, torch.nn.Module, callable, a list of these or a \
            dict by name, default="pixels"
        The feature spaces, see `latentwalk.features`. No network among them should have been
        trained on members, and a transformer that learns must come fitted. 2-D input is features
        already: names change nothing there. Functions and transformers from elsewhere get images
        as float32 in [0, 1], also where they were given as uint8.
    alpha : float, default=0.05
        The level of the test and of the intervals.
    tolerance : float, default=0.05
        The share of exposed members from which a signal is called a leak.
    fpr : float, default=0.01
        The false-positive rate at which the true-positive rate is given.
    n_draws : int, default=1
        Subjects are compared with those of about as many images, and equal numbers are drawn from
        these. So many draws are made where some are left out; with more than one, p-values are
        joined as twice their mean, which depends less on the draw and finds less.
    random_state : int, RandomState or None, default=None
        Seeds draws and permutations.

    Attributes
    ----------
    members_, holdout_, reference_ : RealSet
        Features, subject codes and keys of the real records; None for sets not given.
    controls_ : tuple of Control
        What members and held-out subjects gave without any release.
    n_features_in_ : int
        Values in a record.
    feature_names_in_ : ndarray of shape (n_features,)
        Where `X` was a data frame.

    References
    ----------
    S. Bates et al., "Testing for outliers with conformal p-values", Ann. Statist. 51 (2023).
    N. Carlini et al., "Membership inference attacks from first principles", IEEE S&P 2022, for
    true-positive rates at low false-positive rates.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.auditing import PrivacyAuditor
    >>> rng = np.random.default_rng(0)
    >>> members, holdout = rng.normal(size=(600, 8)), rng.normal(size=(600, 8))
    >>> auditor = PrivacyAuditor(random_state=0).fit(members, X_holdout=holdout)
    >>> auditor.audit(rng.normal(size=(500, 8))).verdict.value
    'NO EVIDENCE'
    >>> noisy_copies = members[:60] + 0.01 * rng.normal(size=(60, 8))
    >>> report = auditor.audit(noisy_copies)
    >>> report.verdict.value, report.n_exposed_lower
    ('LEAK', 57)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "features": "no_validation",
        "alpha": [Interval(Real, 0, 1, closed="neither")],
        "tolerance": [Interval(Real, 0, 1, closed="left")],
        "fpr": [Interval(Real, 0, 1, closed="neither")],
        "n_draws": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        features: Any = "pixels",
        *,
        alpha: float = 0.05,
        tolerance: float = 0.05,
        fpr: float = 0.01,
        n_draws: int = 1,
        random_state: Any = None,
    ) -> None:
        self.features = features
        self.alpha = alpha
        self.tolerance = tolerance
        self.fpr = fpr
        self.n_draws = n_draws
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        X_holdout: ArrayLike | None = None,
        X_reference: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        groups_holdout: ArrayLike | None = None,
    ) -> Self:
        """Take the real records and run the controls.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_channels, height, width) or (n_samples, n_features)
            Members: images, or features as they are.
        y : None
            Ignored.
        X_holdout : array-like of shape (n_holdout, ...), default=None
            Records of other subjects, used for nothing but this audit. Without them `audit`
            describes and gives no verdict.
        X_reference : array-like of shape (n_reference, ...), default=None
            Records of further subjects, for the sham release: a control.
        groups, groups_holdout : array-like of shape (n_samples,), (n_holdout,), default=None
            Subject (patient) ids; None makes every record its own subject.

        Returns
        -------
        self : PrivacyAuditor
            Fitted.

        Raises
        ------
        ValueError
            When sets share a subject or a record, for NaN, constant features, or another length.
        """
        X = check_records(self, X, reset=True)
        given = {"X_holdout": X_holdout, "X_reference": X_reference}
        others = {k: check_like(v, X, k) for k, v in given.items() if v is not None}
        n_holdout = len(others["X_holdout"]) if "X_holdout" in others else None
        codes, codes_holdout = check_subjects(groups, groups_holdout, len(X), n_holdout)
        keys = {name: row_keys(rows) for name, rows in {"X": X, **others}.items()}
        check_apart(keys)
        self._seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        self.spaces_ = resolve_spaces(self.features, X.ndim == 4)
        self.members_ = RealSet(extract(self.spaces_, X, "X"), codes, keys["X"])
        check_not_constant(self.members_.features, "X")
        sets = {
            name: RealSet(extract(self.spaces_, rows, name), np.arange(len(rows)), keys[name])
            for name, rows in others.items()
        }
        for name, real in sets.items():
            check_not_constant(real.features, name)
        self.reference_ = sets.get("X_reference")
        self.holdout_ = None
        if codes_holdout is not None:
            self.holdout_ = sets["X_holdout"]._replace(codes=codes_holdout)
        self._build_indices()
        self._plan = draw_plan(self.members_, self.holdout_, self.n_draws, self._seed)
        self.controls_, self._sham = run_controls(
            self.members_, self.holdout_, self.reference_, self._plan, self.fpr
        )
        self._holdout_means = {
            space: self._mean_minimum(space, rows)
            for space, rows in (self.holdout_.features if self.holdout_ else {}).items()
        }
        return self

    def audit(self, X_syn: ArrayLike, *, guided_by: Sequence[str] = ()) -> AuditReport:
        """Audit a release.

        Parameters
        ----------
        X_syn : array-like of shape (n_synthetic, ...)
            The release, one record or more. It may be a memory map: features are made and searched
            by chunks.
        guided_by : sequence of str, default=()
            Those of the feature spaces that guided, selected or repelled its records. When they
            are all of them, the verdict is never NO EVIDENCE.

        Returns
        -------
        report : AuditReport
            Aggregates.

        Raises
        ------
        ValueError
            For bad input, or a name in `guided_by` that is no audited space.
        """
        check_is_fitted(self)
        X_syn = check_records(self, X_syn, reset=False, name="X_syn")
        guided = check_guided_by(guided_by, list(self.spaces_))
        near = measure_nearness(self.spaces_, X_syn, self._indices, self.members_, self.holdout_)
        given: dict[str, Any] = {
            "n_duplicates": int((match_keys(near.keys, self.members_.keys) >= 0).sum()),
            "n_repeated": len(near.keys) - len(np.unique(near.keys)),
            "alpha": self.alpha,
            "fpr": self.fpr,
            "tolerance": self.tolerance,
            "digest": digest(near.keys),
        }
        sets = count_sets(self.members_, self.holdout_, self.reference_, self._plan, len(X_syn))
        if self.holdout_ is None:
            mean = near.mean_minimum[next(iter(self.spaces_))]
            return describe(mean, sets, guided, **given)
        figures = [
            measure_space(
                *by_subject(values, self.members_, self.holdout_, self._plan),
                alpha=self.alpha,
                fpr=self.fpr,
                n_spaces=len(self.spaces_),
                strata=self._plan.strata,
                space=space,
                guided=space in guided,
                sham=self._sham.get(space),
                mean_minimum_distance=near.mean_minimum[space],
                mean_minimum_distance_holdout=self._holdout_means[space],
            )
            for space, values in near.exposures.items()
        ]
        return conclude(figures, self.controls_, sets, guided, sizes=self._plan.sizes, **given)

    def transform(self, X_syn: ArrayLike) -> NDArray[np.float64]:
        """Return a table with a row for each synthetic record. Internal use only.

        Such rows are an attack surface: they must not be released.

        Parameters
        ----------
        X_syn : array-like of shape (n_synthetic, ...)
            The release, read by chunks as in `audit`.

        Returns
        -------
        table : ndarray of shape (n_synthetic, 7)
            In the first feature space: `member_distance` to the nearest member, its row
            `nearest_member`, `density_ratio` (that distance over half the mean distance to the
            50 nearest members), `holdout_distance`, `collision_p` (the smallest conformal
            p-value of the members whose nearest synthetic record this is; 1 for none),
            `collision` (1 where it is at most `fpr`) and `duplicate` (1 for a copy of a member).
            NaN where held-out records are needed and there are none.

        References
        ----------
        N. Carlini et al., "Extracting training data from diffusion models", USENIX Security
        2023, for the ratio.
        """
        check_is_fitted(self)
        X_syn = check_records(self, X_syn, reset=False, name="X_syn")
        space = next(iter(self.spaces_))
        first, index = {space: self.spaces_[space]}, self._indices[space]
        return row_table(first, X_syn, index, self.members_, self.holdout_, self.fpr)

    def score_samples(self, X_syn: ArrayLike) -> NDArray[np.float64]:
        """Return the distance of each synthetic record to the nearest member; lower is closer."""
        return self.transform(X_syn)[:, MEMBER_DISTANCE]

    @available_if(_has_holdout)
    def predict(self, X_syn: ArrayLike) -> NDArray[np.intp]:
        """Return -1 for synthetic records that collide with a member or copy one, else 1.

        A collision is a member nearer to the release than all but `fpr` of the held-out
        subjects, so that about this share of members collides by chance. Needs `X_holdout`.

        Parameters
        ----------
        X_syn : array-like of shape (n_synthetic, ...)
            The release.

        Returns
        -------
        flags : ndarray of shape (n_synthetic,)
            -1 or 1.
        """
        check_is_fitted(self)
        return np.where(is_flagged(self.transform(X_syn)), -1, 1)

    def nearest_matches(
        self, X_syn: ArrayLike, X: ArrayLike, *, n_matches: int = 12
    ) -> NearestMatches:
        """Return the synthetic records nearest to a member, beside these. Internal use only.

        Parameters
        ----------
        X_syn : array-like of shape (n_synthetic, ...)
            The release.
        X : array-like of shape (n_samples, ...)
            The members as given to `fit`; the auditor keeps features alone.
        n_matches : int, default=12
            Pairs, nearest first.

        Returns
        -------
        matches : NearestMatches
            Holds real records.

        Raises
        ------
        ValueError
            When `X` is not what `fit` was given.
        """
        table = self.transform(X_syn)
        X_syn, X = (check_records(self, rows, reset=False) for rows in (X_syn, X))
        check_same(X, self.members_, "X", "members")
        return match_nearest(table, X_syn, X, n_matches)

    def forget(self) -> Self:
        """Drop everything real: the auditor is then as it was before `fit`.

        Returns
        -------
        self : PrivacyAuditor
            Unfitted.
        """
        for name in FITTED:
            self.__dict__.pop(name, None)
        return self

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return the names of the columns of `transform`."""
        check_is_fitted(self)
        _check_feature_names_in(self, input_features, generate_names=False)
        return np.array(COLUMNS, dtype=object)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "members_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        tags.input_tags.three_d_array = False
        return tags

    def _build_indices(self) -> None:
        self._indices = {
            space: ExactNeighbors(rows) for space, rows in self.members_.features.items()
        }

    def _mean_minimum(self, space: str, rows: NDArray[Any]) -> float:
        """The mean distance to the nearest member."""
        return float(self._indices[space].kneighbors(rows)[0].mean())

    def __getstate__(self) -> Any:
        # the index of faiss does not pickle, and is made of the features
        return {k: v for k, v in super().__getstate__().items() if k != "_indices"}

    def __setstate__(self, state: Any) -> None:
        super().__setstate__(state)
        if hasattr(self, "members_"):
            self._build_indices()

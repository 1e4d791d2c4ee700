"""PrivacyAuditor: does a release say more about its members than about anybody else?"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from latentwalk.auditing._attacks._knowledge import AttackerKnowledge
from latentwalk.auditing._attacks._panels import PANELS, Panel, resolve_panel
from latentwalk.auditing._attributes import Attributes
from latentwalk.auditing._audit import audit_release, check_inquiry
from latentwalk.auditing._checks import (
    check_apart,
    check_like,
    check_records,
    check_same,
    check_subjects,
)
from latentwalk.auditing._cohorts import gather_cohorts
from latentwalk.auditing._controls import run_controls
from latentwalk.auditing._per_record import (
    COLUMNS,
    Column,
    NearestMatches,
    is_flagged,
    match_nearest,
    member_table,
    row_table,
)
from latentwalk.auditing._report import AuditReport
from latentwalk.auditing._results import AuditSettings
from latentwalk.auditing._spaces import resolve_spaces
from latentwalk.auditing._subgroups import By
from latentwalk.metrics import row_keys
from latentwalk.utils import timed


def _can_predict(estimator: Any) -> bool:
    """Whether there are held-out records, or nothing is known yet."""
    if hasattr(estimator, "cohorts_") and estimator.cohorts_.holdout is None:
        raise AttributeError(
            "predict needs held-out records, which tell what is near by chance: fit with X_holdout"
        )
    return True


class PrivacyAuditor(TransformerMixin, BaseEstimator):
    """Audit a synthetic release against the real records that it was made from.

    Members are what anything was trained, selected or averaged on. Held-out records are of other
    subjects and were used for nothing else. If the release says no more about members than about
    others, no attack can tell the two apart, except by chance. A panel of attacks tries, each in
    several views of the records; subjects are the units, and one joint test pays for all attempts.

    A fitted auditor, and so its pickle, holds the features of real records, and with pixels
    these are the images: keep it where the images are kept, or call `forget`.

    Parameters
    ----------
    features : str, transformer, torch.nn.Module, callable, a list of these or a \
            dict by name, default="auto"
        The feature spaces, see `latentwalk.features`. "auto" is pixels and LPIPS; images under 16
        pixels have pixels only. No network among them should have been trained on members, and a
        transformer that learns must come fitted. 2-D input is features already: names change
        nothing there. Functions and transformers from elsewhere get images as float32 in [0, 1],
        also where they were given as uint8.
    panel : {"quick", "full"} or Panel, default="quick"
        The attacks and the views of each feature space in which they are tried. "quick" has those
        that found most for their time, "full" has all and an attacker who learns from their scores.
    alpha : float, default=0.05
        The level of the test and of the intervals.
    tolerance : float, default=0.05
        The share of exposed members from which a signal is called a leak.
    fpr : float, default=0.01
        The false-positive rate at which the true-positive rate is given.
    random_state : int, RandomState or None, default=None
        Seeds draws and permutations.
    verbose : bool or int, default=False
        Whether to print a line for each set, each view and each further step, with its time.

    Attributes
    ----------
    cohorts_ : Cohorts
        The real records: features, subject codes and keys. The one attribute that is private.
    controls_ : tuple of Control
        Tests that members and held-out subjects do not differ before any release.
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
    ('LEAK', 55)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "features": "no_validation",
        "panel": [StrOptions(set(PANELS)), Panel],
        "alpha": [Interval(Real, 0, 1, closed="neither")],
        "tolerance": [Interval(Real, 0, 1, closed="left")],
        "fpr": [Interval(Real, 0, 1, closed="neither")],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        features: Any = "auto",
        *,
        panel: str | Panel = "quick",
        alpha: float = 0.05,
        tolerance: float = 0.05,
        fpr: float = 0.01,
        random_state: Any = None,
        verbose: bool | int = False,
    ) -> None:
        self.features = features
        self.panel = panel
        self.alpha = alpha
        self.tolerance = tolerance
        self.fpr = fpr
        self.random_state = random_state
        self.verbose = verbose

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
        groups_reference: ArrayLike | None = None,
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
            Records of further subjects. They are the sham release of a control, and what an
            attacker knows about people in general.
        groups, groups_holdout, groups_reference : array-like of shape (n_samples,), \
                (n_holdout,), (n_reference,), default=None
            Subject (patient) ids of every set; None makes every record its own subject.

        Returns
        -------
        self : PrivacyAuditor
            Fitted.

        Raises
        ------
        ValueError
            When two sets share a subject or a record, for ids of one set without those of another,
            NaN, constant features, or another length.

        Warns
        -----
        UserWarning
            When ids of two sets differ in leading zeros, spaces or case alone.
        """
        X = check_records(self, X, reset=True)
        given = {"X_holdout": X_holdout, "X_reference": X_reference}
        records = {"X": X} | {
            name: check_like(rows, X.shape[1:], name)
            for name, rows in given.items()
            if rows is not None
        }
        groups_of = {"X": groups, "X_holdout": groups_holdout, "X_reference": groups_reference}
        codes = check_subjects(groups_of, {name: len(rows) for name, rows in records.items()})
        keys = {name: row_keys(rows) for name, rows in records.items()}
        check_apart(keys)
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        spaces = resolve_spaces(self.features, X.shape[1:])
        self.cohorts_ = gather_cohorts(records, codes, keys, spaces, seed, verbose=self.verbose)
        with timed("PrivacyAuditor", "controls", verbose=self.verbose):
            panel = resolve_panel(self.panel)
            self.controls_ = run_controls(self.cohorts_, panel, self._settings())
        return self

    def audit(
        self,
        X_syn: ArrayLike,
        *,
        pipeline: Any = None,
        guided_by: Sequence[str] = (),
        attacks: Sequence[str] = (),
        knowledge: AttackerKnowledge | None = None,
        by: By | None = None,
        attributes: Attributes | None = None,
    ) -> AuditReport:
        """Attack a release with the panel, and conclude.

        Parameters
        ----------
        X_syn : array-like of shape (n_synthetic, ...)
            The release, one record or more. It may be a memory map: features are made and searched
            by chunks.
        pipeline : Pipeline or estimator, default=None
            What made the release. Its steps say which feature spaces guided, selected or repelled
            the records (`guided_spaces_`), so `guided_by` is not needed for them.
        guided_by : sequence of str, default=()
            Feature spaces among the audited ones that guided, selected or repelled the records in
            another way. If all audited spaces did, the verdict is never NO EVIDENCE.
        attacks : sequence of str, default=()
            Names in `ATTACKS` that join the panel, in the feature spaces as they are.
        knowledge : AttackerKnowledge, default=None
            What attackers hold besides the release, such as an inverter. The attacks that need it
            then join the panel.
        by : mapping of str to pair of array-like of shape (n_samples,), (n_holdout,), default=None
            Values of members and of held-out records, such as ``{"class": (y, y_out)}``. The panel
            is tested within each value too. These tests have the level `alpha` for themselves, and
            what they find changes the verdict.
        attributes : mapping of str to three array-like of shape (n_synthetic,), (n_samples,), \
                (n_holdout,), default=None
            Values of the release, of members and of held-out records, such as the released label
            ``{"label": (y_syn, y, y_out)}``. For an attribute that is not released, give what an
            attacker could infer. The report says how much better members are guessed.

        Returns
        -------
        report : AuditReport
            Aggregates only.

        Raises
        ------
        ValueError
            For bad input, a name in `guided_by` that is not an audited space, a name in `attacks`
            that is unknown or lacks what it needs, or values of another length.
        """
        check_is_fitted(self)
        X_syn = check_records(self, X_syn, reset=False, name="X_syn")
        inquiry = check_inquiry(
            self.cohorts_,
            len(X_syn),
            pipeline=pipeline,
            guided_by=guided_by,
            attacks=attacks,
            knowledge=knowledge,
            by=by,
            attributes=attributes,
        )
        return audit_release(
            self.cohorts_,
            self.controls_,
            X_syn,
            inquiry,
            resolve_panel(self.panel),
            self._settings(),
            verbose=self.verbose,
        )

    def transform(self, X_syn: ArrayLike) -> NDArray[np.float64]:
        """Return a table with a row for each synthetic record. It must never be released.

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
        return row_table(self.cohorts_, X_syn, self.fpr)

    def fit_transform(
        self, X: ArrayLike, y: ArrayLike | None = None, **fit_params: Any
    ) -> NDArray[np.float64]:
        """Fit, and return the table of the members themselves, each against the others.

        A member is never its own neighbour, as in `sklearn.neighbors.LocalOutlierFactor`: this is
        not ``fit(X).transform(X)``, in which every member is a copy of itself.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Members.
        y : None
            Ignored.
        **fit_params : array-like
            See `fit`.

        Returns
        -------
        table : ndarray of shape (n_samples, 7)
            See `transform`. It must never be released.
        """
        return member_table(self.fit(X, y, **fit_params).cohorts_, self.fpr)

    def fit_predict(
        self, X: ArrayLike, y: ArrayLike | None = None, **fit_params: Any
    ) -> NDArray[np.intp]:
        """Fit, and return -1 for members that collide with another member or copy one, else 1.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Members.
        y : None
            Ignored.
        **fit_params : array-like
            See `fit`; `X_holdout` is needed.

        Returns
        -------
        flags : ndarray of shape (n_samples,)
            -1 or 1, each member against the others as in `fit_transform`.

        Raises
        ------
        ValueError
            Without held-out records.
        """
        cohorts = self.fit(X, y, **fit_params).cohorts_
        _ = cohorts.pair
        return np.where(is_flagged(member_table(cohorts, self.fpr)), -1, 1)

    def score_samples(self, X_syn: ArrayLike) -> NDArray[np.float64]:
        """Return the distance of each synthetic record to the nearest member; lower is closer."""
        check_is_fitted(self)
        X_syn = check_records(self, X_syn, reset=False, name="X_syn")
        return row_table(self.cohorts_, X_syn, self.fpr)[:, Column.MEMBER_DISTANCE]

    @available_if(_can_predict)
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
        X_syn = check_records(self, X_syn, reset=False, name="X_syn")
        return np.where(is_flagged(row_table(self.cohorts_, X_syn, self.fpr)), -1, 1)

    def nearest_matches(
        self, X_syn: ArrayLike, X: ArrayLike, *, n_matches: int = 12
    ) -> NearestMatches:
        """Return the synthetic records nearest to a member, and these. Never to be released.

        Parameters
        ----------
        X_syn : array-like of shape (n_synthetic, ...)
            The release.
        X : array-like of shape (n_samples, ...)
            The members as given to `fit`; the auditor keeps features alone.
        n_matches : int, default=12
            Pairs, nearest first. Each member is shown once.

        Returns
        -------
        matches : NearestMatches
            Holds real records.

        Raises
        ------
        ValueError
            When `X` is not what `fit` was given.
        """
        check_is_fitted(self)
        X_syn = check_records(self, X_syn, reset=False, name="X_syn")
        X = check_records(self, X, reset=False)
        check_same(X, self.cohorts_.members.keys, "X", "members")
        return match_nearest(row_table(self.cohorts_, X_syn, self.fpr), X_syn, X, n_matches)

    def forget(self) -> Self:
        """Drop everything real: the auditor is then as it was before `fit`.

        Returns
        -------
        self : PrivacyAuditor
            Unfitted.
        """
        for name in ("cohorts_", "controls_"):
            self.__dict__.pop(name, None)
        return self

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return the names of the columns of `transform`."""
        check_is_fitted(self)
        _check_feature_names_in(self, input_features, generate_names=False)
        return np.array(COLUMNS, dtype=object)

    def _settings(self) -> AuditSettings:
        return AuditSettings(self.alpha, self.fpr, self.tolerance)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "cohorts_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        tags.input_tags.three_d_array = False
        return tags

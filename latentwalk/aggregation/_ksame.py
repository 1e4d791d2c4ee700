"""KSameAggregator: from rows to the prototypes of their groups of k subjects."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from latentwalk.aggregation._cells import fit_cells, nearest_cell
from latentwalk.aggregation._classes import split_classes
from latentwalk.aggregation._guarantees import check_guarantees, count_subjects
from latentwalk.aggregation._subjects import fuse_units, group_means
from latentwalk.utils import check_groups, validate_latents


class KSameAggregator(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Replace each latent by the mean of a group of at least k subjects of its class.

    A subject is a patient. Groups are formed within a class and of whole subjects. All rows of a
    subject in a class move together and weigh together as one: a prototype is the mean of its
    subjects' means, and no subject makes up more than 1/k of it. Exact copies of a row move
    together too, even if they have different ids. They count once towards k and weigh once, because
    one image under two ids may be one patient who was registered twice.

    `fit_transform` is the release path: each row becomes the prototype of its fitted group, and the
    guarantee of k holds for it. `transform` is for new rows: it gives the prototype of the nearest
    power cell over all classes. It knows neither y nor subjects, and it only hides a new row among
    the prototypes that exist. With one class, no groups and the power diagram, both give the same
    on the training rows, to the last bit (up to rows so close that float64 cannot tell them apart).
    Elsewhere they differ: the rows of a subject follow the subject's mean, and not each its own
    nearest cell.

    k-same alone does not hide membership, and a release as a whole is not k-anonymous: see the user
    guide.

    Parameters
    ----------
    k : int, default=5
        The smallest number of distinct subjects in a group, at least 2. A class needs k subjects
        here, and 2k for `latentwalk.GuidedWalker`, whose paths join two prototypes.
    method : {"power_diagram", "mdav"}, default="power_diagram"
        "power_diagram" finds the groups of the least squared error for their sites by linear
        programs. "mdav" is the greedy classic that it starts from, for comparison. With "mdav",
        `transform` takes the nearest prototype.
    n_jobs : int, default=None
        Classes, and the coarse blocks of large classes, that are grouped at the same time, see
        joblib.
    random_state : int, RandomState instance or None, default=None
        Cuts classes of more than 10,000 units into coarse blocks, and breaks ties. A unit is a
        subject, or several who share a copy of a row.
    verbose : bool or int, default=False
        Show a progress bar.

    Attributes
    ----------
    prototypes_ : ndarray of shape (n_prototypes, n_features)
        Float32.
    prototype_targets_ : ndarray of shape (n_prototypes,) or None
        The class of each prototype; None if fit had no y.
    cluster_sizes_ : ndarray of shape (n_prototypes,)
        The number of distinct subjects of each group, at least k. It is at most 2k - 1 unless
        subjects share exact copies of a row.
    labels_ : ndarray of shape (n_samples,)
        The group of each training row.
    inertia_ : float
        The sum of squared distances of units to their prototypes.
    n_features_in_ : int
        The width of the latents.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        The names of columns, where X had string names.

    See Also
    --------
    latentwalk.aggregation.power_diagram : The grouping of one class.
    latentwalk.aggregation.mdav : The greedy grouping.

    Notes
    -----
    A fitted aggregator holds no training row, hash or subject id. Prototypes, sites (means of at
    least k subjects) and weights are enough to place new rows. But `labels_` says which rows share
    a group, so a fitted aggregator is private and does not belong in a release. A class with k
    subjects but fewer than k distinct rows becomes one group. If all its rows are copies of one
    row, the prototype equals that row.

    References
    ----------
    E. Newton, L. Sweeney and B. Malin, "Preserving privacy by de-identifying face images", IEEE
    TKDE 17 (2005), for k-same. F. Aurenhammer, F. Hoffmann and B. Aronov, "Minkowski-type theorems
    and least-squares clustering", Algorithmica 20 (1998), for the power diagram.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk import KSameAggregator
    >>> rng = np.random.default_rng(0)
    >>> W, patient = rng.normal(size=(40, 8)), np.repeat(np.arange(20), 2)
    >>> aggregator = KSameAggregator(k=5)
    >>> aggregator.fit_transform(W, groups=patient).shape
    (40, 8)
    >>> aggregator.prototypes_.shape, aggregator.cluster_sizes_
    ((4, 8), array([5, 5, 5, 5]))
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "k": [Interval(Integral, 2, None, closed="left")],
        "method": [StrOptions({"power_diagram", "mdav"})],
        "n_jobs": [None, Integral],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    prototypes_: NDArray[np.float32]
    prototype_targets_: NDArray[Any] | None
    cluster_sizes_: NDArray[np.intp]
    labels_: NDArray[np.intp]
    inertia_: float
    n_features_in_: int

    def __init__(
        self,
        k: int = 5,
        *,
        method: str = "power_diagram",
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool | int = False,
    ) -> None:
        self.k = k
        self.method = method
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: ArrayLike, y: ArrayLike | None = None, *, groups: ArrayLike | None = None
    ) -> KSameAggregator:
        """Form the groups.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Latents; taken as float32.
        y : array-like of shape (n_samples,), default=None
            Class labels; None is one class.
        groups : array-like of shape (n_samples,), default=None
            Subject (patient) ids; None makes every row its own subject.

        Returns
        -------
        self : KSameAggregator

        Raises
        ------
        ValueError
            For NaN, missing labels or ids, or a class of fewer than k subjects.
        """
        self._fit(self._check_rows(X, reset=True), y, groups)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_transform(
        self, X: ArrayLike, y: ArrayLike | None = None, *, groups: ArrayLike | None = None
    ) -> NDArray[np.float32]:
        """Form the groups and replace each row by its group's prototype: the release path.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Latents; taken as float32.
        y : array-like of shape (n_samples,), default=None
            Class labels; None is one class.
        groups : array-like of shape (n_samples,), default=None
            Subject (patient) ids; None makes every row its own subject.

        Returns
        -------
        W : ndarray of shape (n_samples, n_features)
            Float32, row for row. Each is the mean of at least k subjects.

        Raises
        ------
        ValueError
            For NaN, missing labels or ids, or a class of fewer than k subjects.
        """
        self._fit(self._check_rows(X, reset=True), y, groups)
        return self.prototypes_[self.labels_]

    def transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """Give new rows the prototype of the nearest power cell over all classes.

        This is not the release path: nothing is promised about k for the rows given here.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Latents.

        Returns
        -------
        W : ndarray of shape (n_samples, n_features)
            Float32.
        """
        check_is_fitted(self)
        return self.prototypes_[nearest_cell(self._cells, self._check_rows(X, reset=False))]

    def _check_rows(self, X: Any, *, reset: bool) -> NDArray[np.float32]:
        return validate_latents(self, X, reset=reset, n_least=2 if reset else 1, name="X")

    def _fit(self, X: NDArray[np.float32], y: Any, groups: Any) -> None:
        subjects = check_groups(groups, len(X))
        classes = split_classes(y, subjects, self.k)
        units = [fuse_units(X[rows], subjects[rows]) for rows in classes.rows]
        labels, self._cells = fit_cells(
            [u.points for u in units],
            self.k,
            self.method,
            n_jobs=self.n_jobs,
            random_state=self.random_state,
            verbose=self.verbose,
        )
        prototypes: list[NDArray[np.float64]] = []
        self.inertia_, first = 0.0, 0
        self.labels_ = np.empty(len(X), dtype=np.intp)
        for rows, unit, group in zip(classes.rows, units, labels, strict=True):
            prototypes.append(group_means(unit.points, group))
            self.inertia_ += float(np.square(unit.points - prototypes[-1][group]).sum())
            self.labels_[rows] = group[unit.labels] + first
            first += len(prototypes[-1])
        self.prototypes_ = np.concatenate(prototypes).astype(np.float32)
        self.prototype_targets_ = None
        if classes.targets is not None:
            self.prototype_targets_ = np.repeat(classes.targets, [len(p) for p in prototypes])
        self.cluster_sizes_ = count_subjects(self.labels_, subjects)
        check_guarantees(self.labels_, classes.rows, subjects, [u.labels for u in units], self.k)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

"""KSameAggregator: rows to the prototypes of their groups of k subjects."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from latentwalk.aggregation._cells import fit_cells, nearest_cell
from latentwalk.aggregation._classes import Classes, split_classes
from latentwalk.aggregation._guarantees import check_guarantees, count_subjects
from latentwalk.aggregation._subjects import fuse_units, group_means
from latentwalk.utils import check_groups


class KSameAggregator(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Replace each latent by the mean of a group of at least k subjects of its class.

    Groups are formed within a class and of whole subjects: all rows of a subject in a class move
    together and weigh together as one, so that a prototype is the mean of its subjects' means and
    nobody makes up more than 1/k of it. Exact copies of a row move together too, whosever they
    are; they count once towards k and weigh once, because one image under two ids may well be one
    patient registered twice.

    `fit_transform` is the release path: each row becomes its fitted group's prototype, and the
    guarantee of k holds for it. `transform` is for new rows: it gives the prototype of the nearest
    power cell over all classes, knows neither y nor subjects, and adds no protection for the new
    row beyond hiding it among the prototypes that exist. With one class, no groups and the power
    diagram both give the same on the training rows, to the last bit (up to rows so close that
    float64 cannot tell them apart). Elsewhere they differ: a subject's rows follow its mean, not
    each its own nearest cell.

    k-same is not membership-private by itself, and a release as a whole is not k-anonymous: see
    the user guide.

    Parameters
    ----------
    k : int, default=5
        The fewest distinct subjects in a group, at least 2.
    method : {"power_diagram", "mdav"}, default="power_diagram"
        "power_diagram" finds groups of the least squared error for their sites by linear
        programs; "mdav" is the greedy classic that it starts from, there for comparison. With
        "mdav", `transform` takes the nearest prototype.
    small_classes : {"error", "drop"}, default="error"
        What to do with a class of fewer than k subjects: raise, or leave it out. The rows of a
        class left out enter no prototype and have the label -1 in `labels_`; to keep the rows
        aligned, `fit_transform` treats them as new rows, exactly as `transform` would. Their
        output is another class's prototype: take them out of a release with ``labels_ >= 0``.
    n_jobs : int, default=None
        Classes and the coarse blocks of large classes grouped side by side, see joblib.
    random_state : int, RandomState instance or None, default=None
        Cuts classes of more than 10,000 units into coarse blocks, and breaks ties.

    Attributes
    ----------
    prototypes_ : ndarray of shape (n_prototypes, n_features)
        Float32.
    prototype_targets_ : ndarray of shape (n_prototypes,) or None
        The class of each prototype; None where fit had no y.
    cluster_sizes_ : ndarray of shape (n_prototypes,)
        The number of distinct subjects of each group, at least k. It is at most 2k - 1 unless
        subjects share exact copies of a row.
    labels_ : ndarray of shape (n_samples,)
        The group of each training row; -1 where its class was left out.
    dropped_classes_ : ndarray of shape (n_dropped,) or None
        The classes left out; None where fit had no y.
    inertia_ : float
        The sum of squared distances of subjects (copies counted once) to their prototypes.
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
    A fitted aggregator holds no training row, hash or subject id: only prototypes, sites (means of
    at least k subjects) and weights place new rows. `labels_` says which rows share a group,
    though: who is with whom. A fitted aggregator is private and is no part of a release. A
    class with k subjects but fewer than k distinct rows becomes one group; if all its rows are
    copies of one, the prototype equals that one.

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

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "k": [Interval(Integral, 2, None, closed="left")],
        "method": [StrOptions({"power_diagram", "mdav"})],
        "small_classes": [StrOptions({"error", "drop"})],
        "n_jobs": [None, Integral],
        "random_state": ["random_state"],
    }

    prototypes_: NDArray[np.float32]
    prototype_targets_: NDArray[Any] | None
    cluster_sizes_: NDArray[np.intp]
    labels_: NDArray[np.intp]
    dropped_classes_: NDArray[Any] | None
    inertia_: float
    n_features_in_: int

    def __init__(
        self,
        k: int = 5,
        *,
        method: str = "power_diagram",
        small_classes: str = "error",
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.k = k
        self.method = method
        self.small_classes = small_classes
        self.n_jobs = n_jobs
        self.random_state = random_state

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
            Float32, row for row. Each row of a class that was kept is the mean of at least k
            subjects.

        Raises
        ------
        ValueError
            For NaN, missing labels or ids, or a class of fewer than k subjects.
        """
        rows = self._check_rows(X, reset=True)
        self._fit(rows, y, groups)
        cells, dropped = self.labels_.copy(), self.labels_ < 0
        if dropped.any():
            cells[dropped] = nearest_cell(self._cells, rows[dropped])
        return self.prototypes_[cells]

    def transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """Give new rows the prototype of the nearest power cell over all classes.

        This is no release path: it promises nothing about k for the rows given here.

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
        n_least = 2 if reset else 1
        checked: NDArray[np.float32] = validate_data(
            self, X, dtype=np.float32, reset=reset, ensure_min_samples=n_least
        )
        return checked

    def _fit(self, X: NDArray[np.float32], y: Any, groups: Any) -> None:
        subjects = check_groups(groups, len(X))
        classes = split_classes(y, subjects, self.k, drop=self.small_classes == "drop")
        units = [fuse_units(X[rows], subjects[rows]) for rows in classes.rows]
        labels, self._cells = fit_cells(
            [u.points for u in units],
            self.k,
            self.method,
            n_jobs=self.n_jobs,
            random_state=self.random_state,
        )
        prototypes = [group_means(u.points, c) for u, c in zip(units, labels, strict=True)]
        self.prototypes_ = np.concatenate(prototypes).astype(np.float32)
        self.inertia_ = float(
            sum(
                np.square(u.points - p[c]).sum()
                for u, p, c in zip(units, prototypes, labels, strict=True)
            )
        )
        self.labels_ = np.full(len(X), -1, dtype=np.intp)
        first = 0
        for rows, u, c, p in zip(classes.rows, units, labels, prototypes, strict=True):
            self.labels_[rows] = c[u.labels] + first
            first += len(p)
        self._keep_targets(classes, [len(p) for p in prototypes])
        self.cluster_sizes_ = count_subjects(self.labels_, subjects)
        check_guarantees(self.labels_, classes.rows, subjects, [u.labels for u in units], self.k)

    def _keep_targets(self, classes: Classes, n_prototypes: list[int]) -> None:
        self.prototype_targets_ = self.dropped_classes_ = None
        if classes.targets is not None:
            self.prototype_targets_ = np.repeat(classes.targets, n_prototypes)
            self.dropped_classes_ = classes.dropped

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

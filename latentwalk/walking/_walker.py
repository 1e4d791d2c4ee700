"""GuidedWalker: a synthetic latent for every row, on checked paths between prototypes."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.utils import Tags
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from latentwalk.neighbors import ExactNeighbors
from latentwalk.walking._fitting import WalkFitting
from latentwalk.walking._release import slot_paths


class GuidedWalker(ClassNamePrefixFeaturesOutMixin, WalkFitting, TransformerMixin, BaseEstimator):
    """Walk between prototypes where nobody is recognised: PLAN, batched and checked.

    Prototypes of a class are joined by a tour of paths in the generator's latent space. A path
    starts as the straight line, and its inner points move to where the identity classifier
    recognises no subject and the label classifier still sees the class, while the path stays
    short. Every point is then decoded and measured. `fit_transform` gives each row a point of its
    own on a path that touches the row's prototype; the ends, which are the prototypes themselves,
    are never released.

    The objective "worst-point" is ``length_weight * (E - 1) + identity_weight * I + class_weight *
    C`` with E the path's energy over that of the straight line, I a smooth maximum over the points
    of the log of the highest identity posterior, and C the mean cross-entropy of the class. "plan"
    is the published one, with its own weights; "linear" leaves the straight lines, as the baseline.

    `repulsion` adds a hinge away from the nearest real images, in pixels. A release that was walked
    with it keeps a distance that an attacker can look for, and its pixel distances say nothing
    about others: the audit must use another feature space, and name that of the pixels in
    ``guided_by``.

    A low identity posterior says what this guide does not recognise; `PrivacyAuditor` measures
    what a release exposes.

    Parameters
    ----------
    generator : Generator
        Decodes the latents.
    identity_classifier : IdentityClassifier, other fitted classifier with a torch ``module_``, or \
nn.Module
        Recognises the subjects. A fitted one is used as it is (a copy is frozen), any other is
        cloned and fitted on `X_real`. Where scikit-learn clones the walker, put a fitted guide in
        a `sklearn.frozen.FrozenEstimator`. None only with a `repulsion`, ``selection="uniform"``
        and ``max_identity=None``: nothing then says which points are safer.
    label_classifier : same, default=None
        Recognises the classes; without one only the ends keep a path in its class.
    n_points : int, default=50
        Points of a path, both ends included.
    max_iter : int, default=20
        Steps of Adam, or evaluations a path of L-BFGS.
    objective : {"worst-point", "plan", "linear"}, default="worst-point"
        What the paths minimise.
    identity_weight, class_weight, length_weight : float, default=1.0
        The terms of "worst-point"; `identity_weight` also counts up in retries.
    repulsion : float, default=0.0
        Weight of a further term of "worst-point", for collections with too many subjects for an
        identity classifier, beside one or in its place: the mean over the points of
        ``max(0, 1 - d / m)``, with d the root mean square pixel difference to the nearest image of
        `X_real` and m the median of these images' own nearest distances. Needs `X_real`.
    solver : {"adam", "lbfgs"}, default="adam"
        "adam" walks many paths at once on points drawn afresh in each step; "lbfgs" takes one path
        after the other on all of its points.
    learning_rate : float, default=0.05
        Of Adam, relative to the distance of the ends.
    points_per_step : int, default=4
        Points of a path in a step of Adam.
    n_modes : int, default=16
        Sine waves of a path; at most ``n_points - 2`` are used.
    tol : float, default=1e-4
        A path stops when its objective improves by less.
    pairing : {"near", "random"}, default="near"
        The order of the tour: on to the nearest prototype left, or to any.
    selection : {"safest", "uniform"}, default="safest"
        Release the points of a path with the lowest identity posterior, some way apart, or evenly
        spaced ones.
    max_identity : float or None, default=None
        Points with a higher identity posterior are not released.
    n_retries : int, default=2
        Times that paths with points over `max_identity` are walked again, with four times the
        identity weight of the time before.
    duplicate_distance : float, default=0.02
        Points whose image is this near to a real one (root mean square over pixels in [0, 1]) are
        not released: near-exact duplicates, by an absolute rule. Needs `X_real`.
    truncation_psi : float or None, default=None
        Draw the prototypes towards the mean latent before the walk; 1 or None leaves them.
    random_state : int, RandomState instance or None, default=None
        Seeds tours, steps and samples.
    verbose : bool or int, default=False
        Show progress bars.

    Attributes
    ----------
    paths_ : ndarray of shape (n_paths, n_points, n_features)
        The walks, ends included.
    path_targets_ : ndarray of shape (n_paths,)
        The class of each path; 0 without y.
    path_pairs_ : ndarray of shape (n_paths, 2)
        The prototypes that each path joins.
    prototypes_ : ndarray of shape (n_prototypes, n_features)
        The distinct latents of each class, after truncation.
    prototype_targets_ : ndarray of shape (n_prototypes,)
        Their classes.
    path_identity_ : ndarray of shape (n_paths, n_points)
        The highest identity posterior of each point; only with an identity classifier.
    path_class_proba_ : ndarray of shape (n_paths, n_points)
        The posterior of the path's class; only with a label classifier and y.
    path_distance_ : ndarray of shape (n_paths, n_points)
        Root mean square pixel difference to the nearest real image; only with `X_real`.
    manifold_distance_ : ndarray of shape (n_paths, n_points)
        Root mean square distance from the mean latent in its standard deviations: about 1 for the
        generator's own samples.
    rejected_ : ndarray of bool of shape (n_paths, n_points)
        Inner points over a bound, that are not released.
    n_rejected_ : dict
        Their number under "identity" and "duplicate".
    released_path_, released_time_, released_identity_, released_class_proba_, released_distance_
        Arrays of shape (n_samples,): the same figures for the rows of `fit_transform`, and where on
        which path they lie. NaN where there was nothing to measure with.
    identity_classifier_, label_classifier_ : fitted guides
        Those that were used.
    classes_ : ndarray of shape (n_classes,)
        The classes of y.
    n_iter_ : int
        The most steps that a path took.
    n_features_in_ : int
        Width of a latent.

    References
    ----------
    Pennisi et al., "A Privacy-Preserving Walk in the Latent Space of Generative Models for Medical
    Applications", MICCAI 2023, arXiv:2307.02984.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from latentwalk import Generator, GuidedWalker, IdentityClassifier
    >>> decoder = torch.nn.Sequential(torch.nn.Linear(4, 64), torch.nn.Unflatten(1, (1, 8, 8)))
    >>> generator = Generator.from_module(decoder, w_dim=4, image_shape=(1, 8, 8))
    >>> X, W = generator.sample(12, random_state=0)
    >>> guide = IdentityClassifier(max_iter=2, random_state=0).fit(X)
    >>> prototypes = W.reshape(3, 4, 4).mean(axis=1).repeat(4, axis=0)
    >>> walker = GuidedWalker(generator, guide, n_points=10, max_iter=5, random_state=0)
    >>> walker.fit_transform(prototypes).shape
    (12, 4)
    >>> walker.paths_.shape
    (3, 10, 4)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "generator": [HasMethods(["decode"])],
        "identity_classifier": "no_validation",
        "label_classifier": "no_validation",
        "n_points": [Interval(Integral, 3, None, closed="left")],
        "n_modes": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "objective": [StrOptions({"worst-point", "plan", "linear"})],
        "identity_weight": [Interval(Real, 0, None, closed="left")],
        "class_weight": [Interval(Real, 0, None, closed="left")],
        "length_weight": [Interval(Real, 0, None, closed="left")],
        "repulsion": [Interval(Real, 0, None, closed="left")],
        "solver": [StrOptions({"adam", "lbfgs"})],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "points_per_step": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "pairing": [StrOptions({"near", "random"})],
        "selection": [StrOptions({"safest", "uniform"})],
        "max_identity": [Interval(Real, 0, 1, closed="right"), None],
        "n_retries": [Interval(Integral, 0, None, closed="left")],
        "duplicate_distance": [Interval(Real, 0, None, closed="left")],
        "truncation_psi": [Interval(Real, 0, 1, closed="right"), None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        generator: Any,
        identity_classifier: Any = None,
        label_classifier: Any = None,
        *,
        n_points: int = 50,
        max_iter: int = 20,
        objective: str = "worst-point",
        identity_weight: float = 1.0,
        class_weight: float = 1.0,
        length_weight: float = 1.0,
        repulsion: float = 0.0,
        solver: str = "adam",
        learning_rate: float = 0.05,
        points_per_step: int = 4,
        n_modes: int = 16,
        tol: float = 1e-4,
        pairing: str = "near",
        selection: str = "safest",
        max_identity: float | None = None,
        n_retries: int = 2,
        duplicate_distance: float = 0.02,
        truncation_psi: float | None = None,
        random_state: Any = None,
        verbose: bool | int = False,
    ) -> None:
        self.generator = generator
        self.identity_classifier = identity_classifier
        self.label_classifier = label_classifier
        self.n_points = n_points
        self.max_iter = max_iter
        self.objective = objective
        self.identity_weight = identity_weight
        self.class_weight = class_weight
        self.length_weight = length_weight
        self.repulsion = repulsion
        self.solver = solver
        self.learning_rate = learning_rate
        self.points_per_step = points_per_step
        self.n_modes = n_modes
        self.tol = tol
        self.pairing = pairing
        self.selection = selection
        self.max_identity = max_identity
        self.n_retries = n_retries
        self.duplicate_distance = duplicate_distance
        self.truncation_psi = truncation_psi
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(
        self, W: Any, y: ArrayLike | None = None, *, X_real: Any = None, groups: Any = None
    ) -> Self:
        """Walk between the prototypes and check every point.

        Parameters
        ----------
        W : array-like of shape (n_samples, n_features)
            A prototype for each row, as `KSameAggregator` gives them: equal rows of a class are
            one prototype.
        y : array-like of shape (n_samples,), default=None
            Class labels; None is one class.
        X_real : array-like of shape (n_real, n_channels, height, width), default=None
            The private images: the nearest-distance checks use them, and guides that are not
            fitted are fitted on them (with `groups` and `y`, a row each). They are not kept.
        groups : array-like of shape (n_real,), default=None
            The subject of each row of `X_real`; None makes every image its own.

        Returns
        -------
        self : GuidedWalker
            Fitted.

        Raises
        ------
        ValueError
            For latents of another width, neither identity guide nor repulsion, guides that take
            other images or never saw a class, and a class with one prototype.
        """
        self._walk(W, y, X_real, groups)
        return self

    @_fit_context(prefer_skip_nested_validation=False)
    def fit_transform(
        self, W: Any, y: ArrayLike | None = None, *, X_real: Any = None, groups: Any = None
    ) -> NDArray[np.float32]:
        """Walk, and return a distinct checked point for every row: the release path.

        Parameters
        ----------
        W, y, X_real, groups
            As in `fit`.

        Returns
        -------
        W_syn : ndarray of shape (n_samples, n_features)
            A row for each row of `W`, on a path that touches the row's prototype (of another path
            of the class where that one has too few points within the bounds).

        Raises
        ------
        ValueError
            As in `fit`, and when the paths of a class have fewer points within the bounds than it
            has rows.
        """
        examiner, labels = self._walk(W, y, X_real, groups)
        paths, ends = slot_paths(labels, self.path_pairs_)
        points = self._allocate(examiner, paths, ends, fresh=False)
        self._keep_released(points)
        return points.latent

    def transform(self, W: Any) -> NDArray[np.float32]:
        """Return, for each new row, the safest point on the paths at its nearest prototype.

        This is not a release: rows of one cell get the same point, and nothing is promised about
        the number of subjects behind it. `fit_transform` is the release path.

        Parameters
        ----------
        W : array-like of shape (n_samples, n_features)
            Latents.

        Returns
        -------
        W_syn : ndarray of shape (n_samples, n_features)
            A point for each row, from other paths of the class where these have none within the
            bounds.

        Raises
        ------
        ValueError
            For latents of another width, and when a class has no point within the bounds.
        """
        check_is_fitted(self)
        W = validate_data(self, W, dtype=np.float32, reset=False)
        nearest = ExactNeighbors(self.prototypes_).kneighbors(self._truncated(W))[1][:, 0]
        grid = self._grid()
        grid = grid[grid.accepted]
        grid = grid[np.argsort(grid.risk, kind="stable")]
        return grid.latent[self._safest_at(grid, nearest)]

    def sample(
        self, n_samples: int = 1, *, X_real: Any = None
    ) -> tuple[NDArray[np.float32], NDArray[Any]]:
        """Return more checked points, that `fit_transform` did not release.

        Parameters
        ----------
        n_samples : int, default=1
            How many; classes get shares as in fit.
        X_real : array-like of shape (n_real, n_channels, height, width), default=None
            The private images again. Needed when the walker was fitted with them and the checked
            points run out, so that newly drawn points pass the same checks.

        Returns
        -------
        W : ndarray of shape (n_samples, n_features)
            Distinct latents.
        y : ndarray of shape (n_samples,)
            Their classes; 0 where fit got no y.

        Raises
        ------
        ValueError
            When the points within the bounds run out.
        """
        check_is_fitted(self)
        if not isinstance(n_samples, Integral) or n_samples < 1:
            raise ValueError(f"n_samples={n_samples!r}; expected a positive integer")
        images = None if X_real is None else self._real_images(X_real)
        shares = np.append(0, self.class_counts_.cumsum() / self.class_counts_.sum())
        counts = np.diff(np.floor(shares * n_samples + 0.5).astype(int))
        paths = np.concatenate([self._spread(code, count) for code, count in enumerate(counts)])
        order = np.zeros(len(paths))
        points = self._allocate(self._examiner(images), paths, order, fresh=True)
        return points.latent, self.path_targets_[points.path]

    @property
    def _n_features_out(self) -> int:
        return int(self.n_features_in_)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

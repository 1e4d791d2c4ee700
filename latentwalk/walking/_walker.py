"""GuidedWalker: a synthetic latent for every row, on checked paths between prototypes."""

from __future__ import annotations

from dataclasses import replace
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
from sklearn.utils import Bunch, Tags, check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from latentwalk.generators import decode_latents
from latentwalk.neighbors import ExactNeighbors
from latentwalk.utils import check_targets, validate_latents
from latentwalk.utils._guides import check_recognises
from latentwalk.walking._examine import Bounds, Examiner, Points
from latentwalk.walking._inputs import check_inputs, check_real, encode
from latentwalk.walking._losses import Objective
from latentwalk.walking._paths import lay_paths, optimise
from latentwalk.walking._prototypes import Prototypes
from latentwalk.walking._selection import even_paths, safest_at, slot_paths
from latentwalk.walking._setting import Setting
from latentwalk.walking._stock import Stock


class GuidedWalker(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Walk between prototypes along paths on which no subject is recognised (PLAN).

    Prototypes of a class are joined by a tour of paths in the latent space of the generator. A path
    starts as the straight line. Its inner points move to where the identity classifier recognises
    no subject and the label classifier still sees the class, while the path stays short. Every
    point is then decoded and measured. `fit_transform` gives each row a point of its own on a path
    that touches the row's prototype. The ends, which are the prototypes, are never released.

    The objective "worst-point" is ``(E - 1) + identity_weight * I + class_weight * C`` with E the
    path's energy over that of the straight line, I a smooth maximum over the points of the log of
    the highest identity posterior, and C the mean cross-entropy of the class. "plan" is the
    published objective with its own weights. "linear" keeps the straight lines, as the baseline.

    `repulsion` adds a hinge away from the nearest real images, in pixels. Such a release keeps a
    distance from the members, which an attacker can look for, and its distances in pixels no longer
    show what it gives away. The audit must use another feature space: see `guided_spaces_`.

    A low identity posterior only says that this guide does not recognise the subject.
    `PrivacyAuditor` measures what a release exposes.

    Parameters
    ----------
    generator : Generator
        Decodes the latents. Its latent space, device, precision and batch size are used.
    identity_classifier : IdentityClassifier, other fitted classifier with a torch ``module_``, or \
nn.Module
        Recognises the subjects. A fitted classifier is used as it is (a copy is frozen); any other
        is cloned and fitted on `X_real`. If scikit-learn clones the walker, put a fitted guide in a
        `sklearn.frozen.FrozenEstimator`. None is possible only with a `repulsion` or
        ``identity_weight=0``, ``selection="uniform"`` and ``max_identity=None``, since no point is
        then known to be safer than another.
    label_classifier : same, default=None
        Recognises the classes. With None only the ends keep a path in its class.
    n_points : int, default=50
        Points of a path, both ends included.
    max_iter : int or "auto", default="auto"
        Steps of Adam. "auto" is 20 for "worst-point", 25 for "plan", and 100 for "plan" with
        classes, which then also takes more points and larger steps.
    objective : {"worst-point", "plan", "linear"}, default="worst-point"
        What the paths minimise.
    identity_weight, class_weight : float, default=1.0
        Weights of the terms of "worst-point"; the weight of the path's length is 1. An
        `identity_weight` of 0 also lets a walk be made without an identity guide: between
        prototypes that a guarantee covers, see `latentwalk.evaluation.draw_release`.
    repulsion : float, default=0.0
        Weight of a further term of "worst-point", for collections with too many subjects for an
        identity classifier. It can be used with or without one. The term is the mean over the
        points of ``max(0, 1 - d / m)``, with d the root mean square pixel difference to the nearest
        image of `X_real` and m the median of these images' own nearest distances. Needs `X_real`.
    selection : {"safest", "uniform"}, default="safest"
        Release the points of a path with the lowest identity posterior, with a gap between them, or
        evenly spaced points.
    max_identity : float or None, default=None
        Points with a higher identity posterior are not released. Paths of "worst-point" with such
        points are first walked again, up to twice, with 4 and 16 times the identity weight.
    duplicate_distance : float, default=0.02
        Points whose image is this near to a real one (root mean square over pixels in [0, 1]) are
        not released, as near-exact duplicates. Needs `X_real`.
    n_jobs : int, default=None
        Number of blocks of paths in parallel (`joblib`). The result is the same for any number.
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
        The distinct latents of each class.
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
        Inner points over a bound, which are not released.
    n_rejected_ : dict
        Their number under "identity" and "duplicate".
    released_path_, released_time_, released_identity_, released_class_proba_, released_distance_
        Arrays of shape (n_samples,): path, time on the path, and the same figures for the rows of
        `fit_transform`. NaN for what was not measured.
    guided_spaces_ : tuple of str
        Feature spaces in which the release was guided or its points rejected: "pixels" with
        `X_real`, and the backbones of the guides by name ("lpips"). The audit must use another
        space for its verdict.
    private_sources_ : tuple of str
        Which of "X_real", "identity_classifier" and "label_classifier" the walk used. Each may
        know private images, so a guarantee of the prototypes does not hold for the walk.
    identity_classifier_, label_classifier_ : fitted guides
        The guides that were used.
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

    _stock: Stock

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "generator": [HasMethods(["decode", "render"])],
        "identity_classifier": "no_validation",
        "label_classifier": "no_validation",
        "n_points": [Interval(Integral, 3, None, closed="left")],
        "max_iter": [Interval(Integral, 0, None, closed="left"), StrOptions({"auto"})],
        "objective": [StrOptions({"worst-point", "plan", "linear"})],
        "identity_weight": [Interval(Real, 0, None, closed="left")],
        "class_weight": [Interval(Real, 0, None, closed="left")],
        "repulsion": [Interval(Real, 0, None, closed="left")],
        "selection": [StrOptions({"safest", "uniform"})],
        "max_identity": [Interval(Real, 0, 1, closed="right"), None],
        "duplicate_distance": [Interval(Real, 0, None, closed="left")],
        "n_jobs": [Integral, None],
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
        max_iter: int | str = "auto",
        objective: str = "worst-point",
        identity_weight: float = 1.0,
        class_weight: float = 1.0,
        repulsion: float = 0.0,
        selection: str = "safest",
        max_identity: float | None = None,
        duplicate_distance: float = 0.02,
        n_jobs: int | None = None,
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
        self.repulsion = repulsion
        self.selection = selection
        self.max_identity = max_identity
        self.duplicate_distance = duplicate_distance
        self.n_jobs = n_jobs
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
            A prototype for each row, as `KSameAggregator` returns them. Equal rows of a class are
            one prototype.
        y : array-like of shape (n_samples,), default=None
            Class labels; None is one class.
        X_real : array-like of shape (n_real, n_channels, height, width), default=None
            The private images. They are used to measure nearest distances, and to fit guides that
            are not fitted (with `groups` and `y`, which then have a row for each image). They are
            not kept.
        groups : array-like of shape (n_real,) or (n_samples,), default=None
            The subject of each row of `X_real`, and also of `W` if it has as many rows. Without
            `X_real` they are the subjects of `W`. None counts every image as a subject.

        Returns
        -------
        self : GuidedWalker
            Fitted.

        Raises
        ------
        ValueError
            For latents of another width, neither identity guide nor repulsion, guides that take
            other images, never saw a class or are swapped, a class with one prototype, a
            prototype of two classes, and a subject with several prototypes in one class.

        Warns
        -----
        UserWarning
            For y without a label guide and the reverse, and for an identity guide that recognises
            less than a fifth of `X_real`.
        """
        self._fit(W, y, X_real, groups)
        return self

    @_fit_context(prefer_skip_nested_validation=False)
    def fit_transform(
        self, W: Any, y: ArrayLike | None = None, *, X_real: Any = None, groups: Any = None
    ) -> NDArray[np.float32]:
        """Walk, and return a distinct checked point for every row, for a release.

        Parameters
        ----------
        W, y, X_real, groups
            As in `fit`.

        Returns
        -------
        W_syn : ndarray of shape (n_samples, n_features)
            A row for each row of `W`, on a path that touches the row's prototype (or on another
            path of the class, if this path has too few points within the bounds).

        Raises
        ------
        ValueError
            As in `fit`, and when the paths of a class have fewer points within the bounds than it
            has rows.
        """
        prototypes, examiner = self._fit(W, y, X_real, groups)
        slots, ends = slot_paths(prototypes.labels, self._stock.paths.pairs)
        points = self._take(slots, ends, examiner, fresh=False)
        self._stock = self._stock.without(points)
        self.released_path_, self.released_time_ = points.path, points.time
        self.released_identity_ = points.figures.identity
        self.released_class_proba_ = points.figures.label
        self.released_distance_ = points.figures.distance
        return points.latent

    def transform(self, W: Any) -> NDArray[np.float32]:
        """Return, for each new row, the safest point on the paths at its nearest prototype.

        Do not release these points: rows of one cell get the same point, and the number of subjects
        behind it is not known. Use `fit_transform` for a release.

        Parameters
        ----------
        W : array-like of shape (n_samples, n_features)
            Latents.

        Returns
        -------
        W_syn : ndarray of shape (n_samples, n_features)
            A point for each row. It is from another path of the class if the nearest ones have no
            point within the bounds.

        Raises
        ------
        ValueError
            For latents of another width, and when a class has no point within the bounds.
        """
        check_is_fitted(self)
        W = validate_latents(self, W, reset=False)
        nearest = ExactNeighbors(self.prototypes_).kneighbors(W)[1][:, 0]
        bounds = self._setting().bounds
        points = self._stock.paths.inner_points(bounds)
        codes = np.searchsorted(self.classes_, self.prototype_targets_)
        chosen = safest_at(points, self._stock.paths, codes)[nearest]
        if (chosen < 0).any():
            name = self.classes_[codes[nearest[chosen < 0]][0]]
            raise ValueError(f"no point of class {name} is within {bounds}; fit with wider bounds")
        return points.latent[chosen]

    def sample(
        self, n_samples: int = 1, *, X_real: Any = None
    ) -> tuple[NDArray[np.float32], NDArray[Any]]:
        """Return more checked points, which `fit_transform` did not release.

        Parameters
        ----------
        n_samples : int, default=1
            How many. Each class has the same share as in fit.
        X_real : array-like of shape (n_real, n_channels, height, width), default=None
            The private images again. They are needed if the walker was fitted with them and the
            checked points run out, because newly drawn points must pass the same checks.

        Returns
        -------
        W : ndarray of shape (n_samples, n_features)
            Distinct latents.
        y : ndarray of shape (n_samples,)
            Their classes; 0 if fit got no y.

        Raises
        ------
        ValueError
            When the points within the bounds run out.
        """
        check_is_fitted(self)
        if not isinstance(n_samples, Integral) or n_samples < 1:
            raise ValueError(f"n_samples={n_samples!r}; expected a positive integer")
        shares = np.append(0, self.class_counts_.cumsum() / self.class_counts_.sum())
        counts = np.diff(np.floor(shares * n_samples + 0.5).astype(int))
        slots = even_paths(self._stock.paths.codes, counts)
        classes = None if self.label_classifier_ is None else self.classes_
        examiner = self._examiner(check_real(X_real, self.generator), classes)
        points = self._take(slots, np.zeros(len(slots)), examiner, fresh=True)
        return points.latent, self.path_targets_[points.path]

    def measure(
        self,
        W: Any,
        y: ArrayLike | None = None,
        *,
        X_real: Any = None,
        return_images: bool = False,
    ) -> Bunch:
        """Decode latents and return the figures that the walk checks.

        Parameters
        ----------
        W : array-like of shape (n_samples, n_features)
            Latents.
        y : array-like of shape (n_samples,), default=None
            Their classes, for the class posterior.
        X_real : array-like of shape (n_real, n_channels, height, width), default=None
            The private images, for the nearest distance.
        return_images : bool, default=False
            Whether to return the images too.

        Returns
        -------
        figures : Bunch
            Arrays of shape (n_samples,): ``identity``, the highest identity posterior;
            ``class_proba``, the posterior of the class; ``distance``, the root mean square pixel
            difference to the nearest real image. NaN for what cannot be measured. With
            `return_images` also ``images`` of shape (n_samples, n_channels, height, width).
        """
        check_is_fitted(self)
        W = validate_latents(self, W, reset=False)
        classes, codes = encode(check_targets(y, len(W)), len(W))
        real = check_real(X_real, self.generator)
        seen = self._examiner(real, None if y is None else classes).measure(W, codes)
        figures = Bunch(identity=seen.identity, class_proba=seen.label, distance=seen.distance)
        if return_images:
            figures.images = decode_latents(self.generator, W, n_jobs=self.n_jobs)
        return figures

    def _fit(
        self, W: Any, y: ArrayLike | None, X_real: Any, groups: Any
    ) -> tuple[Prototypes, Examiner]:
        """Fit; return the prototypes of the rows, and the examiner of the points."""
        W = validate_latents(self, W, n_least=2)
        labels = check_targets(y, len(W))
        setting = self._setting()
        setting.check(labels, X_real, groups)
        inputs = check_inputs(W, labels, X_real, groups, self.generator)
        prototypes = inputs.prototypes()
        setting = setting.fitted(inputs)
        self.identity_classifier_, self.label_classifier_ = setting.identity, setting.label
        self.private_sources_ = setting.private_sources(inputs)
        self.guided_spaces_ = setting.guided_spaces(inputs)
        examiner = setting.examiner(inputs.real, inputs.guided_classes)
        if inputs.real is not None:
            check_recognises(examiner.guides.identity, inputs.real, groups, self.generator)
        rng = check_random_state(self.random_state)
        paths = lay_paths(prototypes, self.n_points, rng)
        walk_seed, stock_seed = (int(rng.randint(np.iinfo(np.int32).max)) for _ in range(2))
        walk = setting.walk(examiner, walk_seed)
        paths, self.n_iter_ = optimise(paths, walk, examiner, setting.bounds)
        none_released = np.zeros(paths.points.shape[:2], bool)
        self.classes_ = inputs.classes
        self._stock = Stock(paths, self.classes_, none_released, stock_seed, examiner.has_real)
        self._keep(prototypes, inputs.codes, examiner)
        return prototypes, examiner

    def _setting(self) -> Setting:
        """The parameters as one value."""
        return Setting(
            self.generator,
            self.identity_classifier,
            self.label_classifier,
            Objective(self.objective, self.identity_weight, self.class_weight),
            self.max_iter,
            self.repulsion,
            self.selection,
            Bounds(self.max_identity, self.duplicate_distance),
            self.n_jobs,
            self.verbose,
        )

    def _examiner(self, real: NDArray[Any] | None, classes: NDArray[Any] | None) -> Examiner:
        """The examiner of points of these classes, with the fitted guides."""
        guides = {"identity": self.identity_classifier_, "label": self.label_classifier_}
        return replace(self._setting(), **guides).examiner(real, classes)

    def _take(
        self, slots: NDArray[np.intp], order: NDArray[Any], examiner: Examiner, *, fresh: bool
    ) -> Points:
        bounds = self._setting().bounds
        return self._stock.take(slots, order, examiner, bounds, self.selection, fresh=fresh)

    def _keep(self, prototypes: Prototypes, codes: NDArray[np.intp], examiner: Examiner) -> None:
        """Set the fitted attributes of prototypes and paths."""
        paths, figures = self._stock.paths, self._stock.paths.figures
        self.class_counts_ = np.bincount(codes)
        self.prototypes_ = prototypes.latents
        self.prototype_targets_ = self.classes_[prototypes.codes]
        self.paths_, self.path_pairs_ = paths.points, paths.pairs
        self.path_targets_ = self.classes_[paths.codes]
        if examiner.guides.identity is not None:
            self.path_identity_ = figures.identity
        if examiner.guides.label is not None:
            self.path_class_proba_ = figures.label
        if examiner.has_real:
            self.path_distance_ = figures.distance
        mean, std = self.generator.latent_moments
        scaled = (paths.points - mean) / np.maximum(std, 1e-12)
        self.manifold_distance_ = np.sqrt(np.square(scaled).mean(axis=2))
        self.rejected_ = paths.refused(self._setting().bounds)
        duplicate = self.rejected_ & (figures.distance <= self.duplicate_distance)
        self.n_rejected_ = {
            "identity": int((self.rejected_ & ~duplicate).sum()),
            "duplicate": int(duplicate.sum()),
        }

    @property
    def _n_features_out(self) -> int:
        return int(self.n_features_in_)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

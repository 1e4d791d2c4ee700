"""How a walker is fitted: checks, guides, tours, walks, measurements."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import Bunch, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from latentwalk.utils import check_images, check_targets
from latentwalk.utils._guides import Guide, freeze_guide, is_fitted_guide
from latentwalk.walking._engine import WalkEngine, path_latents
from latentwalk.walking._examine import Bounds, Examiner, Points
from latentwalk.walking._guides import fit_guide
from latentwalk.walking._inputs import (
    Prototypes,
    check_guides_given,
    check_repulsion,
    check_unguided,
    find_prototypes,
)
from latentwalk.walking._losses import Objective
from latentwalk.walking._release import allocate
from latentwalk.walking._repulsion import make_repulsion
from latentwalk.walking._tour import class_tours

RETRY_FACTOR = 4.0
FIGURES = ("identity", "label", "distance")
Floats = NDArray[np.floating]


class WalkFitting:
    """What `GuidedWalker` does under its scikit-learn surface; that class holds the parameters."""

    def measure(
        self: Any,
        W: Any,
        y: ArrayLike | None = None,
        *,
        X_real: Any = None,
        return_images: bool = False,
    ) -> Bunch:
        """Decode latents and return what the walk checks of a point.

        Parameters
        ----------
        W : array-like of shape (n_samples, n_features)
            Latents.
        y : array-like of shape (n_samples,), default=None
            Their classes, for the class posterior.
        X_real : array-like of shape (n_real, n_channels, height, width), default=None
            The private images, for the nearest distance.
        return_images : bool, default=False
            Give the images too.

        Returns
        -------
        figures : Bunch
            Arrays of shape (n_samples,): ``identity``, the highest identity posterior;
            ``class_proba``, the posterior of the class; ``distance``, the root mean square pixel
            difference to the nearest real image. NaN where there is nothing to measure with. And
            ``images`` of shape (n_samples, n_channels, height, width).
        """
        check_is_fitted(self)
        W = validate_data(self, W, dtype=np.float32, reset=False)
        labels = check_targets(y, len(W))
        examiner = self._examiner(None if X_real is None else self._real_images(X_real))
        guide = examiner.label
        codes = None if guide is None or labels is None else guide.codes(labels)
        identity, label, distance = examiner.measure(W, codes).T
        figures = Bunch(identity=identity, class_proba=label, distance=distance)
        if return_images:
            figures.images = examiner.images(W)
        return figures

    def _walk(
        self: Any, W: Any, y: ArrayLike | None, X_real: Any, groups: Any
    ) -> tuple[Examiner, NDArray[np.intp]]:
        """Fit; return the examiner and the prototype of each row."""
        W, labels, images = self._checked(W, y, X_real)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        names = ["all rows"] if y is None else [f"class {c!s}" for c in self.classes_]
        found = find_prototypes(self._truncated(W), codes, names)
        self._fit_guides(images, None if y is None else labels, groups)
        examiner = self._examiner(images)
        rng = check_random_state(self.random_state)
        self._lay_paths(found, codes, rng)
        engine = self._engine(examiner, rng)
        self._draw_seed = int(rng.randint(np.iinfo(np.int32).max))
        self._optimise(engine, examiner)
        return examiner, found.labels

    def _checked(
        self: Any, W: Any, y: ArrayLike | None, X_real: Any
    ) -> tuple[NDArray[np.float32], NDArray[Any], NDArray[Any] | None]:
        """Everything that can be wrong and is quick to see."""
        identity, label = self.identity_classifier, self.label_classifier
        check_guides_given(identity, label, self.repulsion, X_real, y)
        check_repulsion(self.repulsion, self.objective, X_real)
        if identity is None:
            check_unguided(self.max_identity, self.selection)
        W = validate_data(self, W, dtype=np.float32, ensure_min_samples=2)
        width = self.generator.n_latent_features
        if W.shape[1] != width:
            raise ValueError(
                f"W has {W.shape[1]} features; latents of this generator have {width} in "
                f"latent_space={self.generator.latent_space!r}"
            )
        labels = check_targets(y, len(W))
        images = None if X_real is None else self._real_images(X_real)
        return W, np.zeros(len(W), np.intp) if labels is None else labels, images

    def _real_images(self: Any, X_real: Any) -> NDArray[Any]:
        return check_images(X_real, self._image_shape(), name="X_real")

    def _image_shape(self: Any) -> tuple[int, int, int]:
        channels, height, width = self.generator.image_shape
        return channels, height, width

    def _truncated(self: Any, W: NDArray[np.float32]) -> NDArray[np.float32]:
        """W, drawn towards the mean latent."""
        if self.truncation_psi is None or self.truncation_psi == 1:
            return W
        mean = self.generator.latent_moments[0]
        return (mean + np.float32(self.truncation_psi) * (W - mean)).astype(np.float32)

    def _fit_guides(
        self: Any, images: NDArray[Any] | None, labels: NDArray[Any] | None, groups: Any
    ) -> None:
        """Set the fitted guides; those given fitted are tried before any other is fitted."""
        if groups is not None and images is not None and len(groups) != len(images):
            raise ValueError(
                f"groups has {len(groups)} entries; expected {len(images)}, one a row of X_real"
            )
        given = {
            "label_classifier": None if labels is None else self.label_classifier,
            "identity_classifier": self.identity_classifier,
        }
        targets = {"label_classifier": labels, "identity_classifier": groups}
        ready = [name for name, guide in given.items() if is_fitted_guide(guide)]
        for name in ready + [name for name in given if name not in ready]:
            fitted = fit_guide(given[name], name, images, targets[name])
            setattr(self, f"{name}_", fitted)
            net = self._guide(name)
            if name == "label_classifier" and net is not None:
                net.codes(labels)

    def _guide(self: Any, name: str) -> Guide | None:
        """The frozen net of a guide."""
        guide = getattr(self, f"{name}_")
        if guide is None:
            return None
        return freeze_guide(guide, name, self._image_shape(), self.generator.device)

    def _decode(self: Any, latents: Any) -> Any:
        return self.generator.decode(latents)

    def _examiner(self: Any, images: NDArray[Any] | None) -> Examiner:
        """What measures points."""
        return Examiner(
            self._decode,
            self._guide("identity_classifier"),
            self._guide("label_classifier"),
            images,
            device=self.generator.device,
            batch_size=self.generator.batch_size,
            verbose=self.verbose,
        )

    def _engine(self: Any, examiner: Examiner, rng: np.random.RandomState) -> WalkEngine:
        """What walks."""
        objective = Objective(
            self.objective, self.identity_weight, self.class_weight, self.length_weight
        )
        real = examiner.neighbors
        return WalkEngine(
            self._decode,
            examiner.identity,
            examiner.label,
            objective,
            self.n_points,
            self.n_modes,
            self.solver,
            self.max_iter,
            self.learning_rate,
            self.points_per_step,
            self.tol,
            self.generator.batch_size,
            examiner.device,
            int(rng.randint(np.iinfo(np.int32).max)),
            self.verbose,
            None if real is None else make_repulsion(real, self.repulsion),
            self.generator.precision,
        )

    def _lay_paths(
        self: Any, found: Prototypes, codes: NDArray[np.intp], rng: np.random.RandomState
    ) -> None:
        """Set the prototypes, and the paths between them as straight lines."""
        self.prototypes_ = found.latents
        self.prototype_targets_ = self.classes_[found.codes]
        self.class_counts_ = np.bincount(codes)
        self.path_pairs_ = class_tours(found.latents, found.codes, self.pairing, rng)
        self._path_codes = found.codes[self.path_pairs_[:, 0]]
        self.path_targets_ = self.classes_[self._path_codes]
        n_modes = min(self.n_modes, self.n_points - 2)
        self._coefficients = np.zeros(
            (len(self.path_pairs_), n_modes, found.latents.shape[1]), np.float32
        )
        self._released = np.zeros((len(self.path_pairs_), self.n_points), bool)

    def _optimise(self: Any, engine: WalkEngine, examiner: Examiner) -> None:
        """Walk all paths, and those over the bound again."""
        everything = np.arange(len(self.path_pairs_))
        self._walk_paths(engine, examiner, everything, first=True)
        retries = self.n_retries if self.max_identity is not None else 0
        for retry in range(retries if self.objective == "worst-point" else 0):
            missed = np.flatnonzero((self._inner("identity") > self.max_identity).any(axis=1))
            if len(missed) == 0:
                break
            self._walk_paths(engine.heavier(RETRY_FACTOR ** (retry + 1)), examiner, missed)
        self._set_figures(examiner)

    def _walk_paths(
        self: Any,
        engine: WalkEngine,
        examiner: Examiner,
        paths: NDArray[np.intp],
        first: bool = False,
    ) -> None:
        """Walk some paths on from where they are; a second walk is kept where it misses less."""
        ends = self.prototypes_[self.path_pairs_[paths]]
        targets = self._label_codes(examiner, paths)
        walked, n_iter = engine.walk(ends, targets, self._coefficients[paths])
        self.n_iter_ = n_iter if first else max(n_iter, self.n_iter_)
        times = np.linspace(0, 1, self.n_points)
        points = path_latents(ends, walked, times, self.n_points)
        wanted = None if targets is None else targets.repeat(self.n_points)
        flat = points.reshape(-1, points.shape[2])
        figures = examiner.measure(flat, wanted).reshape(*points.shape[:2], 3)
        if first:
            self._coefficients, self.paths_, self._figures = walked, points, figures
            return
        over = [(f[:, 1:-1, 0] > self.max_identity).sum(1) for f in (figures, self._figures[paths])]
        better = over[0] < over[1]
        kept = paths[better]
        self._coefficients[kept], self.paths_[kept] = walked[better], points[better]
        self._figures[kept] = figures[better]

    def _inner(self: Any, name: str) -> Floats:
        """A figure of the inner points."""
        return np.asarray(self._figures[:, 1:-1, FIGURES.index(name)])

    def _label_codes(
        self: Any, examiner: Examiner, paths: NDArray[np.intp]
    ) -> NDArray[np.intp] | None:
        """The label guide's logit of each path's class."""
        return None if examiner.label is None else examiner.label.codes(self.path_targets_[paths])

    def _set_figures(self: Any, examiner: Examiner) -> None:
        """Set the public figures of all points."""
        identity, label, distance = np.moveaxis(self._figures, 2, 0)
        del self._figures
        if examiner.identity is not None:
            self.path_identity_ = identity
        if examiner.label is not None:
            self.path_class_proba_ = label
        if examiner.has_real:
            self.path_distance_ = distance
        mean, std = self.generator.latent_moments
        scaled = (self.paths_ - mean) / np.maximum(std, 1e-12)
        self.manifold_distance_ = np.sqrt(np.square(scaled).mean(axis=2))
        inner = np.zeros(identity.shape, bool)
        inner[:, 1:-1] = True
        self.rejected_ = inner & ~self._bounds().accept(identity, distance)
        duplicate = distance <= self.duplicate_distance
        self.n_rejected_ = {
            "identity": int((self.rejected_ & ~duplicate).sum()),
            "duplicate": int((inner & duplicate).sum()),
        }

    def _bounds(self: Any) -> Bounds:
        return Bounds(self.max_identity, self.duplicate_distance)

    def _grid(self: Any) -> Points:
        """The inner points of all paths."""
        path, index = np.nonzero(np.ones_like(self.rejected_[:, 1:-1]))
        cell = path, index + 1
        nothing = np.full(self.rejected_.shape, np.nan)
        names = ("path_identity_", "path_class_proba_", "path_distance_")
        identity, label, distance = (getattr(self, name, nothing)[cell] for name in names)
        times = (index + 1) / (self.n_points - 1)
        return Points(
            path, times, self.paths_[cell], identity, label, distance, ~self.rejected_[cell]
        )

    def _draw(
        self: Any, examiner: Examiner, paths: NDArray[np.intp], rng: np.random.RandomState
    ) -> Points:
        """Points drawn afresh on some paths, one a gap of the inner points, and checked."""
        if hasattr(self, "path_distance_") and not examiner.has_real:
            raise ValueError(
                "the checked points have run out and the walker was fitted with X_real: pass the "
                "real images again as X_real, so that new points are checked as the others were"
            )
        n_gaps = max(self.n_points - 3, 1)
        times = (1 + np.arange(n_gaps) + rng.rand(n_gaps)) / (self.n_points - 1)
        ends = self.prototypes_[self.path_pairs_[paths]]
        latents = path_latents(ends, self._coefficients[paths], times, self.n_points)
        latents = latents.reshape(-1, latents.shape[2])
        path = paths.repeat(n_gaps)
        identity, label, distance = examiner.measure(latents, self._label_codes(examiner, path)).T
        accepted = self._bounds().accept(identity, distance)
        moments = np.tile(times, len(paths))
        return Points(path, moments, latents, identity, label, distance, accepted)

    def _allocate(
        self: Any, examiner: Examiner, paths: NDArray[np.intp], order: NDArray[Any], *, fresh: bool
    ) -> Points:
        """A distinct checked point for each slot; `fresh` leaves out what was released before."""
        grid = self._grid()
        # samples draw other times than the release, so that no point is given out twice
        rng = np.random.RandomState(self._draw_seed + fresh)
        if fresh:
            grid = grid[~self._released[grid.path, grid.index(self.n_points)]]
        points, chosen = allocate(
            grid,
            paths,
            order,
            self._path_codes,
            lambda short: self._draw(examiner, short, rng),
            self.selection,
        )
        if (chosen < 0).any():
            self._raise_short(paths, chosen)
        return points[chosen]

    def _raise_short(self: Any, paths: NDArray[np.intp], chosen: NDArray[np.intp]) -> None:
        """Raise: a class has too few points within the bounds."""
        missing = np.bincount(self._path_codes[paths][chosen < 0], minlength=len(self.classes_))
        found = ", ".join(
            f"class {name!s}: {n}" for name, n in zip(self.classes_, missing, strict=True) if n
        )
        raise ValueError(
            f"{int(missing.sum())} points are missing ({found}): too few points of the paths are "
            f"within max_identity={self.max_identity} and duplicate_distance="
            f"{self.duplicate_distance}. Take a larger max_identity, identity_weight or n_points, "
            "or a larger k before the walk"
        )

    def _keep_released(self: Any, points: Points) -> None:
        """Set the figures of the released rows, and note the grid points among them."""
        self.released_path_, self.released_time_ = points.path, points.time
        self.released_identity_ = points.identity
        self.released_class_proba_ = points.label
        self.released_distance_ = points.distance
        index = points.index(self.n_points)
        on_grid = np.isclose(points.time * (self.n_points - 1), index, rtol=0, atol=1e-9)
        self._released[points.path[on_grid], index[on_grid]] = True

    def _spread(self: Any, code: int, count: int) -> NDArray[np.intp]:
        """Paths of a class, each as often as any other, for `count` slots."""
        paths = np.flatnonzero(self._path_codes == code)
        return paths[np.arange(count) * len(paths) // max(count, len(paths)) % len(paths)]

    def _safest_at(self: Any, grid: Points, nearest: NDArray[np.intp]) -> NDArray[np.intp]:
        """The first point of `grid` on a path at each prototype, or else of its class."""
        touches = self.path_pairs_[grid.path]
        classes = self.path_targets_[grid.path]
        best = np.empty(len(self.prototypes_), np.intp)
        for prototype in np.unique(nearest):
            name = self.prototype_targets_[prototype]
            found = np.flatnonzero((touches == prototype).any(axis=1))
            if len(found) == 0:
                found = np.flatnonzero(classes == name)
            if len(found) == 0:
                raise ValueError(
                    f"no point of class {name!s} is within max_identity={self.max_identity} and "
                    f"duplicate_distance={self.duplicate_distance}; fit with wider bounds"
                )
            best[prototype] = found[0]
        return best[nearest]

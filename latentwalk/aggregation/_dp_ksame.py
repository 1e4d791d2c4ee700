"""DPKSameAggregator: k-same over fixed cells, with noise that bounds every attacker."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import ceil
from numbers import Integral, Real
from operator import add
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin, _fit_context
from sklearn.utils import check_random_state, check_scalar
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from latentwalk.aggregation._classes import encode_classes, list_classes
from latentwalk.aggregation._fixed_cells import (
    FixedCells,
    check_public,
    counted_rows,
    draw_public,
    lay_cells,
)
from latentwalk.aggregation._gaussian_privacy import PrivacyLoss, require_packages, resolve_loss
from latentwalk.aggregation._noisy_cells import (
    NoisyCells,
    add_cell_noise,
    certainty_margin,
    noise_scales,
)
from latentwalk.aggregation._parts import Tally, check_sites
from latentwalk.aggregation._prototypes import Prototypes, keep_cells
from latentwalk.utils import check_groups, validate_latents


class DPKSameAggregator(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Replace each latent by a noisy mean of its cell: k-same with a bound for every attacker.

    The cells are laid on the generator's own samples, so no private image moves a cell. In each
    cell of each class the patients are counted and their offsets from the centre are clipped and
    added up. Gaussian noise goes on every number and every sum. A cell is kept when its noisy
    number shows at least `k` patients; its prototype is the centre plus the noisy mean offset.
    Whatever is computed from the prototypes afterwards is covered by the same bound, for all the
    images of one patient together and against every attacker, known or not.

    `sample` draws the release: generator samples, which the prototypes sort into classes. The
    bound holds for what it draws. The rows of `fit_transform` are aligned with the real rows: their
    number, their classes and how many share a prototype are exact. They are for pipelines and
    evaluation, and are not a release under the guarantee. The bound also needs a generator that was
    not trained on these patients, an inverter in which each row depends on its own image alone, and
    guides that saw no private image.

    Parameters
    ----------
    generator : Generator
        Public: trained on other patients.
    k : int, default=20
        The fewest patients of a kept cell.
    tolerance : float or None, default=0.05
        Asks for the guarantee by the largest true-positive rate that any attacker may reach at
        `fpr`. Used when neither `epsilon` nor `mu` is given.
    fpr : float, default=0.01
        The false-positive rate of `tolerance`.
    epsilon, delta : float or None, default=None
        Ask for it by (epsilon, delta)-differential privacy; delta is 1e-5 unless given.
    mu : float or None, default=None
        Asks for it by mu-Gaussian differential privacy.
    n_cells : int, default=1
        Cells of each class. One gives each class one mean with little noise; more describe where
        its patients lie in more detail, with more noise on each. Take it from a public figure,
        not from the data: never more than the patients of a class over 2k.
    n_axes : int, default=32
        Directions of the latent space in which a patient counts. More see more of what
        distinguishes the classes, and need more noise.
    max_classes : int, default=1
        Classes to which one patient contributes, the most frequent ones.
    classes : array-like or None, default=None
        The list of classes, which is public. None takes those of y.
    cells : FixedCells or None, default=None
        Cells of `lay_cells`, to share between sites. None lays them with `random_state`.
    noise : {"gaussian"} or None, default="gaussian"
        None adds no noise and states no guarantee. One patient still touches one cell only.
    random_state : int, default=0
        Public seed of the cells. It never seeds the noise, which comes from the operating system.

    Attributes
    ----------
    privacy_ : PrivacyLoss
        The guarantee in all three readings; printing it gives a sentence.
    prototypes_ : ndarray of shape (n_prototypes, n_features)
        One for each kept cell, float32.
    prototype_targets_ : ndarray of shape (n_prototypes,) or None
        Their classes; None without y.
    prototype_cells_ : ndarray of shape (n_prototypes, 2)
        Class code and cell of each.
    noisy_ : NoisyCells
        The noisy numbers and sums that everything else is made of.
    cells_ : FixedCells
        The public parts.
    classes_ : ndarray of shape (n_classes,)
        The list of classes; a single 0 without y.
    n_features_in_ : int
        Width of a latent.

    See Also
    --------
    KSameAggregator : Optimal groups, without a bound for an attacker.

    Notes
    -----
    The exact numbers are dropped as soon as the noise is added. Each call of `fit` is another
    release about the same patients: the losses add up, see ``PrivacyLoss.compose``.

    References
    ----------
    J. Dong, A. Roth and W. Su, "Gaussian differential privacy", JRSS B 84 (2022).
    J. Soria-Comas et al., "Enhancing data utility in differential privacy via
    microaggregation-based k-anonymity", VLDB Journal 23 (2014), for cells that one record cannot
    move.
    W. James and C. Stein, "Estimation with quadratic loss", 1961, for the shrinkage.

    Examples
    --------
    >>> import torch
    >>> from latentwalk import Generator
    >>> from latentwalk.aggregation import DPKSameAggregator
    >>> decoder = torch.nn.Sequential(torch.nn.Linear(4, 64), torch.nn.Unflatten(1, (1, 8, 8)))
    >>> generator = Generator.from_module(decoder, w_dim=4, image_shape=(1, 8, 8))
    >>> _, W = generator.sample(300, random_state=0)
    >>> aggregator = DPKSameAggregator(generator, k=20, n_axes=2)
    >>> aggregator.fit_transform(W).shape
    (300, 4)
    >>> W_new, _ = aggregator.sample(5, random_state=0)
    >>> W_new.shape
    (5, 4)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "generator": [HasMethods(["mapping", "decode"])],
        "k": [Interval(Integral, 2, None, closed="left")],
        "tolerance": [Interval(Real, 0, 1, closed="neither"), None],
        "fpr": [Interval(Real, 0, 1, closed="neither")],
        "epsilon": [Interval(Real, 0, None, closed="neither"), None],
        "delta": [Interval(Real, 0, 1, closed="neither"), None],
        "mu": [Interval(Real, 0, None, closed="neither"), None],
        "n_cells": [Interval(Integral, 1, None, closed="left")],
        "n_axes": [Interval(Integral, 1, None, closed="left")],
        "max_classes": [Interval(Integral, 1, None, closed="left")],
        "classes": ["array-like", None],
        "cells": [FixedCells, None],
        "noise": [StrOptions({"gaussian"}), None],
        "random_state": [Interval(Integral, 0, None, closed="left")],
    }

    _tally: Tally | None = None  # exact numbers, between partial_fit and finish alone
    _prototypes: Prototypes

    def __init__(
        self,
        generator: Any,
        k: int = 20,
        *,
        tolerance: float | None = 0.05,
        fpr: float = 0.01,
        epsilon: float | None = None,
        delta: float | None = None,
        mu: float | None = None,
        n_cells: int = 1,
        n_axes: int = 32,
        max_classes: int = 1,
        classes: ArrayLike | None = None,
        cells: FixedCells | None = None,
        noise: str | None = "gaussian",
        random_state: int = 0,
    ) -> None:
        if noise is not None:
            require_packages()
        self.generator = generator
        self.k = k
        self.tolerance = tolerance
        self.fpr = fpr
        self.epsilon = epsilon
        self.delta = delta
        self.mu = mu
        self.n_cells = n_cells
        self.n_axes = n_axes
        self.max_classes = max_classes
        self.classes = classes
        self.cells = cells
        self.noise = noise
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, W: ArrayLike, y: ArrayLike | None = None, *, groups: ArrayLike | None = None
    ) -> Self:
        """Count, add noise, and keep the cells that hold k patients.

        Parameters
        ----------
        W : array-like of shape (n_samples, n_features)
            Latents, each a function of its own image.
        y : array-like of shape (n_samples,), default=None
            Class labels; None is one class.
        groups : array-like of shape (n_samples,), default=None
            Patient ids; None makes every row its own patient.

        Returns
        -------
        self : DPKSameAggregator
            Fitted.

        Raises
        ------
        ValueError
            For NaN, unknown classes, latents of another width, or a class of which no cell is kept.
        """
        self._tally = None
        return self.partial_fit(W, y, groups=groups).finish()

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, W: ArrayLike, y: ArrayLike | None = None, *, groups: ArrayLike | None = None
    ) -> Self:
        """Add the patients of a part of the collection; `finish` adds the noise, once.

        Parameters
        ----------
        W, y, groups
            As in `fit`. All rows of a patient belong to one part. `classes` must be given where y
            is.

        Returns
        -------
        self : DPKSameAggregator
            It holds exact numbers until `finish`, and cannot be pickled before.

        Raises
        ------
        ValueError
            As in `fit`, and for a patient who was in an earlier part.
        """
        rows = validate_latents(self, W, reset=self._tally is None)
        check_groups(groups, len(rows))  # before the cells are laid, which takes a while
        tally = self._start(rows.shape[1], y) if self._tally is None else self._tally
        tally.add(rows, encode_classes(y, self.classes_, len(rows)), groups)
        self._tally = tally
        return self

    def finish(self) -> Self:
        """Add the noise, drop the exact numbers, and make the prototypes.

        Returns
        -------
        self : DPKSameAggregator
            Fitted.

        Raises
        ------
        ValueError
            Without rows, or when a class has no cell that is kept.
        """
        if self._tally is None or self._tally.sums is None:
            raise ValueError("there is nothing to finish; call partial_fit with rows first")
        exact, self._tally = self._tally.sums, None
        return self._keep(
            add_cell_noise(self.cells_, exact, mu=self.privacy_.mu, max_classes=self.max_classes)
        )

    @classmethod
    def merge(cls, sites: Sequence[DPKSameAggregator]) -> Self:
        """Join aggregators of sites that share cells and have no patient in common.

        Each site has added its own noise, so that nothing exact was exchanged and each patient is
        covered by the guarantee of their own site. The noise of the sites adds up.

        Parameters
        ----------
        sites : sequence of DPKSameAggregator
            Fitted with the same parameters and the same `cells`.

        Returns
        -------
        joined : DPKSameAggregator
            Fitted; k counts the patients of all sites.

        Raises
        ------
        ValueError
            When the sites have other cells, classes or parameters.
        """
        for site in sites:
            check_is_fitted(site, "noisy_")
        check_sites(sites)
        first = sites[0]
        joined = cls(**first.get_params(deep=False))
        for name in ("cells_", "classes_", "_has_targets", "n_features_in_"):
            setattr(joined, name, getattr(first, name))
        joined.privacy_ = max((site.privacy_ for site in sites), key=lambda loss: loss.mu)
        return joined._keep(reduce(add, (site.noisy_ for site in sites)))

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_transform(
        self, W: ArrayLike, y: ArrayLike | None = None, *, groups: ArrayLike | None = None
    ) -> NDArray[np.float32]:
        """Fit, and give each row the prototype of its cell. Not a release under the guarantee.

        Parameters
        ----------
        W, y, groups
            As in `fit`.

        Returns
        -------
        W : ndarray of shape (n_samples, n_features)
            A row of a cell that was not kept gets the nearest kept prototype of its class; such a
            prototype says nothing about the row.
        """
        self.fit(W, y, groups=groups)
        rows = validate_latents(self, W, reset=False)
        return self._prototypes.nearest(rows, encode_classes(y, self.classes_, len(rows)))

    def transform(self, W: ArrayLike) -> NDArray[np.float32]:
        """Give rows the nearest prototype over all classes. Not a release.

        Parameters
        ----------
        W : array-like of shape (n_samples, n_features)
            Latents.

        Returns
        -------
        W : ndarray of shape (n_samples, n_features)
            Float32.
        """
        check_is_fitted(self, "prototypes_")
        rows = validate_latents(self, W, reset=False)
        return self._prototypes.nearest(rows, None)

    def sample(
        self, n_samples: int = 1, *, contrast: float = 1.0, random_state: Any = None
    ) -> tuple[NDArray[np.float32], NDArray[Any]]:
        """Draw latents and their classes: the release under the guarantee.

        Classes are drawn by the noisy numbers. A latent is one of the generator's own samples, so
        that it has all of the generator's variety and is no patient's. The prototypes decide which
        samples a class draws: those that fit its prototypes better than those of other classes. A
        sample is drawn once, as long as samples are left that fit at all.

        Parameters
        ----------
        n_samples : int, default=1
            How many. The number is public: choose it without counting the real rows exactly.
        contrast : float, default=1.0
            Exponent of the ratio of fits. 0 draws the generator's samples with labels that say
            nothing; more than 1 shows the classes more clearly than the patients do and has less
            variety.
        random_state : int, RandomState instance or None, default=None
            Of the draws, which come after the noise and need no protection.

        Returns
        -------
        W : ndarray of shape (n_samples, n_features)
            Latents.
        y : ndarray of shape (n_samples,)
            Their classes.
        """
        check_is_fitted(self, "prototypes_")
        check_scalar(n_samples, "n_samples", Integral, min_val=1)
        check_scalar(contrast, "contrast", Real, min_val=0)
        rng = check_random_state(random_state)
        public = draw_public(self.generator, self.random_state)
        W, codes = self._prototypes.draw(n_samples, public, contrast, rng)
        return W, self.classes_[codes]

    def patients_needed(self) -> int:
        """Return how many patients a cell needs to be kept 99 times in 100, without fitting."""
        scale, _ = noise_scales(self.stated_loss().mu, self.max_classes)
        return ceil(self.k + 2 * certainty_margin(scale))

    def stated_loss(self) -> PrivacyLoss:
        """Return the guarantee that a fit would have, without fitting.

        Returns
        -------
        loss : PrivacyLoss
            With an infinite mu where there is no noise.

        Raises
        ------
        ValueError
            For contradictory requests.
        """
        if self.noise is None:
            return PrivacyLoss(float("inf"), self.fpr)
        return resolve_loss(
            tolerance=self.tolerance,
            fpr=self.fpr,
            epsilon=self.epsilon,
            delta=self.delta,
            mu=self.mu,
        )

    def _count_patients(self, y: Any, subjects: NDArray[np.intp]) -> NDArray[np.intp]:
        """How many patients each class would count, without fitting: exact, for checks alone."""
        classes = list_classes(self.classes, y)
        codes = encode_classes(y, classes, len(subjects))
        counted = [code for code, _ in counted_rows(codes, subjects, self.max_classes)]
        return np.bincount(counted, minlength=len(classes))

    def _start(self, n_features: int, y: Any) -> Tally:
        """Fix everything public before the first row is counted."""
        self.privacy_ = self.stated_loss()
        self._has_targets = y is not None
        self.classes_ = list_classes(self.classes, y)
        check_public(self.generator, self.cells, n_features, len(self.classes_))
        self.cells_ = self.cells or lay_cells(
            self.generator, n_cells=self.n_cells, n_axes=self.n_axes, seed=self.random_state
        )
        return Tally(self.cells_, len(self.classes_), self.max_classes)

    def _keep(self, noisy: NoisyCells) -> Self:
        """Keep the cells with enough patients and place their prototypes: all post-processing."""
        self.noisy_ = noisy
        self._prototypes = keep_cells(noisy, self.k)
        self.prototypes_, self.prototype_cells_ = self._prototypes.latents, self._prototypes.kept
        targets = self.classes_[self.prototype_cells_[:, 0]]
        self.prototype_targets_ = targets if self._has_targets else None
        return self

    def __getstate__(self) -> dict[str, Any]:
        if self._tally is not None:
            raise ValueError(
                "exact numbers of patients are held until finish() adds the noise; finish before "
                "the aggregator is saved or sent"
            )
        return super().__getstate__()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

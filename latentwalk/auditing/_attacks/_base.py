"""Membership attacks with one interface: fit on the release, a larger score means a member."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from latentwalk.neighbors import ExactNeighbors

ATTACKS: dict[str, type[MembershipAttack]] = {}


class MembershipAttack(BaseEstimator):
    """What every attack does; subclasses give `score_samples` and register by name.

    The attacker sees the release and, where `needs_reference`, records that were in nobody's
    training set. What it was handed beside these, `fit` takes by name and keeps as an attribute
    (``inverter`` as ``inverter_``). It never sees labels of membership. A subclass that learns
    before it scores does so in `_learn`.

    Attributes
    ----------
    needs_reference : bool
        Whether `fit` needs records of others.
    needs : dict of str to tuple of str
        Fields of `AttackerKnowledge` that `fit` needs by name, and the methods each must have.
    takes : tuple of str
        Those that it takes where they are there.
    sees_records : bool
        Whether it works on the records themselves, and not on their features in a space.
    sees_labels : bool
        Whether `score_samples` takes the records' labels as `y`.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.auditing import ATTACKS, MembershipAttack, register_attack
    >>> @register_attack("to the mean")
    ... class ToTheMean(MembershipAttack):
    ...     def score_samples(self, X):
    ...         return -np.linalg.norm(X - self.synthetic_.mean(axis=0), axis=1)
    >>> ATTACKS["to the mean"]().fit(np.zeros((3, 2))).score_samples(np.eye(2))
    array([-1., -1.])
    >>> del ATTACKS["to the mean"]
    """

    needs_reference = False
    needs: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    takes: ClassVar[tuple[str, ...]] = ()
    sees_records = False
    sees_labels = False

    def fit(
        self, X_syn: NDArray[Any], X_reference: NDArray[Any] | None = None, **handed: Any
    ) -> Self:
        """Take what the attacker has.

        Parameters
        ----------
        X_syn : ndarray of shape (n_synthetic, n_features)
            Features of the release.
        X_reference : ndarray of shape (n_reference, n_features), default=None
            Features of records of others.
        **handed : object
            What the attack `needs`, and what it `takes`.

        Returns
        -------
        self : MembershipAttack
            Fitted.

        Raises
        ------
        ValueError
            When the attack needs a reference, or something handed over, and there is none.
        TypeError
            When what was handed over lacks a method, or the attack does not take it.
        """
        if self.needs_reference and X_reference is None:
            raise ValueError(f"{type(self).__name__} needs X_reference: records of others")
        self._check_handed(handed)
        self.synthetic_, self.reference_ = X_syn, X_reference
        for name in (*self.needs, *self.takes):
            setattr(self, f"{name}_", handed.get(name))
        self._learn()
        return self

    def score_samples(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return a score for each real record: larger is more like a member."""
        raise TypeError(f"{type(self).__name__} does not say how it scores")

    def _learn(self) -> None:
        """Work that needs no record to be scored."""

    def _check_handed(self, handed: Mapping[str, Any]) -> None:
        title = type(self).__name__
        unknown = sorted(handed.keys() - {*self.needs, *self.takes})
        if unknown:
            raise TypeError(f"{title} does not take {', '.join(unknown)}")
        missing = [name for name in self.needs if handed.get(name) is None]
        if missing:
            raise ValueError(
                f"{title} needs {', '.join(missing)}: pass it to fit, or in run_attacks as "
                "knowledge=AttackerKnowledge(...)"
            )
        for name, methods in self.needs.items():
            lacking = [method for method in methods if not hasattr(handed[name], method)]
            if lacking:
                kind = type(handed[name]).__name__
                raise TypeError(f"{name} is of type {kind} without {', '.join(lacking)}")

    def _nearest(self, X: NDArray[Any], k: int = 1) -> tuple[NDArray[Any], NDArray[Any]]:
        return ExactNeighbors(self.synthetic_).kneighbors(X, min(k, len(self.synthetic_)))

    def _reference_distance(self, X: NDArray[Any]) -> NDArray[np.float64]:
        return ExactNeighbors(self.reference_).kneighbors(X)[0][:, 0]  # type: ignore[arg-type]


def register_attack(name: str) -> Callable[[type[MembershipAttack]], type[MembershipAttack]]:
    """Return a class decorator that enters an attack in `ATTACKS` under `name`."""

    def enter(attack: type[MembershipAttack]) -> type[MembershipAttack]:
        if name in ATTACKS:
            raise ValueError(f"an attack named {name!r} is registered already")
        ATTACKS[name] = attack
        return attack

    return enter


def shared_space(synthetic: NDArray[Any], reference: NDArray[Any], n_components: int) -> Pipeline:
    """Standardised principal components of release and reference together, fitted."""
    seen = np.concatenate([synthetic, reference])
    parts = PCA(min(n_components, *seen.shape), svd_solver="full")
    return make_pipeline(parts, StandardScaler()).fit(seen)


@register_attack("nearest")
class NearestAttack(MembershipAttack):
    """Distance to the closest synthetic record (DCR); near is a member."""

    def score_samples(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return minus the distance."""
        return -self._nearest(X)[0][:, 0]


@register_attack("absence")
class AbsenceAttack(MembershipAttack):
    """Far is a member: the hole left where points near members were dropped."""

    def score_samples(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return the distance."""
        distances: NDArray[np.float64] = self._nearest(X)[0][:, 0]
        return distances


@register_attack("calibrated nearest")
class CalibratedNearestAttack(MembershipAttack):
    """The distance to the release over the distance to the reference."""

    needs_reference = True

    def score_samples(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return the logarithm of the ratio, reference over release."""
        tiny = np.finfo(np.float64).tiny
        to_release = np.maximum(self._nearest(X)[0][:, 0], tiny)
        log_ratio: NDArray[np.float64] = np.log(
            np.maximum(self._reference_distance(X), tiny)
        ) - np.log(to_release)
        return log_ratio


@register_attack("Monte Carlo")
class MonteCarloAttack(MembershipAttack):
    """The number of synthetic records in a ball (Hilprecht et al., PoPETs 2019).

    Parameters
    ----------
    n_neighbors : int, default=50
        The most that are counted.
    quantile : float, default=0.1
        The ball's radius among the distances of the scored records to their nearest ones.
    """

    def __init__(self, n_neighbors: int = 50, quantile: float = 0.1) -> None:
        self.n_neighbors = n_neighbors
        self.quantile = quantile

    def score_samples(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return the count; the nearest distance decides between equal counts."""
        distances = self._nearest(X, self.n_neighbors)[0]
        radius = np.quantile(distances[:, 0], self.quantile)
        inside = (distances <= radius).sum(axis=1)
        scores: NDArray[np.float64] = inside - distances[:, 0] / (1 + distances[:, 0].max())
        return scores


@register_attack("local mean")
class LocalMeanAttack(MembershipAttack):
    """Distance to the mean of the k nearest synthetic records: aimed at averages of k.

    Parameters
    ----------
    k : int, default=5
        Synthetic records averaged.
    """

    def __init__(self, k: int = 5) -> None:
        self.k = k

    def score_samples(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return minus the distance."""
        nearest = self._nearest(X, self.k)[1]
        means = np.array([self.synthetic_[rows].mean(axis=0) for rows in nearest])
        distances: NDArray[np.float64] = np.linalg.norm(X - means, axis=1)
        return -distances


@register_attack("DOMIAS")
class DensityRatioAttack(MembershipAttack):
    """The release's density over the reference's (DOMIAS, van Breugel et al., AISTATS 2023).

    Kernel densities on principal components, with Scott's bandwidth.

    Parameters
    ----------
    n_components : int, default=8
        Components of release and reference together.
    """

    needs_reference = True

    def __init__(self, n_components: int = 8) -> None:
        self.n_components = n_components

    def score_samples(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return the logarithm of the ratio."""
        assert self.reference_ is not None
        space = shared_space(self.synthetic_, self.reference_, self.n_components)
        scored = space.transform(X)
        of_release, of_reference = (
            KernelDensity(bandwidth="scott").fit(space.transform(rows)).score_samples(scored)
            for rows in (self.synthetic_, self.reference_)
        )
        return np.asarray(of_release - of_reference)


@register_attack("classifier")
class ClassifierAttack(MembershipAttack):
    """A classifier of release against reference: members look like the release."""

    needs_reference = True

    def score_samples(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return the log-odds of the release."""
        seen = np.concatenate([self.synthetic_, self.reference_])
        labels = np.repeat([1, 0], [len(self.synthetic_), len(seen) - len(self.synthetic_)])
        parts = PCA(min(32, *seen.shape), svd_solver="full")
        model = make_pipeline(parts, StandardScaler(), LogisticRegression(max_iter=1000))
        return np.asarray(model.fit(seen, labels).decision_function(X))

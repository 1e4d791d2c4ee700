"""Membership attacks with one interface: fit on the release, a larger score means a member."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from latentwalk.neighbors import ExactNeighbors

ATTACKS: dict[str, type[MembershipAttack]] = {}
N_NEIGHBORS = 50


class NeighborSearch:
    """The nearest of some rows, kept for the next attack that asks about the same records.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features)
        Among which is searched.
    """

    def __init__(self, rows: NDArray[Any]) -> None:
        self.rows = rows
        self._index: ExactNeighbors | None = None
        self._asked: NDArray[Any] | None = None
        self._found = np.empty((0, 0)), np.empty((0, 0), dtype=np.intp)

    def kneighbors(
        self, X: NDArray[Any], k: int = 1
    ) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """Return distances and row numbers of the k nearest, all rows where there are fewer."""
        k = min(k, len(self.rows))
        if self._asked is not X or self._found[0].shape[1] < k:
            self._index = self._index or ExactNeighbors(self.rows)
            self._asked, self._found = X, self._index.kneighbors(X, k)
        distances, indices = self._found
        return distances[:, :k], indices[:, :k]


class MembershipAttack(BaseEstimator):
    """What every attack does; subclasses give `score_samples` and register by name.

    The attacker sees the release and, where `needs_reference`, records that nothing was trained
    on. Whatever else the attacker holds, `fit` takes by name and keeps as an attribute
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
    decomposes : bool
        Whether the score on a release is the largest of the scores on its parts, so that a large
        release can be attacked part by part.

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
    decomposes = False

    def fit(
        self,
        X_syn: NDArray[Any],
        X_reference: NDArray[Any] | None = None,
        *,
        search: NeighborSearch | None = None,
        **handed: Any,
    ) -> Self:
        """Take what the attacker has.

        Parameters
        ----------
        X_syn : ndarray of shape (n_synthetic, n_features)
            Features of the release.
        X_reference : ndarray of shape (n_reference, n_features), default=None
            Features of records of others.
        search : NeighborSearch, default=None
            Of `X_syn`, shared by attacks on the same release.
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
        self._search = search or NeighborSearch(X_syn)
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
                f"{title} needs {', '.join(missing)}: pass it to fit, or to audit as "
                "knowledge=AttackerKnowledge(...)"
            )
        for name, methods in self.needs.items():
            lacking = [method for method in methods if not hasattr(handed[name], method)]
            if lacking:
                kind = type(handed[name]).__name__
                raise TypeError(f"{name} is of type {kind} without {', '.join(lacking)}")

    def _nearest(self, X: NDArray[Any], k: int = 1) -> tuple[NDArray[Any], NDArray[Any]]:
        return self._search.kneighbors(X, k)

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

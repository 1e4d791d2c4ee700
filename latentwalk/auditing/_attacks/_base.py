"""Membership attacks with one interface: fit on the release, a larger score means a member."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import gen_batches

from latentwalk.neighbors import ExactNeighbors

ATTACKS: dict[str, type[MembershipAttack]] = {}
N_NEIGHBORS = 50
BATCH_VALUES = 2**24
Neighbors = tuple[NDArray[np.float64], NDArray[np.intp]]


class NeighborSearch:
    """The nearest of some rows, kept for the next attack that asks about the same records.

    The distance to the nearest row is exact, so that a copy has distance 0. The distances to
    further rows are by float32 arithmetic: attacks take their mean or count them, and an exact
    search for 50 neighbours costs several times as much.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features)
        Among which is searched.
    """

    def __init__(self, rows: NDArray[Any]) -> None:
        self.rows = rows
        self._asked: NDArray[Any] | None = None
        self._found: Neighbors = np.empty((0, 0)), np.empty((0, 0), dtype=np.intp)

    def kneighbors(self, X: NDArray[Any], k: int = 1) -> Neighbors:
        """Return distances and row numbers of the k nearest, all rows where there are fewer."""
        k = min(k, len(self.rows))
        if self._asked is not X:
            self._asked, self._found = X, self._exact.kneighbors(X)
        if self._found[0].shape[1] < k:
            self._found = self._further(X, max(k, min(N_NEIGHBORS, len(self.rows))))
        distances, indices = self._found
        return distances[:, :k], indices[:, :k]

    @cached_property
    def _exact(self) -> ExactNeighbors:
        return ExactNeighbors(self.rows)

    @cached_property
    def _centred(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """The centre, the rows around it, in which less is lost to rounding, and their squares."""
        centre = self.rows.mean(axis=0, dtype=np.float64).astype(np.float32)
        rows = self.rows.astype(np.float32) - centre
        return centre, rows, np.square(rows).sum(axis=1)

    def _further(self, X: NDArray[Any], k: int) -> Neighbors:
        """The k nearest by |x|^2 + |r|^2 - 2 x.r; the nearest one as it was found exactly."""
        centre, rows, squares = self._centred
        squared = np.empty((len(X), k), dtype=np.float32)
        indices = np.empty((len(X), k), dtype=np.intp)
        for part in gen_batches(len(X), max(1, BATCH_VALUES // max(rows.shape))):
            queries = X[part].astype(np.float32) - centre
            found = squares - 2 * queries @ rows.T
            found += np.square(queries).sum(axis=1)[:, None]
            nearest = np.argpartition(found, k - 1, axis=1)[:, :k]
            order = np.take_along_axis(found, nearest, axis=1).argsort(axis=1, kind="stable")
            indices[part] = np.take_along_axis(nearest, order, axis=1)
            squared[part] = np.take_along_axis(found, indices[part], axis=1)
        distances = np.sqrt(np.maximum(squared, 0), dtype=np.float64)
        # of rows that are equally near, float32 may put another one first
        exact, every = self._found, np.arange(len(X))
        place = (indices == exact[1][:, :1]).argmax(axis=1)
        for found, first in ((distances, exact[0]), (indices, exact[1])):
            found[every, place] = found[:, 0]
            found[:, 0] = first[:, 0]
        return np.maximum(distances, exact[0][:, :1]), indices


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
    takes_half : bool
        Whether `fit` and `score_samples` take rows in half precision. Others get float32.

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
    takes_half = False

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
        if not self.takes_half and X_syn.dtype == np.float16:
            self.synthetic_ = X_syn.astype(np.float32)
            self.reference_ = None if X_reference is None else X_reference.astype(np.float32)
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

    def _nearest(self, X: NDArray[Any], k: int = 1) -> Neighbors:
        return self._search.kneighbors(X, k)

    def _reference_distance(self, X: NDArray[Any]) -> NDArray[np.float64]:
        if not hasattr(self, "_reference_search"):
            self._reference_search = ExactNeighbors(self.reference_)  # type: ignore[arg-type]
        return self._reference_search.kneighbors(X)[0][:, 0]


def register_attack(name: str) -> Callable[[type[MembershipAttack]], type[MembershipAttack]]:
    """Return a class decorator that enters an attack in `ATTACKS` under `name`."""

    def enter(attack: type[MembershipAttack]) -> type[MembershipAttack]:
        if name in ATTACKS:
            raise ValueError(f"an attack named {name!r} is registered already")
        ATTACKS[name] = attack
        return attack

    return enter

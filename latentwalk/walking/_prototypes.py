"""The ends of walks: the prototypes of each class, and the tour that joins them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.intp]


@dataclass(frozen=True)
class Prototypes:
    """Distinct latents of each class, and the prototype of each row."""

    latents: NDArray[np.float32]  # (n_prototypes, n_features)
    codes: Ints  # (n_prototypes,) class codes
    labels: Ints  # (n_rows,) the prototype of each row


def find_prototypes(W: NDArray[np.float32], codes: Ints, names: list[str]) -> Prototypes:
    """Return the distinct rows of each class.

    Parameters
    ----------
    W : ndarray of shape (n_rows, n_features)
        Latents.
    codes : ndarray of shape (n_rows,)
        Class codes.
    names : list of str
        The name of each class in errors.

    Returns
    -------
    prototypes : Prototypes
        Sorted within each class.

    Raises
    ------
    ValueError
        When two classes share a prototype, or when a class has only one, so that there is no path.
    """
    _check_unshared(W, codes, names)
    latents: list[NDArray[np.float32]] = []
    classes: list[int] = []
    labels = np.empty(len(W), np.intp)
    for code in np.unique(codes):
        rows = np.flatnonzero(codes == code)
        distinct, inverse = np.unique(W[rows], axis=0, return_inverse=True)
        if len(distinct) < 2:
            raise ValueError(
                f"{names[code]} has one prototype ({len(rows)} rows); a path needs two. Take a "
                "smaller k (a class needs 2k subjects), or leave the class out"
            )
        labels[rows] = inverse.reshape(-1) + len(classes)
        latents.append(distinct)
        classes += [code] * len(distinct)
    return Prototypes(np.concatenate(latents), np.array(classes, np.intp), labels)


def _check_unshared(W: NDArray[np.float32], codes: Ints, names: list[str]) -> None:
    """Raise when rows of two classes are equal: k-same never averages over classes."""
    cell = np.unique(W, axis=0, return_inverse=True)[1].reshape(-1)
    pairs = np.unique(np.column_stack([cell, codes]), axis=0)
    shared = np.flatnonzero(np.bincount(pairs[:, 0]) > 1)
    if len(shared):
        sharing = pairs[np.isin(pairs[:, 0], shared), 1]
        classes = ", ".join(names[code] for code in np.unique(sharing))
        raise ValueError(
            f"{len(shared)} prototypes in W have rows of more than one class ({classes}). "
            "A path from them would get the wrong label for some. Make the prototypes within each "
            "class: fit_transform of KSameAggregator with y does, its transform does not"
        )


def check_subjects(prototypes: Prototypes, subjects: Ints, names: list[str]) -> None:
    """Raise when a subject has rows of one class at several prototypes.

    Parameters
    ----------
    prototypes : Prototypes
        The prototypes of the rows.
    subjects : ndarray of shape (n_rows,)
        Subject codes, see `check_groups`.
    names : list of str
        The name of each class in the error.

    Raises
    ------
    ValueError
        When there is such a subject: groups of k were then not groups of k subjects.
    """
    pairs = np.unique(np.column_stack([subjects, prototypes.labels]), axis=0)
    owned = np.column_stack([pairs[:, 0], prototypes.codes[pairs[:, 1]]])  # subject and class
    kinds, counts = np.unique(owned, axis=0, return_counts=True)
    split = np.bincount(kinds[counts > 1, 1], minlength=len(names))
    if split.any():
        classes = ", ".join(f"{names[c]}: {n}" for c, n in enumerate(split) if n)
        raise ValueError(
            f"by groups, {int(split.sum())} subjects have rows of one class at several prototypes "
            f"({classes}): the prototypes were made without these groups, so k did not count "
            "these subjects. Pass the same groups to KSameAggregator (ksame__groups=groups in a "
            "pipeline whose step is named ksame)"
        )


def class_tours(prototypes: NDArray[np.floating], codes: Ints, rng: np.random.RandomState) -> Ints:
    """Return the pairs of one tour in each class, as rows of `prototypes`, (n_paths, 2)."""
    parts = []
    for code in np.unique(codes):
        members = np.flatnonzero(codes == code)
        parts.append(members[tour(prototypes[members], rng)])
    return np.concatenate(parts)


def tour(points: NDArray[np.floating], rng: np.random.RandomState) -> Ints:
    """Return the pairs of a closed tour through all points, so that each is an end twice.

    Near prototypes are joined, because a short path stays closer to the generator's latents.

    Parameters
    ----------
    points : ndarray of shape (n_points, n_features)
        At least two; two give one pair.
    rng : RandomState
        Draws the start. The tour goes on to the nearest point that it has not visited.

    Returns
    -------
    pairs : ndarray of shape (n_points, 2)
        Row numbers; (1, 2) for two points.
    """
    order = _nearest_first(points, rng.randint(len(points)))
    pairs = np.column_stack([order, np.roll(order, -1)])
    return pairs[:1] if len(points) == 2 else pairs


def _nearest_first(points: NDArray[Any], start: int) -> Ints:
    """Order in which each point is the nearest unvisited one of the point before."""
    left = np.ones(len(points), dtype=bool)
    order = [start]
    left[start] = False
    while left.any():
        rest = np.flatnonzero(left)
        gaps = np.square(points[rest] - points[order[-1]]).sum(axis=1, dtype=np.float64)
        order.append(int(rest[gaps.argmin()]))
        left[order[-1]] = False
    return np.array(order)

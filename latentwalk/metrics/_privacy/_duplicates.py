"""Records that are the same, to the last byte of what a release writes."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentwalk.utils import to_bytes


def row_keys(X: ArrayLike) -> NDArray[np.bytes_]:
    """Return a key a row: equal keys are equal records.

    Images (4-D) are compared as the 8-bit images that a release writes, anything else as
    float32.
    """
    X = np.asarray(X)
    # adding zero makes -0.0 and 0.0 the same bytes
    rows = to_bytes(X) if X.ndim == 4 else np.asarray(X, dtype=np.float32) + np.float32(0)
    rows = np.ascontiguousarray(rows.reshape(len(rows), -1))
    return np.array([blake2b(row.tobytes(), digest_size=16).hexdigest() for row in rows], dtype="S")


def keys_digest(keys: NDArray[np.bytes_]) -> str:
    """Return one digest of the records with these keys, in any order.

    Examples
    --------
    >>> from latentwalk.metrics import keys_digest, row_keys
    >>> keys = row_keys([[1.0], [2.0]])
    >>> keys_digest(keys) == keys_digest(keys[::-1]), keys_digest(keys) == keys_digest(keys[:1])
    (True, False)
    """
    return blake2b(b"".join(sorted(keys.tolist())), digest_size=16).hexdigest()


def exact_duplicates(X_syn: ArrayLike, X_real: ArrayLike) -> NDArray[np.intp]:
    """Return, for each synthetic record, the first real record that it equals, or -1.

    Parameters
    ----------
    X_syn : array-like of shape (n_synthetic, ...)
        Images (n, n_channels, height, width), compared as 8-bit images, or rows of features,
        compared as float32.
    X_real : array-like of shape (n_real, ...)
        The real records, of the same kind.

    Returns
    -------
    indices : ndarray of shape (n_synthetic,)
        Rows of `X_real`; -1 where there is none.

    Examples
    --------
    >>> from latentwalk.metrics import exact_duplicates
    >>> exact_duplicates([[1.0, 2.0], [0.0, 0.0]], [[5.0, 5.0], [0.0, -0.0]])
    array([-1,  1])
    """
    return match_keys(row_keys(X_syn), row_keys(X_real))


def match_keys(wanted: NDArray[np.bytes_], keys: NDArray[np.bytes_]) -> NDArray[np.intp]:
    """Return the first position in `keys` of each wanted key, or -1."""
    first: dict[bytes, int] = {}
    for position, key in enumerate(keys.tolist()):
        first.setdefault(key, position)
    return np.array([first.get(key, -1) for key in wanted.tolist()], dtype=np.intp)


def n_repeated(X: ArrayLike) -> int:
    """Return how many records equal an earlier record of the same set.

    Examples
    --------
    >>> from latentwalk.metrics import n_repeated
    >>> n_repeated([[1.0], [2.0], [1.0], [1.0]])
    2
    """
    keys = row_keys(X)
    return len(keys) - len(np.unique(keys))

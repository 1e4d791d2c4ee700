"""Images that are in a set twice, pixel for pixel, under the ids of different patients."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from latentwalk.utils import check_groups


def join_equal_images(X: Any, groups: ArrayLike | None = None) -> NDArray[np.intp]:
    """Return groups in which pixel-equal images belong to one subject.

    Public image sets often hold an image several times, under different names and patient ids. Two
    subjects who share an image become one, and so do subjects who are linked through a third. An
    image with a single value (a blank one) links nobody.

    Parameters
    ----------
    X : array-like of shape (n_samples, ...)
        The images. `ImageFiles` are read once.
    groups : array-like of shape (n_samples,), default=None
        Patient ids; None makes every image its own patient.

    Returns
    -------
    groups : ndarray of shape (n_samples,)
        Numbers from 0, which can be passed as ``groups`` everywhere.

    See Also
    --------
    latentwalk.split_patients : Warns of pixel-equal images in different sets.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.datasets import join_equal_images
    >>> X = np.array([[0, 1], [2, 3], [0, 1], [4, 5]])
    >>> join_equal_images(X, groups=["a", "b", "c", "b"])
    array([0, 1, 0, 1])
    """
    images = equal_images(X)
    subjects = check_groups(groups, len(images))
    n_subjects, n_images = subjects.max() + 1, images.max() + 1
    # a graph of two kinds of nodes: a row links its subject to its image
    links = (np.ones(len(images)), (subjects, n_subjects + images))
    n_nodes = n_subjects + n_images
    labels = connected_components(coo_array(links, shape=(n_nodes, n_nodes)), directed=False)[1]
    return np.unique(labels[subjects], return_inverse=True)[1].reshape(-1)


def count_shared_images(X: Any, groups: ArrayLike) -> int:
    """Return the number of images that are pixel-equal to an image of another group.

    Parameters
    ----------
    X : array-like of shape (n_samples, ...)
        The images. `ImageFiles` are read once, and never again by this function.
    groups : array-like of shape (n_samples,)
        Patients, or the sets of a split.

    Returns
    -------
    n_images : int
        Blank images are not counted.
    """
    images = equal_images(X)
    codes = check_groups(groups, len(images))
    pairs = np.unique(np.column_stack([images, codes]), axis=0)
    n_groups = np.bincount(pairs[:, 0])  # (n distinct images,)
    return int(np.sum(n_groups[images] > 1))


def equal_images(X: Any) -> NDArray[np.intp]:
    """Return a number for each image, the same for images whose pixels are equal.

    Blank images do not show a patient: each gets a number of its own.
    """
    digests = X.digests() if hasattr(X, "digests") else map(digest_image, _rows(X))
    numbers: dict[Any, int] = {}
    keys = (digest or row for row, digest in enumerate(digests))
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.intp)


def _rows(X: Any) -> Any:
    return X if hasattr(X, "shape") and not hasattr(X, "iloc") else np.asarray(X)


def digest_image(image: ArrayLike) -> bytes:
    """Return a digest of the pixels of an image; empty when all of them are equal."""
    pixels = np.ascontiguousarray(image)
    if pixels.size == 0 or (pixels == pixels.flat[0]).all():
        return b""
    return blake2b(pixels.tobytes(), digest_size=16).digest()

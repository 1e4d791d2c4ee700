"""The four sets of a study, disjoint by patient."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state
from sklearn.utils.validation import _num_samples

from latentwalk.datasets._equal_images import count_shared_images
from latentwalk.metrics import chance_of_no_evidence, patients_needed
from latentwalk.utils import check_groups, check_targets


class PatientSplit(NamedTuple):
    """Row indices of the four sets, each sorted.

    Attributes
    ----------
    members : ndarray of int
        Train everything: generator, guides, inversion, groups, walks.
    calibration : ndarray of int
        Temperatures, thresholds, the choice of k.
    reference : ndarray of int
        Stands for the population, in the audit's controls.
    audit : ndarray of int
        Held out, used once, by the audit alone.
    """

    members: NDArray[np.intp]
    calibration: NDArray[np.intp]
    reference: NDArray[np.intp]
    audit: NDArray[np.intp]


def split_patients(
    X: Any,
    y: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    *,
    shares: tuple[float, float, float, float] = (0.5, 0.1, 0.1, 0.3),
    compare_images: bool = True,
    random_state: int | np.random.RandomState | None = None,
) -> PatientSplit:
    """Split rows into members, calibration, reference and audit sets by patient.

    No patient is in two sets. Patients are drawn within strata of the classes they have and of
    their number of images, so that the sets agree in both. Pixel-equal images in different sets
    get a warning: they belong to one patient, whatever their ids say, or to a set that was
    published twice.

    Parameters
    ----------
    X : array-like of shape (n_samples, ...)
        The images. Arrays of one dimension, such as row numbers, are accepted: then nothing is
        known of equal images.
    y : array-like of shape (n_samples,), default=None
        Class labels.
    groups : array-like of shape (n_samples,), default=None
        Patient ids; None makes every image its own patient.
    shares : tuple of 4 floats, default=(0.5, 0.1, 0.1, 0.3)
        The share of patients of members, calibration, reference and audit.
    compare_images : bool, default=True
        Look for pixel-equal images in different sets. `ImageFiles` are read once for it. With
        False nothing but the number of images is asked, and no file is read.
    random_state : int, RandomState instance or None, default=None
        The draw.

    Returns
    -------
    split : PatientSplit
        Four arrays of row indices.

    Raises
    ------
    ValueError
        When a length differs, the shares are not four non-negative numbers that sum to 1, or a
        set with a positive share would be empty.

    Warns
    -----
    UserWarning
        When pixel-equal images are in different sets. `latentwalk.datasets.join_equal_images`
        gives groups that keep them together. When there are too few patients for an audit to
        conclude that nothing leaks, see `latentwalk.metrics.patients_needed`.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk import split_patients
    >>> patients = np.repeat(np.arange(20), 3)
    >>> split = split_patients(np.zeros((60, 4)), groups=patients, random_state=0)
    >>> [len(rows) for rows in split]
    [30, 6, 6, 18]
    """
    n_samples = _num_samples(X)
    codes = check_groups(groups, n_samples)
    y = check_targets(y, n_samples)
    _check_shares(shares)
    rng = check_random_state(random_state)
    strata = _patient_strata(codes, y)
    order = rng.permutation(len(strata))
    # sorting by stratum and cutting at equal spacing gives every stratum its share of each set
    order = order[np.argsort(strata[order], kind="stable")]
    sets = np.empty(len(strata), dtype=np.intp)
    sets[order] = _spread(len(strata), shares, rng)
    counts = np.bincount(sets, minlength=4)
    if any(share > 0 and count == 0 for share, count in zip(shares, counts, strict=True)):
        raise ValueError(
            f"groups has {len(strata)} patients, too few for shares={tuple(shares)}: the sets "
            f"would have {counts.tolist()}"
        )
    if compare_images:
        _warn_of_shared_images(X, sets[codes])
    _warn_of_small_sets(n_members=int(counts[0]), n_holdout=int(counts[3]))
    return PatientSplit(*(np.flatnonzero(sets[codes] == s) for s in range(4)))


def _warn_of_small_sets(*, n_members: int, n_holdout: int) -> None:
    """Warn where an audit would end in UNDERPOWERED more often than not, though nothing leaks."""
    if not (n_members and n_holdout) or chance_of_no_evidence(n_members, n_holdout) >= 0.5:
        return
    needed = patients_needed(power=0.5)
    warnings.warn(
        f"an audit with {n_members} members and {n_holdout} held-out patients will mostly end in "
        f"UNDERPOWERED, even if nothing leaks; {needed.n_members} and {needed.n_holdout} rule out "
        "a leak of 5 % in half of such audits (see latentwalk.metrics.patients_needed)",
        stacklevel=3,
    )


def _warn_of_shared_images(X: Any, sets: NDArray[np.intp]) -> None:
    n_shared = count_shared_images(X, sets) if np.ndim(X) > 1 else 0
    if n_shared:
        warnings.warn(
            f"{n_shared} of {len(sets)} images have a pixel-equal copy in another set of the "
            "split; keep copies together with "
            "groups=latentwalk.datasets.join_equal_images(X, groups)",
            stacklevel=3,
        )


def _check_shares(shares: tuple[float, ...]) -> None:
    if len(shares) != 4 or min(shares) < 0 or abs(sum(shares) - 1) > 1e-9:
        raise ValueError(
            f"shares={tuple(shares)}; expected four non-negative numbers that sum to 1 "
            "(members, calibration, reference, audit)"
        )


def _patient_strata(codes: NDArray[np.intp], y: NDArray[Any] | None) -> NDArray[np.intp]:
    """A stratum for every patient: the classes it has, then its number of images."""
    n_patients = int(codes.max()) + 1
    counts = np.minimum(np.bincount(codes), 5)
    if y is None:
        return np.asarray(counts)
    classes = np.unique(y, return_inverse=True)[1].reshape(-1)
    has = np.zeros((n_patients, int(classes.max()) + 1), dtype=np.intp)
    has[codes, classes] = 1
    rows = np.column_stack([has, counts])
    return np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1)


def _spread(
    n_patients: int, shares: tuple[float, ...], rng: np.random.RandomState
) -> NDArray[np.intp]:
    """A set for every position, each set as evenly spaced over the positions as can be."""
    sizes = _sizes(n_patients, shares)
    at = np.concatenate([(np.arange(s) + rng.uniform()) / max(s, 1) for s in sizes])
    return np.repeat(np.arange(4), sizes)[np.argsort(at, kind="stable")]


def _sizes(n_patients: int, shares: tuple[float, ...]) -> NDArray[np.intp]:
    """Whole numbers of patients nearest to the shares (largest remainders)."""
    exact = np.asarray(shares) * n_patients
    sizes = np.floor(exact + 1e-9).astype(np.intp)
    left = n_patients - int(sizes.sum())
    sizes[np.argsort(sizes - exact, kind="stable")[:left]] += 1
    return sizes

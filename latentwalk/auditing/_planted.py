"""What the audit would find: near-copies of members, planted in a release of others."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from sklearn.utils import check_random_state

from latentwalk.auditing._auditor import PrivacyAuditor
from latentwalk.utils import to_bytes, to_float


def add_noise(X: NDArray[Any], rng: np.random.RandomState) -> NDArray[Any]:
    """Add Gaussian noise of 5 % of the spread."""
    return X + 0.05 * X.std() * rng.standard_normal(X.shape)


def shift(X: NDArray[Any], rng: np.random.RandomState) -> NDArray[Any]:
    """Shift images by one pixel to the right, edges repeated."""
    return np.concatenate([X[..., :1], X[..., :-1]], axis=-1)


def flip(X: NDArray[Any], rng: np.random.RandomState) -> NDArray[Any]:
    """Mirror images left to right."""
    return X[..., ::-1]


def compress(X: NDArray[Any], rng: np.random.RandomState) -> NDArray[Any]:
    """Store images as JPEG of quality 75, and read them again."""
    pixels = to_bytes(X).transpose(0, 2, 3, 1)
    read = [_through_jpeg(image.squeeze(-1) if X.shape[1] == 1 else image) for image in pixels]
    stored = np.stack(read).reshape(pixels.shape).transpose(0, 3, 1, 2)
    return (stored / 255).astype(X.dtype)


def _through_jpeg(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    file = BytesIO()
    Image.fromarray(pixels).save(file, format="JPEG", quality=75)
    return np.asarray(Image.open(file))


PLANTS: dict[str, Callable[[NDArray[Any], np.random.RandomState], NDArray[Any]]] = {
    "noise": add_noise,
    "shift": shift,
    "flip": flip,
    "jpeg": compress,
}


def _check_plant(how: str, X: NDArray[Any]) -> None:
    """Raise for another way of planting, or one that the records do not allow."""
    if how not in PLANTS:
        raise ValueError(f"how={how!r}; expected one of {sorted(PLANTS)}")
    if how != "noise" and (X.ndim != 4 or (how == "jpeg" and X.shape[1] not in (1, 3))):
        channels = " of 1 or 3 channels" if how == "jpeg" else ""
        raise ValueError(
            f"how={how!r} is for images{channels}, (n, c, h, w); X has shape {X.shape[1:]} a record"
        )


def planted_positives(
    auditor: PrivacyAuditor,
    X_syn: ArrayLike,
    X: ArrayLike,
    *,
    how: str = "noise",
    counts: ArrayLike = (1, 2, 5, 10, 20, 50, 100),
    random_state: Any = None,
) -> int | None:
    """Return the smallest number of planted near-copies of members that the audit finds.

    Parameters
    ----------
    auditor : PrivacyAuditor
        Fitted with held-out records.
    X_syn : array-like of shape (n_synthetic, ...)
        A release in which the audit finds nothing.
    X : array-like of shape (n_samples, ...)
        The members.
    how : {"noise", "shift", "flip", "jpeg"}, default="noise"
        What is done to the copies; all but noise are for images. "jpeg" stores them at quality
        75 and reads them again, 1 or 3 channels.
    counts : array-like of int
        Numbers tried, in rising order.
    random_state : int, RandomState or None, default=None
        Which members, and the noise.

    Returns
    -------
    n_planted : int or None
        The smallest with ``p_value <= alpha``; None where none was found, as with copies that
        the feature spaces do not recognise.

    Raises
    ------
    ValueError
        For another way of planting, all but "noise" with records that are not images ("jpeg": of 1
        or 3 channels), or a release in which the audit finds something already.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.auditing import PrivacyAuditor, planted_positives
    >>> X = np.random.default_rng(1).normal(size=(1500, 5))
    >>> auditor = PrivacyAuditor(random_state=0).fit(X[:500], X_holdout=X[500:1000])
    >>> planted_positives(auditor, X[1000:], X[:500], random_state=0)
    10
    """
    X_syn, X = (np.asarray(rows) for rows in (X_syn, X))
    _check_plant(how, X)
    if X.ndim == 4:
        X_syn, X = to_float(X_syn), to_float(X)
    already = auditor.audit(X_syn).p_value
    if already <= auditor.alpha:
        raise ValueError(
            f"the audit finds a difference in X_syn with nothing planted (p = {already:.2g}), so a "
            "planted copy would prove nothing; use the images of subjects of no other set"
        )
    rng = check_random_state(random_state)
    chosen = rng.permutation(len(X))
    for count in np.asarray(counts).tolist():
        planted = PLANTS[how](X[chosen[:count]], rng)
        if X.ndim == 4:
            planted = np.clip(planted, 0, 1)
        if auditor.audit(np.concatenate([X_syn, planted])).p_value <= auditor.alpha:
            return int(count)
    return None

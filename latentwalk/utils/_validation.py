"""Input checks that run before any long work starts."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array
from sklearn.utils.validation import _check_feature_names, _check_n_features, validate_data

ImageShape = tuple[int, int, int]
MAX_NAMED = 20  # classes that a message names


def check_images(
    X: ArrayLike,
    image_shape: ImageShape | None = None,
    *,
    name: str = "X",
    min_samples: int = 1,
    lazy: bool = False,
) -> NDArray[Any]:
    """Return images as ``(n_samples, n_channels, height, width)``, uint8 or float32 in [0, 1].

    Parameters
    ----------
    X : array-like of shape (n_samples, n_channels, height, width) or (n_samples, n_features)
        uint8 in 0..255, or floats in [0, 1]. The flat form needs `image_shape`.
    image_shape : tuple (n_channels, height, width), default=None
        What the images must be; None accepts any.
    name : str, default="X"
        What the errors call the argument.
    min_samples : int, default=1
        The smallest number of images accepted.
    lazy : bool, default=False
        Leave bytes that are not in memory where they are: an object with `shape`, the dtype uint8
        and rows by increasing numbers, as `latentwalk.datasets.ImageFiles` or an HDF5 dataset.

    Returns
    -------
    X : ndarray of shape (n_samples, n_channels, height, width)
        uint8 input stays uint8 (and is not copied); everything else becomes float32. With `lazy`
        the object itself, ``np.asarray(X[rows])`` of which is images.

    Raises
    ------
    ValueError
        For a wrong rank or shape, NaN or infinite values, or values out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.utils import check_images
    >>> check_images(np.zeros((2, 12)), image_shape=(3, 2, 2)).shape
    (2, 3, 2, 2)
    """
    images: Any = X if lazy and _on_disk(X) else _as_array(X, name)
    if images.dtype.kind not in "uif" or (images.dtype.kind in "ui" and images.dtype != np.uint8):
        raise ValueError(
            f"{name} has dtype {images.dtype}; images are uint8 in 0..255 or floats in [0, 1]"
        )
    images = _shaped(images, image_shape, name)
    if len(images) < min_samples:
        raise ValueError(f"{name} has {len(images)} images; at least {min_samples} are needed")
    if images.dtype == np.uint8:
        return images
    if not np.isfinite(images).all():
        raise ValueError(f"{name} contains NaN or infinite values")
    low, high = float(images.min(initial=0.0)), float(images.max(initial=0.0))
    if low < 0 or high > 1:
        hint = " (divide by 255, or pass uint8)" if 1 < high <= 255 and low >= 0 else ""
        raise ValueError(
            f"{name} has values in [{low:.4g}, {high:.4g}]; float images are in [0, 1]{hint}"
        )
    return images.astype(np.float32, copy=False)


def _on_disk(X: Any) -> bool:
    rows = hasattr(X, "__getitem__") and hasattr(X, "__len__") and not isinstance(X, np.ndarray)
    return rows and len(getattr(X, "shape", ())) == 4 and getattr(X, "dtype", None) == np.uint8


def _as_array(X: Any, name: str) -> NDArray[Any]:
    try:
        return np.asarray(X)
    except ValueError as error:
        if "inhomogeneous" not in str(error):
            raise
        raise ValueError(
            f"{name} has images of several sizes; expected one: resize them, or read them with "
            "latentwalk.datasets.load_image_folder(..., size=..)"
        ) from error


def _shaped(X: NDArray[Any], image_shape: ImageShape | None, name: str) -> NDArray[Any]:
    """X as a 4-D array of the wanted image shape."""
    if X.ndim == 2:
        if image_shape is None:
            raise ValueError(
                f"{name} is 2-D with shape {X.shape}: image_shape=(n_channels, height, width) "
                "is needed to read its rows as images"
            )
        if X.shape[1] != prod(image_shape):
            raise ValueError(
                f"{name} has {X.shape[1]} features a row; images of shape {tuple(image_shape)} "
                f"have {prod(image_shape)}"
            )
        return X.reshape(-1, *image_shape)
    if X.ndim != 4:
        hint = "; add the channel axis with X[:, None]" if X.ndim == 3 else ""
        raise ValueError(
            f"{name} has shape {X.shape}; expected (n_samples, n_channels, height, width){hint}"
        )
    hint = f"; channels come first: {name}.transpose(0, 3, 1, 2)" if _channels_last(X) else ""
    if image_shape is not None and X.shape[1:] != tuple(image_shape):
        raise ValueError(
            f"{name} has images of shape {X.shape[1:]}; expected {tuple(image_shape)}{hint}"
        )
    if hint and image_shape is None:
        raise ValueError(
            f"{name} has shape {X.shape}; expected (n_samples, n_channels, height, width){hint}"
        )
    return X


def _channels_last(X: NDArray[Any]) -> bool:
    """Whether the axes are most likely (n_samples, height, width, n_channels)."""
    return X.shape[3] <= 4 < min(X.shape[1:3])


def validate_images(
    estimator: Any,
    X: Any,
    *,
    image_shape: ImageShape | None = None,
    reset: bool = True,
    name: str = "X",
    lazy: bool = False,
) -> NDArray[Any]:
    """`check_images` for an estimator: keeps ``n_features_in_`` and ``feature_names_in_``.

    Parameters
    ----------
    estimator : estimator
        Gets the attributes when `reset`, and is checked against them otherwise.
    X : array-like of shape (n_samples, n_channels, height, width) or (n_samples, n_features)
        Images; a data frame counts as 2-D.
    image_shape : tuple (n_channels, height, width), default=None
        What the images must be.
    reset : bool, default=True
        True in ``fit``, False elsewhere.
    name : str, default="X"
        What the errors call the argument.
    lazy : bool, default=False
        See `check_images`.

    Returns
    -------
    X : ndarray of shape (n_samples, n_channels, height, width)
        See `check_images`.
    """
    _check_feature_names(estimator, X, reset=reset)
    X = X if hasattr(X, "ndim") else _as_array(X, name)
    if X.ndim == 2:
        dtype = None if getattr(X, "dtype", None) == np.uint8 else "numeric"
        X = check_array(X, dtype=dtype, estimator=estimator, input_name=name)
        _check_n_features(estimator, X, reset=reset)
    X = check_images(X, image_shape, name=name, lazy=lazy)
    if reset:
        estimator.n_features_in_ = prod(X.shape[1:])
    return X


def check_groups(
    groups: ArrayLike | None, n_samples: int, *, name: str = "groups"
) -> NDArray[np.intp]:
    """Return subject codes 0..n_subjects-1, a row each; None makes every row its own subject.

    Parameters
    ----------
    groups : array-like of shape (n_samples,) or None
        Subject (patient) ids of any kind; missing values are an error.
    n_samples : int
        The number of rows the ids belong to.
    name : str, default="groups"
        What the errors call the argument.

    Returns
    -------
    codes : ndarray of shape (n_samples,)
        Codes in order of the sorted ids; the ids themselves are not kept.

    Examples
    --------
    >>> from latentwalk.utils import check_groups
    >>> check_groups(["b", "a", "b"], 3)
    array([1, 0, 1])
    """
    if groups is None:
        return np.arange(n_samples)
    values = _as_column(groups)
    if values.shape != (n_samples,):
        raise ValueError(
            f"{name} has shape {values.shape}; expected ({n_samples},), a subject id for every row"
        )
    missing = is_missing(values)
    if missing.any():
        raise ValueError(f"{name} has {int(missing.sum())} missing values; every row needs an id")
    if values.dtype.kind == "O":
        values = values.astype(str)
    return np.unique(values, return_inverse=True)[1].reshape(-1)


def check_targets(y: ArrayLike | None, n_samples: int, *, name: str = "y") -> NDArray[Any] | None:
    """Return class labels of shape (n_samples,), or None where there are none.

    Raises
    ------
    ValueError
        When the length differs or a label is missing.
    """
    if y is None:
        return None
    y = _as_column(y)
    if y.shape != (n_samples,):
        raise ValueError(f"{name} has shape {y.shape}; expected ({n_samples},), a label a row")
    missing = is_missing(y)
    if missing.any():
        raise ValueError(f"{name} has {int(missing.sum())} missing values; every row needs a label")
    return _plain(y) if y.dtype.kind == "O" else y


def _as_column(values: ArrayLike) -> NDArray[Any]:
    """An array of the values; a NaN between texts stays a NaN."""
    array = np.asarray(values)
    texts = array.dtype.kind in "US" and not hasattr(values, "dtype")
    return np.asarray(values, dtype=object) if texts else array


def check_names(names: Iterable[Any], argument: str) -> None:
    """Raise for a name that does not stay in the line of a report that it is written to.

    A name of several lines could look like other parts of the report, such as its verdict.
    """
    for name in map(str, names):
        if not name.isprintable() or not name.strip():
            raise ValueError(
                f"{argument} has a name of {len(name)} characters that is empty or has line breaks "
                "or control characters; expected names in one line of printable characters"
            )


def is_missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Return where a 1-D array holds None, NaN, NaT or pandas.NA."""
    if values.dtype.kind in "fcmM":
        return np.isnan(values)
    if values.dtype.kind != "O":
        return np.zeros(len(values), dtype=bool)
    return np.array([value is None or _unequal_to_itself(value) for value in values], dtype=bool)


def _unequal_to_itself(value: Any) -> bool:
    try:
        return bool(value != value)
    except TypeError:
        return True  # pandas.NA: whether it equals itself is missing too


def _plain(y: NDArray[Any]) -> NDArray[Any]:
    """Objects of one type as an array of that type, such as the integers of a nullable column."""
    return np.array(y.tolist()) if len({type(label) for label in y}) == 1 else y


def check_class_sizes(
    y: NDArray[Any] | None, codes: NDArray[np.intp], minimum: int, *, why: str
) -> None:
    """Raise unless every class has at least `minimum` distinct subjects.

    Parameters
    ----------
    y : ndarray of shape (n_samples,) or None
        Class labels; None is one class.
    codes : ndarray of shape (n_samples,)
        Subject codes, see `check_groups`.
    minimum : int
        The smallest number of distinct subjects in a class.
    why : str
        Ends the message: what the number is needed for.
    """
    if y is None:
        names, sizes = ["all rows"], np.array([len(np.unique(codes))])
    else:
        classes = np.unique(y)
        names = [f"class {c!s}" for c in classes]
        sizes = np.array([len(np.unique(codes[y == c])) for c in classes])
    short = np.flatnonzero(sizes < minimum)
    if len(short) == 0:
        return
    # many classes may be the ids of patients, which no message shows
    shown = ", ".join(f"{names[c]}: {sizes[c]}" for c in short)
    counted = f"{len(short)} of {len(sizes)} classes, the smallest with {sizes.min()}"
    short_of = shown if len(sizes) <= MAX_NAMED else counted
    raise ValueError(f"too few subjects ({short_of}); {minimum} are needed {why}")


def validate_latents(
    estimator: Any, W: Any, *, reset: bool = True, n_least: int = 1, name: str = "W"
) -> NDArray[np.float32]:
    """Return latents as float32 of shape (n_samples, n_features), checked as `validate_data` does.

    Parameters
    ----------
    estimator : estimator
        Gets ``n_features_in_`` when `reset`, and is checked against it otherwise.
    W : array-like of shape (n_samples, n_features)
        Latents.
    reset : bool, default=True
        True in ``fit``, False elsewhere.
    n_least : int, default=1
        The fewest rows.
    name : str, default="W"
        What the error calls the argument.

    Raises
    ------
    ValueError
        For NaN, latents of another width, and a single latent; no message shows a value.
    """
    shape = W.shape if hasattr(W, "shape") else np.asarray(W).shape
    if len(shape) < 2:  # scikit-learn's own error prints the values
        raise ValueError(
            f"{name} has shape {shape}; expected (n_samples, n_features). Reshape your data: "
            f"{name}.reshape(1, -1) is a single latent"
        )
    rows: NDArray[np.float32] = validate_data(
        estimator, W, dtype=np.float32, reset=reset, ensure_min_samples=n_least
    )
    return rows


def check_latents(
    W: ArrayLike, n_features: int | None = None, *, name: str = "W"
) -> NDArray[np.float32]:
    """Return latents as finite float32 of shape (n_samples, n_features).

    Raises
    ------
    ValueError
        For a wrong rank or width, or NaN.
    """
    W = np.asarray(W)
    if W.ndim != 2 or (n_features is not None and W.shape[1] != n_features):
        expected = "n_features" if n_features is None else n_features
        raise ValueError(f"{name} has shape {W.shape}; expected (n_samples, {expected})")
    if not np.isfinite(W).all():
        raise ValueError(f"{name} contains NaN or infinite values")
    return W.astype(np.float32, copy=False)

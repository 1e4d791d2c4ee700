"""Views: what an attacker looks at, made of the features of one space.

A distance between pixels misses a copy that is darker, mirrored or mixed with others. A view is a
map of the features after which such a copy is near its original again. Euclidean distance is meant
in all of them; the views that compare by the cosine give rows of length one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.random_projection import SparseRandomProjection
from sklearn.utils import gen_batches

Rows = NDArray[Any]
Embedding = Callable[[Rows], Rows]
Embed = Callable[[Rows | None, Rows], Embedding]

ROWS_PER_COMPONENT = 4
SKETCH_FROM, SKETCH_WIDTH = 8192, 512
PART = 256  # rows
TINY = 1e-12


@dataclass(frozen=True)
class View:
    """What an attacker looks at.

    Attributes
    ----------
    name : str
        For the report, such as "pixels, whitened 16".
    space : str
        The feature space that it is made of. Where that guided the release, so did the view.
    embed : callable
        ``embed(reference, real)`` takes rows of the space (n, n_features), of the reference or
        None, and of members and held-out records in one array, and returns a function from rows
        of the space to rows of the view. What it learns treats all real records alike.
    versions : tuple of callable
        Further versions of a real record, from rows of the space to rows of the space. Its score
        is the largest over them.
    is_cosine : bool
        Whether rows have length one; the mean of a subject's rows is then brought to it too.
    has_means : bool
        Whether the mean of a subject's rows is looked at too.
    is_whitened : bool
        Whether rows are whitened components. Few records have fewer than were asked for, and the
        view is then named by those that there are.
    """

    name: str
    space: str
    embed: Embed
    versions: tuple[Embedding, ...] = ()
    is_cosine: bool = True
    has_means: bool = True
    is_whitened: bool = False

    def of_width(self, width: int) -> View:
        """The view that has so many features, by its name."""
        return replace(self, name=_whitened(self.space, width)) if self.is_whitened else self

    def mean(self, rows: Rows, starts: NDArray[np.intp]) -> Rows:
        """Means of consecutive rows of the view, a new subject at each of `starts`."""
        n_rows = np.diff(np.append(starts, len(rows)))
        floats = np.promote_types(rows.dtype, np.float32)  # sums in half precision lose too much
        means: Rows = np.add.reduceat(rows, starts, axis=0, dtype=floats)
        means /= n_rows[:, None]
        return unit_rows(means) if self.is_cosine else means.astype(rows.dtype)


def plain(space: str) -> View:
    """The features as they are."""
    return View(space, space, _as_it_is, is_cosine=False)


def centred(space: str) -> View:
    """Directions from the centre of all real records, compared by the cosine."""
    return View(f"{space}, cosine", space, _centre)


def whitened(space: str, width: int) -> View:
    """Principal components of equal weight, compared by the cosine.

    A mean of k records has 1/k of each of them in every direction; whitening takes away the few
    directions that all records share, and the mean is then nearest to its own records.
    """

    def embed(reference: Rows | None, real: Rows) -> Embedding:
        return _whiten(reference, real, width)

    return View(_whitened(space, width), space, embed, is_whitened=True)


def _whitened(space: str, width: int) -> str:
    return f"{space}, whitened {width}"


def contrast(space: str, shape: tuple[int, int, int], *, turned: bool = False) -> View:
    """Pixels less their mean, to length one: brightness and contrast are gone."""
    return _of_images(space, "contrast", shape, standardise, turned)


def high_pass(space: str, shape: tuple[int, int, int], *, turned: bool = False) -> View:
    """The Laplacian of the pixels, to length one: what is left is edges and texture."""

    def embedding(rows: Rows) -> Rows:
        return standardise(laplacian(rows.reshape(-1, *shape)))

    return _of_images(space, "high-pass", shape, embedding, turned)


def unit_rows(rows: Rows) -> NDArray[np.float32]:
    """Rows to length one; a row of zeros stays."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, TINY), dtype=np.float32)


def standardise(rows: Rows) -> NDArray[np.float32]:
    """Each row less its mean, to length one: the inner product of two rows is their correlation."""
    flat = rows.reshape(len(rows), -1)
    return unit_rows(flat - flat.mean(axis=1, keepdims=True))


def laplacian(images: Rows) -> Rows:
    """Four times each pixel of (n, c, h, w) less its neighbours; borders are repeated."""
    wide = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    sides = wide[..., :-2, 1:-1] + wide[..., 2:, 1:-1] + wide[..., 1:-1, :-2] + wide[..., 1:-1, 2:]
    found: Rows = 4 * images - sides
    return found


def turns(shape: tuple[int, int, int]) -> tuple[Embedding, ...]:
    """The flips and turns that keep the shape, the image itself left out: 7 of a square, else 3."""
    quarters = (0, 1, 2, 3) if shape[1] == shape[2] else (0, 2)
    return tuple(
        _turn(shape, quarter, flipped)
        for flipped in (False, True)
        for quarter in quarters
        if flipped or quarter
    )


def _turn(shape: tuple[int, int, int], quarters: int, flipped: bool) -> Embedding:
    def version(rows: Rows) -> Rows:
        images = rows.reshape(-1, *shape)
        images = images[..., ::-1] if flipped else images
        return np.rot90(images, quarters, axes=(2, 3)).reshape(len(rows), -1)

    return version


def _of_images(
    space: str, name: str, shape: tuple[int, int, int], embedding: Embedding, turned: bool
) -> View:
    name = f"{space}, {name}, flips and turns" if turned else f"{space}, {name}"

    def embed(reference: Rows | None, real: Rows) -> Embedding:
        return embedding

    # the mean of images that are turned against each other has no meaning
    return View(name, space, embed, turns(shape) if turned else (), has_means=not turned)


def _as_it_is(reference: Rows | None, real: Rows) -> Embedding:
    return lambda rows: rows


def _centre(reference: Rows | None, real: Rows) -> Embedding:
    centre = real.mean(axis=0, dtype=np.promote_types(real.dtype, np.float32))

    def embedding(rows: Rows) -> Rows:
        directions = np.empty(rows.shape, np.float16 if rows.dtype == np.float16 else np.float32)
        for part in gen_batches(len(rows), PART):
            directions[part] = unit_rows(rows[part] - centre)
        return directions

    return embedding


def _whiten(reference: Rows | None, real: Rows, width: int) -> Embedding:
    """Components of the reference where it is large enough, else of all real records together."""
    shorten = sketch(real.shape[1])
    enough = reference is not None and len(reference) >= ROWS_PER_COMPONENT * width
    rows = shorten(reference if enough else real)  # type: ignore[arg-type]
    most = min(width, rows.shape[1], max(1, len(rows) // ROWS_PER_COMPONENT))
    parts = PCA(most, whiten=True, random_state=0).fit(rows)
    return lambda rows: unit_rows(parts.transform(shorten(rows)))


def sketch(n_features: int) -> Embedding:
    """Shorten wide rows by a random projection, which keeps distances to a few per cent."""
    if n_features <= SKETCH_FROM:
        return lambda rows: rows
    projection = SparseRandomProjection(SKETCH_WIDTH, random_state=0)
    projection.fit(np.zeros((1, n_features), dtype=np.float32))

    def shorten(rows: Rows) -> Rows:
        floats = np.promote_types(rows.dtype, np.float32)
        parts = gen_batches(len(rows), PART)
        return np.concatenate([projection.transform(rows[p].astype(floats)) for p in parts])

    return shorten

"""Releases made of real images of people who are neither members nor held out.

The subjects of a data set are divided at random into members, held-out ones and the third group
that a release comes from: it leaks nothing but what is planted. For `audit_power.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from io import BytesIO
from typing import Any

import numpy as np
from latentwalk.neighbors import ExactNeighbors
from PIL import Image
from sklearn.decomposition import PCA

from common import load_npz

SIZE, MOST_IMAGES = 32, 10
Make = Callable[[np.random.Generator], dict[str, Any]]


def pixels(X: np.ndarray) -> np.ndarray:
    """Pixels (n, h, w) as rows in [0, 1]."""
    return X.reshape(len(X), -1).astype(np.float32) / 255


def mirrored(X: np.ndarray) -> np.ndarray:
    """What an image and its mirror image share."""
    return pixels(X) + pixels(X[..., ::-1])


def noise(X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.clip(X + 0.05 * X.std() * rng.standard_normal(X.shape), 0, 255).round()


def jpeg(X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    def through(image: np.ndarray) -> np.ndarray:
        file = BytesIO()
        Image.fromarray(image).save(file, format="JPEG", quality=75)
        return np.asarray(Image.open(file))

    return np.stack([through(image) for image in X])


def shift(X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.concatenate([X[..., :1], X[..., :-1]], axis=-1)


def flip(X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return X[..., ::-1]


def as_it_is(X: np.ndarray, members: np.ndarray) -> np.ndarray:
    return X


def shrunk(X: np.ndarray, members: np.ndarray) -> np.ndarray:
    return (X + X.mean(axis=0)) / 2


def underfit(X: np.ndarray, members: np.ndarray) -> np.ndarray:
    rows = X.reshape(len(X), -1)
    model = PCA(5).fit(rows)
    return model.inverse_transform(model.transform(rows)).reshape(X.shape)


def hole(X: np.ndarray, members: np.ndarray) -> np.ndarray:
    distances = ExactNeighbors(pixels(members)).kneighbors(pixels(X))[0][:, 0]
    return X[distances > np.quantile(distances, 0.2)]


class People:
    """Images by subject."""

    def __init__(self, images: np.ndarray, codes: np.ndarray) -> None:
        self.images, self.codes = images, codes
        self.brightness = np.bincount(codes, images.mean(axis=(1, 2))) / np.bincount(codes)

    def thirds(self, rng: np.random.Generator, bias: float = 0.0) -> list[np.ndarray]:
        """Members, held-out and other subjects; with `bias`, held-out ones are brighter."""
        members, holdout, others = np.array_split(rng.permutation(len(self.brightness)), 3)
        if bias:
            both = np.concatenate([members, holdout])
            ranks = self.brightness[both].argsort().argsort() / len(both)
            order = both[np.argsort(bias * ranks + (1 - bias) * rng.random(len(both)))]
            members, holdout = order[: len(members)], order[len(members) :]
        return [members, holdout, others]

    def some(self, subjects: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
        """Rows of up to n images of each subject."""
        order = rng.permutation(len(self.codes))
        order = order[np.argsort(self.codes[order], kind="stable")]
        ordered = self.codes[order]
        first = np.arange(len(order)) - np.searchsorted(ordered, ordered) < n
        return order[first & np.isin(ordered, subjects)]


def make_case(
    rng: np.random.Generator,
    people: People,
    *,
    made: Callable[..., np.ndarray] = as_it_is,
    space: Callable[[np.ndarray], np.ndarray] = pixels,
    n_images: tuple[int, int] = (1, 1),
    leak: float = 0.0,
    how: Callable[..., np.ndarray] = noise,
    bias: float = 0.0,
) -> dict[str, Any]:
    """The sets of one case."""
    members, holdout, others = people.thirds(rng, bias)
    rows = [people.some(s, n, rng) for s, n in zip((members, holdout), n_images, strict=True)]
    X, H = (people.images[at] for at in rows)
    codes = tuple(np.unique(people.codes[at], return_inverse=True)[1] for at in rows)
    release = made(people.images[people.some(others, MOST_IMAGES, rng)], X)
    n_leaked = round(leak * len(members))
    if n_leaked:
        chosen = np.unique(codes[0], return_index=True)[1][rng.permutation(len(members))[:n_leaked]]
        release = np.concatenate([release, how(X[chosen], rng)])
    return {
        "members": space(X),
        "holdout": space(H),
        "release": space(release),
        "n_leaked": n_leaked,
        "codes": codes,
    }


def real_cases(path: str) -> dict[str, Make]:
    """The cases of a data set, by name."""
    images, _, pid = load_npz(path, SIZE)
    people = People(images[:, 0], np.unique(pid, return_inverse=True)[1])
    settings: dict[str, dict[str, Any]] = {
        "perfect": {},
        "shrunk": {"made": shrunk},
        "underfit": {"made": underfit},
        "several images": {"n_images": (MOST_IMAGES, MOST_IMAGES)},
        "several against 1": {"n_images": (MOST_IMAGES, 1)},
        "selected (hole)": {"made": hole},
        "biased split": {"bias": 0.5},
    }
    for how in (noise, jpeg, shift, flip):
        for leak in (0.02, 0.05, 0.1):
            settings[f"{how.__name__}, {leak:.0%}"] = {"leak": leak, "how": how}
    settings["flip, mirrored, 5%"] = {"leak": 0.05, "how": flip, "space": mirrored}
    settings["flip, mirrored, 10%"] = {"leak": 0.1, "how": flip, "space": mirrored}
    settings["perfect, mirrored"] = {"space": mirrored}
    return {name: partial(make_case, people=people, **given) for name, given in settings.items()}

"""Real patients whom a network never saw, and what a release of them is worth."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import latentwalk as lw
import numpy as np
import torch
from benchmarks.common import load_npz
from latentwalk.features import LPIPSFeatures
from latentwalk.generators import decode_latents
from latentwalk.metrics import coverage, kernel_distance
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

Release = tuple[np.ndarray, np.ndarray]  # latents and classes
Make = Callable[["Patients", int], Release]


@dataclass(frozen=True)
class Patients:
    """Rows of patients: latents, features, classes, ids."""

    W: np.ndarray
    features: np.ndarray
    y: np.ndarray
    groups: np.ndarray

    def where(self, chosen: np.ndarray) -> Patients:
        return Patients(*(part[chosen] for part in vars(self).values()))


class Study:
    """Releases of private patients by a network that never saw them, judged by other patients."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.n_images, self.n_aside = arguments.images, arguments.aside
        self.max_classes = arguments.max_classes
        is_linear = arguments.network == "pca"
        if not is_linear:
            self.generator = lw.load_generator(
                arguments.network, trained_on="others", batch_size=64
            )
        size = arguments.size if is_linear else self.generator.image_shape[-1]
        X, y, groups = load_npz(arguments.data, size)
        public = np.load(arguments.public)["members"]
        private = np.setdiff1d(np.arange(len(X)), public)
        private = private[~np.isin(groups[private], groups[public])]
        public, private = (thin(rows, y, groups, arguments.most) for rows in (public, private))
        self.space = LPIPSFeatures().fit(X[public])
        self.components = PCA(64, random_state=0).fit(self._flat(X[public]))
        if is_linear:
            self.generator, W = linear_generator(X[public], X[private])
        else:
            W = invert(self.generator, X[private], arguments.cache)
        self.images = X[private]
        self.patients = Patients(W, self.features(X[private]), y[private], groups[private])

    def _flat(self, X: np.ndarray) -> np.ndarray:
        return np.asarray(self.space.transform(X), np.float32).reshape(len(X), -1)

    def features(self, X: np.ndarray) -> np.ndarray:
        return np.asarray(self.components.transform(self._flat(X)))

    def judge(self, make: Make | None, seed: int) -> tuple[float, float, float]:
        """Accuracy, coverage and KID of a release; None releases the real images."""
        ids = np.unique(self.patients.groups)
        aside = np.random.RandomState(seed).permutation(ids)[: self.n_aside]
        is_test = np.isin(self.patients.groups, aside)
        train, test = self.patients.where(~is_test), self.patients.where(is_test)
        if make is None:
            features, y = train.features, train.y
        else:
            W, y = make(train, seed)
            features = self.features(decode_latents(self.generator, W))
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.05, max_iter=500))
        predicted = model.fit(features, y).predict(test.features)
        return (
            100 * balanced_accuracy_score(test.y, predicted),
            coverage(features, test.features),
            1000 * kernel_distance(features, test.features),
        )


def invert(generator: Any, X: np.ndarray, cache: Path | None) -> np.ndarray:
    """Latents of images, kept in a file."""
    if cache is not None and cache.exists():
        return np.load(cache)["W"]
    inverter = lw.GANInverter(generator, max_iter=40, encoder_iter=300, random_state=0)
    W = inverter.fit_transform(X)
    if cache is not None:
        np.savez(cache, W=W)
    return W


def linear_generator(X_public: np.ndarray, X: np.ndarray) -> tuple[Any, np.ndarray]:
    """A generator of principal components of public images, and the latents of others."""
    pca = PCA(64, whiten=True, random_state=0).fit(X_public.reshape(len(X_public), -1) / 255)
    steps = pca.components_ * np.sqrt(pca.explained_variance_)[:, None]
    linear = torch.nn.Linear(*steps.shape)
    linear.weight.data = torch.as_tensor(steps.T, dtype=torch.float32)
    linear.bias.data = torch.as_tensor(pca.mean_, dtype=torch.float32)
    shape = X.shape[1:]
    decoder = torch.nn.Sequential(linear, torch.nn.Unflatten(1, shape))
    generator = lw.Generator.from_module(
        decoder, w_dim=len(steps), image_shape=shape, output_range=(0, 1), trained_on="others"
    )
    return generator, pca.transform(X.reshape(len(X), -1) / 255).astype(np.float32)


def thin(rows: np.ndarray, y: np.ndarray, groups: np.ndarray, most: int | None) -> np.ndarray:
    """At most so many rows of each patient in each class."""
    if most is None:
        return rows
    rows = np.random.RandomState(0).permutation(rows)
    kinds = np.unique(np.stack([groups[rows], y[rows].astype(str)]), axis=1, return_inverse=True)[1]
    kept = [np.flatnonzero(kinds == kind)[:most] for kind in range(kinds.max() + 1)]
    return np.sort(rows[np.concatenate(kept)])

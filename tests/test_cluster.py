"""The pipeline and a search on a Dask cluster of two processes, and a worker that is killed."""

from __future__ import annotations

import math
import os
import signal

import joblib
import numpy as np
import pytest
import torch
from latentwalk import (
    GANDecoder,
    GANInverter,
    Generator,
    GuidedWalker,
    IdentityClassifier,
    KSameAggregator,
    LabelClassifier,
)
from latentwalk.utils._blocks import run_blocks
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from torch import nn

distributed = pytest.importorskip("distributed")

# the guides train too briefly to recognise anybody, and warn of it
pytestmark = pytest.mark.filterwarnings("default")

SHAPE = (1, 8, 8)
torch.manual_seed(0)
DECODER = nn.Sequential(
    nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 64), nn.Tanh(), nn.Unflatten(1, SHAPE)
)
GENERATOR = Generator.from_module(DECODER, w_dim=6, image_shape=SHAPE, batch_size=8)
X = (255 * GENERATOR.sample(48, random_state=0)[0]).round().astype(np.uint8)
Y = np.array(["a", "b"]).repeat(24)
TRAINING = {"max_iter": 2, "width": 4, "augmentation": None, "random_state": 0}


@pytest.fixture(scope="module")
def cluster():
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    )
    with cluster, distributed.Client(cluster):
        yield cluster


def release(X_real):
    """A release of the whole pipeline; X_real may be a memory map."""
    identity = IdentityClassifier(**TRAINING)
    walker = GuidedWalker(GENERATOR, identity, n_points=9, max_iter=4, random_state=0)
    steps = [
        ("invert", GANInverter(GENERATOR, max_iter=3, encoder_iter=2, random_state=0)),
        ("ksame", KSameAggregator(k=3, random_state=0)),
        ("walk", walker),
        ("decode", GANDecoder(GENERATOR)),
    ]
    groups = np.arange(48) // 2
    with pytest.warns(UserWarning, match="without a label_classifier"):
        return Pipeline(steps).fit_transform(
            X_real, Y, ksame__groups=groups, walk__X_real=X_real, walk__groups=groups
        )


def test_a_pipeline_gives_the_same_release_on_a_cluster(cluster, tmp_path):
    expected = release(X)
    np.save(tmp_path / "x.npy", X)
    with joblib.parallel_config(backend="dask"):
        found = release(np.load(tmp_path / "x.npy", mmap_mode="r"))
    np.testing.assert_array_equal(found, expected)


def test_a_search_gives_the_same_scores_on_a_cluster(cluster):
    search = GridSearchCV(LabelClassifier(**TRAINING), {"learning_rate": [1e-3, 1e-2]}, cv=2)
    expected = search.fit(X, Y).cv_results_["mean_test_score"]
    with joblib.parallel_config(backend="dask"):
        found = search.fit(X, Y).cv_results_["mean_test_score"]
    np.testing.assert_array_equal(found, expected)


def test_a_worker_that_is_killed_loses_nothing(cluster, tmp_path):
    def function(number):
        path = tmp_path / "killed"
        if number == 4 and not path.exists():
            path.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return math.sqrt(number)

    with joblib.parallel_config(backend="dask"):
        found = list(run_blocks(function, range(20), take=int, n_jobs=2))
    assert found == [math.sqrt(number) for number in range(20)]
    assert (tmp_path / "killed").exists()

"""The pipeline and a search on a Dask cluster of two processes, and a worker that is killed."""

from __future__ import annotations

import gc
import os
import signal
from contextlib import suppress

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


# a busy machine is slow, which must not count as a fault
PATIENCE = {
    "distributed.comm.timeouts.connect": "10m",
    "distributed.comm.timeouts.tcp": "10m",
    "distributed.deploy.lost-worker-timeout": "10m",
    "distributed.scheduler.worker-ttl": None,
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Two workers on free ports, without a limit of memory, and a client."""
    dask, distributed = pytest.importorskip("dask"), pytest.importorskip("distributed")
    settings = {
        "n_workers": 2,
        "threads_per_worker": 1,
        "memory_limit": None,
        "dashboard_address": ":0",
        "local_directory": str(tmp_path_factory.mktemp("dask")),
    }
    with dask.config.set(PATIENCE):
        cluster = distributed.LocalCluster(**settings)
        client = distributed.Client(cluster, timeout="10m")
        yield cluster
        client.close()
        with suppress(TimeoutError):  # a killed process that the system is slow to remove
            cluster.close()
    gc.collect()  # what warns when it is collected warns here, and in no other test


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
    rows = np.arange(20.0)[:, None].repeat(1000, axis=1)  # large enough for Dask to scatter

    def function(part):
        path = tmp_path / "killed"
        if part[0, 0] == 4 and not path.exists():
            path.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return part.sum()

    blocks = [slice(i, i + 1) for i in range(20)]
    with joblib.parallel_config(backend="dask"):
        found = list(run_blocks(function, blocks, take=lambda block: rows[block], n_jobs=2))
    assert found == [1000 * i for i in range(20)]
    assert (tmp_path / "killed").exists()

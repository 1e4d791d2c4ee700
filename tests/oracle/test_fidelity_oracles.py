"""Agreement with the published packages, where they are installed."""

from __future__ import annotations

import numpy as np
import pytest
from latentwalk.metrics import (
    coverage,
    density,
    frechet_distance,
    improved_precision,
    improved_recall,
    kernel_distance,
    vendi_score,
)


@pytest.mark.parametrize("n_neighbors", [1, 5])
@pytest.mark.parametrize("scale", [0.5, 1.0, 1.5])
def test_prdc(n_neighbors, scale, capsys):
    prdc = pytest.importorskip("prdc", reason="prdc is not installed")
    rng = np.random.default_rng(0)
    real, synthetic = rng.normal(size=(120, 6)), scale * rng.normal(size=(90, 6))
    expected = prdc.compute_prdc(real, synthetic, nearest_k=n_neighbors)
    found = {
        "precision": improved_precision(synthetic, real, n_neighbors=n_neighbors),
        "recall": improved_recall(synthetic, real, n_neighbors=n_neighbors),
        "density": density(synthetic, real, n_neighbors=n_neighbors),
        "coverage": coverage(synthetic, real, n_neighbors=n_neighbors),
    }
    assert found == pytest.approx(expected, abs=1e-12)


# the package reads a name that scipy has moved
@pytest.mark.filterwarnings("ignore:Please import `csr_matrix`:DeprecationWarning")
@pytest.mark.parametrize("shape", [(50, 8), (20, 40)])
def test_vendi_score(shape):
    vendi = pytest.importorskip("vendi_score.vendi", reason="vendi-score is not installed")
    X = np.random.default_rng(0).normal(size=shape)
    score = vendi.score_dual if shape[0] > shape[1] else vendi.score_X
    assert vendi_score(X) == pytest.approx(score(X), rel=1e-9)


def torchmetrics_figure(module, metric, X_syn, X_real, **options):
    """A figure of torchmetrics' on features, given as "images" that its network only flattens."""
    torch = pytest.importorskip("torch")
    reason = "torchmetrics is not installed"
    measure = getattr(pytest.importorskip(module, reason=reason), metric)
    measure = measure(feature=torch.nn.Flatten(), normalize=True, **options).set_dtype(
        torch.float64
    )
    for X, real in ((X_syn, False), (X_real, True)):
        measure.update(torch.tensor(X).reshape(len(X), 3, 1, -1), real=real)
    return measure.compute()


@pytest.mark.parametrize(("n", "scale"), [(80, 1.0), (200, 0.3)])
def test_frechet_distance(n, scale):
    rng = np.random.default_rng(0)
    synthetic, real = (
        scale * rng.normal(size=(n, 6)) @ rng.normal(size=(6, 6)),
        rng.normal(size=(120, 6)),
    )
    expected = torchmetrics_figure(
        "torchmetrics.image.fid",
        "FrechetInceptionDistance",
        synthetic,
        real,
        input_img_size=(3, 1, 2),
    )
    assert frechet_distance(synthetic, real) == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.filterwarnings("ignore:Metric `Kernel Inception Distance` will save:UserWarning")
def test_kernel_distance():
    rng = np.random.default_rng(0)
    synthetic, real = rng.normal(size=(90, 6)), 0.3 + rng.normal(size=(90, 6))
    # one subset of all rows
    expected, _ = torchmetrics_figure(
        "torchmetrics.image.kid",
        "KernelInceptionDistance",
        synthetic,
        real,
        subsets=1,
        subset_size=90,
    )
    assert kernel_distance(synthetic, real) == pytest.approx(float(expected), rel=1e-9)

"""Agreement with the published packages, where they are installed."""

from __future__ import annotations

import numpy as np
import pytest
from latentwalk.metrics import coverage, density, improved_precision, improved_recall, vendi_score


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

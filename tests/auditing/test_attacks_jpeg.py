"""Planted JPEG copies: near the original, not equal to it, and images only."""

import numpy as np
import pytest
from latentwalk.auditing import PrivacyAuditor, planted_positives
from latentwalk.auditing._planted import compress


@pytest.mark.parametrize("channels", [1, 3])
def test_copies_are_near_and_in_place(channels):
    ramp = np.linspace(0.1, 0.9, 16, dtype=np.float32)
    X = np.empty((3, channels, 16, 24), np.float32)
    X[:] = ramp[:, None]  # a gradient downwards: a wrong order of axes would turn it
    X[1] *= 0.5
    X[2, 0] = 0.2
    copies = compress(X, np.random.RandomState(0))
    assert copies.shape == X.shape
    assert copies.dtype == X.dtype
    assert 0 <= copies.min() <= copies.max() <= 1
    np.testing.assert_allclose(copies, X, atol=0.06)
    texture = np.random.default_rng(0).random(X.shape).astype(np.float32)
    assert np.abs(compress(texture, np.random.RandomState(0)) - texture).mean() > 0.01


@pytest.mark.parametrize("shape", [(60, 8), (60, 2, 4, 4)])
def test_other_records_are_refused(shape):
    X = np.random.default_rng(0).random(shape)
    auditor = PrivacyAuditor(random_state=0).fit(X[:30], X_holdout=X[30:])
    with pytest.raises(ValueError, match="how='jpeg' is for images"):
        planted_positives(auditor, X[:5], X[:30], how="jpeg")

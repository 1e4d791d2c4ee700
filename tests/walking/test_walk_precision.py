"""The precision of a walk's steps, and that of what is measured."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from latentwalk import Generator, GuidedWalker
from latentwalk.utils import resolve_precision
from torch import nn


class Watched(nn.Sequential):
    """A decoder that notes in which precision it was called, and whether for gradients."""

    calls: list[tuple[bool, torch.dtype]] = []  # noqa: RUF012

    def forward(self, w):
        images = super().forward(w)
        self.calls.append((torch.is_grad_enabled(), images.dtype))
        return images


torch.manual_seed(0)
DECODER = Watched(nn.Linear(6, 32), nn.Tanh(), nn.Unflatten(1, (2, 4, 4)), nn.Conv2d(2, 1, 1))
GENERATOR = Generator.from_module(DECODER, w_dim=6, image_shape=(1, 4, 4))
GUIDE = nn.Sequential(nn.Flatten(), nn.Linear(16, 5))
X, W = GENERATOR.sample(16, random_state=0)


def fit(precision, batch_size="auto", **parameters):
    settings = {"n_points": 12, "max_iter": 20, "identity_weight": 10, "random_state": 0}
    generator = GENERATOR.using(precision=precision, batch_size=batch_size)
    walker = GuidedWalker(generator, GUIDE, **(settings | parameters))
    Watched.calls.clear()
    return walker.fit(W[:6], X_real=X)


@pytest.mark.parametrize("batch_size", ["auto", 2])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_steps_are_in_the_precision_and_what_is_measured_in_float32(precision, batch_size):
    walker = fit(precision, batch_size)
    dtypes = {
        grad: {dtype for stepping, dtype in Watched.calls if stepping == grad}
        for grad in (True, False)
    }
    assert dtypes == {True: {getattr(torch, precision)}, False: {torch.float32}}
    with torch.no_grad():
        images = GENERATOR.decode(torch.as_tensor(walker.paths_[2]))
        identity = torch.softmax(GUIDE(images), dim=1).amax(dim=1)
    np.testing.assert_allclose(walker.path_identity_[2], identity, rtol=1e-5)
    gaps = np.sqrt(np.square(images.numpy()[:, None] - X[None]).mean(axis=(2, 3, 4)))
    np.testing.assert_allclose(walker.path_distance_[2], gaps.min(axis=1), atol=1e-6)


def test_the_anchors_of_a_repulsion_are_looked_up_in_the_precision_of_the_steps():
    fit("bfloat16", repulsion=10.0)
    assert (False, torch.bfloat16) in Watched.calls


def test_half_precision_walks_as_far_as_float32():
    straight, full, half = fit("float32", objective="linear"), fit("float32"), fit("bfloat16")
    gain, half_gain = (
        np.log(straight.path_identity_ / walker.path_identity_)[:, 1:-1].mean()
        for walker in (full, half)
    )
    assert gain > 0.01
    np.testing.assert_allclose(half_gain, gain, rtol=0.05)
    assert not np.array_equal(half.paths_, full.paths_)


def test_auto_is_half_precision_on_cpus_that_compute_in_it(monkeypatch):
    cpu = torch.device("cpu")
    for known in (True, False):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda known=known: known)
        assert resolve_precision("auto", cpu) == ("bfloat16" if known else "float32")
        assert fit("auto").n_iter_ == 20
        expected = torch.bfloat16 if known else torch.float32
        assert {dtype for stepping, dtype in Watched.calls if stepping} == {expected}
    assert resolve_precision("auto", torch.device("cuda")) == "float32"
    assert resolve_precision("bfloat16", torch.device("cuda")) == "bfloat16"

"""The pure functions of the walk: paths, losses, tours, selection."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from latentwalk.utils._guides import Guide
from latentwalk.walking._guides import Guides
from latentwalk.walking._losses import Objective, soft_maximum
from latentwalk.walking._problem import WalkProblem
from latentwalk.walking._prototypes import class_tours, tour
from latentwalk.walking._selection import select_points
from latentwalk.walking._sine_basis import path_points, relative_energy
from torch import nn
from torch.nn import functional as F


def random_path(n_points, n_features=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    ends = torch.randn(1, 2, n_features, generator=generator, dtype=torch.float64)
    coefficients = torch.randn(
        1, n_points - 2, n_features, generator=generator, dtype=torch.float64
    )
    return ends, 0.3 * coefficients


def as_published(w, generate, identity, label, target):
    """The three terms of the published objective, transcribed from its formulas in chunks of 4."""
    distance = sum((w[i + 1] - w[i]).square().sum() for i in range(len(w) - 1))
    inner = w[1:-1]
    id_loss = class_loss = 0.0
    for start in range(0, len(inner), 4):
        images = generate(inner[start : start + 4])
        log_proba = F.log_softmax(identity(images), dim=1)
        uniform = torch.full_like(log_proba, 1 / log_proba.shape[1])
        id_loss = id_loss + F.kl_div(log_proba, uniform, reduction="batchmean")
        class_loss = class_loss + F.cross_entropy(label(images), torch.full((len(images),), target))
    return distance, 0.1 * id_loss, class_loss


class Linear4d(nn.Module):
    """Logits of images, in float64."""

    def __init__(self, n_classes, seed):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.weight = nn.Parameter(
            torch.randn(n_classes, 12, generator=generator, dtype=torch.float64)
        )

    def forward(self, images):
        return images.flatten(1) @ self.weight.T


class DoubleGuide(Guide):
    """A guide that stays in float64."""

    def log_proba(self, images):
        return torch.log_softmax(self.module(images), dim=1)


@pytest.mark.parametrize("n_points", [3, 4, 6, 7, 11, 50])
def test_plan_equals_the_published_formulas_and_their_gradients(n_points):
    ends, coefficients = random_path(n_points)
    mixing = torch.randn(5, 12, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    identity, label = Linear4d(7, 1), Linear4d(3, 2)

    def generate(w):
        return torch.tanh(w @ mixing).reshape(-1, 3, 2, 2)

    problem = WalkProblem(
        generate,
        Guides(DoubleGuide(identity, None, None), DoubleGuide(label, None, None)),
        Objective("plan"),
        ends,
        torch.tensor([2]),
        n_points,
        batch_size=3,
    )
    ours = coefficients.clone().requires_grad_()
    all_times = torch.linspace(0, 1, n_points, dtype=torch.float64)
    times = all_times[1:-1]
    terms = problem.terms(torch.tensor([0]), ours, times)
    theirs = coefficients.clone().requires_grad_()
    w = path_points(ends, theirs, all_times, n_points)[0]
    expected = as_published(w, generate, identity, label, 2)
    for one, other in zip(terms, expected, strict=True):
        np.testing.assert_allclose(one.item(), other.item(), rtol=1e-6)
        gradient = torch.autograd.grad(one, ours, retain_graph=True)[0]
        reference = torch.autograd.grad(other, theirs, retain_graph=True)[0]
        np.testing.assert_allclose(gradient, reference, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("n_points", [3, 8, 50])
def test_the_energy_is_that_of_the_segments_and_the_ends_are_exact(n_points):
    ends, coefficients = random_path(n_points)
    times = torch.linspace(0, 1, n_points, dtype=torch.float64)
    w = path_points(ends, coefficients, times, n_points)
    segments = (n_points - 1) * w.diff(dim=1).square().sum()
    direct = (ends[0, 1] - ends[0, 0]).square().sum()
    np.testing.assert_allclose(relative_energy(coefficients).item(), segments / direct, rtol=1e-8)
    assert torch.equal(w[:, [0, -1]], ends)


def test_the_energy_of_a_curve_does_not_change_with_the_number_of_points():
    ends, _ = random_path(400)
    shape = torch.zeros(1, 3, 5, dtype=torch.float64)
    shape[0, 1, 0] = 0.5
    peaks = []
    for n_points in (60, 400):
        times = torch.linspace(0, 1, n_points, dtype=torch.float64)
        line = path_points(ends, 0 * shape, times, n_points)
        peaks.append((path_points(ends, shape, times, n_points) - line).abs().max().item())
    np.testing.assert_allclose(peaks[0], peaks[1], rtol=2e-3)


def test_the_soft_maximum_lies_between_mean_and_maximum_and_feels_the_worst_point():
    values = torch.tensor([-6.0, -5.0, -0.5], requires_grad=True)
    soft = soft_maximum(values)
    assert values.mean() < soft < values.max()
    assert torch.autograd.grad(soft, values)[0][2] > 0.99


@given(
    st.integers(1, 40),
    st.integers(0, 10_000),
    st.sampled_from(["safest", "uniform"]),
)
@settings(max_examples=60, deadline=None)
def test_selection_gives_distinct_points_in_order(n_points, seed, selection):
    rng = np.random.RandomState(seed)
    times, risks = rng.rand(n_points), rng.rand(n_points)
    n_selected = rng.randint(n_points + 1)
    chosen = select_points(times, risks, n_selected, selection)
    assert len(np.unique(chosen)) == n_selected == len(chosen)
    assert (np.diff(times[chosen]) >= 0).all()


def test_the_safest_points_are_taken_some_way_apart():
    times = np.arange(1, 49) / 49
    risks = 0.2 + np.abs(times - 0.5)
    risks[3] = 0.1
    chosen = select_points(times, risks, 4)
    assert 3 in chosen
    assert np.diff(times[chosen]).min() >= 0.1 - 1e-9
    # neighbours of the minimum would be safer still; only the spacing keeps them out
    assert risks[chosen].mean() < risks[select_points(times, risks, 4, "uniform")].mean()


@given(st.integers(2, 30), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_a_tour_is_one_cycle_through_all_points(n, seed):
    rng = np.random.RandomState(seed)
    pairs = tour(rng.normal(size=(n, 3)), rng)
    assert len(pairs) == (1 if n == 2 else n)
    following = dict(pairs.tolist())
    seen, here = set(), int(pairs[0, 0])
    while here not in seen and here in following:
        seen.add(here)
        here = following[here]
    assert len(seen | {here}) == n


def test_tours_are_shorter_than_random_ones_and_stay_in_their_class():
    rng = np.random.RandomState(0)
    points, codes = rng.normal(size=(60, 2)), rng.randint(2, size=60)
    pairs = class_tours(points, codes, np.random.RandomState(1))
    assert (codes[pairs[:, 0]] == codes[pairs[:, 1]]).all()
    orders = [rng.permutation(np.flatnonzero(codes == code)) for code in (0, 1)]
    random = np.concatenate([np.column_stack([o, np.roll(o, -1)]) for o in orders])
    near, far = (
        np.linalg.norm(points[joined[:, 0]] - points[joined[:, 1]], axis=1).sum()
        for joined in (pairs, random)
    )
    assert near < 0.5 * far

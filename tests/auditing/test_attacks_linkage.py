"""Linkage to prototypes: right links, chance, and bad input."""

import numpy as np
import pytest
from latentwalk.auditing import prototype_linkage


def test_groups_far_apart_are_all_linked():
    rng = np.random.default_rng(0)
    assigned = np.repeat(np.arange(10), [5] * 9 + [8])
    X = 20 * rng.normal(size=(10, 3))[assigned] + 0.1 * rng.normal(size=(53, 3))
    prototypes = np.array([X[assigned == j].mean(axis=0) for j in range(10)])
    assert prototype_linkage(X, prototypes, assigned) == (1.0, 8 / 53, 53)
    # the wrong names for the same prototypes: no link is right
    assert prototype_linkage(X, np.roll(prototypes, 1, axis=0), assigned).rate == 0


def test_random_groups_are_linked_less():
    X = np.random.default_rng(0).normal(size=(500, 2))
    assigned = np.arange(500) % 100
    prototypes = np.array([X[assigned == j].mean(axis=0) for j in range(100)])
    result = prototype_linkage(X, prototypes, assigned)
    nearest = np.linalg.norm(X[:, None] - prototypes, axis=2).argmin(axis=1)
    assert result.rate == (nearest == assigned).mean()
    assert result.chance == 0.01 < result.rate < 0.2


@pytest.mark.parametrize("assigned", [[0, 1], [0, 1, 2], [0, 1, -1], [0.0, 1.0, 1.0]])
def test_bad_assignments(assigned):
    with pytest.raises(ValueError, match="an int from 0 to 1"):
        prototype_linkage(np.eye(3), np.eye(3)[:2], assigned)


def test_another_width():
    with pytest.raises(ValueError, match="2 features a row; X 3"):
        prototype_linkage(np.eye(3), np.eye(2), [0, 1, 1])

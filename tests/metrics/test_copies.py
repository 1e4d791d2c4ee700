"""Copies are told from chance by what held-out records show."""

import numpy as np
import pytest
from latentwalk.metrics import find_copies
from latentwalk.neighbors import ExactNeighbors

KINDS = {
    "plane": (lambda rng, n: rng.normal(size=(n, 2)), 0.0),
    "Gaussian": (lambda rng, n: rng.normal(size=(n, 16)), 0.0),
    "heavy tails": (lambda rng, n: rng.standard_t(2, size=(n, 6)), 0.0),
    "counts": (lambda rng, n: rng.poisson(1, size=(n, 4)), 1.0),
    "bits": (lambda rng, n: (rng.random((n, 20)) < 0.3) * 1.0, 1.0),
}


def n_copies(kind, seed, n_copied=0, noise=0.0):
    draw, resolution = KINDS[kind]
    rng = np.random.default_rng(seed)
    members, holdout, release = draw(rng, 200), draw(rng, 150), draw(rng, 300)
    copied = members[:n_copied] + noise * rng.normal(size=members[:n_copied].shape)
    index = ExactNeighbors(members.astype(np.float32))
    found, shown = (
        index.kneighbors(rows.astype(np.float32), 50)[0]
        for rows in (np.concatenate([release, copied]), holdout)
    )
    return int(find_copies(found, shown, resolution=resolution).sum())


@pytest.mark.parametrize("kind", KINDS)
def test_chance_is_no_copy(kind):
    assert sum(n_copies(kind, seed) > 0 for seed in range(40)) <= 2


@pytest.mark.parametrize("kind", ["plane", "Gaussian", "heavy tails"])
def test_one_copy_is_found(kind):
    assert [n_copies(kind, seed, 1) for seed in range(5)] == [1] * 5
    if kind != "plane":  # where a neighbour is never far, nearness says little
        assert n_copies(kind, 0, 5, noise=1e-5) == 5


def test_held_out_records_that_equal_members_show_that_equality_is_chance():
    shown = np.concatenate([np.zeros((30, 1)), np.ones((30, 1))]) + np.arange(50) / 50
    assert not find_copies(np.arange(50.0)[None] * 0, shown).any()

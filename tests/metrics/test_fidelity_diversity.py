"""The Vendi score in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from latentwalk.metrics import vendi_score


@pytest.mark.parametrize("shape", [(12, 3), (3, 12)])
def test_both_gram_matrices_give_the_same(shape):
    X = np.random.default_rng(0).normal(size=shape)
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    p = np.linalg.eigvalsh(unit @ unit.T / len(X))
    p = p[p > 1e-12]
    assert vendi_score(X) == pytest.approx(np.exp(-(p * np.log(p)).sum()))


def test_groups_of_copies_count_as_their_number():
    X = np.repeat(np.eye(5), [1, 1, 2, 2, 2], axis=0)
    p = np.array([1, 1, 2, 2, 2]) / 8
    assert vendi_score(X) == pytest.approx(np.exp(-(p * np.log(p)).sum()))


def test_length_of_rows_does_not_count():
    X = np.random.default_rng(0).normal(size=(9, 4))
    assert vendi_score(X * np.arange(1, 10)[:, None]) == pytest.approx(vendi_score(X))


def test_rows_of_zeros_are_refused():
    with pytest.raises(ValueError, match="X has 2 rows of zeros"):
        vendi_score([[0.0, 0.0], [1.0, 0.0], [0.0, 0.0]])

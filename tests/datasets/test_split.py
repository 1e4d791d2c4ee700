from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from latentwalk import split_patients


@settings(max_examples=50, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=12, max_size=60),
    n_classes=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_sets_partition_the_rows_and_share_no_patient(sizes, n_classes, seed):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    y = np.random.RandomState(seed).randint(n_classes, size=len(groups))
    split = split_patients(groups, y, groups, random_state=seed)
    assert sorted(np.concatenate(split)) == list(range(len(groups)))
    patients = [set(groups[rows]) for rows in split]
    assert sum(map(len, patients)) == len(sizes)
    for share, found in zip((0.5, 0.1, 0.1, 0.3), patients, strict=True):
        assert abs(len(found) - share * len(sizes)) < 1


def test_classes_and_image_counts_are_balanced_over_the_sets():
    groups = np.concatenate([np.arange(400), np.arange(200)])
    y = (np.arange(600) % 400 < 80).astype(int)
    split = split_patients(groups, y, groups, shares=(0.25, 0.25, 0.25, 0.25), random_state=3)
    for rows in split:
        assert abs(len(np.unique(groups[rows][y[rows] == 1])) - 20) <= 1
        assert abs(np.sum(np.bincount(groups[rows]) == 2) - 50) <= 1


def test_random_state_decides_the_draw():
    X = np.zeros((100, 2))
    first, again, other = (split_patients(X, random_state=s).members for s in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"groups": np.arange(9)}, r"groups has shape \(9,\); expected \(10,\)"),
        ({"groups": [None] + [1] * 9}, "groups has 1 missing values"),
        ({"y": np.zeros(3)}, r"y has shape \(3,\)"),
        ({"shares": (0.5, 0.5)}, "four non-negative numbers"),
        ({"shares": (0.5, 0.5, 0.5, -0.5)}, "four non-negative numbers"),
        ({"groups": np.zeros(10)}, "too few"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        split_patients(np.zeros((10, 2)), **arguments)


@pytest.mark.filterwarnings("error")
def test_a_split_that_no_audit_can_conclude_on_is_warned_of():
    few, enough = np.zeros(800), np.zeros(1100)
    with pytest.warns(UserWarning, match="400 members and 240 held-out patients will mostly end"):
        split_patients(few, random_state=0)
    split_patients(enough, random_state=0)
    with pytest.warns(UserWarning, match="mostly end in UNDERPOWERED"):
        split_patients(
            np.zeros(2200), groups=np.arange(2200) // 4, random_state=0
        )  # subjects count
    split_patients(few, shares=(0.6, 0.2, 0.2, 0.0), random_state=0)  # nothing is to be audited

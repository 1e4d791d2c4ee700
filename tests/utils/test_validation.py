from __future__ import annotations

import numpy as np
import pytest
from latentwalk.utils import (
    check_class_sizes,
    check_groups,
    check_images,
    check_latents,
    check_targets,
    to_float,
)


def test_bytes_are_not_copied_and_floats_become_float32():
    as_bytes = np.zeros((2, 1, 4, 4), dtype=np.uint8)
    assert check_images(as_bytes) is as_bytes
    assert check_images(np.zeros((2, 1, 4, 4))).dtype == np.float32
    np.testing.assert_allclose(to_float(np.full((1, 1, 1, 1), 51, dtype=np.uint8)), 0.2)


def test_flat_rows_take_the_given_shape():
    X = np.arange(24).reshape(2, 12) / 24
    np.testing.assert_allclose(check_images(X, (3, 2, 2))[1, 2], X[1, 8:].reshape(2, 2))


@pytest.mark.parametrize(
    ("X", "shape", "message"),
    [
        (np.zeros((2, 12)), None, "image_shape"),
        (np.zeros((2, 11)), (3, 2, 2), r"11 features a row; images of shape \(3, 2, 2\) have 12"),
        (np.zeros((2, 4, 4)), None, r"X\[:, None\]"),
        (np.zeros((2, 1, 4, 4)), (3, 4, 4), r"shape \(1, 4, 4\); expected \(3, 4, 4\)"),
        (np.zeros((2, 5, 6, 3)), (3, 5, 6), r"channels come first: X.transpose\(0, 3, 1, 2\)"),
        (np.zeros((2, 5, 6, 1)), None, r"channels come first: X.transpose\(0, 3, 1, 2\)"),
        (np.zeros((2, 5, 6, 3)), (1, 5, 6), "channels come first"),
        (np.full((1, 1, 2, 2), np.nan), None, "NaN"),
        (np.full((1, 1, 2, 2), np.inf), None, "infinite"),
        (np.full((1, 1, 2, 2), -0.1), None, r"\[-0.1, 0\]; float images are in \[0, 1\]"),
        (np.full((1, 1, 2, 2), 255.0), None, "divide by 255"),
        (np.zeros((1, 1, 2, 2), dtype=np.int64), None, "dtype int64; images are uint8"),
        (np.zeros((1, 1, 2, 2), dtype=bool), None, "dtype bool"),
        (np.zeros((0, 1, 2, 2)), None, "0 images; at least 1"),
    ],
)
def test_bad_images(X, shape, message):
    with pytest.raises(ValueError, match=message):
        check_images(X, shape)


def test_groups_become_codes_of_any_kind_of_id():
    for ids in (["b", "a", "b"], [7, 3, 7], np.array(["b", "a", "b"], dtype=object)):
        assert check_groups(ids, 3).tolist() == [1, 0, 1]
    assert check_groups(None, 3).tolist() == [0, 1, 2]


def with_a_missing_value():
    pd = pytest.importorskip("pandas")
    return [
        [1.0, np.nan],
        np.array(["secret-17", None], dtype=object),
        ["secret-17", float("nan")],
        pd.Series(["secret-17", pd.NA], dtype="string"),
        pd.Series([17, pd.NA], dtype="Int64"),
        pd.Series(["secret-17", None], dtype="category"),
        pd.to_datetime(pd.Series(["2017-01-01", None])),
    ]


@pytest.mark.parametrize("ids", with_a_missing_value())
def test_missing_ids_and_labels_are_counted_and_none_is_shown(ids):
    for check, name in ((check_groups, "groups"), (check_targets, "y")):
        with pytest.raises(ValueError, match=f"{name} has 1 missing values") as error:
            check(ids, 2)
        assert "17" not in str(error.value)


def test_nullable_columns_without_a_missing_value_are_plain_labels():
    pd = pytest.importorskip("pandas")
    for column, kind in ((pd.Series([3, 4], dtype="Int64"), "i"), (pd.Series(["a", "b"]), "U")):
        assert check_targets(column, 2).dtype.kind == kind
        assert check_groups(column, 2).tolist() == [0, 1]


def test_targets():
    assert check_targets(None, 3) is None
    assert check_targets(["a", "b"], 2).tolist() == ["a", "b"]
    with pytest.raises(ValueError, match=r"y has shape \(2,\); expected \(3,\)"):
        check_targets([0, 1], 3)


def test_class_sizes_count_distinct_subjects():
    y = np.array([0, 0, 0, 1, 1, 1])
    codes = np.array([0, 1, 2, 3, 3, 3])
    check_class_sizes(y, codes, 1, why="here")
    with pytest.raises(ValueError, match=r"too few subjects \(class 1: 1\); 2 are needed here"):
        check_class_sizes(y, codes, 2, why="here")
    with pytest.raises(ValueError, match=r"\(all rows: 4\); 5"):
        check_class_sizes(None, codes, 5, why="here")


def test_many_small_classes_are_counted_and_not_named():
    ids = np.array([f"secret-{i}" for i in range(21)])
    with pytest.raises(ValueError, match="21 of 21 classes, the smallest with 1") as error:
        check_class_sizes(ids, np.arange(21), 2, why="here")
    assert "secret" not in str(error.value)


def test_latents():
    assert check_latents(np.zeros((2, 3)), 3).dtype == np.float32
    with pytest.raises(ValueError, match=r"W has shape \(2, 3\); expected \(n_samples, 4\)"):
        check_latents(np.zeros((2, 3)), 4)
    with pytest.raises(ValueError, match="NaN"):
        check_latents(np.full((1, 2), np.nan))

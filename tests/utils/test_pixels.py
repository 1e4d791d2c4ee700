"""One rounding from floats to bytes, exact at every boundary, and nowhere else another."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import latentwalk
import numpy as np
import pytest
from latentwalk.metrics import exact_duplicates
from latentwalk.utils import to_bytes, to_float


def floats_near_boundaries(n_steps=40):
    """The float32 values next to each value between two bytes, `n_steps` on either side."""
    centres = ((np.arange(255) + 0.5) / 255).astype(np.float32)
    steps = np.arange(-n_steps, n_steps + 1, dtype=np.int32)
    return (centres.view(np.int32)[:, None] + steps).view(np.float32).ravel()


def nearest_byte(value):
    exact = Fraction(float(value)) * 255
    whole = exact.numerator // exact.denominator
    return whole + (exact - whole > Fraction(1, 2) or (2 * (exact - whole) == 1 and whole % 2))


def test_every_float_next_to_a_boundary_gets_the_nearest_byte():
    values = floats_near_boundaries()
    assert to_bytes(values).tolist() == [nearest_byte(v) for v in values]


def test_float32_arithmetic_would_not_do():
    values = floats_near_boundaries()
    assert (np.rint(values * np.float32(255)) != to_bytes(values)).any()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_byte_survives_the_way_to_float_and_back(dtype):
    levels = np.arange(256, dtype=np.uint8)
    assert np.array_equal(to_bytes(to_float(levels).astype(dtype)), levels)
    assert to_bytes(levels) is levels


def test_wider_floats_round_as_the_float32_that_the_package_makes_of_them():
    wide = floats_near_boundaries().astype(np.float64) * (1 + 2**-30)
    assert np.array_equal(to_bytes(wide), to_bytes(wide.astype(np.float32)))


def test_shapes_are_kept_and_values_outside_are_clipped():
    values = np.array([[-0.2, 0.5], [1.1, 1.0]])
    assert to_bytes(values).tolist() == [[0, 128], [255, 255]]
    assert to_bytes(np.zeros((0, 3))).shape == (0, 3)
    assert to_bytes(0.5).shape == ()


def test_large_arrays_are_rounded_in_parts_to_the_same_bytes(monkeypatch):
    values = np.random.default_rng(0).random((5, 7, 3))[:, ::-1]
    whole = to_bytes(values)
    monkeypatch.setattr("latentwalk.utils._pixels.CHUNK", 4)
    assert np.array_equal(to_bytes(values), whole)


def test_an_image_whose_bytes_equal_a_member_is_a_duplicate():
    values = floats_near_boundaries(3)
    X = values[: len(values) // 16 * 16].reshape(-1, 1, 4, 4)
    assert (exact_duplicates(X, to_bytes(X)) >= 0).all()


def test_no_other_file_rounds_images_to_bytes():
    package = Path(latentwalk.__file__).parent
    readers = package / "datasets"  # a window of deep pixels, in units of its own
    files = [f for f in package.rglob("*.py") if readers not in f.parents]
    rounding = re.compile(r"\* ?(np\.float32\()?255\b|\b255 ?\*(?!.*/ 128)")
    assert [f.name for f in files if rounding.search(f.read_text())] == ["_pixels.py"]

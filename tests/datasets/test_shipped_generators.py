"""The generators that ship with the package."""

from __future__ import annotations

import numpy as np
import pytest
from latentwalk import load_generator
from latentwalk.datasets import chest_xray_generator_path, dermoscopy_generator_path

SHIPPED = [
    (dermoscopy_generator_path, (3, 32, 32)),
    (chest_xray_generator_path, (1, 64, 64)),
]


@pytest.mark.parametrize(("path", "shape"), SHIPPED)
def test_a_shipped_generator_makes_images_that_differ(path, shape):
    images, _ = load_generator(path()).sample(8, random_state=0)
    assert images.shape == (8, *shape)
    assert np.std(images, axis=0).mean() > 0.02  # not one image eight times
    assert np.std(images, axis=(1, 2, 3)).min() > 0.002  # not flat ones


@pytest.mark.parametrize(("path", "shape"), SHIPPED)
def test_a_shipped_generator_has_its_provenance_next_to_it(path, shape):
    told = path().with_suffix(".md").read_text()
    for heading in ("Made by", "Trained on", "Source of the images", "What it can give away"):
        assert f"**{heading}**" in told
    assert path().stat().st_size < 2_000_000

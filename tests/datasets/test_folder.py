from __future__ import annotations

import builtins
import errno
import os
import pickle
import subprocess
import sys
from textwrap import dedent

import joblib
import numpy as np
import pytest
from latentwalk.datasets import ImageFiles, load_image_folder
from PIL import Image

SIZE = 8


def write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


@pytest.fixture
def folder(tmp_path):
    """Two classes, three subjects, an image of its own grey value for each file."""
    rows = [("healthy", "p1", 10), ("healthy", "p2", 20), ("ill", "p2", 30), ("ill", "p3", 40)]
    for label, subject, value in rows:
        array = np.full((SIZE, SIZE), value, dtype=np.uint8)
        write(tmp_path / "images" / label / subject / f"{value}.png", array)
    return tmp_path / "images"


def values(images):
    return np.asarray(images)[:, 0, 0, 0].tolist()


def test_subfolders_say_class_and_subject(folder):
    (folder / "notes.txt").write_text("x")
    (folder / ".DS_Store").write_text("x")
    data = load_image_folder(folder, size=SIZE, levels=("label", "subject"))
    assert values(data.images) == [10, 20, 30, 40]
    assert data.target.tolist() == [0, 0, 1, 1]
    assert data.target_names == ["healthy", "ill"]
    assert data.groups.tolist() == ["p1", "p2", "p2", "p3"]
    assert data.left_out == {"file of another kind": 1}
    only = load_image_folder(folder, size=SIZE, levels=(None, "subject"))
    assert only.target is None
    assert only.groups.tolist() == data.groups.tolist()


def test_rows_are_chosen_without_being_read(folder, monkeypatch):
    images = load_image_folder(folder, size=SIZE).images
    with monkeypatch.context() as patch:
        patch.setattr(Image, "open", lambda *args: pytest.fail("a file was read"))
        assert images.shape == (4, 1, SIZE, SIZE)
        assert images[[3, 1]][::-1].shape == (2, 1, SIZE, SIZE)
        assert images[np.array([True, False, False, True]), ...].shape[0] == 2
        assert repr(images) == "ImageFiles(4 images of 1x8x8)"
    assert values(images[[3, 1, 3]]) == [40, 20, 40]
    assert values(pickle.loads(pickle.dumps(images[-1:]))) == [40]
    np.testing.assert_array_equal(images[2], np.full((1, SIZE, SIZE), 30))
    with pytest.raises(IndexError):
        images[4]
    with pytest.raises(IndexError, match="by rows alone"):
        images[:, 0]


def test_a_copy_in_one_file_is_mapped_into_memory(folder, tmp_path):
    images = load_image_folder(folder, size=SIZE).images
    mapped = images.save(tmp_path / "images.npy")
    assert isinstance(mapped, np.memmap)
    np.testing.assert_array_equal(mapped, images)
    assert [path.name for path in tmp_path.glob("images.npy*")] == ["images.npy"]


def test_the_copy_is_for_its_owner_and_replaces_an_older_one(folder, tmp_path):
    images = load_image_folder(folder, size=SIZE).images
    (tmp_path / "images.npy").write_bytes(b"older")
    images.save(tmp_path / "images.npy")
    assert (tmp_path / "images.npy").stat().st_mode & 0o077 == 0
    np.testing.assert_array_equal(np.load(tmp_path / "images.npy"), images)


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="needs a limit on the file size")
@pytest.mark.parametrize("can_reserve", [True, False])
def test_a_full_disk_is_an_error_that_leaves_no_image_behind(tmp_path, can_reserve):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    (tmp_path / "out").mkdir()
    Image.fromarray(pixels).save(tmp_path / "a.png")
    code = f"""
        import os, resource, signal
        from latentwalk.datasets import ImageFiles
        if not {can_reserve}:
            del os.posix_fallocate
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        images = ImageFiles(["a.png"] * 100, size=64)
        try:
            images.save("out/images.npy")
        except OSError as error:
            print(error.errno)
    """
    done = subprocess.run(
        [sys.executable, "-c", dedent(code)], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout.split() == [str(errno.EFBIG)], done.stderr
    assert list((tmp_path / "out").iterdir()) == []


def test_an_unreadable_image_ends_a_copy_and_leaves_nothing(folder, tmp_path):
    (folder / "ill" / "p3" / "40.png").write_bytes(b"x")
    images = load_image_folder(folder, size=SIZE, check=False).images
    with pytest.raises(ValueError, match="image 3 of the files"):
        images.save(tmp_path / "images.npy")
    assert [path.name for path in tmp_path.iterdir()] == ["images"]


def test_a_file_that_changes_under_its_name_changes_the_hash(folder):
    images = load_image_folder(folder, size=SIZE).images
    before, part = joblib.hash(images), joblib.hash(images[:3])
    images.digests()
    again = load_image_folder(folder, size=SIZE).images
    assert joblib.hash(again) == joblib.hash(images) == before
    path = folder / "ill" / "p3" / "40.png"
    found = path.stat()
    write(path, np.full((SIZE, SIZE), 41, dtype=np.uint8))
    assert joblib.hash(images) != before
    assert joblib.hash(images[:3]) == part
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns + 1))
    after = joblib.hash(images)
    path.unlink()
    assert joblib.hash(images) not in (before, after)


def read(path, **options):
    return np.asarray(ImageFiles([path], **({"size": SIZE} | options)))[0]


def test_the_central_square_is_resized(tmp_path):
    wide = np.zeros((16, 40), dtype=np.uint8)
    wide[:, 12:28] = 200
    write(tmp_path / "wide.png", wide)
    # the filter looks a little beyond the square
    assert (read(tmp_path / "wide.png")[0, :, 1:-1] > 190).all()
    checks = np.kron(np.indices((8, 8)).sum(0) % 2, np.ones((4, 4))).astype(np.uint8) * 255
    write(tmp_path / "checks.png", checks)
    grey = read(tmp_path / "checks.png", size=4)
    assert grey.std() < 20  # averaged, and not every eighth pixel
    assert 100 < grey.mean() < 155


def test_files_that_are_no_image_are_found_at_once_and_not_named(folder):
    (folder / "ill" / "p3" / "smith-john.png").write_bytes(b"not an image")
    frames = [Image.fromarray(np.zeros((8, 8), dtype=np.uint8))] * 2
    frames[0].save(folder / "ill" / "p3" / "stack.tif", save_all=True, append_images=frames[1:])
    with pytest.raises(ValueError, match=r"2 of 6 files .* rows 4, 5") as caught:
        load_image_folder(folder, size=SIZE)
    assert "smith" not in str(caught.value)
    images = load_image_folder(folder, size=SIZE, check=False).images
    with pytest.raises(ValueError, match="image 4 of the files: it is not") as caught:
        np.asarray(images[4:][:1])
    assert "smith" not in "".join(map(str, (caught.value, caught.value.__cause__)))
    with pytest.raises(ValueError, match="image 5 of the files: it has 2 frames"):
        images[5]


def test_a_truncated_or_missing_file_is_told_by_its_row(folder):
    path = folder / "ill" / "p3" / "40.png"
    images = load_image_folder(folder, size=SIZE).images
    path.write_bytes(path.read_bytes()[:-26])
    with pytest.raises(ValueError, match="image 3 of the files") as caught:
        np.asarray(images[[3]])
    assert "40.png" not in str(caught.value)
    path.unlink()
    with pytest.raises(ValueError, match=r"image 3 of the files: .*FileNotFoundError") as caught:
        images[3]
    assert "40.png" not in str(caught.value)
    with pytest.raises(ValueError, match="rows 3 of paths"):
        images.check()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"levels": ("label", "subject", None)}, "4 of 4 images have fewer"),
        ({"levels": ("class",)}, "expected a sequence of 'label', 'subject'"),
        ({"levels": "label"}, "expected a sequence"),
        ({"levels": ("label", "label")}, "expected a sequence"),
        ({"size": 0}, "size=0"),
        ({"n_channels": 2}, "n_channels=2"),
        ({"window": (40, 0)}, "window"),
    ],
)
def test_bad_options(folder, options, message):
    with pytest.raises(ValueError, match=message):
        load_image_folder(folder, **({"size": SIZE} | options))


def test_an_empty_folder(tmp_path):
    with pytest.raises(ValueError, match="no images"):
        load_image_folder(tmp_path, size=SIZE)
    with pytest.raises(ValueError, match="folder is not there; expected a folder"):
        load_image_folder(tmp_path / "absent", size=SIZE)
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(ValueError, match="folder is a file; expected a folder"):
        load_image_folder(tmp_path / "a.txt", size=SIZE)
    with pytest.raises(ValueError, match=r"left out: 1 \(file of another kind\)"):
        load_image_folder(tmp_path, size=SIZE)


def test_dicom_without_pydicom_says_what_to_install(folder, monkeypatch):
    (folder / "scan.dcm").write_bytes(bytes(128) + b"DICM" + bytes(99))
    real = builtins.__import__

    def without(name, *args, **options):
        if name.partition(".")[0] == "pydicom":
            raise ImportError(name)
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"pip install '\.\[dicom\]'"):
        load_image_folder(folder, size=SIZE)

"""A release is there whole or not at all, whatever happens to the process that writes it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from filelock import FileLock
from latentwalk import write_release
from latentwalk.release import _staging

X = np.random.default_rng(0).integers(0, 256, size=(6, 1, 8, 8), dtype=np.uint8)
WHOLE = {"README.md", "croissant.json", "images", "images.npz", "manifest.json"}


def write(path):
    return write_release(path, X, allow="a test")


def names(folder):
    return {file.name for file in folder.iterdir()}


KILLED = """
import os, signal, sys
import numpy as np
from pathlib import Path
from latentwalk.release import _release, _staging
real_rename = Path.rename

def die(*args):
    os.kill(os.getpid(), signal.SIGKILL)

def rename(self, target):
    if self.name == "images.npz":
        die()
    return real_rename(self, target)

if sys.argv[2] == "writing":
    _release.write_manifest = die
else:
    _staging.os.path.ismount = lambda path: str(path) == sys.argv[1]
    Path.rename = rename
X = np.zeros((6, 1, 8, 8), dtype=np.uint8) + np.arange(6, dtype=np.uint8)[:, None, None, None]
_release.write_release(sys.argv[1], X, allow="a test")
"""


@pytest.mark.parametrize("moment", ["writing", "moving into a mount point"])
def test_a_killed_process_leaves_no_release_and_the_next_one_cleans_up(
    tmp_path, monkeypatch, moment
):
    folder = tmp_path / "release"
    if moment != "writing":
        folder.mkdir()
        monkeypatch.setattr(os.path, "ismount", lambda path: str(path) == str(folder))
    ended = subprocess.run([sys.executable, "-c", KILLED, str(folder), moment], check=False)
    assert ended.returncode == -signal.SIGKILL
    place = tmp_path if moment == "writing" else folder
    assert any(name.startswith(".unfinished-release-") for name in names(place))
    assert not (folder / "manifest.json").exists()
    assert names(write(folder)) == WHOLE
    assert names(tmp_path) == {"release"}


def test_what_another_process_is_writing_is_left_alone(tmp_path):
    staging = tmp_path / ".unfinished-release-abc"
    staging.mkdir()
    with FileLock(staging / "lock"):
        write(tmp_path / "release")
        assert names(tmp_path) == {"release", staging.name}
    other = tmp_path / ".unfinished-other-abc"
    other.mkdir()
    (tmp_path / "release2").mkdir()
    write(tmp_path / "release2")
    assert names(tmp_path) == {"release", "release2", staging.name, other.name}


def test_an_empty_mount_point_is_filled_and_not_replaced(tmp_path, monkeypatch):
    folder = tmp_path / "mount"
    folder.mkdir()
    before = folder.stat().st_ino
    monkeypatch.setattr(os.path, "ismount", lambda path: str(path) == str(folder))
    assert names(write(folder)) == WHOLE
    assert folder.stat().st_ino == before
    with pytest.raises(FileExistsError, match="not an empty folder"):
        write(folder)
    assert names(folder) == WHOLE


def test_an_interrupt_while_moving_leaves_an_empty_mount_point(tmp_path, monkeypatch):
    folder = tmp_path / "mount"
    folder.mkdir()
    monkeypatch.setattr(os.path, "ismount", lambda path: str(path) == str(folder))
    monkeypatch.setattr(_staging, "PARTS", ("images", "README.md", 5, "manifest.json"))
    with pytest.raises(TypeError):
        write(folder)
    assert names(folder) == set()


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_is_followed(tmp_path, exists):
    target, link = tmp_path / "disk" / "target", tmp_path / "link"
    target.parent.mkdir()
    if exists:
        target.mkdir()
    link.symlink_to(target, target_is_directory=True)
    assert names(write(link)) == WHOLE
    assert link.is_symlink()
    assert names(target) == WHOLE
    assert names(target.parent) == {"target"}

"""A folder that appears whole or not at all, and what a killed process left of one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

# What a release is made of. The last one is moved last: a folder without it is not whole.
PARTS = (
    "images",
    "images.npz",
    "labels.csv",
    "report.html",
    "README.md",
    "croissant.json",
    "manifest.json",
)
LOCK = "lock"


@contextmanager
def staged(folder: Path, needed: int) -> Iterator[Path]:
    """Yield a new folder to fill; afterwards its content is in `folder`.

    It is filled on the same disk, hidden, and moved in one step. Where `folder` is a mount point,
    or its parent is not writable, the parts are moved into it one by one, the manifest last.

    Parameters
    ----------
    folder : Path
        From `empty_folder`.
    needed : int
        Bytes that the content may need.

    Raises
    ------
    OSError
        When the disk is too full.
    """
    stays = folder.is_dir() and (os.path.ismount(folder) or not os.access(folder.parent, os.W_OK))
    place = folder if stays else folder.parent
    place.mkdir(parents=True, exist_ok=True)
    _check_space(place, needed)
    with (
        tempfile.TemporaryDirectory(dir=place, prefix=_prefix(folder)) as staging,
        _locked(Path(staging)),
    ):
        content = Path(staging) / "release"
        content.mkdir()
        yield content
        if stays:
            _move_parts(content, folder)
        else:
            if folder.exists():
                folder.rmdir()
            content.rename(folder)


def empty_folder(path: str | os.PathLike[str]) -> Path:
    """Return the folder to write, links followed, without the remains of a killed process.

    Raises
    ------
    FileExistsError
        When there is something in it.
    """
    folder = Path(path).resolve()
    _remove_remains(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(
            f"path={str(path)!r} is not an empty folder; a release is written into a new one"
        )
    return folder


def _move_parts(content: Path, folder: Path) -> None:
    try:
        for name in PARTS:
            if (content / name).exists():
                (content / name).rename(folder / name)
    except BaseException:
        _remove_parts(folder)
        raise


def _remove_parts(folder: Path) -> None:
    for name in PARTS:
        part = folder / name
        if part.is_dir():
            shutil.rmtree(part)
        else:
            part.unlink(missing_ok=True)


def _remove_remains(folder: Path) -> None:
    """Remove what a process that is no more has left unfinished, and only that."""
    for place in (folder.parent, folder):
        names = os.listdir(place) if place.is_dir() else []
        for staging in (place / name for name in names if name.startswith(_prefix(folder))):
            if not _is_abandoned(staging):
                continue
            if place == folder and not (folder / PARTS[-1]).exists():
                _remove_parts(folder)
            shutil.rmtree(staging)


def _prefix(folder: Path) -> str:
    return f".unfinished-{folder.name}-"


@contextmanager
def _locked(staging: Path) -> Iterator[None]:
    """Hold a lock that ends with this process; some network disks have none."""
    lock = FileLock(staging / LOCK)
    with suppress(NotImplementedError, OSError):
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _is_abandoned(staging: Path) -> bool:
    """Whether nobody writes there any more."""
    try:
        with FileLock(staging / LOCK, timeout=0):
            return True
    except (Timeout, NotImplementedError, OSError):
        return False


def _check_space(place: Path, needed: int) -> None:
    free = shutil.disk_usage(place).free
    if free < needed:
        raise OSError(
            f"the disk has {free / 1e6:.0f} MB free; the release needs up to {needed / 1e6:.0f} MB"
        )

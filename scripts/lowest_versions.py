"""Print the lowest version of each requirement as a pip constraint, from pyproject.toml.

    python scripts/lowest_versions.py [EXTRA ...] > lowest.txt

torch keeps the version of constraints.txt: its older builds for one CPU are on no package index.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def lowest_versions(extras: list[str]) -> list[str]:
    """Return ``name==version`` for each ``name>=version`` of the package and of some extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    requirements = list(project["dependencies"])
    for extra in extras:
        requirements += project["optional-dependencies"][extra]
    bounds = (re.fullmatch(r"([\w-]+)>=([\d.]+)", one) for one in requirements)
    pins = {match[1]: match[2] for match in bounds if match}
    tested = re.search(r"^torch==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert tested, "constraints.txt pins no torch"
    return [f"{name}=={version}" for name, version in (pins | {"torch": tested[1]}).items()]


if __name__ == "__main__":
    print("\n".join(lowest_versions(sys.argv[1:])))

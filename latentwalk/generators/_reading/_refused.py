"""The error of every reader of weights files."""

from __future__ import annotations


class RefusedError(ValueError):
    """The file holds something that is not part of a generator's weights."""

"""The one error of reading, and the budgets that every format keeps."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

MAX_PIXELS = 50_000_000  # of one image; the largest radiographs have 30 million


class UnreadableImageError(ValueError):
    """A file that does not hold one image; the message neither names nor quotes it."""


def check_frames(n_frames: int | str) -> None:
    """Raise unless a file holds a single image."""
    if n_frames == 0:
        raise UnreadableImageError("it has no pixels")
    if n_frames != 1:
        raise UnreadableImageError(f"it has {n_frames} frames, expected one: make each a file")


def check_size(height: int, width: int) -> None:
    """Raise for an image without pixels, or with more than can be decoded in passing."""
    if height < 1 or width < 1:
        raise UnreadableImageError("it has no pixels")
    if height * width > MAX_PIXELS:
        raise UnreadableImageError(f"it has more than {MAX_PIXELS // 10**6} million pixels")


@contextmanager
def unquoted_errors(what: str) -> Iterator[None]:
    """Turn the errors of a library into one without its text, which may quote a file."""
    try:
        yield
    except (UnreadableImageError, ImportError, MemoryError):
        raise
    except Exception as error:  # of many kinds: each decoder has its own
        reason = f"its {what} cannot be read ({type(error).__name__})"
        raise UnreadableImageError(reason) from None


@contextmanager
def silenced(log: str) -> Iterator[None]:
    """Silence the warnings and the log of a library, which quote the values of a file."""
    logger = logging.getLogger(log)
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)

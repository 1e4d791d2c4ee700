"""The budget for reading one file, so that a small file cannot use up memory or time."""

from __future__ import annotations

from time import monotonic

from latentwalk.generators._reading._refused import RefusedError

MAX_GROWTH = 4  # bytes that are copied, for each byte of the file
MAX_DEPTH = 100  # of tuples in tuples: hashing deeper ones can exhaust the stack
BASE_SECONDS, BYTES_PER_SECOND = 60.0, 5e6  # honest files take a tenth of this
FEW_OBJECTS = 100_000  # that a file of any size may have


class Budget:
    """Objects, bytes and time that are left for a file; all its readers share one budget.

    Parameters
    ----------
    file_size : int
        Bytes of the file.
    """

    def __init__(self, file_size: int) -> None:
        self.n_bytes = MAX_GROWTH * file_size
        # an object of an honest file takes some bytes of it
        self.n_objects = file_size + FEW_OBJECTS
        self.end = monotonic() + BASE_SECONDS + file_size / BYTES_PER_SECOND

    def spend(self, *, n_bytes: int = 0, n_objects: int = 0) -> None:
        """Subtract from what is left.

        Raises
        ------
        RefusedError
            When nothing is left.
        """
        self.n_bytes -= n_bytes
        self.n_objects -= n_objects
        if self.n_bytes < 0 or self.n_objects < 0:
            raise RefusedError("it unpacks to more than its own size")
        if monotonic() > self.end:
            raise RefusedError("it takes longer to read than any generator of its size")


class Nested(tuple[object, ...]):
    """A tuple that knows how deep the tuples in it are."""

    depth: int

    def __new__(cls, items: list[object]) -> Nested:
        nested = super().__new__(cls, items)
        nested.depth = 1 + max((getattr(item, "depth", 0) for item in items), default=0)
        if nested.depth > MAX_DEPTH:
            raise RefusedError(f"it has tuples nested more than {MAX_DEPTH} deep")
        return nested

"""The stages of a long job: which one runs, and how long the rest will take."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

MOMENT = 0.5  # seconds: what is faster came from a cache, and says nothing about the rest
TRUST = 10.0  # how far a measured stage can change the estimate of the others


class Progress:
    """Announce stages on standard error.

    Parameters
    ----------
    expected : dict of str to float
        The stages in order, with the seconds that each is expected to take.
    verbose : bool
        Whether anything is shown.
    """

    def __init__(self, expected: dict[str, float], verbose: bool) -> None:
        self.expected, self.verbose = dict(expected), verbose
        self.spent: dict[str, float] = {}
        self._show(f"{len(expected)} stages, about {duration(sum(expected.values()))} in all")

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Run a stage."""
        # a stage that takes the place of a failed one was not expected
        self.expected.setdefault(name, 0.0)
        place = f"[{len(self.spent) + 1}/{len(self.expected)}]"
        seconds = self.pace * self.expected[name]
        self._show(f"{place} {name} .." + (f" about {duration(seconds)}" if seconds else ""))
        started = time.perf_counter()
        try:
            yield
        finally:
            self.spent[name] = time.perf_counter() - started
        self._show(f"      {duration(self.spent[name])}; about {duration(self.left)} left")

    @property
    def pace(self) -> float:
        """How many times longer the stages took than expected."""
        told = [n for n, seconds in self.spent.items() if seconds > MOMENT and self.expected[n]]
        expected = sum(self.expected[name] for name in told)
        found = sum(self.spent[name] for name in told)
        return min(max(found / expected, 1 / TRUST), TRUST) if expected else 1.0

    @property
    def left(self) -> float:
        """Seconds that the other stages will take, by those that ran."""
        return self.pace * sum(s for name, s in self.expected.items() if name not in self.spent)

    def _show(self, text: str) -> None:
        if self.verbose:
            print(text, file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """Return a time in the unit that a reader would choose.

    Examples
    --------
    >>> [duration(s) for s in (2, 100, 4000, 100000)]
    ['2 s', '2 min', '1.1 h', '28 h']
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 36000 else f"{seconds / 3600:.0f} h"

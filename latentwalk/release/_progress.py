"""The stages of a long job: which one runs, and how long the rest will take."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

MOMENT = 0.5  # seconds: what is faster came from a cache, and says nothing about the rest
GUESSED = 2.0  # how many times longer or shorter than its guess a stage may take
MEASURED = 1.3  # the same where a stage of its kind has run


@dataclass(frozen=True)
class Stage:
    """A part of a job that has not run yet.

    Attributes
    ----------
    name : str
        What is shown.
    kind : str
        Stages of one kind do the same work, so that one of them tells the speed of the next.
    seconds : float
        The time that it is guessed to take. Within a kind only the ratios count after the first.
    """

    name: str
    kind: str
    seconds: float


@dataclass(frozen=True)
class Span:
    """A time of which only the bounds are known, in seconds. It prints in round figures.

    Examples
    --------
    >>> print(Span(4, 25), Span(100, 400), Span(340, 350), Span(3000, 9000), sep=", ")
    up to 30 s, 1 to 7 min, about 6 min, 0.5 to 2.5 h
    """

    low: float
    high: float

    def __add__(self, other: Span) -> Span:
        return Span(self.low + other.low, self.high + other.high)

    def __str__(self) -> str:
        step, size, unit = next(row for row in ROUND if self.high <= row[0])[1:]
        first, last = math.floor(self.low / step), math.ceil(self.high / step)
        bounds = [f"{n * step / size:g}" for n in (first, last)]
        if first == 0:
            return f"up to {bounds[1]} {unit}"
        wide = last - first > 1
        return f"{bounds[0]} to {bounds[1]} {unit}" if wide else f"about {bounds[1]} {unit}"


# up to so many seconds a time is given in such steps, in a unit of so many seconds
ROUND = (
    (90, 10, 1, "s"),
    (1200, 60, 60, "min"),
    (5400, 300, 60, "min"),
    (36000, 1800, 3600, "h"),
    (math.inf, 3600, 3600, "h"),
)


class Progress:
    """Announce stages on standard error.

    The first estimates are guesses, and span wide. When a stage has run, its speed replaces the
    guess for its kind. Where the guesses were too short, those that are left grow too.

    Parameters
    ----------
    stages : iterable of Stage
        In the order in which they run.
    verbose : bool
        Whether anything is shown.
    """

    def __init__(self, stages: Iterable[Stage], verbose: bool) -> None:
        self.stages = {stage.name: stage for stage in stages}
        self.verbose = verbose
        self.spent: dict[str, float] = {}
        self.pace: dict[str, float] = {}  # how many times longer than guessed, by kind
        self._show(f"{len(self.stages)} stages, {self.left} in all; the first guess is a rough one")

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Run a stage."""
        # a stage that takes the place of a failed one was not expected
        stage = self.stages.setdefault(name, Stage(name, name, 0.0))
        place = f"[{len(self.spent) + 1}/{len(self.stages)}]"
        self._show(f"{place} {name} .." + (f" {self.expected(stage)}" if stage.seconds else ""))
        started = time.perf_counter()
        try:
            yield
        finally:
            self.spent[name] = spent = time.perf_counter() - started
            if stage.seconds and spent > MOMENT:
                self.pace[stage.kind] = spent / stage.seconds
        rest = f"; {self.left} left" if len(self.spent) < len(self.stages) else ""
        self._show(f"      {duration(spent)}{rest}")

    def leave_out(self, name: str) -> None:
        """Expect a stage no more."""
        self.stages.pop(name, None)

    def expected(self, stage: Stage) -> Span:
        """Return how long a stage will take, by what has run."""
        if stage.kind in self.pace:
            seconds = self.pace[stage.kind] * stage.seconds
            return Span(seconds / MEASURED, seconds * MEASURED)
        paces = [1.0, *self.pace.values()]
        return Span(min(paces) * stage.seconds / GUESSED, max(paces) * stage.seconds * GUESSED)

    @property
    def left(self) -> Span:
        """How long the stages will take that have not run."""
        rest = (self.expected(s) for name, s in self.stages.items() if name not in self.spent)
        return sum(rest, start=Span(0.0, 0.0))

    def _show(self, text: str) -> None:
        if self.verbose:
            print(text, file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """Return a measured time in the unit that a reader would choose.

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

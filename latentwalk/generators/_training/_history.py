"""The figures of a training run, and its time."""

from __future__ import annotations

import copy
import warnings
from collections import defaultdict
from time import monotonic
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Columns = dict[str, list[float]]
N_TIMED = 5  # steps from which the whole time is estimated
LONG = 2 * 3600.0  # seconds: a run beyond is told before they are spent


class History:
    """Figures by name: means over some steps, and what snapshots found."""

    def __init__(self) -> None:
        self.columns: Columns = defaultdict(list)
        self.recent: Columns = defaultdict(list)

    def add(self, figures: dict[str, float]) -> None:
        """Keep the figures of a step until their mean is taken."""
        for name, value in figures.items():
            self.recent[name].append(value)

    def average(self, step: int) -> None:
        """Write the means of the recent steps; the last few may have no R1 step."""
        if self.recent:
            means = {name: float(np.mean(values)) for name, values in self.recent.items()}
            self.note({"step": step, "r1": np.nan} | means)
            self.recent.clear()

    def note(self, figures: dict[str, float]) -> None:
        """Write figures as they are."""
        for name, value in figures.items():
            self.columns[name].append(value)

    def copy(self) -> Self:
        return copy.deepcopy(self)

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {name: np.asarray(values) for name, values in self.columns.items()}

    def state_dict(self) -> dict[str, Columns]:
        return {"columns": dict(self.columns), "recent": dict(self.recent)}

    def load_state_dict(self, state: dict[str, Columns]) -> None:
        self.columns = defaultdict(list, state["columns"])
        self.recent = defaultdict(list, state["recent"])


class Clock:
    """Tells when the time of a run is over, and warns early of a long one."""

    def __init__(self, n_steps: int, max_time: float | None) -> None:
        self.n_steps, self.max_time = n_steps, max_time
        self.start, self.first, self.n_done = monotonic(), 0.0, 0

    def tick(self) -> bool:
        """Count a step; return whether the time is over."""
        now = monotonic()
        self.n_done += 1
        if self.n_done == 1:
            self.first = now  # the first step is slower than the others
        elif self.n_done == 1 + N_TIMED and self.max_time is None:
            self._estimate((now - self.first) / N_TIMED)
        return self.max_time is not None and now - self.start >= self.max_time

    def _estimate(self, seconds: float) -> None:
        total = seconds * self.n_steps
        if total > LONG:
            warnings.warn(
                f"training will take about {total / 3600:.0f} hours here ({seconds:.2g} seconds a "
                "step): pass max_time, a smaller size or max_iter, or train on a GPU",
                stacklevel=4,
            )

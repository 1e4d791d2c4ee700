"""The facts about a run that are known before it starts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import get_config

from latentwalk.evaluation._routing import takes
from latentwalk.generators import Generator
from latentwalk.utils import check_groups

AGGREGATOR, WALKER = "k", "identity_classifier"  # a parameter that tells each of them


@dataclass(frozen=True)
class Facts:
    """The steps of a pipeline and what it will get.

    Attributes
    ----------
    steps : dict
        The steps by name.
    X, y, groups, fit_params
        As the user gave them.
    images : ndarray or None
        X as an array; files are read once, for all checks. None if X cannot be an array.
    """

    steps: dict[str, Any]
    X: ArrayLike
    y: ArrayLike | None
    groups: ArrayLike | None
    fit_params: dict[str, Any]
    images: NDArray[Any] | None = field(init=False)

    def __post_init__(self) -> None:
        try:
            images = np.asarray(self.X)
        except (ValueError, OSError):
            images = None
        object.__setattr__(self, "images", images)

    def having(self, parameter: str) -> dict[str, Any]:
        """Return the value of a parameter in the steps that have it."""
        return {n: getattr(s, parameter) for n, s in self.steps.items() if hasattr(s, parameter)}

    @property
    def n_samples(self) -> int:
        """The number of rows of X; 0 if it has none."""
        return len(self.images) if self.images is not None and self.images.ndim else 0

    @property
    def generator(self) -> Generator | None:
        """The first generator of a step."""
        found = self.having("generator").values()
        return next((g for g in found if isinstance(g, Generator)), None)

    def given(self, step: str, argument: str) -> Any:
        """Return the value that the ``fit`` of a step will get under a name, or None."""
        if not get_config()["enable_metadata_routing"]:
            return self.fit_params.get(f"{step}__{argument}")
        passed = self.fit_params | {"groups": self.groups}
        return passed.get(argument) if takes(self.steps[step], argument) else None

    @cached_property
    def sources(self) -> dict[str, ArrayLike]:
        """The patient ids of the rows of X, by the name under which they were given."""
        names = [name for name in self.fit_params if name.endswith("__groups")]
        given = {"groups": self.groups} | {name: self.fit_params[name] for name in names}
        return {name: ids for name, ids in given.items() if ids is not None}

    @property
    def patients(self) -> NDArray[np.intp]:
        """A code for the patient of each row, from the ids for an aggregator, or any other ids."""
        own = [self.given(name, "groups") for name in self.having(AGGREGATOR)]
        known = [ids for ids in (*own, *self.sources.values()) if ids is not None]
        return check_groups(known[0] if known else None, self.n_samples)


def error_of(call: Callable[[], Any]) -> Iterator[str]:
    """Yield the message of what `call` raises for bad input."""
    try:
        call()
    except (ValueError, TypeError, OSError) as error:
        yield str(error)

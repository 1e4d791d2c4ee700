"""How strong the panel's views are: which of them recognises a person in another real image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from latentwalk.auditing._cohorts import Cohorts
from latentwalk.auditing._results import Recognition
from latentwalk.auditing._sights import Sight
from latentwalk.neighbors import ExactNeighbors


def recognise(cohorts: Cohorts, sights: Sequence[Sight]) -> tuple[Recognition, ...]:
    """Return the rank-1 rate of each narrow view among held-out records, the best view first.

    Held-out records had no part in any release, and what a view learns does not know whose records
    are whose. Empty where no held-out subject has two records.
    """
    holdout = cohorts.pair[1]
    mates = np.bincount(holdout.codes)[holdout.codes] - 1
    asked = np.flatnonzero(mates)
    if not len(asked):
        return ()
    chance = float((mates[asked] / (len(holdout) - 1)).mean())
    found = []
    for sight in sights:
        if sight.is_wide:  # a search among so many features costs more than it tells
            continue
        rows = sight.embed(holdout.features[sight.view.space])
        nearest = ExactNeighbors(rows).kneighbors(rows[asked], exclude=asked)[1][:, 0]
        rate = float((holdout.codes[nearest] == holdout.codes[asked]).mean())
        found.append(Recognition(sight.view.name, rate, chance, len(asked)))
    return tuple(sorted(found, key=lambda one: -one.rate))

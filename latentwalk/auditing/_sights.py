"""Views at work: what an attacker sees of the real records, ready for a release."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentwalk.auditing._attacks._base import MembershipAttack
from latentwalk.auditing._attacks._panels import WIDE, Panel
from latentwalk.auditing._attacks._views import Embedding, View
from latentwalk.auditing._cohorts import Cohorts
from latentwalk.features import PixelFeatures

NEAREST, MEAN = "nearest image", "mean of images"
Exposures = dict[tuple[str, str], NDArray[np.float64]]  # by attack and way to see a subject


@dataclass(frozen=True, eq=False)
class Sight:
    """A view of one space, with what it learnt from the real records.

    Attributes
    ----------
    view : View
        What is looked at.
    embed : callable
        From rows of the space to rows of the view.
    reference : ndarray of shape (n_reference, n_features) or None
        The reference records in the view.
    width : int
        Features in the view.
    """

    view: View
    embed: Embedding
    reference: NDArray[Any] | None
    width: int

    @property
    def is_wide(self) -> bool:
        """Whether a large release is too much to hold in this view."""
        return self.width > WIDE

    def means(self, cohorts: Cohorts, shorten: Embedding | None = None) -> NDArray[Any]:
        """The mean of each subject's drawn images in the view, (n_subjects, n_features).

        Where they need not be exact, `shorten` makes wide rows narrow first.
        """
        draws, rows = cohorts.draws, self.embed(cohorts.real(self.view.space))
        rows = rows if shorten is None else shorten(rows)
        return self.view.mean(rows[draws.rows], draws.starts)


def image_shape(cohorts: Cohorts, space: str) -> tuple[int, int, int] | None:
    """Return the shape of an image where the rows of the space are its pixels."""
    shape, transformer = cohorts.shape, cohorts.spaces[space]
    if len(shape) != 3 or not isinstance(transformer, PixelFeatures):
        return None
    whole = cohorts.members.features[space].shape[1] == prod(shape)
    return (shape[0], shape[1], shape[2]) if whole else None


def open_sights(cohorts: Cohorts, panel: Panel) -> tuple[Sight, ...]:
    """Fit the views of a panel; what they learn treats members and held-out records alike."""
    if panel not in cohorts.cache:
        cohorts.cache[panel] = _open(cohorts, panel)
    sights: tuple[Sight, ...] = cohorts.cache[panel]
    return sights


def _open(cohorts: Cohorts, panel: Panel) -> tuple[Sight, ...]:
    sights: list[Sight] = []
    for space in cohorts.spaces:
        real = cohorts.real(space)
        reference = None if cohorts.reference is None else cohorts.reference.features[space]
        for view in panel.views(space, image_shape(cohorts, space)):
            embed = view.embed(reference, real)
            width = embed(real[:1]).shape[1]
            seen = view.of_width(width)
            # few records or features have fewer components than were asked for: once is enough
            if seen.name not in {sight.view.name for sight in sights}:
                others = None if reference is None else embed(reference)
                sights.append(Sight(seen, embed, others, width))
    return tuple(sights)


def score_subjects(
    sight: Sight, attacks: Mapping[str, MembershipAttack], cohorts: Cohorts
) -> Exposures:
    """Return exposures of subjects, members first, to what the attacks were fitted on.

    All real records are scored in one call, and all means of subjects in another: neither members
    nor held-out subjects are favoured, and one search serves all attacks.
    """
    view, draws = sight.view, cohorts.draws
    exposures: Exposures = {}
    for rows in _versions(view, cohorts.real(view.space)):
        scores = _scores(attacks, sight.embed(rows))
        join(exposures, {(name, NEAREST): draws.smallest(-found) for name, found in scores})
    if view.has_means and draws.has_several:
        scores = _scores(attacks, sight.means(cohorts))
        exposures |= {(name, MEAN): -found for name, found in scores}
    return exposures


def _scores(
    attacks: Mapping[str, MembershipAttack], queries: NDArray[Any]
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Scores of each attack by name; one copy of the records in float32 serves all that need it."""
    floats = None
    for name, attack in attacks.items():
        if attack.takes_half or queries.dtype != np.float16:
            yield name, attack.score_samples(queries)
        else:
            floats = queries.astype(np.float32) if floats is None else floats
            yield name, attack.score_samples(floats)


def join(exposures: Exposures, others: Exposures) -> None:
    """Join exposures to parts of a release, or of versions of a record: the smallest counts."""
    for key, values in others.items():
        exposures[key] = np.minimum(exposures[key], values) if key in exposures else values


def _versions(view: View, real: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """The real records, and their further versions."""
    yield real
    for version in view.versions:
        yield version(real)

"""What is known of a release besides its audit: the page shows it where it is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True)
class ReleaseFacts:
    """What is known of a release besides its audit. Everything is optional.

    `latentwalk.make_release` and `latentwalk.write_release` fill it in; give one to
    `AuditReport.to_html` for a page of your own.

    Attributes
    ----------
    name, licence, contact : str or None
        The data set's name, its terms, and whom to ask.
    date : str or None
        The day of the release.
    k : int or None
        How many people each average joins.
    k_counts : str or None
        What k counts: patients or images.
    software : mapping of str to str
        Versions by package.
    images : ndarray of shape (n_images, n_channels, height, width) or None
        Synthetic images, drawn at random.
    classes : mapping of str to int
        The number of synthetic images by class.
    fidelity : FidelityReport or None
        How the images compare with real ones.
    utility : Utility or None
        What a classifier learns from them.
    statement : PrivacyStatement or None
        The guarantee, or what voids it.

    Examples
    --------
    >>> from latentwalk.auditing import ReleaseFacts
    >>> ReleaseFacts(name="chest X-rays", k=10).k
    10
    """

    name: str | None = None
    licence: str | None = None
    contact: str | None = None
    date: str | None = None
    k: int | None = None
    k_counts: str | None = None
    software: Mapping[str, str] = field(default_factory=dict)
    images: NDArray[Any] | None = field(default=None, repr=False, compare=False)
    classes: Mapping[str, int] = field(default_factory=dict)
    fidelity: Any = None
    utility: Any = None
    statement: Any = None


NOTHING_KNOWN = ReleaseFacts()

"""Panels: which attacks are tried in which views, as values."""

from __future__ import annotations

from dataclasses import dataclass

from latentwalk.auditing._attacks._views import (
    View,
    centred,
    contrast,
    high_pass,
    plain,
    whitened,
)

WIDE = 2048
ImageShape = tuple[int, int, int]


@dataclass(frozen=True)
class Panel:
    """Which attacks are tried in which views.

    Attributes
    ----------
    name : str
        "quick" or "full".
    widths : tuple of int
        Components of the whitened views.
    attacks : tuple of str
        Names in `ATTACKS`, tried in narrow views.
    wide_attacks : tuple of str
        Those that are tried in views of more than `WIDE` features, and over versions of a record.
    record_attacks : tuple of str
        Those that look at the images themselves.
    is_full : bool
        Whether there are views that rarely find what the others miss, and the learned attacker.
    is_closed : bool
        Whether attacks that were handed knowledge, or registered by a user, stay out.
    is_plain : bool
        Whether the features as they are is the one view.
    """

    name: str
    widths: tuple[int, ...]
    attacks: tuple[str, ...]
    wide_attacks: tuple[str, ...]
    record_attacks: tuple[str, ...] = ()
    is_full: bool = False
    is_closed: bool = False
    is_plain: bool = False

    def views(self, space: str, shape: ImageShape | None = None) -> tuple[View, ...]:
        """Return the views of a space; `shape` is that of the images where its rows are pixels."""
        if self.is_plain:
            return (plain(space),)
        found = [plain(space), *(whitened(space, width) for width in self.widths)]
        if self.is_full:
            found.append(centred(space))
        if shape is not None:
            found += [contrast(space, shape, turned=True), high_pass(space, shape, turned=True)]
            if self.is_full:
                found += [contrast(space, shape), high_pass(space, shape)]
        return tuple(found)

    def attacks_in(self, view: View, n_features: int) -> tuple[str, ...]:
        """Return the names of the attacks that are tried in a view of so many features."""
        return self.wide_attacks if view.versions or n_features > WIDE else self.attacks


QUICK = Panel(
    "quick",
    widths=(32, 128),
    attacks=("nearest", "calibrated nearest", "relative nearest", "few nearest"),
    wide_attacks=("nearest", "calibrated nearest"),
)
FULL = Panel(
    "full",
    widths=(16, 32, 64, 128, 256),
    attacks=(
        *QUICK.attacks,
        "outstanding",
        "local mean",
        "Monte Carlo",
        "DOMIAS",
        "classifier",
        "DPI",
        "Gen-LRA",
    ),
    wide_attacks=(*QUICK.wide_attacks, "relative nearest", "few nearest"),
    record_attacks=("parts",),
    is_full=True,
)
PANELS = {panel.name: panel for panel in (QUICK, FULL)}


def resolve_panel(panel: str | Panel) -> Panel:
    """Return the panel of a name, or the panel itself."""
    return PANELS[panel] if isinstance(panel, str) else panel

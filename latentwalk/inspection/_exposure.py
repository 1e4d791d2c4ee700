"""ExposureDisplay: how near a release comes to members and to held-out subjects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from numpy.typing import ArrayLike


class ExposureDisplay:
    """Distributions of exposure of members, held-out subjects, and a sham release.

    If the release says no more about members than about others, the distributions of members and
    held-out subjects are equal. With reference records there is a third one, the sham: the distance
    of members to these records. A release that was made without the members would give such
    distances. Distributions over few subjects are for internal use.

    Parameters
    ----------
    bins : sequence of float of length n_bins + 1
        Edges, in the distance of the feature space.
    member_shares, holdout_shares : sequence of float of length n_bins
        Shares of the subjects.
    space : str
        The feature space.
    sham_shares : sequence of float of length n_bins, default=()
        Shares of the members by their distance to the nearest reference record; empty for none.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        Its figure.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> import numpy as np
    >>> from latentwalk.auditing import PrivacyAuditor
    >>> from latentwalk.inspection import ExposureDisplay
    >>> X = np.random.default_rng(0).normal(size=(90, 3))
    >>> auditor = PrivacyAuditor(random_state=0).fit(X[:40], X_holdout=X[40:80])
    >>> ExposureDisplay.from_report(auditor.audit(X[80:])).ax_.get_xlabel()
    'exposure in space features'
    """

    def __init__(
        self,
        *,
        bins: Sequence[float],
        member_shares: Sequence[float],
        holdout_shares: Sequence[float],
        space: str,
        sham_shares: Sequence[float] = (),
    ) -> None:
        self.bins = bins
        self.member_shares = member_shares
        self.holdout_shares = holdout_shares
        self.space = space
        self.sham_shares = sham_shares

    @classmethod
    def from_estimator(
        cls, estimator: Any, X_syn: ArrayLike, *, space: str | None = None, ax: Any = None
    ) -> Self:
        """Audit `X_syn` with a fitted `PrivacyAuditor` and draw.

        Parameters
        ----------
        estimator : PrivacyAuditor
            Fitted with held-out records.
        X_syn : array-like of shape (n_synthetic, ...)
            The release.
        space : str, default=None
            The feature space; None is the first.
        ax : matplotlib Axes, default=None
            Where to draw.

        Returns
        -------
        display : ExposureDisplay
            Drawn.
        """
        return cls.from_report(estimator.audit(X_syn), space=space, ax=ax)

    @classmethod
    def from_report(cls, report: Any, *, space: str | None = None, ax: Any = None) -> Self:
        """Draw from an `AuditReport`; parameters as in `from_estimator`."""
        found = find_space(report, space)
        return cls(
            bins=found.bins,
            member_shares=found.member_counts,
            holdout_shares=found.holdout_counts,
            space=found.space,
            sham_shares=found.sham_counts,
        ).plot(ax=ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : ExposureDisplay
            The display itself.
        """
        import matplotlib.pyplot as plt

        ax = plt.subplots()[1] if ax is None else ax
        ax.stairs(self.member_shares, self.bins, label="members")
        ax.stairs(self.holdout_shares, self.bins, label="held-out", linestyle="--")
        if len(self.sham_shares):
            ax.stairs(self.sham_shares, self.bins, label="members, sham release", linestyle=":")
        ax.set(xlabel=f"exposure in space {self.space}", ylabel="share of subjects")
        ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self


def find_space(report: Any, space: str | None) -> Any:
    """Return the figures of a feature space of a report; None is the first."""
    names = [s.space for s in report.spaces]
    if not names:
        raise ValueError("the report has no figures: the auditor was fitted without X_holdout")
    if space is not None and space not in names:
        raise ValueError(f"space={space!r}; the report has {names}")
    return report.spaces[0 if space is None else names.index(space)]

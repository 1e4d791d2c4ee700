"""AttackROCDisplay: the ROC of "near = member", log-log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike


class AttackROCDisplay:
    """True-positive rates of the distance attack at low false-positive rates.

    The axes are logarithmic, since a few exposed members show at the left end only. The diagonal is
    chance. The shaded region is the interval of each single rate.

    Parameters
    ----------
    fprs : sequence of float of length n_points
        False-positive rates.
    curves : mapping of str to sequence of float of length n_points
        True-positive rates by feature space.
    regions : mapping of str to pair of sequence of float of length n_points, default=None
        Lower and upper bounds of each of the rates, by feature space: shaded.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        Its figure.

    References
    ----------
    N. Carlini et al., "Membership inference attacks from first principles", IEEE S&P 2022.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> from latentwalk.inspection import AttackROCDisplay
    >>> fprs, curves = [0.01, 0.1, 1], {"pixels": [0.2, 0.4, 1]}
    >>> regions = {"pixels": ([0.1, 0.3, 1], [0.3, 0.5, 1])}
    >>> display = AttackROCDisplay(fprs=fprs, curves=curves, regions=regions).plot()
    >>> display.ax_.get_xscale()
    'log'
    """

    def __init__(
        self,
        *,
        fprs: Sequence[float],
        curves: Mapping[str, Sequence[float]],
        regions: Mapping[str, tuple[Sequence[float], Sequence[float]]] | None = None,
    ) -> None:
        self.fprs = fprs
        self.curves = curves
        self.regions = regions

    @classmethod
    def from_estimator(cls, estimator: Any, X_syn: ArrayLike, *, ax: Any = None) -> Self:
        """Audit `X_syn` with a fitted `PrivacyAuditor` and draw.

        Parameters
        ----------
        estimator : PrivacyAuditor
            Fitted with held-out records.
        X_syn : array-like of shape (n_synthetic, ...)
            The release.
        ax : matplotlib Axes, default=None
            Where to draw.

        Returns
        -------
        display : AttackROCDisplay
            Drawn.
        """
        return cls.from_report(estimator.audit(X_syn), ax=ax)

    @classmethod
    def from_report(cls, report: Any, *, ax: Any = None) -> Self:
        """Draw from an `AuditReport`."""
        if not report.spaces:
            raise ValueError("the report has no figures: the auditor was fitted without X_holdout")
        curves = {s.space: s.roc for s in report.spaces}
        regions = {s.space: (s.roc_low, s.roc_high) for s in report.spaces}
        return cls(fprs=report.roc_fprs, curves=curves, regions=regions).plot(ax=ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : AttackROCDisplay
            The display itself.
        """
        import matplotlib.pyplot as plt

        ax = plt.subplots()[1] if ax is None else ax
        lowest = min(self.fprs)
        ax.plot([lowest, 1], [lowest, 1], color="grey", linestyle=":", label="chance")
        for name, tprs in self.curves.items():
            # a rate of zero has no place on a logarithmic axis
            line, *_ = ax.plot(self.fprs, np.maximum(tprs, lowest), marker=".", label=name)
            if self.regions and name in self.regions:
                low, high = np.maximum(self.regions[name], lowest)
                ax.fill_between(self.fprs, low, high, color=line.get_color(), alpha=0.15)
        ax.set(
            xscale="log",
            yscale="log",
            xlabel="false-positive rate",
            ylabel="true-positive rate",
        )
        ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self

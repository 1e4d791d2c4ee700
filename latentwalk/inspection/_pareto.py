"""ParetoDisplay: what a release is worth against what it exposes, over a grid of settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray


class ParetoDisplay:
    """Utility against exposure: a point for each setting of a grid, and those that nothing beats.

    A setting is beaten by another one that exposes no more and is worth no less. What remains is
    the front, from which people choose.

    Parameters
    ----------
    exposure : array-like of shape (n_settings,)
        Lower is better.
    utility : array-like of shape (n_settings,)
        Higher is better.
    labels : sequence of str of length n_settings, default=()
        The settings in words.
    bound : float, default=None
        The largest exposure that is tolerated: drawn as a line.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        Its figure.

    See Also
    --------
    latentwalk.evaluation.refit_under_bound : Takes the best utility under a bound.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> from latentwalk.inspection import ParetoDisplay
    >>> display = ParetoDisplay(exposure=[0.3, 0.1, 0.2], utility=[0.8, 0.6, 0.5]).plot()
    >>> display.front().tolist()
    [1, 0]
    """

    def __init__(
        self,
        *,
        exposure: ArrayLike,
        utility: ArrayLike,
        labels: Sequence[str] = (),
        bound: float | None = None,
    ) -> None:
        self.exposure = exposure
        self.utility = utility
        self.labels = labels
        self.bound = bound

    @classmethod
    def from_estimator(
        cls,
        search: Any,
        *,
        utility: str = "utility",
        privacy: str = "privacy",
        bound: float | None = None,
        ax: Any = None,
    ) -> Self:
        """Draw the results of a grid search over `latentwalk.TrainOnSynthetic`.

        Parameters
        ----------
        search : GridSearchCV
            Fitted, with two scores.
        utility, privacy : str
            Their names in ``scoring``. The privacy score is minus an exposure, such as
            `latentwalk.evaluation.neg_tpr_score`.
        bound : float, default=None
            The largest exposure that is tolerated.
        ax : matplotlib Axes, default=None
            Where to draw.

        Returns
        -------
        display : ParetoDisplay
            Drawn.

        Raises
        ------
        ValueError
            When the search has no such score.
        """
        results = search.cv_results_
        for name in (utility, privacy):
            if f"mean_test_{name}" not in results:
                found = [k.removeprefix("mean_test_") for k in results if k.startswith("mean_test")]
                raise ValueError(f"the search has no score {name!r}; its scores are {found}")
        return cls(
            exposure=-results[f"mean_test_{privacy}"],
            utility=results[f"mean_test_{utility}"],
            labels=[_words(params) for params in results["params"]],
            bound=bound,
        ).plot(ax=ax)

    def front(self) -> NDArray[np.intp]:
        """Return the settings that nothing beats, from the least exposed on."""
        exposure, utility = np.asarray(self.exposure), np.asarray(self.utility)
        kept, best = [], -np.inf
        for row in np.lexsort((-utility, exposure)):
            if utility[row] > best:
                kept.append(row)
                best = utility[row]
        return np.array(kept, dtype=np.intp)

    def plot(self, ax: Any = None) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : ParetoDisplay
            The display itself.
        """
        import matplotlib.pyplot as plt

        ax = plt.subplots()[1] if ax is None else ax
        exposure, utility, front = np.asarray(self.exposure), np.asarray(self.utility), self.front()
        ax.plot(exposure, utility, "o", color="grey", label="settings")
        ax.plot(exposure[front], utility[front], "o-", label="not beaten")
        for row, label in enumerate(self.labels):
            place = (exposure[row], utility[row])
            ax.annotate(label, place, textcoords="offset points", xytext=(5, 5))
        if self.bound is not None:
            ax.axvline(self.bound, linestyle=":", color="grey", label="tolerated")
        ax.set(xlabel="exposure (lower is better)", ylabel="utility (higher is better)")
        ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _words(params: dict[str, Any]) -> str:
    """The last names of the parameters and their values."""
    return ", ".join(f"{name.rpartition('__')[2]}={value}" for name, value in params.items())

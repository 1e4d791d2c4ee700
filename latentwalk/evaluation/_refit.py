"""refit_under_bound: the choice of a grid search that has a bound on exposure."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np


def refit_under_bound(
    bound: float, *, utility: str = "utility", privacy: str = "privacy"
) -> Callable[[Mapping[str, Any]], int]:
    """Return a ``refit`` for grid searches: the best utility whose exposure is at most a bound.

    A search that maximises utility takes the release that exposes most, and one that maximises
    privacy takes the largest k. This takes the setting that is worth most among those that are
    tolerated. If there is none, the least exposed one is taken, with a warning.

    Parameters
    ----------
    bound : float
        The largest mean exposure that is tolerated, such as 0.1 for
        `latentwalk.evaluation.neg_tpr_score`.
    utility, privacy : str
        The names of the scores in ``scoring``. The privacy score is minus an exposure.

    Returns
    -------
    refit : callable
        For the parameter ``refit`` of `sklearn.model_selection.GridSearchCV`.

    See Also
    --------
    latentwalk.inspection.ParetoDisplay : Shows what the choice is made from.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.evaluation import refit_under_bound
    >>> results = {
    ...     "mean_test_utility": np.array([0.9, 0.7, 0.6]),
    ...     "mean_test_privacy": np.array([-0.5, -0.1, -0.05]),
    ... }
    >>> refit_under_bound(0.2)(results)
    1
    """
    return partial(_choose, bound=bound, utility=utility, privacy=privacy)


def _choose(results: Mapping[str, Any], *, bound: float, utility: str, privacy: str) -> int:
    worth = np.asarray(results[f"mean_test_{utility}"], dtype=float)
    exposure = -np.asarray(results[f"mean_test_{privacy}"], dtype=float)
    tolerated = (exposure <= bound) & ~np.isnan(worth)
    if tolerated.any():
        return int(np.argmax(np.where(tolerated, worth, -np.inf)))
    warnings.warn(
        f"no setting exposes at most {bound:g}; the least exposed one ({np.nanmin(exposure):.3g}) "
        "is taken",
        UserWarning,
        stacklevel=2,
    )
    return int(np.nanargmin(exposure))

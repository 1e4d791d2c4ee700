"""Figures of an audit as scores for scikit-learn's model selection."""

from __future__ import annotations

from typing import Any


def neg_tpr_score(estimator: Any, X: Any, y: Any = None) -> float:
    """Return minus the upper bound on the true-positive rate of membership inference.

    The score is the bound and not the estimate, since a small audit must not look like a good
    release.

    Parameters
    ----------
    estimator : fitted TrainOnSynthetic
        Or any fitted estimator with a ``report_``.
    X, y : ignored
        The audit was made in ``fit``, against patients that nothing else has seen.

    Returns
    -------
    score : float
        In [-1, 0]; higher is better. A finite audit never reaches 0.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from latentwalk.evaluation import neg_tpr_score
    >>> from latentwalk.metrics import Rate
    >>> estimator = SimpleNamespace(report_=SimpleNamespace(tpr=Rate(0.02, 0.01, 0.07)))
    >>> neg_tpr_score(estimator, X=None)
    -0.07
    """
    return -float(_report(estimator).tpr.high)


def neg_n_exposed_score(estimator: Any, X: Any, y: Any = None) -> float:
    """Return minus the lower bound on the number of exposed member patients.

    Parameters
    ----------
    estimator : fitted TrainOnSynthetic
        Or any fitted estimator with a ``report_``.
    X, y : ignored
        See `neg_tpr_score`.

    Returns
    -------
    score : float
        At most 0; higher is better. 0 means that no exposure was proven.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from latentwalk.evaluation import neg_n_exposed_score
    >>> estimator = SimpleNamespace(report_=SimpleNamespace(n_exposed_lower=3))
    >>> neg_n_exposed_score(estimator, X=None)
    -3.0
    """
    return -float(_report(estimator).n_exposed_lower)


def neg_collision_rate_score(estimator: Any, X: Any, y: Any = None) -> float:
    """Return minus the share of members that collide with a synthetic image.

    Parameters
    ----------
    estimator : fitted TrainOnSynthetic
        Or any fitted estimator with a ``report_``.
    X, y : ignored
        See `neg_tpr_score`.

    Returns
    -------
    score : float
        In [-1, 0]; higher is better. Without a leak it is about minus the collision level.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from latentwalk.evaluation import neg_collision_rate_score
    >>> estimator = SimpleNamespace(report_=SimpleNamespace(collision_rate=0.02))
    >>> neg_collision_rate_score(estimator, X=None)
    -0.02
    """
    return -float(_report(estimator).collision_rate)


def _report(estimator: Any) -> Any:
    report = getattr(estimator, "report_", None)
    if report is None:
        raise TypeError(
            f"{type(estimator).__name__} has no report_; privacy scores read the audit that a "
            "fitted TrainOnSynthetic keeps"
        )
    return report

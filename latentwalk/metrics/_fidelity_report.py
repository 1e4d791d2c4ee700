"""All measures of fidelity at once, each beside its baseline."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

from latentwalk.metrics._diversity import vendi_score
from latentwalk.metrics._feature_likelihood import feature_likelihood_gap
from latentwalk.metrics._fidelity import frechet_distance, kernel_distance
from latentwalk.metrics._fidelity_common import (
    FEW_ROWS,
    Features,
    Metric,
    SmallSampleWarning,
    check_features,
    check_n_neighbors,
    check_pair,
    check_width,
)
from latentwalk.metrics._fidelity_novelty import (
    authenticity,
    data_copying_score,
    mean_minimum_distance,
)
from latentwalk.metrics._manifold import coverage, density, improved_precision, improved_recall
from latentwalk.metrics._manifold_support import alpha_precision, beta_recall

WITH_NEIGHBORS: tuple[Metric[...], ...] = (
    improved_precision,
    improved_recall,
    density,
    coverage,
    beta_recall,
)
WITHOUT_OPTIONS: tuple[Metric[...], ...] = (
    frechet_distance,
    kernel_distance,
    alpha_precision,
    authenticity,
)


@dataclass(frozen=True)
class FidelityRow:
    """A measure of the release, beside the same measure of held-out rows.

    Attributes
    ----------
    name : str
        The name of the function in `latentwalk.metrics`.
    value : float
        The synthetic rows against the real ones.
    baseline : float or None
        As many held-out rows against the real ones; None without held-out rows.
    higher_is_better : bool
        The direction.
    """

    name: str
    value: float
    baseline: float | None
    higher_is_better: bool


@dataclass(frozen=True)
class FidelityReport:
    """What `fidelity_report` measured.

    Attributes
    ----------
    rows : tuple of FidelityRow
        The measures.
    n_samples : int
        The number of synthetic (and held-out) rows that each is computed from.
    """

    rows: tuple[FidelityRow, ...]
    n_samples: int

    def __getitem__(self, name: str) -> FidelityRow:
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(f"{name!r}; measured were {', '.join(row.name for row in self.rows)}")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        lines = [f"{'':24}{'release':>12}{'held-out':>12}  better"]
        for row in self.rows:
            baseline = "-" if row.baseline is None else f"{row.baseline:.4g}"
            better = "higher" if row.higher_is_better else "lower"
            lines.append(f"{row.name:24}{row.value:>12.4g}{baseline:>12}  {better}")
        return "\n".join(lines)


def fidelity_report(
    X_syn: ArrayLike,
    X_real: ArrayLike,
    X_holdout: ArrayLike | None = None,
    *,
    n_neighbors: int = 5,
    squared_distances: bool = False,
    random_state: Any = 0,
) -> FidelityReport:
    """Measure fidelity, diversity and novelty of a release, each beside its baseline.

    The baseline is what held-out real rows get in the place of the synthetic ones: what a perfect
    generator would. Several measures depend on the number of rows, so the larger of the two
    sets is cut to the size of the smaller, at random. `feature_likelihood_gap` needs held-out rows
    for both roles: one half of them stands for a release, as does one half of the synthetic rows,
    and the other half is tested. It and `data_copying_score` are there from 300 rows on.

    Parameters
    ----------
    X_syn : array-like of shape (n_synthetic, n_features)
        Features of the synthetic images.
    X_real : array-like of shape (n_real, n_features)
        Features of the real images that the generator was trained on.
    X_holdout : array-like of shape (n_holdout, n_features), default=None
        Features of real images that it was not trained on; without them there is no baseline.
    n_neighbors : int, default=5
        For the measures that draw balls around rows.
    squared_distances : bool, default=False
        Whether `mean_minimum_distance` averages squares: for LPIPS features.
    random_state : int, RandomState or None, default=0
        Chooses the rows of the larger set.

    Returns
    -------
    report : FidelityReport
        Prints as a table.

    Raises
    ------
    ValueError
        For widths that differ, too few rows, or values that are not finite.

    Warns
    -----
    SmallSampleWarning
        With fewer than 300 rows, or no more rows than features.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.metrics import fidelity_report
    >>> X_syn, X_real, X_holdout = np.random.default_rng(0).normal(size=(3, 300, 4))
    >>> report = fidelity_report(0.5 * X_syn, X_real, X_holdout)
    >>> row = report["improved_recall"]
    >>> row.value < row.baseline, row.higher_is_better
    (True, True)
    """
    synthetic, real = check_pair(X_syn, X_real, min_syn=2)
    holdout = None if X_holdout is None else check_features(X_holdout, "X_holdout")
    if holdout is not None:
        check_width(holdout, "X_holdout", real)
        synthetic, holdout = _same_size(synthetic, holdout, random_state)
    check_n_neighbors(n_neighbors, min(len(synthetic), len(real)), "X_syn and X_real")
    _warn_if_few(len(synthetic), len(real))
    measures = _measures(real, n_neighbors, squared_distances)
    rows = [
        FidelityRow(
            metric.__name__,
            measure(synthetic),
            None if holdout is None else measure(holdout),
            metric.higher_is_better,
        )
        for metric, measure in measures
    ]
    if holdout is not None and len(synthetic) >= FEW_ROWS:
        copying = data_copying_score(synthetic, real, holdout, random_state=random_state)
        rows.append(FidelityRow("data_copying_score", copying, 0.0, True))
        rows.append(_likelihood_row(synthetic, real, holdout, random_state))
    return FidelityReport(tuple(rows), len(synthetic))


def _measures(
    real: Features, n_neighbors: int, squared: bool
) -> list[tuple[Metric[...], Callable[[Features], float]]]:
    """Each metric with the function of the rows to be measured."""
    options = (
        [(metric, {"X_real": real}) for metric in WITHOUT_OPTIONS]
        + [(metric, {"X_real": real, "n_neighbors": n_neighbors}) for metric in WITH_NEIGHBORS]
        + [(mean_minimum_distance, {"X_real": real, "squared": squared}), (vendi_score, {})]
    )
    return [(metric, partial(metric, **chosen)) for metric, chosen in options]


def _likelihood_row(
    synthetic: Features, real: Features, holdout: Features, random_state: Any
) -> FidelityRow:
    """The release and one half of the held-out rows, tested on the other half."""
    rng, half = check_random_state(random_state), len(holdout) // 2
    order = rng.permutation(len(holdout))
    tested = holdout[order[half:]]
    chosen = synthetic[rng.permutation(len(synthetic))[:half]]
    with warnings.catch_warnings():
        # the report has warned of few rows already, by the whole sets
        warnings.simplefilter("ignore", SmallSampleWarning)
        value = feature_likelihood_gap(chosen, real, tested)
        baseline = feature_likelihood_gap(holdout[order[:half]], real, tested)
    return FidelityRow("feature_likelihood_gap", value, baseline, True)


def _same_size(first: Features, second: Features, random_state: Any) -> tuple[Features, Features]:
    """Both with as many rows as the smaller has."""
    rng, n = check_random_state(random_state), min(len(first), len(second))
    parts = [
        X if len(X) == n else X[np.sort(rng.choice(len(X), n, replace=False))]
        for X in (first, second)
    ]
    return parts[0], parts[1]


def _warn_if_few(n_synthetic: int, n_real: int) -> None:
    if min(n_synthetic, n_real) < FEW_ROWS:
        warnings.warn(
            f"fidelity from {n_synthetic} synthetic and {n_real} real rows: under {FEW_ROWS} the "
            "measures vary by more than most generators differ; compare with the baseline only",
            SmallSampleWarning,
            stacklevel=3,
        )

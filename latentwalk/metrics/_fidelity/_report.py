"""All measures of fidelity at once, each with its baseline."""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from latentwalk.metrics._fidelity._common import (
    FEW_ROWS,
    Features,
    Metric,
    SmallSampleWarning,
    check_features,
    check_n_neighbors,
    check_pair,
    check_width,
)
from latentwalk.metrics._fidelity._distances import frechet_distance, kernel_distance
from latentwalk.metrics._fidelity._diversity import vendi_score
from latentwalk.metrics._fidelity._feature_likelihood import feature_likelihood_gap
from latentwalk.metrics._fidelity._manifold import (
    Manifold,
    Manifolds,
    coverage,
    density,
    improved_precision,
    improved_recall,
)
from latentwalk.metrics._fidelity._novelty import (
    authenticity,
    data_copying_score,
    mean_minimum_distance,
)
from latentwalk.metrics._fidelity._support import (
    alpha_precision,
    beta_recall,
    integrated_recall,
)
from latentwalk.utils import check_groups

WITHOUT_OPTIONS: tuple[Metric[...], ...] = (
    frechet_distance,
    kernel_distance,
    alpha_precision,
    authenticity,
)


@dataclass(frozen=True)
class FidelityRow:
    """A measure of the release, and the same measure of held-out rows.

    Attributes
    ----------
    name : str
        The name of the function in `latentwalk.metrics`.
    value : float
        The synthetic rows against the real ones.
    baseline : float or None
        The same number of held-out rows against the real rows; None without held-out rows.
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
    groups_holdout: ArrayLike | None = None,
    n_neighbors: int = 5,
    squared_distances: bool = False,
    random_state: Any = 0,
) -> FidelityReport:
    """Measure fidelity, diversity and novelty of a release, each with its baseline.

    The baseline is the figure of held-out real rows in place of the synthetic ones. A perfect
    generator would reach it. Several measures depend on the number of rows, so the larger of the
    two sets is cut to the size of the smaller, at random. The baseline of `feature_likelihood_gap`
    needs two sets of held-out rows: one half takes the place of a release, with as many synthetic
    rows, and the other half is tested. This measure and `data_copying_score` are computed for 300
    rows or more.

    Parameters
    ----------
    X_syn : array-like of shape (n_synthetic, n_features)
        Features of the synthetic images.
    X_real : array-like of shape (n_real, n_features)
        Features of the real images that the generator was trained on.
    X_holdout : array-like of shape (n_holdout, n_features), default=None
        Features of real images that the generator has not seen; without them there is no baseline.
    groups_holdout : array-like of shape (n_holdout,), default=None
        The subject of each held-out row, so that the two halves share no subject.
    n_neighbors : int, default=5
        Which neighbour the balls around rows reach to.
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
        For widths that differ, too few rows, values that are not finite, or ids of another length.

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
        subjects = check_groups(groups_holdout, len(holdout), name="groups_holdout")
        rng = check_random_state(random_state)
        n = min(len(synthetic), len(holdout))
        synthetic = synthetic[_drawn(len(synthetic), n, rng)]
        kept = _drawn(len(holdout), n, rng)
        holdout, subjects = holdout[kept], subjects[kept]
    check_n_neighbors(n_neighbors, min(len(synthetic), len(real)), "X_syn and X_real")
    _warn_if_few(len(synthetic), len(real))
    manifold = Manifold(real, n_neighbors, "X_real")
    values = _values(synthetic, manifold, squared_distances)
    baselines: dict[Metric[...], float] = (
        {} if holdout is None else _values(holdout, manifold, squared_distances)
    )
    rows = [
        FidelityRow(metric.__name__, value, baselines.get(metric), metric.higher_is_better)
        for metric, value in values.items()
    ]
    if holdout is not None and len(synthetic) >= FEW_ROWS:
        copying = data_copying_score(synthetic, real, holdout, random_state=random_state)
        rows.append(FidelityRow("data_copying_score", copying, 0.0, True))
        rows.append(_likelihood_row(synthetic, real, holdout, subjects, random_state))
    return FidelityReport(tuple(rows), len(synthetic))


def _values(X: Features, real: Manifold, squared: bool) -> dict[Metric[...], float]:
    """Each metric of some rows; the real rows' radii are computed once for all of them."""
    both = Manifolds(Manifold(X, real.n_neighbors, "X_syn"), real)
    return {
        **{metric: metric(X, real.centers) for metric in WITHOUT_OPTIONS},
        improved_precision: both.precision(),
        improved_recall: both.recall(),
        density: both.density(),
        coverage: both.coverage(),
        beta_recall: integrated_recall(X, real),
        mean_minimum_distance: mean_minimum_distance(X, real.centers, squared=squared),
        vendi_score: vendi_score(X),
    }


def _likelihood_row(
    synthetic: Features,
    real: Features,
    holdout: Features,
    subjects: NDArray[np.intp],
    random_state: Any,
) -> FidelityRow:
    """The release and one half of the held-out rows, tested on the other half."""
    rng = check_random_state(random_state)
    place = rng.permutation(subjects.max() + 1)[subjects]
    first = place < np.median(place)
    if not first.any():
        raise ValueError(
            "one subject has half of the held-out rows; expected more subjects in groups_holdout"
        )
    chosen = synthetic[_drawn(len(synthetic), int(first.sum()), rng)]
    with warnings.catch_warnings():
        # the report has warned of few rows already, by the whole sets
        warnings.simplefilter("ignore", SmallSampleWarning)
        value, baseline = (
            feature_likelihood_gap(X, real, holdout[~first]) for X in (chosen, holdout[first])
        )
    return FidelityRow("feature_likelihood_gap", value, baseline, True)


def _drawn(n_rows: int, n_kept: int, rng: Any) -> NDArray[np.intp]:
    """`n_kept` row numbers in order, drawn at random unless all rows are kept."""
    if n_kept == n_rows:
        return np.arange(n_rows)
    drawn: NDArray[np.intp] = np.sort(rng.choice(n_rows, n_kept, replace=False))
    return drawn


def _warn_if_few(n_synthetic: int, n_real: int) -> None:
    if min(n_synthetic, n_real) < FEW_ROWS:
        warnings.warn(
            f"fidelity from {n_synthetic} synthetic and {n_real} real rows: under {FEW_ROWS} the "
            "measures vary by more than most generators differ; compare with the baseline only",
            SmallSampleWarning,
            stacklevel=3,
        )

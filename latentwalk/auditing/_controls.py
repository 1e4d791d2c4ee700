"""Controls: does the audit find a difference where nothing was released?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state

from latentwalk.auditing._attacks._knowledge import AttackerKnowledge
from latentwalk.auditing._attacks._panels import Panel
from latentwalk.auditing._attacks._views import laplacian, sketch
from latentwalk.auditing._cohorts import Cohorts
from latentwalk.auditing._panel import PanelRun
from latentwalk.auditing._results import AuditSettings, Control
from latentwalk.auditing._sights import Sight, image_shape, open_sights
from latentwalk.metrics import relabel

JOINT_LEVEL = 0.01
N_COMPONENTS = 32
N_PERMUTATIONS = 999
RIDGE = 10.0
LARGEST_SET = 4000


def run_controls(cohorts: Cohorts, panel: Panel, settings: AuditSettings) -> tuple[Control, ...]:
    """Return the controls that the cohorts allow; none without held-out records."""
    if cohorts.holdout is None:
        return ()
    sights = open_sights(cohorts, panel)
    p_values = {"two-sample classifier": classifier_p_value(cohorts, sights)}
    if cohorts.reference is not None:
        p_values["sham release"] = sham_p_value(cohorts, sights, panel, settings)
    return judge(p_values)


def judge(p_values: dict[str, float]) -> tuple[Control, ...]:
    """Return the controls at their joint level."""
    level = JOINT_LEVEL / max(len(p_values), 1)
    return tuple(Control(name, p, level, p > level) for name, p in p_values.items())


def sham_p_value(
    cohorts: Cohorts, sights: Sequence[Sight], panel: Panel, settings: AuditSettings
) -> float:
    """Attack the reference records with the whole panel, as if these were a release.

    No member's data made the reference, so a difference shows that the split is biased. Attacks
    that compare with a reference have none here, and stay out.
    """
    reference = cohorts.reference
    assert reference is not None
    alone = replace(cohorts, reference=None, cache={})
    unaided = [replace(sight, reference=None) for sight in sights]
    closed = replace(panel, is_closed=True, is_full=False, record_attacks=())
    run = PanelRun(alone, unaided, closed, AttackerKnowledge(), n_chunks=1)
    run.read(np.empty(0), reference.features)
    return run.finish(settings).joint.p_value


def classifier_p_value(cohorts: Cohorts, sights: Sequence[Sight]) -> float:
    """Test whether a classifier tells members from held-out subjects in any view.

    A ridge classifier on the principal components of each subject's mean features and their
    squares, so that it also sees a difference of spread; for images also on their brightness,
    contrast and noise. Its score is the leave-one-subject-out AUC, which has a closed form. The
    largest over the views, as a permutation p-value, is compared with that of relabelled subjects.

    References
    ----------
    D. Lopez-Paz and M. Oquab, "Revisiting classifier two-sample tests", ICLR 2017.
    """
    rng = check_random_state(cohorts.draws.seed)
    chosen = np.sort(rng.permutation(len(cohorts.is_member))[: 2 * LARGEST_SET])
    truth, strata = cohorts.is_member[chosen], cohorts.strata[chosen]
    labels = relabel(truth, strata, N_PERMUTATIONS, rng)
    p_values = []
    for rows in _control_features(cohorts, sights):
        scores = _left_out_auc(_design(rows[chosen], rng), labels.astype(np.float64))
        p_values.append(rankdata(-scores, method="max") / len(scores))
    smallest = np.min(p_values, axis=0)
    return float((smallest <= smallest[0]).mean())


def _control_features(cohorts: Cohorts, sights: Sequence[Sight]) -> Iterator[NDArray[Any]]:
    """Mean features of each subject in each view, then simple statistics of the images."""
    for sight in sights:
        yield sight.means(cohorts, sketch(sight.width))
    draws = cohorts.draws
    sizes = np.diff(np.append(draws.starts, len(draws.rows)))[:, None]
    for space in cohorts.spaces:
        shape = image_shape(cohorts, space)
        if shape is not None:
            rows = image_statistics(cohorts.real(space)[draws.rows].reshape(-1, *shape))
            yield np.add.reduceat(rows, draws.starts, axis=0) / sizes


def image_statistics(images: NDArray[Any]) -> NDArray[np.float64]:
    """Brightness, contrast, quantiles and roughness of images, (n_images, 7)."""
    flat = images.reshape(len(images), -1).astype(np.float64)
    rough = np.abs(laplacian(images)).mean(axis=(1, 2, 3), dtype=np.float64)
    quantiles = np.quantile(flat, (0.02, 0.25, 0.75, 0.98), axis=1).T
    columns = [flat.mean(axis=1), flat.std(axis=1), np.log(rough + 1e-12)]
    return np.column_stack([*columns, quantiles])


def _design(X: NDArray[np.float64], rng: np.random.RandomState) -> NDArray[np.float64]:
    """Standardised components and their squares, with an intercept."""
    n_components = min(N_COMPONENTS, X.shape[1], max(1, len(X) // 8))
    solver = "randomized" if n_components < min(X.shape) // 4 else "full"
    parts = PCA(n_components, svd_solver=solver, random_state=rng).fit_transform(X)
    both = StandardScaler().fit_transform(np.hstack([parts, parts**2]))
    return np.column_stack([np.ones(len(X)), both])


def _left_out_auc(design: NDArray[np.float64], labels: NDArray[np.float64]) -> NDArray[np.float64]:
    """The AUC of ridge predictions for left-out rows, for each column of labels.

    Left out, row i is predicted as (f_i - h_i y_i) / (1 - h_i), with the fit f and the leverage h.
    """
    gram = design.T @ design + RIDGE * np.eye(design.shape[1])
    projected = np.linalg.solve(gram, design.T)  # (n_features, n_subjects)
    leverage = np.einsum("ij,ji->i", design, projected)[:, None]
    predicted = (design @ (projected @ labels) - leverage * labels) / (1 - leverage)
    ranks = rankdata(predicted, axis=0)
    n_positive = labels[:, 0].sum()
    n_negative = len(labels) - n_positive
    excess = (ranks * labels).sum(axis=0) - n_positive * (n_positive + 1) / 2
    aucs: NDArray[np.float64] = excess / (n_positive * n_negative)
    return aucs

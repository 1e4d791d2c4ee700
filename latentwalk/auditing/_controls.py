"""Controls: does the audit find a difference where nothing was released?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state

from latentwalk.auditing._cohorts import Cohorts, Pair
from latentwalk.auditing._results import Control
from latentwalk.metrics import exact_test

JOINT_LEVEL = 0.01
N_COMPONENTS = 32
N_PERMUTATIONS = 999
RIDGE = 10.0
LARGEST_SET = 4000


def run_controls(cohorts: Cohorts, fpr: float) -> tuple[Control, ...]:
    """Return the controls that the cohorts allow; none without held-out records."""
    if cohorts.holdout is None:
        return ()
    first = next(iter(cohorts.spaces))
    members, holdout = cohorts.pair
    p_values = {
        "two-sample classifier": classifier_p_value(
            members.features[first],
            holdout.features[first],
            members.codes,
            holdout.codes,
            n_images=int(cohorts.draws.n_images.min()),
            random_state=cohorts.draws.seed,
        )
    }
    if cohorts.sham:
        p_values["sham release"] = sham_p_value(cohorts.sham, cohorts.draws.strata, fpr)
    return judge(p_values)


def judge(p_values: dict[str, float]) -> tuple[Control, ...]:
    """Return the controls at their joint level."""
    level = JOINT_LEVEL / max(len(p_values), 1)
    return tuple(Control(name, p, level, p > level) for name, p in p_values.items())


def sham_p_value(
    exposures: dict[str, Pair],
    strata: tuple[NDArray[np.intp], NDArray[np.intp]],
    fpr: float,
) -> float:
    """Test the exposures to reference records, as if these were a release.

    No member's data made the reference, so a difference shows that the split is biased.

    Parameters
    ----------
    exposures : dict of str to pair of ndarray of shape (n_subjects,)
        Exposures of members and held-out subjects to the reference, by feature space.
    strata : pair of ndarray of shape (n_members,), (n_holdout,)
        The stratum of each subject.
    fpr : float
        Sets the second rank of the test.

    Returns
    -------
    p_value : float
        The exact test over the feature spaces. Small where the split is biased.
    """
    tests = [exact_test(t, h, fpr=fpr, strata=strata) for t, h in exposures.values()]
    smallest = min(test.p_value for test in tests)
    return min(1.0, smallest * len(exposures))


def classifier_p_value(
    members: NDArray[Any],
    holdout: NDArray[Any],
    codes: NDArray[np.intp],
    codes_holdout: NDArray[np.intp],
    *,
    n_images: int,
    random_state: Any = None,
) -> float:
    """Test whether a classifier tells members from held-out subjects, by permutation.

    A ridge classifier on the principal components of each subject's mean features and their
    squares, so that it also sees a difference of spread. Its score is the leave-one-subject-out
    AUC, which has a closed form. The p-value compares it with the AUC of relabelled subjects.

    Parameters
    ----------
    members, holdout : ndarray of shape (n_samples, n_features)
        Features.
    codes, codes_holdout : ndarray of shape (n_samples,)
        Subject codes.
    n_images : int
        Images averaged for each subject.
    random_state : int, RandomState or None, default=None
        Seeds the draws and permutations.

    Returns
    -------
    p_value : float
        One-sided.

    References
    ----------
    D. Lopez-Paz and M. Oquab, "Revisiting classifier two-sample tests", ICLR 2017.
    """
    rng = check_random_state(random_state)
    sets = [
        _subject_means(rows, of_rows, n_images, rng)
        for rows, of_rows in ((members, codes), (holdout, codes_holdout))
    ]
    labels = np.repeat([1.0, 0.0], [len(s) for s in sets])
    design = _design(np.concatenate(sets), rng)
    permuted = [rng.permutation(labels) for _ in range(N_PERMUTATIONS)]
    scores = _left_out_auc(design, np.column_stack([labels, *permuted]))
    return float((1 + (scores[1:] >= scores[0]).sum()) / (1 + N_PERMUTATIONS))


def _subject_means(
    rows: NDArray[Any], codes: NDArray[np.intp], n_images: int, rng: np.random.RandomState
) -> NDArray[np.float64]:
    order = np.lexsort((rng.random_sample(len(codes)), codes))
    starts = np.searchsorted(codes[order], np.unique(codes))
    starts = rng.permutation(starts)[:LARGEST_SET]
    picks = order[starts[:, None] + np.arange(n_images)]
    return np.asarray([rows[p].mean(axis=0, dtype=np.float64) for p in picks])


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

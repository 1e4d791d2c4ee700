"""The accuracy of a membership attack on a balanced set, as papers report it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from latentwalk.utils import check_groups

Side = tuple[NDArray[np.float64], NDArray[np.float64]]  # scores and weights


class MembershipAccuracy(NamedTuple):
    """What `membership_accuracy` returns.

    Attributes
    ----------
    value : float
        The mean accuracy over the splits; 0.5 is chance.
    spread : float
        The standard deviation over the splits. They share their subjects, so it is not a standard
        error and leads to no confidence interval.
    n_subjects : int
        Subjects on which each split was evaluated, half of them members.
    """

    value: float
    spread: float
    n_subjects: int


def membership_accuracy(
    scores_members: ArrayLike,
    scores_holdout: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    groups_holdout: ArrayLike | None = None,
    n_splits: int = 100,
    random_state: Any = None,
) -> MembershipAccuracy:
    """Return the accuracy of "a score over the threshold is a member".

    In each split, equally many subjects are drawn from members and held-out subjects, as many as
    the smaller set has, and each kind is halved by subject. The threshold that is most accurate
    on one half is evaluated on the other. A subject counts once, shared over its images, so that
    guessing has an accuracy of 0.5. The threshold is never chosen on the subjects on which it is
    evaluated. Such a threshold would be better than chance without any leak.

    Use it only to compare with published tables: an average accuracy hides a few exposed subjects
    among many. `tpr_at_fpr` shows them, with an interval. PLAN (its Table 1) reports 71.4 and 73.3
    % for classifiers trained on real images and 50.1 and 48.5 % for those trained on its release,
    with an attack model in place of a threshold.

    Parameters
    ----------
    scores_members, scores_holdout : array-like of shape (n_members,), (n_holdout,)
        An attack's scores of images: larger means member.
    groups, groups_holdout : array-like of shape (n_members,), (n_holdout,), default=None
        Subject (patient) ids; None counts every image as a subject.
    n_splits : int, default=100
        Random draws and halvings.
    random_state : int, RandomState or None, default=None
        Seeds them.

    Returns
    -------
    accuracy : MembershipAccuracy
        Mean and spread over the splits.

    Raises
    ------
    ValueError
        For scores that are not numbers, ids of another length, a set of fewer than two subjects,
        or no split.

    References
    ----------
    S. Yeom, I. Giacomelli, M. Fredrikson and S. Jha, "Privacy risk in machine learning: analyzing
    the connection to overfitting", CSF 2018, for thresholds on the loss. Pennisi et al., "A
    Privacy-Preserving Walk in the Latent Space of Generative Models for Medical Applications",
    MICCAI 2023, arXiv 2307.02984, for the figures.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.metrics import membership_accuracy
    >>> rng = np.random.default_rng(0)
    >>> members, holdout = rng.normal(1, size=2000), rng.normal(size=2000)
    >>> round(membership_accuracy(members, holdout, random_state=0).value, 2)  # at best 0.69
    0.68
    """
    if n_splits < 1:
        raise ValueError(f"n_splits={n_splits}; expected 1 or more")
    values = [_scores(s, n) for s, n in ((scores_members, "members"), (scores_holdout, "holdout"))]
    ids = ((groups, "groups"), (groups_holdout, "groups_holdout"))
    codes = [check_groups(g, len(v), name=n) for (g, n), v in zip(ids, values, strict=True)]
    half = min(int(c.max()) + 1 for c in codes) // 2
    if half == 0:
        raise ValueError(
            "a set has one subject; expected two or more among members and held-out, one to "
            "choose the threshold on and one to evaluate it"
        )
    rng = check_random_state(random_state)
    accuracies = [_one_split(values, codes, half, rng) for _ in range(n_splits)]
    return MembershipAccuracy(float(np.mean(accuracies)), float(np.std(accuracies)), 2 * half)


def _one_split(
    values: list[NDArray[np.float64]], codes: list[NDArray[np.intp]], half: int, rng: Any
) -> float:
    """Choose the threshold on half of the subjects; its accuracy on the other half."""
    chosen: list[Side] = []
    evaluated: list[Side] = []
    for scores, subjects in zip(values, codes, strict=True):
        weight = 1 / np.bincount(subjects)[subjects] / (2 * half)
        place = rng.permutation(int(subjects.max()) + 1)[subjects]
        for side, rows in (
            (chosen, place < half),
            (evaluated, (place >= half) & (place < 2 * half)),
        ):
            side.append((scores[rows], weight[rows]))
    return _accuracy(_best_threshold(*chosen), *evaluated)


def _best_threshold(members: Side, holdout: Side) -> float:
    """The score from which on "member" is most accurate; infinite for nobody."""
    scores = np.concatenate([members[0], holdout[0]])
    signed = np.concatenate([members[1], -holdout[1]])
    cuts, place = np.unique(scores, return_inverse=True)
    # from each cut on; rounded, since equal sums may differ in their last digits
    gained = np.cumsum(np.bincount(place, signed)[::-1])[::-1].round(12)
    best = int(gained.argmax())
    if gained[best] <= 0:
        return np.inf
    # halfway to the score below, which is on the other side
    return float(cuts[best] if best == 0 else (cuts[best - 1] + cuts[best]) / 2)


def _accuracy(threshold: float, members: Side, holdout: Side) -> float:
    right = members[1][members[0] >= threshold].sum() + holdout[1][holdout[0] < threshold].sum()
    return float(right)


def _scores(values: ArrayLike, name: str) -> NDArray[np.float64]:
    scores = np.asarray(values, dtype=np.float64)
    if scores.ndim != 1 or len(scores) == 0 or np.isnan(scores).any():
        raise ValueError(
            f"scores_{name} has shape {scores.shape}; expected (n_images,), one or more, none NaN"
        )
    return scores

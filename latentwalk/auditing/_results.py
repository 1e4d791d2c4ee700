"""What a report says of the other stages of its pipeline, and of the inversion."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LadderStage:
    """A stage of the attribution ladder: the headline figures of its own audit.

    Attributes
    ----------
    name : str
        The stage.
    verdict : str
        What an audit of a release of this stage concludes.
    n_exposed_lower : int
        Lower bound on the exposed members.
    tpr, tpr_interval : float and pair of float
        True-positive rate at the audited false-positive rate. Lower is better.
    auc, auc_interval : float and pair of float
        0.5 is chance.
    """

    name: str
    verdict: str
    n_exposed_lower: int
    tpr: float
    tpr_interval: tuple[float, float]
    auc: float
    auc_interval: tuple[float, float]


@dataclass(frozen=True)
class InversionGap:
    """How much better the inversion reconstructs members than held-out subjects.

    It is a membership signal of the generator and the encoder, for whoever holds them; the
    verdict of a release of images leaves it out. Subjects are the units.

    Attributes
    ----------
    mean_members, mean_holdout : float
        Mean error over the subjects, of the same number of images of each (the best of them).
    p_value, p_near, p_far : float
        The exact test on the errors: both directions, members lower, members higher.
    auc, auc_interval : float and pair of float
        Probability that a member's error is the lower one; 0.5 is chance.
    """

    mean_members: float
    mean_holdout: float
    p_value: float
    p_near: float
    p_far: float
    auc: float
    auc_interval: tuple[float, float]

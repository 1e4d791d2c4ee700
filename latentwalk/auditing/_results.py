"""What an audit gives, as frozen values. They know nothing of how they were found."""

from __future__ import annotations

from dataclasses import dataclass

from latentwalk.metrics import ExactTest, Rate

ROC_FPRS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


@dataclass(frozen=True)
class AuditSettings:
    """The auditor's parameters that its figures depend on.

    Attributes
    ----------
    alpha : float
        The level of the tests and of the intervals.
    fpr : float
        The false-positive rate at which the true-positive rate is given.
    tolerance : float
        The share of exposed members from which a signal is called a leak.
    """

    alpha: float
    fpr: float
    tolerance: float


@dataclass(frozen=True)
class AuditSets:
    """Numbers of subjects and records.

    Attributes
    ----------
    n_members, n_holdout : int
        Subjects, the units of every figure.
    n_member_images, n_holdout_images, n_reference_images, n_synthetic : int
        Records.
    images_per_subject : int
        The fewest images that are drawn from a subject.
    n_strata : int
        Groups of subjects with a similar number of images. Within a group the same number of
        images is drawn from each subject.
    """

    n_members: int
    n_holdout: int
    n_member_images: int
    n_holdout_images: int
    n_reference_images: int
    n_synthetic: int
    images_per_subject: int
    n_strata: int


@dataclass(frozen=True)
class Control:
    """A control and its result.

    Attributes
    ----------
    name : str
        "sham release" or "two-sample classifier".
    p_value : float
        Tests that members and held-out subjects are exchangeable before any release.
    level : float
        The control's share of the joint level .01.
    passed : bool
        Whether the p-value is above the level.
    """

    name: str
    p_value: float
    level: float
    passed: bool


@dataclass(frozen=True)
class SpaceFigures:
    """Distances in one feature space as it is. Subjects are the units.

    Attributes
    ----------
    space : str
        The feature space.
    guided : bool
        Whether it guided or selected the release.
    collision_rate : float
        Share of members that are nearer than all but the audited share of held-out subjects. That
        share is chance. NaN where there are too few held-out subjects.
    mean_minimum_distance : float
        Mean distance of the synthetic records to the nearest member (mmL in the LPIPS space).
        Higher is farther. Compare it with the next figure.
    mean_minimum_distance_holdout : float
        Mean distance of the held-out records to the nearest member.
    roc, roc_low, roc_high : tuple of float
        True-positive rates at `ROC_FPRS` of "near = member", and the interval of each of them.
    bins, member_counts, holdout_counts : tuple of float
        Histogram of exposures: edges, and shares of members and held-out subjects.
    sham_counts : tuple of float
        Shares of members by their distance to the nearest reference record, over the same edges.
        This is what a release without any member would give. Empty without reference records.
    """

    space: str
    guided: bool
    collision_rate: float
    mean_minimum_distance: float
    mean_minimum_distance_holdout: float
    roc: tuple[float, ...]
    roc_low: tuple[float, ...]
    roc_high: tuple[float, ...]
    bins: tuple[float, ...]
    member_counts: tuple[float, ...]
    holdout_counts: tuple[float, ...]
    sham_counts: tuple[float, ...]


@dataclass(frozen=True)
class AttackResult:
    """What one attack found in one view of the release. Subjects are the units.

    Attributes
    ----------
    attack : str
        Its name in `ATTACKS`, or "learned from all".
    view : str
        What it looked at: a feature space, or a view made of it. "records" where an attack looks at
        the records themselves.
    subjects : str
        How it saw a subject: "nearest image" takes the one that scores highest, "mean of images"
        averages the images in the view first.
    guided : bool
        Whether the feature space of the view guided or selected the release.
    test : ExactTest
        Both directions, members nearer, members farther. NaN for the learned attacker, which has
        used labels.
    p_shift : float
        Rank sum: a shift of the centre.
    p_adjusted : float
        One p-value of these three, which allows for all attacks: by relabelling subjects (with four
        fifths of the level), or by Bonferroni over the exact tests (with the rest).
    n_exposed_lower : int
        Lower bound on the exposed members, at a level shared by all attacks.
    tpr : Rate
        True-positive rate at the audited false-positive rate, with its interval. Lower is better.
    auc : Rate
        0.5 is chance.
    """

    attack: str
    view: str
    subjects: str
    guided: bool
    test: ExactTest
    p_shift: float
    p_adjusted: float
    n_exposed_lower: int
    tpr: Rate
    auc: Rate

    @property
    def title(self) -> str:
        """The attack, its view and how it saw a subject, as text."""
        means = ", mean of images" if self.subjects == "mean of images" else ""
        return f"{self.attack} in {self.view}{means}"


@dataclass(frozen=True)
class Recognition:
    """How often a view recognises a person in another real image of theirs.

    It says how strong an attacker in this view is. One who recognises nobody among real images
    finds little in a release, and the verdict says as little.

    Attributes
    ----------
    view : str
        The view.
    rate : float
        Share of the held-out records whose nearest other held-out record is of the same subject
        (rank 1).
    chance : float
        The rate of a guess.
    n_records : int
        Held-out records of subjects with two or more.
    """

    view: str
    rate: float
    chance: float
    n_records: int


@dataclass(frozen=True)
class AttributeDisclosure:
    """How well an attacker guesses an attribute of a person from the release.

    The attacker holds a person's image and takes the attribute of the nearest synthetic record. A
    useful release tells something about everybody, so members are compared with held-out subjects.
    Subjects are the units, in the first feature space.

    Attributes
    ----------
    name : str
        The attribute.
    members_right, holdout_right : float
        Share of the subjects whose value is guessed right. The difference is what the release tells
        about members only.
    p_value : float
        Tests that members are guessed no better, or worse, than held-out subjects. It allows for
        all attributes (Holm).
    auc : Rate
        Probability that the release is surer of a member's true value than of a held-out subject's;
        0.5 is chance.

    References
    ----------
    "A consensus privacy metrics framework for synthetic data", Patterns 2025, arXiv 2503.04980.
    """

    name: str
    members_right: float
    holdout_right: float
    p_value: float
    auc: Rate


@dataclass(frozen=True)
class SubgroupFigures:
    """What the panel found among the subjects with one value, such as a class.

    A subject counts where a drawn record of it has the value. Intervals and bounds are at a level
    that is shared by all subgroups of the audit.

    Attributes
    ----------
    by : str
        What was divided by, such as "class".
    value : str
        The value.
    n_members, n_holdout : int
        Subjects.
    attack : str
        The attack that finds most here, with its view.
    n_exposed_lower : int
        Lower bound on the exposed members of the subgroup.
    tpr : Rate
        True-positive rate of the attack at the audited false-positive rate. With few held-out
        subjects it is the rate at the nearest one.
    p_value : float
        Joint test over the panel within the subgroup. It allows for all subgroups (Holm).
    """

    by: str
    value: str
    n_members: int
    n_holdout: int
    attack: str
    n_exposed_lower: int
    tpr: Rate
    p_value: float


@dataclass(frozen=True)
class LadderStage:
    """A stage of the attribution ladder: the headline figures of its own audit.

    Attributes
    ----------
    name : str
        The stage.
    verdict : str
        The verdict on a release of this stage.
    n_exposed_lower : int
        Lower bound on the exposed members.
    tpr : Rate
        True-positive rate at the audited false-positive rate. Lower is better.
    auc : Rate
        0.5 is chance.
    """

    name: str
    verdict: str
    n_exposed_lower: int
    tpr: Rate
    auc: Rate


@dataclass(frozen=True)
class InversionGap:
    """How much better the inversion reconstructs members than held-out subjects.

    It is a membership signal of the generator and the encoder, for whoever holds them. The
    verdict on a release of images does not include it. Subjects are the units.

    Attributes
    ----------
    mean_members, mean_holdout : float
        Mean error over the subjects, for the same number of images of each (the best of them).
    test : ExactTest
        Of the errors: both directions, members lower, members higher.
    auc : Rate
        Probability that a member's error is lower; 0.5 is chance.
    """

    mean_members: float
    mean_holdout: float
    test: ExactTest
    auc: Rate

"""Re-identification: an attacker who has learnt what two images of one person share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.decomposition import PCA
from sklearn.neighbors import NeighborhoodComponentsAnalysis

from latentwalk.auditing._attacks._base import MembershipAttack, register_attack
from latentwalk.auditing._attacks._linkage import Linkage
from latentwalk.neighbors import ExactNeighbors
from latentwalk.utils import check_groups


@register_attack("re-identification")
class ReidentificationAttack(MembershipAttack):
    """Distance to the closest synthetic image in a metric learnt on pairs of the same subject.

    Neighbourhood components analysis on principal components. The pairs are of other people, the
    reference: learnt on the members themselves, the metric would know them without any release.
    `fit` needs ``groups_reference``, the subject ids of ``X_reference``: two subjects or more, and
    two records of one.

    On pairs of dermoscopy patches, whitening within subjects (as in linear discriminant analysis)
    did worse than the components alone, and this metric little better. `identification` says what
    it is good for on the subjects at hand.

    Parameters
    ----------
    n_components : int, default=16
        Principal components of the reference.
    max_iter : int, default=50
        Steps of the metric's optimiser.

    Attributes
    ----------
    space_ : PCA
        The components.
    metric_ : NeighborhoodComponentsAnalysis
        The linear map in which images of one subject are near.

    References
    ----------
    J. Goldberger, S. Roweis, G. Hinton and R. Salakhutdinov, "Neighbourhood components analysis",
    NIPS 2004. K. Packhäuser et al., "Deep learning-based patient re-identification is able to
    exploit the biometric nature of medical chest X-ray data", Scientific Reports 12 (2022).

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.auditing import ATTACKS
    >>> rng = np.random.default_rng(0)
    >>> subjects = np.repeat(np.arange(30), 2)  # two images of each: one value is theirs
    >>> X = np.column_stack([rng.normal(size=30)[subjects], 3 * rng.normal(size=60)])
    >>> attack = ATTACKS["re-identification"]().fit(X[:9], X, groups_reference=subjects)
    >>> first, second = attack.score_samples(X[:1] + [[0.0, 2.0], [2.0, 0.0]])
    >>> bool(first > second)
    True
    """

    needs_reference = True
    needs: ClassVar[Mapping[str, tuple[str, ...]]] = {"groups_reference": ()}
    groups_reference_: Any

    def __init__(self, n_components: int = 16, max_iter: int = 50) -> None:
        self.n_components = n_components
        self.max_iter = max_iter

    def _learn(self) -> None:
        rows = np.asarray(self.reference_)
        codes = check_groups(self.groups_reference_, len(rows), name="groups_reference")
        if len(np.unique(codes)) < 2 or np.bincount(codes).max() < 2:
            raise ValueError(
                f"groups_reference has {len(np.unique(codes))} subjects with at most "
                f"{np.bincount(codes).max()} records; a metric needs two subjects, and two records "
                "of one"
            )
        self.space_ = PCA(min(self.n_components, *rows.shape), svd_solver="full").fit(rows)
        self.codes_ = codes
        self.metric_ = self._learn_metric(self._components(rows), codes)

    def transform(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return records in the metric's space, of shape (n_samples, n_components)."""
        rows: NDArray[np.float64] = self.metric_.transform(self._components(X))
        return rows

    def score_samples(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return minus the distance."""
        release = ExactNeighbors(self.transform(self.synthetic_))
        return -release.kneighbors(self.transform(X))[0][:, 0]

    def identification(self, X: NDArray[Any], groups: ArrayLike) -> Linkage:
        """Return how often the nearest other record is of the same subject (rank 1).

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Features of real records on which nothing was learnt.
        groups : array-like of shape (n_samples,)
            Their subject ids; records that are their subject's only one are not asked about.

        Returns
        -------
        result : Linkage
            A rate near `chance` is an attacker that knows nobody, and its scores mean little.

        Raises
        ------
        ValueError
            When no subject has two records.
        """
        codes = check_groups(groups, len(X))
        mates = np.bincount(codes)[codes] - 1
        asked = mates > 0
        if not asked.any():
            raise ValueError("groups has no subject with two records; nobody can be identified")
        rows = self.transform(X)
        nearest = ExactNeighbors(rows).kneighbors(rows, 2)[1]
        # of equal records, either may come first
        other = np.where(nearest[:, 0] == np.arange(len(rows)), nearest[:, 1], nearest[:, 0])
        right = (codes[other] == codes)[asked]
        chance = float((mates[asked] / (len(rows) - 1)).mean())
        return Linkage(float(right.mean()), chance, int(asked.sum()))

    def _components(self, X: NDArray[Any]) -> NDArray[np.float64]:
        # the metric's softmax over distances starts from a spread of one
        scale = np.sqrt(self.space_.explained_variance_[0])
        rows: NDArray[np.float64] = self.space_.transform(np.asarray(X, dtype=np.float64)) / scale
        return rows

    def _learn_metric(
        self, rows: NDArray[Any], codes: NDArray[Any]
    ) -> NeighborhoodComponentsAnalysis:
        learner = NeighborhoodComponentsAnalysis(max_iter=self.max_iter, random_state=0)
        return learner.fit(rows, codes)


@register_attack("retrained re-identification")
class RetrainedReidentificationAttack(ReidentificationAttack):
    """The same attacker, trained again on the release.

    The release is moved to mean and spread of the reference (real and synthetic images differ in
    more than their people). The first metric pairs records with synthetic images, each the
    other's nearest; the nearer half of these pairs are taken for the same person, and the metric
    is learnt again with them. All records whose membership is asked are scored in one call, since
    the pairs are among them; members and others are treated alike.

    Parameters
    ----------
    n_components : int, default=16
        Principal components of the reference.
    max_iter : int, default=50
        Steps of the metric's optimiser.
    """

    def score_samples(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return minus the distance in the metric that was learnt again."""
        real, reference = self._components(X), self._components(self.reference_)  # type: ignore[arg-type]
        release = _aligned(self._components(self.synthetic_), reference)
        first = self.metric_.transform
        at, linked = _mutual_pairs(first(real), first(release))
        names = self.codes_.max() + 1 + np.arange(len(at))
        metric = self._learn_metric(
            np.concatenate([reference, real[at], release[linked]]),
            np.concatenate([self.codes_, names, names]),
        )
        nearest = ExactNeighbors(metric.transform(release)).kneighbors(metric.transform(real))
        return -nearest[0][:, 0]


def _aligned(rows: NDArray[Any], like: NDArray[Any]) -> NDArray[Any]:
    """Rows with the mean and the spread of others, in each component."""
    spread = rows.std(axis=0)
    stretch = np.divide(like.std(axis=0), spread, out=np.ones_like(spread), where=spread > 0)
    moved: NDArray[Any] = (rows - rows.mean(axis=0)) * stretch + like.mean(axis=0)
    return moved


def _mutual_pairs(
    real: NDArray[Any], release: NDArray[Any]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows that are each other's nearest, the nearer half of them."""
    distances, nearest = ExactNeighbors(release).kneighbors(real)
    to_release = nearest[:, 0]
    to_real = ExactNeighbors(real).kneighbors(release)[1][:, 0]
    mutual = np.flatnonzero(to_real[to_release] == np.arange(len(real)))
    kept = mutual[np.argsort(distances[mutual, 0], kind="stable")[: (len(mutual) + 1) // 2]]
    return kept, to_release[kept]

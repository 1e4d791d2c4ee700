"""The attack with a discriminator network, as LOGAN's without the generator's own."""

from __future__ import annotations

from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neural_network import MLPClassifier
from sklearn.utils import check_random_state

from latentwalk.auditing._attacks._base import MembershipAttack, register_attack
from latentwalk.auditing._attacks._density import shared_space

BATCH_SIZE = 256


@register_attack("LOGAN")
class DiscriminatorAttack(MembershipAttack):
    """A network learns to tell release from reference; it is sure of what the generator learnt.

    The discriminative black-box setting: the attacker holds the release and records that were
    not trained on, and scores a record by the discriminator's confidence. A network with one
    hidden layer, on principal components.

    Parameters
    ----------
    hidden_size : int, default=256
        Units of the hidden layer.
    n_steps : int, default=1000
        Batches of 256 that it is trained on, rounded up to whole passes. It has to learn single
        records by heart, so few steps find little.
    n_components : int, default=32
        Components of release and reference together.
    random_state : int, RandomState or None, default=0
        First weights and the order of the rows.

    Attributes
    ----------
    space_ : Pipeline
        The components.
    network_ : MLPClassifier
        The discriminator: class 1 is the release.

    References
    ----------
    J. Hayes, L. Melis, G. Danezis and E. De Cristofaro, "LOGAN: membership inference attacks
    against generative models", PoPETs 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.auditing import ATTACKS
    >>> reference = np.random.default_rng(0).normal(size=(60, 2))
    >>> attack = ATTACKS["LOGAN"](n_steps=50).fit(reference[:30] + 4, reference[30:])
    >>> in_release, in_reference = attack.score_samples(np.array([[4.0, 4.0], [0.0, 0.0]]))
    >>> bool(in_release > in_reference)
    True
    """

    needs_reference = True

    def __init__(
        self,
        hidden_size: int = 256,
        n_steps: int = 1000,
        n_components: int = 32,
        random_state: Any = 0,
    ) -> None:
        self.hidden_size = hidden_size
        self.n_steps = n_steps
        self.n_components = n_components
        self.random_state = random_state

    def _learn(self) -> None:
        X_syn, X_reference = self.synthetic_, np.asarray(self.reference_)
        self.space_ = shared_space(X_syn, X_reference, self.n_components)
        seen = self.space_.transform(np.concatenate([X_syn, X_reference]))
        labels = np.repeat([1, 0], [len(X_syn), len(X_reference)])
        # an instance, so that each pass draws another order
        rng = check_random_state(self.random_state)
        size = min(BATCH_SIZE, len(seen))
        self.network_ = MLPClassifier((self.hidden_size,), batch_size=size, random_state=rng)
        for _ in range(ceil(self.n_steps * size / len(seen))):
            self.network_.partial_fit(seen, labels, classes=[0, 1])

    def score_samples(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return the probability of the release."""
        scores: NDArray[np.float64] = self.network_.predict_proba(self.space_.transform(X))[:, 1]
        return scores

"""A stated privacy loss, and the noise that pays for it: Gaussian differential privacy.

Two collections are neighbours when they differ by all the images of one patient. A mechanism is
mu-GDP when telling two neighbours apart from its output is no easier than telling N(0, 1) from
N(mu, 1) [1]_. Three readings of one mu follow:

- every attacker's true-positive rate at false-positive rate a is at most Phi(Phi^-1(a) + mu);
- the (epsilon, delta) of the usual definition, by the exact conversion for Gaussian noise [2]_;
- several releases about the same patients add up as mu^2 = sum of mu_i^2.

Noise and conversions come from libraries that are made for them (OpenDP, dp-accounting).

.. [1] J. Dong, A. Roth and W. Su, "Gaussian differential privacy", JRSS B 84 (2022).
.. [2] B. Balle and Y.-X. Wang, "Improving the Gaussian mechanism for differential privacy",
   ICML 2018.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

PACKAGES = {"opendp": "opendp", "dp_accounting": "dp-accounting"}
DEFAULT_DELTA = 1e-5


@dataclass(frozen=True)
class PrivacyLoss:
    """How much any attacker can learn about one patient, in three readings of one number.

    Attributes
    ----------
    mu : float
        Of Gaussian differential privacy; infinity without noise. Smaller protects more.
    fpr : float
        The false-positive rate at which `tpr_bound` is stated.
    delta : float
        The delta at which `epsilon` is stated.

    Examples
    --------
    >>> from latentwalk.aggregation import PrivacyLoss
    >>> loss = PrivacyLoss(mu=0.68)
    >>> round(loss.tpr_bound, 3)
    0.05
    """

    mu: float
    fpr: float = 0.01
    delta: float = DEFAULT_DELTA

    @property
    def tpr_bound(self) -> float:
        """Largest true-positive rate of any membership attack at `fpr`."""
        return float(norm.cdf(norm.ppf(self.fpr) + self.mu))

    @property
    def epsilon(self) -> float:
        """The epsilon that holds with `delta`; infinity without noise."""
        if not np.isfinite(self.mu):
            return float("inf")
        accounting: Any = import_module("dp_accounting")
        return float(accounting.get_epsilon_gaussian(1 / self.mu, self.delta))

    def compose(self, *others: PrivacyLoss) -> PrivacyLoss:
        """Return the loss of several releases about the same patients."""
        mu = sqrt(self.mu**2 + sum(other.mu**2 for other in others))
        return PrivacyLoss(mu, self.fpr, self.delta)

    def __str__(self) -> str:
        if not np.isfinite(self.mu):
            return "no noise was added: nothing bounds an attacker"
        return (
            f"{self.mu:.3g}-GDP for all the images of one patient: no attacker finds more than "
            f"{self.tpr_bound:.1%} of the patients at {self.fpr:.1%} false alarms "
            f"(epsilon {self.epsilon:.3g} at delta {self.delta:g})"
        )


def require_packages() -> None:
    """Raise unless the packages that draw the noise and account for it are installed.

    Raises
    ------
    ImportError
        With the command that installs them.
    """
    missing = [package for name, package in PACKAGES.items() if find_spec(name) is None]
    if missing:
        raise ImportError(
            f"a stated guarantee needs {' and '.join(missing)}, which draw its noise and account "
            "for it: pip install '.[dp]', or pass noise=None for fixed cells without a guarantee"
        )


def resolve_loss(
    *,
    tolerance: float | None,
    fpr: float,
    epsilon: float | None,
    delta: float | None,
    mu: float | None,
) -> PrivacyLoss:
    """Return the loss that was asked for: by mu, by epsilon and delta, or by a tolerance.

    Parameters
    ----------
    tolerance : float or None
        Largest true-positive rate at `fpr` of any attacker; used when neither `mu` nor `epsilon`
        is given.
    fpr : float
        False-positive rate.
    epsilon, delta : float or None
        The usual definition; delta is 1e-5 unless given.
    mu : float or None
        Gaussian differential privacy.

    Raises
    ------
    ValueError
        For none or two of the three ways, or a tolerance that is not above `fpr`.
    """
    stated = DEFAULT_DELTA if delta is None else delta
    if mu is not None and epsilon is not None:
        raise ValueError("mu and epsilon are both given; ask for the guarantee in one way")
    if mu is not None:
        return PrivacyLoss(float(mu), fpr, stated)
    if epsilon is not None:
        accounting: Any = import_module("dp_accounting")
        return PrivacyLoss(1 / accounting.get_sigma_gaussian(epsilon, stated), fpr, stated)
    if tolerance is None:
        raise ValueError("tolerance, epsilon and mu are all None; one of them must be given")
    if tolerance <= fpr:
        raise ValueError(
            f"tolerance={tolerance} is not above fpr={fpr}: guessing alone finds that share"
        )
    return PrivacyLoss(float(norm.ppf(tolerance) - norm.ppf(fpr)), fpr, stated)


def add_noise(values: NDArray[np.int64], scale: float) -> NDArray[np.int64]:
    """Add discrete Gaussian noise to integers, from the operating system's entropy.

    Parameters
    ----------
    values : ndarray of int64
        Any shape.
    scale : float
        Standard deviation of the noise, in the unit of the values.

    Returns
    -------
    noisy : ndarray of int64
        The same shape. The sampler is exact on integers, so that no rounding of floats tells
        neighbours apart [1]_.

    References
    ----------
    .. [1] C. Canonne, G. Kamath and T. Steinke, "The discrete Gaussian for differential privacy",
       NeurIPS 2020.
    """
    dp: Any = import_module("opendp.prelude")
    dp.enable_features("contrib")
    space = dp.vector_domain(dp.atom_domain(T="i64")), dp.l2_distance(T="f64")
    mechanism = dp.m.make_gaussian(*space, float(scale))
    noisy = mechanism(values.ravel().tolist())
    return np.asarray(noisy, np.int64).reshape(values.shape)

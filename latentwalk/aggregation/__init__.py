"""Group latents of at least k subjects, and replace each latent by the mean of its group.

A *prototype* is such a mean: it stands for k subjects (patients) and shows none of them alone.
`KSameAggregator` is the estimator. Two pure functions form the groups. `mdav` is the greedy
classic. `power_diagram` starts from its groups and lowers their error by linear programs. It leaves
sites and weights, which place new points without the old ones. `ShellNormalizer` moves prototypes
back to where the latents of a generator lie.
"""

from __future__ import annotations

from latentwalk.aggregation._dp_ksame import DPKSameAggregator
from latentwalk.aggregation._fixed_cells import FixedCells, lay_cells
from latentwalk.aggregation._gaussian_privacy import PrivacyLoss
from latentwalk.aggregation._ksame import KSameAggregator
from latentwalk.aggregation._mdav import mdav
from latentwalk.aggregation._power_diagram import PowerDiagram, power_diagram
from latentwalk.aggregation._shell import ShellNormalizer

__all__ = [
    "DPKSameAggregator",
    "FixedCells",
    "KSameAggregator",
    "PowerDiagram",
    "PrivacyLoss",
    "ShellNormalizer",
    "lay_cells",
    "mdav",
    "power_diagram",
]

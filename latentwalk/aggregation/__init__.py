"""Group latents so that every group holds k subjects, and stand its mean in for all of them.

`KSameAggregator` is the estimator. Under it, two pure functions cut points into groups of at least
k: `mdav`, the greedy classic, and `power_diagram`, which improves on any such start by linear
programs and leaves sites and weights that place new points without keeping the old ones.
"""

from __future__ import annotations

from latentwalk.aggregation._ksame import KSameAggregator
from latentwalk.aggregation._mdav import mdav
from latentwalk.aggregation._power_diagram import PowerDiagram, power_diagram

__all__ = ["KSameAggregator", "PowerDiagram", "mdav", "power_diagram"]

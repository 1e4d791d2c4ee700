"""From prototypes to synthetic latents: guided paths, checked point by point.

This is PLAN, a privacy-preserving walk in the latent space of a generator (arXiv:2307.02984):

1. the prototypes of a class are joined by a tour (`_prototypes`),
2. each pair is joined by a straight line with an offset in a sine basis (`_sine_basis`),
3. the objective prefers a short path on which the identity guide recognises no subject and the
   label guide sees the class (`_losses`, `_problem`), and optionally a path away from real images
   (`_repulsion`),
4. Adam minimises it on a few points of many paths (`_optimise`),
5. every point is decoded and measured (`_examine`), and paths over a bound are walked again
   (`_paths`, with the steps `lay_paths`, `optimise` and `redraw`),
6. each row gets a distinct point within the bounds, and prototypes are never released
   (`_selection`, `_stock`).

`GuidedWalker` is the estimator over these functions.
"""

from latentwalk.walking._walker import GuidedWalker

__all__ = ["GuidedWalker"]

"""From prototypes to synthetic latents: guided paths, checked point by point.

`GuidedWalker` is the estimator; the path basis, the losses, the tour and the selection are plain
functions under it.
"""

from latentwalk.walking._walker import GuidedWalker

__all__ = ["GuidedWalker"]

"""The guides of the walk: one recognises the subject of an image, the other its class.

A *guide* is a fitted classifier whose ``module_`` gives differentiable logits: the walk follows
its gradient. Both guides here are scikit-learn classifiers over a small torch net. ``from_module``
makes a guide of any torch module.
"""

from latentwalk.classifiers._identity import IdentityClassifier
from latentwalk.classifiers._label import LabelClassifier

__all__ = ["IdentityClassifier", "LabelClassifier"]

"""The guides of the walk: who could be recognised in an image, and what an image shows.

Both are scikit-learn classifiers over a small torch net. The walk reads their ``module_``, which
gives logits and is differentiable; any torch module becomes one with ``from_module``.
"""

from latentwalk.classifiers._identity import IdentityClassifier
from latentwalk.classifiers._label import LabelClassifier

__all__ = ["IdentityClassifier", "LabelClassifier"]

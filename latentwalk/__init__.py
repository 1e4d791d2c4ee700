"""Turn private images into a synthetic set that can be shared, and measure what it gives away.

The estimators chain in a :class:`sklearn.pipeline.Pipeline`: `GANInverter` (images to latents),
`KSameAggregator` (latents to prototypes of k subjects), `GuidedWalker` (prototypes to a synthetic
latent for every row) and `GANDecoder` (latents to images). `PrivacyAuditor` measures the result.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from latentwalk.aggregation import DPKSameAggregator, KSameAggregator, ShellNormalizer
    from latentwalk.auditing import PrivacyAuditor, ReleaseFacts
    from latentwalk.classifiers import IdentityClassifier, LabelClassifier
    from latentwalk.datasets import split_patients
    from latentwalk.evaluation import TrainOnSynthetic, check_pipeline
    from latentwalk.generators import GANDecoder, Generator, StyleGAN2Trainer, load_generator
    from latentwalk.inversion import GANInverter
    from latentwalk.release import make_release, write_release
    from latentwalk.walking import GuidedWalker

__version__ = "0.1.0"

_HOMES = {
    "DPKSameAggregator": "aggregation",
    "GANDecoder": "generators",
    "GANInverter": "inversion",
    "Generator": "generators",
    "GuidedWalker": "walking",
    "IdentityClassifier": "classifiers",
    "KSameAggregator": "aggregation",
    "LabelClassifier": "classifiers",
    "PrivacyAuditor": "auditing",
    "ReleaseFacts": "auditing",
    "ShellNormalizer": "aggregation",
    "StyleGAN2Trainer": "generators",
    "TrainOnSynthetic": "evaluation",
    "check_pipeline": "evaluation",
    "load_generator": "generators",
    "make_release": "release",
    "split_patients": "datasets",
    "write_release": "release",
}

_FOLDERS = {*_HOMES.values(), "features", "inspection", "metrics", "neighbors"}

__all__ = [
    "DPKSameAggregator",
    "GANDecoder",
    "GANInverter",
    "Generator",
    "GuidedWalker",
    "IdentityClassifier",
    "KSameAggregator",
    "LabelClassifier",
    "PrivacyAuditor",
    "ReleaseFacts",
    "ShellNormalizer",
    "StyleGAN2Trainer",
    "TrainOnSynthetic",
    "__version__",
    "check_pipeline",
    "load_generator",
    "make_release",
    "split_patients",
    "write_release",
]


def __getattr__(name: str) -> Any:
    if name in _FOLDERS:
        return import_module(f"latentwalk.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'latentwalk' has no attribute {name!r}")
    return getattr(import_module(f"latentwalk.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*__all__, *_FOLDERS])

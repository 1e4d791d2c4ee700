"""How the parts of a release are made: generator, guides, pipeline, audit, measures."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Memory
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.random_projection import GaussianRandomProjection

from latentwalk.aggregation import KSameAggregator
from latentwalk.auditing import PrivacyAuditor
from latentwalk.classifiers import IdentityClassifier, LabelClassifier
from latentwalk.evaluation import tstr_score
from latentwalk.features import LPIPSFeatures, PixelFeatures
from latentwalk.generators import GANDecoder, Generator
from latentwalk.inversion import GANInverter
from latentwalk.metrics import SmallSampleWarning, fidelity_report
from latentwalk.release._results import Utility
from latentwalk.release._study import Cohort, Study
from latentwalk.walking import GuidedWalker

SHORT_LPIPS = 1024  # columns that keep LPIPS distances to a few per cent


def train_generator(trainer: Any, study: Study, cache: Path) -> Generator:
    """Return a generator of the members alone; training goes on where it ended."""
    trainer = clone(trainer)
    if "checkpoint" in trainer.get_params() and trainer.checkpoint is None:
        trainer.set_params(checkpoint=cache / "training.safetensors")
    members, calibration = study.members, study.calibration
    trainer.fit(
        members.X,
        members.codes,
        groups=members.groups,
        X_val=calibration.X,
        groups_val=calibration.groups,
    )
    generator: Generator = trainer.generator_
    return generator


def fit_on(estimator: Any, X: NDArray[Any], y: NDArray[Any] | None) -> Any:
    """Return a fitted clone; at this level, so that a cache can know it."""
    return clone(estimator).fit(X, y)


def default_guides(members: Cohort, random_state: int) -> dict[str, Any]:
    """Return guides that are not fitted yet: of patients and, with classes, of classes."""
    guides: dict[str, Any] = {"identity_classifier": IdentityClassifier(random_state=random_state)}
    if members.y is not None:
        guides["label_classifier"] = LabelClassifier(random_state=random_state)
    return guides


def fit_guides(guides: dict[str, Any], members: Cohort, memory: Memory) -> dict[str, Any]:
    """Return the guides, fitted on the members or taken from the cache."""
    targets = {"identity_classifier": members.groups, "label_classifier": members.y}
    fit = memory.cache(fit_on)
    return {name: fit(guide, members.X, targets[name]) for name, guide in guides.items()}


def build_pipeline(
    generator: Generator,
    guides: dict[str, Any],
    k: int,
    *,
    cache: Path,
    random_state: int,
    verbose: bool = False,
) -> Pipeline:
    """Return the pipeline that is not fitted yet; its cache keeps what does not depend on k."""
    frozen = {name: FrozenEstimator(guide) for name, guide in guides.items()}
    steps = [
        (
            "invert",
            GANInverter(
                generator, cache_dir=cache / "latents", random_state=random_state, verbose=verbose
            ),
        ),
        ("ksame", KSameAggregator(k, random_state=random_state)),
        ("walk", GuidedWalker(generator, **frozen, random_state=random_state, verbose=verbose)),
        ("decode", GANDecoder(generator)),
    ]
    return Pipeline(steps, memory=str(cache / "steps"))


def fit_params(members: Cohort) -> dict[str, Any]:
    """Return what the steps of the pipeline get besides X and y."""
    return {
        "ksame__groups": members.groups,
        "walk__groups": members.groups,
        "walk__X_real": members.X,
    }


def default_auditor(members: Cohort, random_state: int) -> PrivacyAuditor:
    """Return an auditor in pixels and, where images are large enough, in LPIPS features.

    The walk looks at pixels (it drops near-duplicates) and never at LPIPS, so that one of the two
    had no part in making the release.
    """
    spaces: dict[str, Any] = {"pixels": "pixels"}
    if sees_lpips(members.X):
        spaces["lpips"] = lpips_features(members.X)
    return PrivacyAuditor(spaces, random_state=random_state)


def fit_auditor(auditor: Any, members: Cohort, held_out: Cohort, reference: Cohort) -> Any:
    """Return a clone that knows the real sets."""
    return clone(auditor).fit(
        members.X,
        X_holdout=held_out.X,
        X_reference=reference.X,
        groups=members.groups,
        groups_holdout=held_out.groups,
        groups_reference=reference.groups,
    )


def sees_lpips(X: NDArray[Any]) -> bool:
    """Return whether LPIPS says something about such images."""
    return X.shape[1] in (1, 3) and min(X.shape[2:]) >= 32


def lpips_features(X: NDArray[Any]) -> Any:
    """Return LPIPS features shortened by a projection that no image decides on."""
    short = GaussianRandomProjection(SHORT_LPIPS, random_state=0)
    return FrozenEstimator(make_pipeline(LPIPSFeatures(), short).fit(X[:2]))


def measure_fidelity(X_syn: NDArray[Any], study: Study) -> Any:
    """Return the fidelity of a release beside that of real images of other patients."""
    members, judges = study.members, study.judges
    has_lpips = sees_lpips(members.X)
    features = lpips_features(members.X) if has_lpips else PixelFeatures().fit(members.X)
    rows = [features.transform(X) for X in (X_syn, members.X, judges.X)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SmallSampleWarning)  # the report says the number of rows
        return fidelity_report(
            *rows, groups_holdout=judges.groups, squared_distances=has_lpips, random_state=0
        )


def measure_utility(
    X_syn: NDArray[Any], y_syn: NDArray[Any] | None, study: Study, classifier: Any
) -> Utility | None:
    """Return what a classifier learns from the release, beside what it learns from the members."""
    members, judges = study.members, study.judges
    if y_syn is None or members.y is None or judges.y is None:
        return None
    synthetic, real = (
        tstr_score(classifier, X, y, judges.X, judges.y)
        for X, y in ((X_syn, y_syn), (members.X, members.y))
    )
    return Utility(synthetic, real, 1 / len(np.unique(members.y)), len(judges.X))

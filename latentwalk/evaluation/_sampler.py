"""SyntheticSampler: more images of rare classes, in imbalanced-learn's protocol."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import Pipeline
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.multiclass import check_classification_targets

from latentwalk.evaluation._routing import release_params
from latentwalk.evaluation._tstr import in_the_form_of
from latentwalk.utils import check_groups, check_targets, to_float


class SyntheticSampler(BaseEstimator):
    """Fill up rare classes with synthetic images, from walks between averages of their patients.

    It has imbalanced-learn's ``fit_resample`` and can be a step of its Pipeline. What it returns
    holds the real images too: it is a training set, and no release.

    Parameters
    ----------
    release : Pipeline
        Cloned and fitted for each class that is filled up: steps to latents, a step with
        ``sample`` such as `latentwalk.GuidedWalker`, and a decoder.
    sampling_strategy : "auto" or dict, default="auto"
        "auto" fills up every class to the size of the largest. A dict says how many images a class
        has afterwards.

    Attributes
    ----------
    n_sampled_ : dict
        The number of synthetic images by class.

    See Also
    --------
    latentwalk.TrainOnSynthetic : Learns from synthetic images alone.

    Examples
    --------
    >>> import numpy as np
    >>> import latentwalk as lw
    >>> from latentwalk.datasets import dermoscopy_generator_path
    >>> from latentwalk.evaluation import SyntheticSampler
    >>> from sklearn.pipeline import make_pipeline
    >>> generator = lw.load_generator(dermoscopy_generator_path())
    >>> walker = lw.GuidedWalker(
    ...     generator, repulsion=1.0, selection="uniform", max_iter=2, random_state=0
    ... )
    >>> inverter = lw.GANInverter(generator, loss="pixels", encoder_iter=5, max_iter=2)
    >>> release = make_pipeline(inverter, lw.KSameAggregator(3), walker, lw.GANDecoder(generator))
    >>> X, _ = generator.sample(42, random_state=0)
    >>> y = np.repeat([0, 1], [30, 12])
    >>> X_more, y_more = SyntheticSampler(release).fit_resample(X, y)
    >>> np.bincount(y_more)
    array([30, 30])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "release": [Pipeline],
        "sampling_strategy": [dict, StrOptions({"auto"})],
    }

    def __init__(self, release: Any, *, sampling_strategy: Any = "auto") -> None:
        self.release = release
        self.sampling_strategy = sampling_strategy

    def fit_resample(
        self, X: ArrayLike, y: ArrayLike, *, groups: ArrayLike | None = None
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the images and synthetic ones of the classes that are filled up.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_channels, height, width) or (n_samples, n_features)
            Real images, uint8 or float in [0, 1].
        y : array-like of shape (n_samples,)
            Their classes.
        groups : array-like of shape (n_samples,), default=None
            Patient ids; None counts every image as a patient.

        Returns
        -------
        X_resampled : ndarray of shape (n_resampled, ...)
            `X` as float32 in [0, 1], then the synthetic images.
        y_resampled : ndarray of shape (n_resampled,)
            Their classes.

        Raises
        ------
        ValueError
            When a class has too few patients for the walk, or `sampling_strategy` asks for fewer
            images than a class has.
        """
        self._validate_params()
        images = to_float(np.asarray(X))
        check_classification_targets(y)
        classes = np.asarray(check_targets(y, len(images)))
        codes = check_groups(groups, len(images))
        self.n_sampled_ = self._missing(classes)
        made = [(images, classes)]
        for label, n_missing in self.n_sampled_.items():
            rows = classes == label
            if n_missing:
                synthetic = self._sample(images[rows], codes[rows], n_missing)
                synthetic = in_the_form_of(images, synthetic, name="the release")
                made.append((synthetic, np.full(n_missing, label, dtype=classes.dtype)))
        X_parts, y_parts = zip(*made, strict=True)
        return np.concatenate(X_parts), np.concatenate(y_parts)

    def _missing(self, classes: NDArray[Any]) -> dict[Any, int]:
        labels, counts = np.unique(classes, return_counts=True)
        if self.sampling_strategy == "auto":
            wanted = dict.fromkeys(labels.tolist(), int(counts.max()))
        else:
            wanted = dict(self.sampling_strategy)
        found = dict(zip(labels.tolist(), counts.tolist(), strict=True))
        for label, n in wanted.items():
            if label not in found or n < found[label]:
                raise ValueError(
                    "sampling_strategy asks for a class that y has not, or for fewer images than "
                    f"it has ({n} of a class with {found.get(label, 0)})"
                )
        return {label: n - found[label] for label, n in wanted.items()}

    def _sample(self, X: NDArray[Any], codes: NDArray[np.intp], n: int) -> NDArray[Any]:
        release = clone(self.release)
        release.fit(X, **release_params(release, groups=codes, X_real=X))
        latents = release[-2].sample(n, X_real=X)[0]
        return np.asarray(release[-1].transform(latents))

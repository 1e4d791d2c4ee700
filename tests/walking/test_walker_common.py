"""scikit-learn's own checks, with a generator that takes latents of any width."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from latentwalk import GuidedWalker, IdentityClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.utils.estimator_checks import (
    check_get_feature_names_out_error,
    check_param_validation,
    check_set_output_transform,
    parametrize_with_checks,
)
from torch import nn


class AnyWidth:
    """Stands in for a generator: the checks come with latents of many widths."""

    image_shape = (1, 4, 4)
    latent_space, latent_moments = "w", (np.zeros(1, np.float32), np.ones(1, np.float32))
    device, precision, batch_size = torch.device("cpu"), "float32", "auto"

    def __repr__(self):
        return "AnyWidth()"  # without an address: tests are named after it

    @property
    def n_latent_features(self):
        return AnyInt()

    def decode(self, latents):
        waves = torch.sin(torch.arange(16.0)[:, None] + latents.mean(dim=1))
        return (0.5 + 0.5 * waves.T).reshape(-1, 1, 4, 4)

    render = decode

    def __sklearn_clone__(self):
        return self


class AnyInt(int):
    """Equal to every width."""

    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    def __hash__(self):
        return 0


torch.manual_seed(0)
GUIDE = nn.Sequential(nn.Flatten(), nn.Linear(16, 5))
FITTED = IdentityClassifier.from_module(GUIDE, range(5))
WALKER = GuidedWalker(AnyWidth(), FrozenEstimator(FITTED), n_points=5, max_iter=2, random_state=0)
PAIRED = "fit_transform gives every row a point of its own, transform is no release and does not"
EXPECTED = {
    "check_transformer_general": PAIRED,
    "check_transformer_data_not_an_array": PAIRED,
}


@pytest.mark.filterwarnings("ignore:y was given without a label_classifier")
@parametrize_with_checks([WALKER], expected_failed_checks=lambda _: EXPECTED)
def test_sklearn_checks(estimator, check):
    check(estimator)


@pytest.mark.filterwarnings("ignore:y was given without a label_classifier")
@pytest.mark.parametrize(
    "check",
    [check_param_validation, check_set_output_transform, check_get_feature_names_out_error],
)
def test_checks_that_the_common_ones_leave_out(check):
    check("GuidedWalker", WALKER)

"""scikit-learn's common checks that an estimator bound to images of one shape cannot pass.

Those checks draw 2-D data of many widths, where such an estimator takes one: they end at its error.
What they look for is tested beside each estimator, on data of the right width.
"""

from __future__ import annotations

DRAWS_OTHER_WIDTHS = [
    "check_dict_unchanged",
    "check_dont_overwrite_parameters",
    "check_dtype_object",
    "check_estimators_dtypes",
    "check_estimators_fit_returns_self",
    "check_estimators_nan_inf",
    "check_estimators_overwrite_params",
    "check_estimators_pickle",
    "check_f_contiguous_array_estimator",
    "check_fit2d_1feature",
    "check_fit2d_1sample",
    "check_fit2d_predict1d",
    "check_fit_check_is_fitted",
    "check_fit_idempotent",
    "check_fit_score_takes_y",
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
    "check_n_features_in",
    "check_n_features_in_after_fitting",
    "check_pipeline_consistency",
    "check_positive_only_tag_during_fit",
    "check_readonly_memmap_input",
]

DRAWS_OTHER_WIDTHS_FOR_TRANSFORMERS = [
    *DRAWS_OTHER_WIDTHS,
    "check_transformer_data_not_an_array",
    "check_transformer_general",
]


def fixed_width(names: list[str], reason: str) -> dict[str, str]:
    """Return `expected_failed_checks` for `parametrize_with_checks`."""
    return dict.fromkeys(names, reason)

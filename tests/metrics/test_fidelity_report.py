"""The report puts each measure beside its baseline, from as many rows."""

from __future__ import annotations

import json

import numpy as np
import pytest
from latentwalk import metrics
from latentwalk.metrics import SmallSampleWarning, fidelity_report, frechet_distance

NAMES = {
    "frechet_distance",
    "kernel_distance",
    "improved_precision",
    "improved_recall",
    "density",
    "coverage",
    "alpha_precision",
    "beta_recall",
    "authenticity",
    "mean_minimum_distance",
    "vendi_score",
    "data_copying_score",
    "feature_likelihood_gap",
}


@pytest.fixture(scope="module")
def sets():
    return np.random.default_rng(0).normal(size=(3, 400, 4))


def test_every_measure_with_its_direction(sets):
    report = fidelity_report(*sets)
    assert {row.name for row in report.rows} == NAMES
    for row in report.rows:
        assert row.higher_is_better == getattr(metrics, row.name).higher_is_better
        assert np.isfinite([row.value, row.baseline]).all()
    lower = {row.name for row in report.rows if not row.higher_is_better}
    assert lower == {"frechet_distance", "kernel_distance"}
    assert report.n_samples == 400


def test_values_and_baselines_are_those_of_the_functions(sets):
    synthetic, real, holdout = sets
    report = fidelity_report(2 * synthetic, real, holdout)
    row = report["frechet_distance"]
    assert row.value == frechet_distance(2 * synthetic, real)
    assert row.baseline == frechet_distance(holdout, real)
    distance = report["mean_minimum_distance"]
    assert distance.baseline == metrics.mean_minimum_distance(holdout, real)


def test_the_larger_set_is_cut_to_the_smaller(sets):
    synthetic, real, holdout = sets
    report = fidelity_report(np.concatenate([synthetic, holdout]), real, holdout[:320])
    assert report.n_samples == 320
    assert report["vendi_score"].value == pytest.approx(report["vendi_score"].baseline, rel=0.1)
    again = fidelity_report(np.concatenate([synthetic, holdout]), real, holdout[:320])
    assert again == report


def test_without_held_out_rows_there_is_no_baseline(sets):
    report = fidelity_report(sets[0], sets[1])
    assert all(row.baseline is None for row in report.rows)
    assert {row.name for row in report.rows} == NAMES - {
        "data_copying_score",
        "feature_likelihood_gap",
    }
    assert " -  higher" in str(report)


def test_squared_distances(sets):
    plain = fidelity_report(sets[0], sets[1])["mean_minimum_distance"].value
    squared = fidelity_report(sets[0], sets[1], squared_distances=True)["mean_minimum_distance"]
    assert squared.value > plain**2


def test_small_samples_are_warned_of(sets):
    with pytest.warns(SmallSampleWarning, match="from 100 synthetic and 400 real rows"):
        fidelity_report(sets[0][:100], sets[1], sets[2])


def test_prints_and_goes_to_json(sets):
    report = fidelity_report(*sets)
    assert str(report).count("\n") == len(NAMES)
    assert json.loads(json.dumps(report.to_dict()))["n_samples"] == 400
    with pytest.raises(KeyError, match="'fid'; measured were frechet_distance"):
        report["fid"]


def test_bad_input(sets):
    synthetic, real, holdout = sets
    with pytest.raises(ValueError, match="X_holdout has 3 features a row, X_real has 4"):
        fidelity_report(synthetic, real, holdout[:, :3])
    with pytest.raises(ValueError, match="n_neighbors=400; expected 1 to 399"):
        fidelity_report(synthetic, real, holdout, n_neighbors=400)

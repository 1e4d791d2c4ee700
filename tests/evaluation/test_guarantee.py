"""What a pipeline guarantees: it holds where every condition is recorded, or says what voids it."""

from __future__ import annotations

import json
import pickle
import re
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from latentwalk import (
    GANDecoder,
    GANInverter,
    Generator,
    GuidedWalker,
    IdentityClassifier,
    KSameAggregator,
    LabelClassifier,
    write_release,
)
from latentwalk.aggregation import DPKSameAggregator, _noisy_cells
from latentwalk.auditing import ReleaseFacts
from latentwalk.evaluation import check_pipeline, draw_release, privacy_statement
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

pytest.importorskip("opendp", reason="the extra dp is not installed")
pytest.importorskip("dp_accounting", reason="the extra dp is not installed")


@pytest.fixture(scope="module")
def generator():
    torch.manual_seed(0)
    decoder = torch.nn.Sequential(torch.nn.Linear(4, 64), torch.nn.Unflatten(1, (1, 8, 8)))
    return Generator.from_module(
        decoder, w_dim=4, image_shape=(1, 8, 8), trained_on="others", batch_size=1
    )


def make_pipeline(generator, aggregator=None, **inverter):
    settings = {"max_iter": 2, "encoder_iter": 2, "loss": "pixels", "random_state": 0}
    aggregator = aggregator or DPKSameAggregator(generator, k=5, mu=2.0, n_axes=2)
    return Pipeline(
        [
            ("invert", GANInverter(generator, **(settings | inverter))),
            ("ksame", aggregator),
            ("decode", GANDecoder(generator, output_dtype="uint8")),
        ]
    )


def test_drawn_images_are_covered_and_aligned_rows_are_not(generator):
    X, _ = generator.sample(80, random_state=0)
    y = np.arange(80) % 2
    pipe = make_pipeline(generator)
    aligned = pipe.fit_transform(X, y)
    X_syn, y_syn, statement = draw_release(pipe, 30, random_state=0)
    assert X_syn.shape == (30, 1, 8, 8) and set(y_syn) <= {0, 1}
    assert statement.holds and statement.loss.mu == 2.0
    assert statement.is_about(X_syn[::-1])
    assert not statement.is_about(aligned)
    assert not statement.is_about(X_syn[1:])
    assert not privacy_statement(pipe).is_about(X_syn)  # it was not asked to draw
    assert "guarantee: HOLDS" in str(statement) and "2-GDP" in str(statement)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda g: make_pipeline(g, KSameAggregator()), "no step adds noise"),
        (
            lambda g: make_pipeline(g, DPKSameAggregator(g, noise=None)),
            "no step adds noise",
        ),
        (lambda g: make_pipeline(g.using(trained_on=None)), "does not say whom"),
        (lambda g: make_pipeline(g.using(trained_on="these patients")), "remembers them"),
        (lambda g: make_pipeline(g.using(batch_size=8)), "several images at once"),
        (
            lambda g: Pipeline([*make_pipeline(g).steps, ("scale", StandardScaler())]),
            "'scale' .StandardScaler. is not known",
        ),
    ],
)
def test_each_missing_condition_voids_the_guarantee_and_is_named(generator, change, reason):
    statement = privacy_statement(change(generator))
    assert not statement.holds
    assert re.search(reason, str(statement))
    assert "VOID" in str(statement)


def test_the_latent_of_a_row_depends_on_its_own_image_alone_bit_for_bit(generator):
    X, _ = generator.sample(12, random_state=1)
    inverter = make_pipeline(generator)[0].fit(X)
    together = inverter.transform(X)
    alone = np.concatenate([inverter.transform(image[None]) for image in X])
    np.testing.assert_array_equal(together, alone)
    # and the encoder knows nothing of the images that fit was given
    other = make_pipeline(generator)[0].fit(1 - X)
    np.testing.assert_array_equal(other.transform(X), together)


def test_a_release_is_a_function_of_the_noisy_numbers_and_public_parts_alone(
    generator, monkeypatch
):
    """The attacker's view: with the same noisy numbers, other patients give the same release."""
    released = []
    monkeypatch.setattr(_noisy_cells, "add_noise", fixed_numbers)
    for seed, n_rows in ((0, 80), (1, 53)):
        X, _ = generator.sample(n_rows, random_state=seed)
        y = np.random.default_rng(seed).permutation(np.arange(n_rows) % 3 == 0).astype(int)
        pipe = make_pipeline(generator).fit(X, y, ksame__groups=np.arange(n_rows) // 2)
        images, classes, statement = draw_release(pipe, 30, random_state=0)
        released.append((images.tobytes(), classes.tobytes(), str(statement), repr(statement)))
    assert released[0] == released[1]


def fixed_numbers(values, scale):
    """What the noise could have made of any patients."""
    return np.arange(50, 50 + values.size).reshape(values.shape) * max(1, int(scale) // 10)


def test_a_fitted_aggregator_holds_nothing_but_noisy_numbers_and_public_parts(
    generator, monkeypatch
):
    """Its pickle and repr too are the same for other patients with the same noisy numbers."""
    monkeypatch.setattr(_noisy_cells, "add_noise", fixed_numbers)
    kept = []
    for seed, n_rows in ((0, 80), (1, 53)):
        W = np.random.default_rng(seed).normal(size=(n_rows, 4)).astype(np.float32)
        aggregator = DPKSameAggregator(generator, k=5, mu=2.0, n_axes=2, classes=["a", "b"])
        aggregator.fit(W, np.resize(["a", "b", "b"], n_rows), groups=np.arange(n_rows) // 2)
        kept.append((pickle.dumps(aggregator), repr(aggregator)))
    assert kept[0] == kept[1]


def test_there_is_nothing_to_draw_without_noisy_cells(generator):
    with pytest.raises(ValueError, match="no DPKSameAggregator"):
        draw_release(make_pipeline(generator, KSameAggregator()), 5)


@pytest.fixture(scope="module")
def drawn(generator):
    X, _ = generator.sample(80, random_state=0)
    pipe = make_pipeline(generator)
    pipe.fit_transform(X, np.arange(80) % 2)
    return pipe, *draw_release(pipe, 40, random_state=0)


def test_a_guarantee_lets_a_release_be_written_and_is_recorded(drawn, tmp_path):
    pipe, X_syn, y_syn, statement = drawn
    facts = ReleaseFacts(statement=statement)
    release = write_release(tmp_path / "r", X_syn, y_syn, pipeline=pipe, facts=facts)
    manifest = json.loads((release / "manifest.json").read_text())
    found = manifest["guarantee"]
    assert found["holds"] and found["mu"] == 2.0
    assert found["tpr_bound"] == pytest.approx(statement.loss.tpr_bound)
    assert manifest["audit"]["verdict"] == "not audited"
    assert "released_despite_the_verdict" not in manifest
    assert manifest["pipeline"][1]["step"] == "DPKSameAggregator"
    readme = (release / "README.md").read_text()
    assert "guarantee: HOLDS" in readme and "at least 5 patients, counted with noise" in readme
    assert "may have been trained on the real images" not in readme


def test_a_guarantee_covers_no_other_images(drawn, tmp_path):
    pipe, X_syn, _, statement = drawn
    facts = ReleaseFacts(statement=statement)
    with pytest.raises(ValueError, match="holds for other images than X_syn"):
        write_release(tmp_path / "r", X_syn[:-1], pipeline=pipe, facts=facts)
    assert not (tmp_path / "r").exists()


def test_a_guarantee_covers_no_other_labels(drawn, tmp_path):
    """The labels of the real rows are as private as their images."""
    pipe, X_syn, y_syn, statement = drawn
    facts = ReleaseFacts(statement=statement)
    assert statement.is_about(X_syn[::-1], y_syn[::-1])
    with pytest.raises(ValueError, match="or for other labels than y"):
        write_release(tmp_path / "r", X_syn, 1 - y_syn, pipeline=pipe, facts=facts)


def test_a_void_guarantee_lets_nothing_pass(drawn, tmp_path):
    pipe, X_syn, _, _ = drawn
    plain = make_pipeline(pipe[0].generator, KSameAggregator())
    facts = ReleaseFacts(statement=privacy_statement(plain))
    with pytest.raises(ValueError, match=r"report is None.*allow="):
        write_release(tmp_path / "r", X_syn, pipeline=pipe, facts=facts)


def test_a_leak_is_not_written_for_a_guarantee(drawn, tmp_path):
    """The audit and the guarantee contradict each other: somebody must look."""
    _, X_syn, _, statement = drawn
    report = SimpleNamespace(verdict="LEAK", n_duplicates=0, is_about=lambda X: True)
    facts = ReleaseFacts(statement=statement)
    with pytest.raises(ValueError, match="verdict of report is LEAK"):
        write_release(tmp_path / "r", X_syn, report=report, facts=facts)


def test_words_are_not_a_guarantee(drawn, tmp_path):
    with pytest.raises(TypeError, match="expected the PrivacyStatement"):
        write_release(tmp_path / "r", drawn[1], facts=ReleaseFacts(statement="it is safe"))


@pytest.mark.parametrize(
    ("settings", "told", "message"),
    [
        ({"epsilon": 1.0, "delta": 0.1}, "others", "more than 1 / 80"),
        ({"mu": 1.0, "epsilon": 1.0}, "others", "ask for the guarantee in one way"),
        ({"mu": 1.0, "n_cells": 4}, "others", "2 of 2 classes have fewer than 60 patients"),
        ({"mu": 0.1}, "others", "2 of 2 classes have fewer than 99 patients"),
        ({"n_axes": 5}, "others", "more than the 4 latent features"),
        ({"k": 60, "mu": 2.0}, "others", "2 of 2 classes have fewer than 65 patients"),
        ({"mu": 2.0, "max_classes": 3}, "others", "max_classes=3 is more than the 2 classes"),
        ({"mu": 2.0}, "these patients", "trained on these patients"),
    ],
)
def test_what_would_void_or_spoil_a_guarantee_is_named_before_the_run(
    generator, settings, told, message
):
    generator = generator.using(trained_on=told)
    aggregator = DPKSameAggregator(generator, **({"k": 5, "n_axes": 2} | settings))
    X, _ = generator.sample(80, random_state=0)
    with pytest.raises(ValueError, match=message):
        check_pipeline(make_pipeline(generator, aggregator), X, np.arange(80) % 2)


def test_a_patient_of_two_classes_is_counted_as_the_query_will_count(generator):
    """80 patients with two rows of class 0 and one of class 1: class 1 would count nobody."""
    X, _ = generator.sample(240, random_state=0)
    y, groups = np.arange(240) % 3 // 2, np.arange(240) // 3
    pipe = make_pipeline(generator, DPKSameAggregator(generator, k=5, n_axes=2, mu=2.0))
    with pytest.raises(ValueError, match="1 of 2 classes have fewer than"):
        check_pipeline(pipe, X, y, groups)
    both = pipe.set_params(ksame__max_classes=2)
    check_pipeline(both, X, y, groups)
    with pytest.raises(ValueError, match="y has 1 classes that are not in classes"):
        check_pipeline(both.set_params(ksame__classes=[0, 2]), X, y, groups)


def test_a_sound_pipeline_passes_and_its_order_is_checked(generator):
    X, _ = generator.sample(80, random_state=0)
    pipe = make_pipeline(generator)
    check_pipeline(pipe, X, np.arange(80) % 2)
    swapped = Pipeline([pipe.steps[i] for i in (1, 0, 2)])
    with pytest.raises(ValueError, match="invert stands after ksame"):
        check_pipeline(swapped, X, np.arange(80) % 2)


def add_walk(pipe, **walker):
    generator = pipe[0].generator
    settings = {
        "objective": "linear",
        "selection": "uniform",
        "identity_weight": 0,
        "random_state": 0,
    }
    walk = GuidedWalker(generator, **(settings | walker))
    return Pipeline([*pipe.steps[:-1], ("walk", walk), pipe.steps[-1]])


@pytest.fixture(scope="module")
def two_cells(generator):
    """A fitted pipeline of two classes with 90 and 30 patients and two cells each."""
    X, _ = generator.sample(240, random_state=0)
    y = (np.arange(240) % 4 == 0).astype(int)
    aggregator = DPKSameAggregator(generator, k=5, mu=4.0, n_axes=2, n_cells=2)
    pipe = make_pipeline(generator, aggregator)
    pipe[-1].fit(pipe[:2].fit_transform(X, y))
    return pipe


@pytest.mark.parametrize("guide", [None, LabelClassifier(max_iter=2, random_state=0)])
def test_a_walk_between_noisy_prototypes_is_covered(two_cells, guide):
    objective = "linear" if guide is None else "worst-point"
    pipe = add_walk(two_cells, label_classifier=guide, objective=objective, max_iter=2)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "y was given without", UserWarning)
        X_syn, y_syn, statement = draw_release(pipe, 40, random_state=0)
    assert statement.holds and statement.is_about(X_syn, y_syn)
    assert len(np.unique(X_syn.reshape(40, -1), axis=0)) == 40
    noisy = pipe[1].noisy_.counts.sum(axis=1)
    assert np.mean(y_syn == 0) == pytest.approx(noisy[0] / noisy.sum(), abs=0.03)


def test_what_a_walk_saw_of_real_rows_is_not_drawn(two_cells, generator):
    """The walker of the pipeline knows exact shares of the classes; the drawn walk does not."""
    pipe = add_walk(two_cells)
    aligned = np.repeat(pipe[1].prototypes_, [1, 1, 50, 50], axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        pipe[2].fit(aligned, np.repeat(pipe[1].prototype_targets_, [1, 1, 50, 50]))
        _, y_syn, _ = draw_release(pipe, 40, random_state=0)
    assert np.mean(y_syn == 0) > 0.6


@pytest.mark.parametrize(
    ("walker", "reason"),
    [
        ({"identity_classifier": IdentityClassifier()}, "identity_classifier, which knows private"),
        ({"label_classifier": "fitted"}, "fitted label_classifier"),
        ({"repulsion": 1.0}, "keeps away from private images"),
    ],
)
def test_a_walk_that_may_know_a_private_image_voids_the_guarantee(two_cells, walker, reason):
    if walker.get("label_classifier") == "fitted":
        X, _ = two_cells[0].generator.sample(8, random_state=0)
        guide = LabelClassifier(max_iter=1, random_state=0).fit(X, np.arange(8) % 2)
        walker = {"label_classifier": guide}
    pipe = add_walk(two_cells, **walker)
    statement = privacy_statement(pipe)
    assert not statement.holds
    assert reason in str(statement)
    with pytest.raises(ValueError, match="nothing covers this walk"):
        draw_release(pipe, 5)


def test_a_walk_needs_two_prototypes_of_each_class(drawn):
    with pytest.raises(ValueError, match=r"2 of 2 classes kept one noisy prototype.*n_cells"):
        draw_release(add_walk(drawn[0]), 5)

"""The whole job in one call, on a random decoder that makes its own images."""

from __future__ import annotations

import base64
import io
import json
import re
import warnings
from types import SimpleNamespace as Name

import latentwalk as lw
import numpy as np
import pytest
from latentwalk.release._group_sizes import GroupSizes, candidates, choose_k
from latentwalk.release._progress import Progress, Span, Stage
from latentwalk.release._study import Cohort, Study
from PIL import Image
from sklearn.base import BaseEstimator
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from conftest import make_decoder

# two epochs teach the identity guide next to nothing
pytestmark = pytest.mark.filterwarnings("ignore:identity_classifier recognises:UserWarning")

GENERATOR = lw.Generator.from_module(
    make_decoder(), w_dim=6, image_shape=(1, 8, 8), output_range=(-0.2, 0.2)
)
QUICK = {
    "invert__encoder_iter": 10,
    "invert__max_iter": 3,
    "walk__max_iter": 2,
    "walk__n_points": 16,
}


PUBLIC_KEYS = frozenset(
    ("n_images", "image_shape", "classes", "licence", "audit", "guarantee", "pipeline", "software")
)
PUBLIC_FILES = frozenset(
    ("images", "images.npz", "labels.csv", "README.md", "manifest.json", "croissant.json")
)


def flat(X):
    return X.reshape(len(X), -1)


PATIENT = np.arange(200) // 2
LABEL = lw.LabelClassifier(max_iter=2, random_state=0)
SETTINGS = {
    "generator": GENERATOR,
    "step_params": QUICK,
    "auditor": lw.PrivacyAuditor(random_state=0),
    "identity_classifier": lw.IdentityClassifier(max_iter=2, random_state=0),
    "classifier": make_pipeline(FunctionTransformer(flat), RidgeClassifier()),
    "verbose": False,
}


@pytest.fixture(scope="module")
def images():
    return GENERATOR.sample(200, random_state=0)[0]


@pytest.fixture(scope="module")
def study(images, tmp_path_factory):
    """A result, its folder and its cache."""
    folder = tmp_path_factory.mktemp("study")
    result = lw.make_release(
        images,
        PATIENT % 2,
        groups=[f"patient-{p}" for p in PATIENT],
        label_classifier=LABEL,
        k=(3, 5),
        path=folder / "out",
        class_names=["healthy", "ill"],
        allow="a random network",
        ladder=True,
        cache_dir=folder / "cache",
        **SETTINGS,
    )
    return result, folder


def test_the_result_holds_images_reports_and_figures(study, images):
    result, _ = study
    assert result.X.shape == (100, 1, 8, 8)
    assert result.report.is_about(result.X)
    assert result.report.guided_by == ("pixels",)
    assert set(result.calibration) == {3, 5}
    assert result.pipeline["ksame"].k == result.k
    assert result.report.sets.n_members == 50
    assert result.report.sets.n_holdout == 30
    assert list(result.ladder)[-1] == "release"
    assert result.utility.n_images == 40
    assert result.fidelity["coverage"].baseline is not None
    text = str(result)
    for word in (str(result.report.verdict), "balanced accuracy", "coverage", "release"):
        assert word in text


def test_the_release_and_the_internal_folder_are_written_apart(study):
    result, folder = study
    release, audit = result.paths.release, result.paths.audit
    assert {f.name for f in (folder / "out").iterdir()} == {"release", "audit"}
    manifest = json.loads((release / "manifest.json").read_text())
    assert manifest["classes"] == ["healthy", "ill"]
    assert manifest["pipeline"][1]["k_counts"] == "patients"
    assert "data:image" in (audit / "report.html").read_text()
    page = (release / "report.html").read_text()
    assert page.count("data:image") == 1 and "Nearest pairs" not in page
    sheet = base64.b64decode(re.search(r"data:image/png;base64,([^\"]+)", page)[1])
    with np.load(release / "images.npz") as stored:
        first = stored["images"][0, 0]
    shown = np.asarray(Image.open(io.BytesIO(sheet)))[: len(first), : len(first)]
    np.testing.assert_array_equal(shown, first)  # of the release, in its random order
    summary = json.loads((audit / "summary.json").read_text())
    assert summary["k"] == result.k
    texts = [f.read_text() for f in (folder / "out").rglob("*") if f.suffix in (".json", ".txt")]
    assert not any("patient-" in text for text in texts)


def test_the_same_call_goes_on_from_its_cache(study, images, monkeypatch):
    result, folder = study

    def never(*args, **kwargs):
        raise AssertionError("this was done before")

    monkeypatch.setattr(lw.IdentityClassifier, "fit", never)
    monkeypatch.setattr("latentwalk.inversion._inverter.train_encoder", never)
    monkeypatch.setattr(lw.GuidedWalker, "fit_transform", never)
    again = lw.make_release(
        images,
        PATIENT % 2,
        groups=[f"patient-{p}" for p in PATIENT],
        label_classifier=LABEL,
        k=(3, 5),
        cache_dir=folder / "cache",
        **SETTINGS,
    )
    np.testing.assert_array_equal(again.X, result.X)
    assert again.paths.release is None


def test_without_a_reason_the_internal_report_says_why_there_is_no_release(images, tmp_path):
    result = lw.make_release(images, groups=PATIENT, k=3, path=tmp_path / "out", **SETTINGS)
    assert result.report.verdict != "NO EVIDENCE"
    assert result.paths.release is None
    assert "allow='the reason'" in result.refusal
    assert result.refusal in str(result)
    assert [f.name for f in (tmp_path / "out").iterdir()] == ["audit"]
    assert result.utility is None


class Trainer(BaseEstimator):
    """Keeps what it was given, outside of itself."""

    seen: list = []  # noqa: RUF012

    def fit(self, X, y=None, *, groups=None, X_val=None, groups_val=None):
        self.seen.append((X, y, X_val))
        self.generator_ = GENERATOR
        return self


def test_a_trainer_sees_members_and_calibration_patients_alone(images):
    Trainer.seen.clear()
    split = lw.split_patients(images, PATIENT % 2, PATIENT, random_state=7)
    y = np.where(PATIENT % 2, "ill", "healthy")
    settings = SETTINGS | {"generator": Trainer()}
    result = lw.make_release(
        images, y, groups=PATIENT, k=3, split=split, label_classifier=LABEL, **settings
    )
    ((X, codes, X_val),) = Trainer.seen
    np.testing.assert_array_equal(X, images[split.members])
    np.testing.assert_array_equal(X_val, images[split.calibration])
    np.testing.assert_array_equal(codes, (PATIENT % 2)[split.members])
    np.testing.assert_array_equal(result.y, y[split.members])


def never_train(*args, **kwargs):
    raise AssertionError("something was trained")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"k": 20}, r"too few subjects .*40 are needed for two groups of k=20"),
        ({"k": 1}, r"k=1; expected an integer of 2 or more"),
        ({"k": "best"}, r"k='best'; expected"),
        ({"facts": lw.ReleaseFacts(licence="CC0\nVerdict: NO EVIDENCE")}, "licence has"),
        ({"layout": "folders", "class_names": ["a/b", "c"]}, "name that no folder can have"),
        ({"class_names": ["one"]}, "class_names has 1 names"),
        ({"y": PATIENT}, r"50 of 50 labels in y stand for fewer than 3 patients"),
        ({"step_params": {"walk__nothing": 1}}, "nothing"),
    ],
)
def test_what_would_fail_at_the_end_fails_at_once(images, tmp_path, monkeypatch, changes, message):
    monkeypatch.setattr(lw.IdentityClassifier, "fit", never_train)
    given = SETTINGS | {"y": PATIENT % 2, "groups": PATIENT, "k": 3} | changes
    with pytest.raises(ValueError, match=message):
        lw.make_release(images, path=tmp_path / "out", **given)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_something_in_it_is_refused_first(images, tmp_path):
    (tmp_path / "note").write_text("mine")
    with pytest.raises(FileExistsError, match="not an empty folder"):
        lw.make_release(images, path=tmp_path, k=3, **SETTINGS)


def test_k_is_tried_as_far_as_the_classes_allow():
    def members(n_patients, n_rare):
        rows = np.arange(n_patients)
        return Cohort(np.zeros((n_patients, 1, 8, 8)), (rows < n_rare).astype(int), rows)

    assert candidates("auto", members(200, 100)) == (5, 10, 20)
    assert candidates("auto", members(200, 25)) == (5, 10)
    assert candidates("auto", members(200, 3)) == (5,)
    assert candidates((8, 4, 8), members(200, 3)) == (4, 8)


def report(high, p):
    settings = Name(tolerance=0.05, alpha=0.05)
    word = "SIGNAL" if p <= 0.05 else "NO EVIDENCE" if high <= 0.05 else "UNDERPOWERED"
    return Name(verdict=word, settings=settings, p_value=p)


def test_the_smallest_tolerated_k_is_taken_and_else_the_largest():
    assert choose_k({5: report(0.1, 0.5), 10: report(0.04, 0.5), 20: report(0.03, 0.5)}) == 10
    # silent and too small to see anything: no reason for a smaller k
    assert choose_k({5: report(0.1, 0.5), 10: report(0.2, 0.5), 20: report(0.2, 0.5)}) == 20
    assert choose_k({5: report(0.1, 0.01), 10: report(0.2, 0.01)}) == 10


def sizes_of(k, n_patients, auditor=SETTINGS["auditor"]):
    rows = np.arange(n_patients)
    X = np.random.default_rng(0).uniform(size=(n_patients, 1, 2, 2))
    return GroupSizes.of(k, Study.of(X, None, rows, None, 0), auditor)


def test_few_calibration_patients_judge_no_k():
    few = sizes_of("auto", 700)
    assert (few.judged, few.to_make, few.in_order) == (False, (20,), (20, 10, 5))
    assert few.reason(20, {}) == (
        "the largest of (5, 10, 20): 70 calibration patients are too few to judge a smaller one"
    )
    assert sizes_of((5, 20), 700).to_make == (5, 20)  # who names several wants to see them
    assert sizes_of(7, 700).reason(7, {}) == "no other one was tried"
    many = sizes_of("auto", 3000)
    assert (many.judged, many.in_order) == (True, (5, 10, 20))
    assert many.reason(5, {5: report(0.04, 0.5)}) == (
        "the smallest with NO EVIDENCE on 300 calibration patients"
    )
    assert "none has NO EVIDENCE" in many.reason(20, {20: report(0.2, 0.5)})
    # a stricter auditor needs more of them
    assert not sizes_of("auto", 3000, lw.PrivacyAuditor(tolerance=0.02)).judged


def test_a_split_with_a_patient_in_two_sets_is_refused(images):
    rows = np.arange(200)
    split = lw.datasets.PatientSplit(rows[:51], rows[51:90], rows[90:120], rows[120:])
    with pytest.raises(ValueError, match="a patient in two of its sets"):
        Study.of(images, None, PATIENT, split, 0)
    empty = lw.datasets.PatientSplit(rows[:50], rows[50:90], rows[:0], rows[90:])
    with pytest.raises(ValueError, match="sets of"):
        Study.of(images, None, PATIENT, empty, 0)


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still unless a test moves it."""
    now = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    return now


def test_a_stage_that_has_run_tells_the_time_of_the_next_of_its_kind(clock, capsys):
    stages = [Stage("one", "walk", 60), Stage("two", "walk", 30), Stage("three", "audit", 60)]
    progress = Progress(stages, verbose=True)
    with progress.stage("one"):
        clock[0] += 240  # four times the guess
    # two: 30 * 4, now known; three: still a guess, which may be as short as the first one was
    assert progress.expected(stages[1]) == Span(120 / 1.3, 120 * 1.3)
    assert progress.expected(stages[2]) == Span(60 / 2, 60 * 4 * 2)
    with progress.stage("two"):
        clock[0] += 60  # the load is gone: the latest stage counts
    assert progress.left == Span(60 / 2, 60 * 2 * 2)
    with progress.stage("three"):
        clock[0] += 100
    assert capsys.readouterr().err.splitlines() == [
        "3 stages, 1 to 5 min in all; the first guess is a rough one",
        "[1/3] one .. up to 2 min",
        "      4 min; 2 to 11 min left",
        "[2/3] two .. 1 to 3 min",
        "      60 s; up to 4 min left",
        "[3/3] three .. up to 4 min",
        "      2 min",
    ]


def test_what_came_from_a_cache_tells_nothing_about_the_rest(clock):
    stages = [Stage("one", "walk", 60), Stage("two", "walk", 30)]
    progress = Progress(stages, verbose=False)
    with progress.stage("one"):
        clock[0] += 0.1
    assert progress.left == Span(30 / 2, 30 * 2)


def test_a_stage_that_is_left_out_is_not_waited_for(clock):
    progress = Progress([Stage("one", "walk", 60), Stage("two", "audit", 30)], verbose=False)
    progress.leave_out("two")
    with progress.stage("one"):
        clock[0] += 60
    assert progress.left == Span(0, 0)


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (Span(4, 25), "up to 30 s"),
        (Span(61, 78), "60 to 80 s"),
        (Span(65, 68), "about 70 s"),
        (Span(241, 600), "4 to 10 min"),
        (Span(541, 599), "about 10 min"),
        (Span(1201, 2000), "20 to 35 min"),
        (Span(8000, 11000), "2 to 3.5 h"),
        (Span(72000, 90000), "20 to 25 h"),
    ],
)
def test_a_time_that_is_not_known_is_given_in_round_figures(span, text):
    assert str(span) == text


def test_every_stage_of_a_release_is_estimated_before_it_runs(images, capsys):
    lw.make_release(images, groups=PATIENT, k=(3, 5), ladder=True, **{**SETTINGS, "verbose": True})
    shown = [line for line in capsys.readouterr().err.splitlines() if " .. " in line]
    assert [line.split(" .. ")[0] for line in shown] == [
        "[1/8] guides",
        "[2/8] inversion",
        "[3/8] images with groups of k = 3",
        "[4/8] their audit on the calibration patients, k = 3",
        "[5/8] images with groups of k = 5",
        "[6/8] their audit on the calibration patients, k = 5",
        "[7/8] audit",
        "[8/8] fidelity and utility",
    ]
    assert all(re.search(r"(up to|about|to) [\d.]+ (s|min|h)$", line) for line in shown)


def test_a_k_without_enough_points_is_left_out(images, monkeypatch):
    walk = lw.GuidedWalker.fit_transform

    def short(self, W, y=None, **params):
        if len(np.unique(W, axis=0)) < 12:  # 50 patients make 16 groups of 3 and 10 of 5
            raise ValueError("8 points are missing")
        return walk(self, W, y, **params)

    monkeypatch.setattr(lw.GuidedWalker, "fit_transform", short)
    monkeypatch.setattr("latentwalk.release._group_sizes.CANDIDATES", (3, 5))
    with pytest.warns(UserWarning, match="k=5 is left out: 8 points are missing"):
        result = lw.make_release(images, groups=PATIENT, k=(3, 5), **SETTINGS)
    assert result.k == 3
    with pytest.warns(UserWarning, match="k=5 is left out: 8 points are missing"):
        result = lw.make_release(images, groups=PATIENT, k="auto", **SETTINGS)
    assert (result.k, result.calibration) == (3, {})
    with pytest.raises(ValueError, match="8 points are missing"):
        lw.make_release(images, groups=PATIENT, k=5, **SETTINGS)


@pytest.fixture(scope="module")
def others():
    return GENERATOR.using(trained_on="others")


def make_guaranteed(images, others, **changes):
    pytest.importorskip("opendp", reason="the extra dp is not installed")
    pytest.importorskip("dp_accounting", reason="the extra dp is not installed")
    settings = SETTINGS | {
        "generator": others,
        # the images of this file are the generator's samples of seed 0
        "guarantee": lw.DPKSameAggregator(others, k=5, mu=2.0, n_axes=2, random_state=1),
        "n_images": 60,
        "step_params": {"invert__encoder_iter": 10, "invert__max_iter": 3},
    }
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "an audit with", UserWarning)
        # the noise has no seed: sometimes a generator's sample is drawn twice
        warnings.filterwarnings("ignore", ".* images in X_syn equal another one", UserWarning)
        return lw.make_release(images, PATIENT % 2, groups=PATIENT, **(settings | changes))


def test_a_release_under_a_guarantee_is_drawn_and_tells_nothing_of_its_audit(
    images, others, tmp_path
):
    # the noise has no seed: of so few subjects an audit sometimes says LEAK, by chance
    result = make_guaranteed(images, others, path=tmp_path / "out", allow="a test")
    assert result.X.shape == (60, 1, 8, 8) and len(result.y) == 60
    assert result.statement.holds and result.statement.is_about(result.X, result.y)
    assert "2-GDP" in str(result)
    assert result.refusal is None
    release, audit = result.paths.release, result.paths.audit
    manifest = json.loads((release / "manifest.json").read_text())
    assert manifest["guarantee"]["mu"] == 2.0
    assert manifest["audit"] == {"verdict": "held back"}
    assert manifest.keys() - {"released_despite_the_verdict"} == PUBLIC_KEYS
    assert {f.name for f in release.iterdir()} == PUBLIC_FILES
    readme = (release / "README.md").read_text()
    assert "It was not measured, or not recorded, how they compare" in readme
    assert not re.search(r"members|held-out|coverage|accura|AUC", readme)
    assert json.loads((audit / "report.json").read_text())["verdict"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"generator": GENERATOR}, "would be void: the generator does not say whom"),
        ({"generator": lw.StyleGAN2Trainer()}, "would be trained on the members"),
        ({"step_params": {"invert__fine_tune_iter": 5}}, "trained on private images"),
    ],
)
def test_a_guarantee_that_would_be_void_ends_before_any_work(
    images, others, changes, message, monkeypatch
):
    monkeypatch.setattr(lw.GANInverter, "fit_transform", None)
    with pytest.raises(ValueError, match=message):
        make_guaranteed(images, others, **changes)

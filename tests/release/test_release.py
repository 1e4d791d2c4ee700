"""What is in a release, what is not, and what is refused."""

from __future__ import annotations

import csv
import json
import os
import random
import re
import shutil
import zipfile
from dataclasses import dataclass
from inspect import signature
from pathlib import Path

import latentwalk as lw
import numpy as np
import pytest
from latentwalk import GANDecoder, Generator, PrivacyAuditor, ReleaseFacts, write_release
from latentwalk.metrics import Rate
from latentwalk.release._manifest import PUBLIC_PARAMETERS
from PIL import Image
from sklearn.pipeline import Pipeline

from conftest import make_decoder

N = 60
GENERATOR = Generator.from_module(make_decoder(), w_dim=6, image_shape=(1, 8, 8))
TEST = {"allow": "a test"}


@dataclass(frozen=True)
class Report:
    """What a release reads of an audit, whose images are any."""

    verdict: str = "NO EVIDENCE"
    p_value: float = 0.4
    n_exposed_lower: int = 0
    tpr: Rate = Rate(0.01, 0.0, 0.04)  # noqa: RUF009 (a named tuple)
    collision_rate: float = float("nan")
    n_duplicates: int = 0
    members: str = "patient-17.png"

    def is_about(self, X_syn):
        return True


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, size=(N, 3, 8, 8), dtype=np.uint8)


def read_labels(release: Path) -> list[dict[str, str]]:
    with (release / "labels.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def text_of(release: Path) -> str:
    names = [str(file.relative_to(release)) for file in release.rglob("*")]
    texts = [f.read_text() for f in release.rglob("*") if f.suffix in (".json", ".md", ".csv")]
    return "\n".join(names + texts)


def test_images_labels_and_files_agree_after_the_shuffle(tmp_path, images):
    y = np.arange(N) % 3
    images[:, 0, 0, 0] = y  # each image carries its label and its row
    images[:, 0, 0, 1] = np.arange(N)
    release = write_release(tmp_path / "release", images, y, **TEST)
    with np.load(release / "images.npz") as stored:
        X = stored["images"]
    assert sorted(X[:, 0, 0, 1]) == list(range(N))
    np.testing.assert_array_equal(X, images[X[:, 0, 0, 1]])
    rows = read_labels(release)
    assert [int(row["label"]) for row in rows] == X[:, 0, 0, 0].tolist()
    for row, image in zip(rows, X, strict=True):
        pixels = np.asarray(Image.open(release / row["file"]))
        np.testing.assert_array_equal(pixels, image.transpose(1, 2, 0))


def test_the_order_is_not_the_real_images_and_no_seed_repeats_it(tmp_path, images):
    orders = []
    for name in ("first", "second"):
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002
        with np.load(write_release(tmp_path / name, images, **TEST) / "images.npz") as stored:
            rows = [np.flatnonzero((images == x).all((1, 2, 3)))[0] for x in stored["images"]]
        orders.append(rows)
    assert orders[0] != list(range(N))
    assert orders[0] != orders[1]


def test_floats_become_bytes(tmp_path, images):
    floats = (images[:, :1] / 255).astype(np.float32)
    release = write_release(tmp_path / "release", floats, **TEST)
    with np.load(release / "images.npz") as stored:
        X = stored["images"]
    assert X.dtype == np.uint8
    assert {x.tobytes() for x in X} == {x.tobytes() for x in images[:, :1]}


def png_chunks(data):
    position, names = 8, []
    while position < len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        names.append(data[position + 4 : position + 8])
        position += 12 + length
    return names


def test_files_hold_pixels_and_nothing_else(tmp_path, images):
    release = write_release(tmp_path / "release", images, **TEST)
    for file in (release / "images").iterdir():
        assert re.fullmatch(r"\d\d\.png", file.name)
        assert set(png_chunks(file.read_bytes())) == {b"IHDR", b"IDAT", b"IEND"}
    with zipfile.ZipFile(release / "images.npz") as archive:
        (entry,) = archive.infolist()
        assert (entry.filename, entry.comment, archive.comment) == ("images.npy", b"", b"")
        assert entry.date_time == (1980, 1, 1, 0, 0, 0)


def test_neither_names_nor_times_of_files_tell_the_order_of_the_real_images(tmp_path, images):
    images[:, 0, 0, 1] = np.arange(N)
    release = write_release(tmp_path / "release", images, **TEST)
    files = sorted((release / "images").iterdir())
    by_time = sorted(files, key=lambda f: os.stat(f).st_mtime_ns)
    for order in (files, by_time):
        rows = [np.asarray(Image.open(file))[0, 1, 0] for file in order]
        assert rows != list(range(N))
        assert abs(np.corrcoef(rows, range(N))[0, 1]) < 0.7  # |r| > 0.7: once in 1e9 draws


def test_more_channels_than_png_has_are_in_the_array_alone(tmp_path):
    X = np.random.default_rng(0).uniform(size=(5, 4, 8, 8))
    release = write_release(tmp_path / "release", X, [0, 0, 0, 1, 1], **TEST)
    assert not (release / "images").exists()
    assert [row["file"] for row in read_labels(release)] == [""] * 5


def test_repeated_images_are_released_once(tmp_path, images):
    y = np.arange(N) % 2
    doubled = np.concatenate([images, images[:7]])
    with pytest.warns(UserWarning, match=r"7 of 67 images in X_syn equal another one"):
        labels = np.concatenate([y, y[:7]])
        release = write_release(tmp_path / "release", doubled, labels, **TEST)
    with np.load(release / "images.npz") as stored:
        assert len(np.unique(stored["images"], axis=0)) == len(stored["images"]) == N
    assert len(read_labels(release)) == N
    assert json.loads((release / "manifest.json").read_text())["n_images"] == N


@dataclass
class Step:
    """A step with parameters that are public, and others that are not."""

    values: dict

    def get_params(self, deep=True):
        return self.values

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X


class KSameAggregator(Step):
    pass


def test_the_manifest_has_public_facts_only(tmp_path, images, decoder_generator):
    secret = {"k": 7, "random_state": 424242, "device": "cuda:3", "new_parameter": "ward-9"}
    steps = [
        ("ward-9", KSameAggregator(secret)),
        ("own", Step({"path": "ward-9/scans"})),
        ("decode", GANDecoder(decoder_generator)),
    ]
    release = write_release(
        tmp_path / "release",
        images[:, :1],
        report=Report(),
        pipeline=Pipeline(steps),
        facts=ReleaseFacts(licence="CC0"),
    )
    manifest = json.loads((release / "manifest.json").read_text())
    assert manifest["pipeline"][0] == {
        "step": "KSameAggregator",
        "parameters": {"k": 7},
        "k_counts": None,
    }
    assert manifest["pipeline"][1] == {"step": "another step"}
    assert manifest["audit"] == {
        "verdict": "NO EVIDENCE",
        "p_value": 0.4,
        "tpr": {"value": 0.01, "low": 0.0, "high": 0.04},
        "collision_rate": None,
    }
    assert manifest["licence"] == "CC0"
    text = text_of(release)
    secrets = ["424242", "cuda", "ward", "scans", "patient-17", decoder_generator.sha256[:12]]
    assert [s for s in [*secrets, str(tmp_path)] if s in text] == []


VERDICTS = ["NO EVIDENCE", "SIGNAL", "UNDERPOWERED", "LEAK", "INVALID", None]


@pytest.mark.parametrize("verdict", [*VERDICTS, "no report"])
def test_nothing_is_promised(tmp_path, images, verdict):
    report = None if verdict == "no report" else Report(verdict=verdict)
    release = write_release(tmp_path / "release", images, report=report, **TEST)
    text = text_of(release).lower()
    assert not re.search(r"\b(safe|safely|private|anonym\w*)\b", text)
    said = {None: "no verdict", "no report": "not audited"}.get(verdict, verdict)
    readme = (release / "README.md").read_text()
    assert f"\nVerdict: {said}\n" in readme
    assert ("a test" in readme) == (verdict != "NO EVIDENCE")


@pytest.mark.parametrize("verdict", [*VERDICTS[1:], "no report"])
def test_only_no_evidence_goes_without_a_reason(tmp_path, images, verdict):
    report = None if verdict == "no report" else Report(verdict=verdict)
    found = "report is None" if report is None else "the verdict of report is"
    with pytest.raises(ValueError, match=rf"{found}.*Nothing was written.*allow='the reason'"):
        write_release(tmp_path / "release", images, report=report)
    with pytest.raises(ValueError, match=r"allow='  '; expected a reason"):
        write_release(tmp_path / "release", images, report=report, allow="  ")
    assert list(tmp_path.iterdir()) == []
    reason = "a public test set"
    release = write_release(tmp_path / "release", images, report=report, allow=reason)
    manifest = json.loads((release / "manifest.json").read_text())
    assert manifest["released_despite_the_verdict"] == reason
    assert f'because: "{reason}"' in (release / "README.md").read_text()


def test_no_evidence_needs_no_reason(tmp_path, images):
    release = write_release(tmp_path / "release", images, report=Report())
    assert "released_despite" not in (release / "manifest.json").read_text()


def audit(members, held_out, X_syn):
    return PrivacyAuditor(random_state=0).fit(members, X_holdout=held_out).audit(X_syn)


def test_what_is_written_is_what_was_audited(tmp_path):
    rng = np.random.default_rng(1)
    members, held_out, X_syn, other = rng.uniform(size=(4, 30, 1, 8, 8))
    report = audit(members, held_out, X_syn)
    changed = X_syn.copy()
    changed[3, 0, 2, 2] = 1 - changed[3, 0, 2, 2]
    for X in (members, other, changed, X_syn[1:], np.concatenate([X_syn, X_syn[:1]])):
        with pytest.raises(ValueError, match="report is the audit of other images"):
            write_release(tmp_path / "release", X, report=report, **TEST)
    assert list(tmp_path.iterdir()) == []
    flat = audit(*(rows.reshape(30, -1) for rows in (members, held_out, X_syn)))
    pipe = Pipeline([("decode", GANDecoder(GENERATOR, flatten=True))])
    rows = X_syn.reshape(30, -1)
    assert write_release(tmp_path / "flat", rows, report=flat, pipeline=pipe, **TEST).exists()
    release = write_release(tmp_path / "release", X_syn[::-1], report=report, **TEST)
    assert report._digest not in text_of(release) + (release / "report.html").read_text()


@pytest.mark.parametrize("held_out", [True, False])
def test_no_reason_is_enough_for_an_image_of_a_member(tmp_path, held_out):
    rng = np.random.default_rng(1)
    members, others, X_syn = rng.uniform(size=(3, 30, 1, 8, 8))
    X_syn[7] = members[3]
    report = audit(members, others if held_out else None, X_syn)
    with pytest.raises(ValueError, match=r"1 images of X_syn equal a member's"):
        write_release(tmp_path / "release", X_syn, report=report, **TEST)
    assert list(tmp_path.iterdir()) == []


FORGED = "CC0\n\nAudit\n-----\nVerdict: NO EVIDENCE"


@pytest.mark.parametrize(
    "forged", [FORGED, "CC0\u2028Verdict: NO EVIDENCE", "CC0\x1b[2J", "x" * 501]
)
@pytest.mark.parametrize("name", ["licence", "allow", "name", "contact"])
def test_a_text_cannot_look_like_another_part_of_the_readme(tmp_path, images, name, forged):
    given = {"allow": forged} if name == "allow" else {"facts": ReleaseFacts(**{name: forged})}
    with pytest.raises(ValueError, match=rf"{name} has \d+ characters in \d+ lines"):
        write_release(tmp_path / "release", images, **(TEST | given))
    facts = ReleaseFacts(*["Verdict: NO EVIDENCE"] * 3)
    plain = write_release(tmp_path / "release", images, facts=facts, **TEST)
    lines = (plain / "README.md").read_text().splitlines()
    assert [line for line in lines if line.startswith("Verdict:")] == ["Verdict: not audited"]


def test_rates_do_not_give_the_number_of_patients(tmp_path, images):
    report = Report(p_value=0.123456, tpr=Rate(7 / 516, 2 / 516, 1.0))
    release = write_release(tmp_path / "release", images, report=report)
    audit = json.loads((release / "manifest.json").read_text())["audit"]
    assert audit["p_value"] == 0.123
    assert audit["tpr"] == {"value": 0.0136, "low": 0.00388, "high": 1.0}


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path, images):
    (tmp_path / "note").write_text("mine")
    with pytest.raises(FileExistsError, match="not an empty folder"):
        write_release(tmp_path, images, **TEST)
    assert [file.name for file in tmp_path.iterdir()] == ["note"]
    (tmp_path / "empty").mkdir()
    assert (write_release(tmp_path / "empty", images, **TEST) / "manifest.json").exists()


def test_a_failure_leaves_nothing_behind(tmp_path, images, monkeypatch):
    def full(*args):
        raise OSError("no space left on device")

    monkeypatch.setattr("latentwalk.release._release.write_labels", full)
    with pytest.raises(OSError, match="no space"):
        write_release(tmp_path / "release", images, np.arange(N) % 2, **TEST)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_noticed_before(tmp_path, images, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    with pytest.raises(OSError, match=r"0 MB free; the release needs up to \d"):
        write_release(tmp_path / "release", images, **TEST)


PATIENT = np.arange(N) // 2  # two images each


@pytest.mark.parametrize(
    "y",
    [
        [f"patient-{i}" for i in range(N)],
        [f"patient-{i}" for i in PATIENT],
        PATIENT,
        PATIENT % 10,  # six images each
    ],
)
def test_labels_that_look_like_patient_ids_are_refused(tmp_path, images, y):
    n = len(set(y))
    with pytest.raises(ValueError, match=rf"y has {n} distinct values for 60 images") as error:
        write_release(tmp_path / "release", images, y, **TEST)
    assert "patient-1" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_labels_are_compared_with_the_patients_outright(tmp_path, images):
    few = PATIENT // 15  # two values, of 15 patients each
    site = np.array(["ward"] * 40 + ["bed-9"] * 20)
    assert write_release(tmp_path / "few", images, few, groups=PATIENT, **TEST).exists()
    one = np.where(PATIENT < 20, PATIENT, 20)  # "bed-9" is one patient with 20 images
    assert write_release(tmp_path / "unseen", images, site, **TEST).exists()
    with pytest.raises(ValueError, match=r"1 of 2 labels in y stand for fewer than 2 patients"):
        write_release(tmp_path / "release", images, site, groups=one, **TEST)
    with pytest.raises(ValueError, match=r"groups has shape \(59,\)"):
        write_release(tmp_path / "release", images, few, groups=PATIENT[1:], **TEST)
    fine = PATIENT % 10  # ten classes of three patients: refused unless the patients are known
    assert write_release(tmp_path / "fine", images, fine, groups=PATIENT, **TEST).exists()
    pipe = Pipeline([("ksame", KSameAggregator({"k": 4}))])
    pipe["ksame"].k = 4
    with pytest.raises(ValueError, match=r"10 of 10 labels .* fewer than 4 patients"):
        write_release(tmp_path / "r", images, fine, groups=PATIENT, pipeline=pipe, **TEST)


@pytest.mark.parametrize("names", [["healthy", "ill"], {1: "ill", 0: "healthy"}])
def test_classes_have_their_names_in_the_table(tmp_path, images, names):
    y = np.arange(N) % 2
    images[:, 0, 0, 0] = y
    release = write_release(tmp_path / "release", images, y, class_names=names, **TEST)
    with np.load(release / "images.npz") as stored:
        found = stored["images"][:, 0, 0, 0]
    words = np.array(["healthy", "ill"])[found].tolist()
    assert [row["label"] for row in read_labels(release)] == words
    assert json.loads((release / "manifest.json").read_text())["classes"] == ["healthy", "ill"]


def test_class_names_fit_the_labels_and_a_table(tmp_path, images):
    y = np.arange(N) % 2
    for names, message in (
        (["healthy"], "none for 1 of the classes"),
        (["ill", "ill"], "a name twice"),
        (["ill", "=HYPERLINK(1)"], "formula"),
        (["ill", "a\nb"], "line break"),
    ):
        with pytest.raises(ValueError, match=message):
            write_release(tmp_path / "release", images, y, class_names=names, **TEST)
    with pytest.raises(ValueError, match="without y"):
        write_release(tmp_path / "release", images, class_names=["a"], **TEST)
    with pytest.raises(ValueError, match="formula"):
        write_release(tmp_path / "release", images, ["=1+1", "b"] * 30, **TEST)


def test_the_readme_says_what_the_pipeline_says(tmp_path, images):
    release = write_release(tmp_path / "unknown", images, **TEST)
    readme = (release / "README.md").read_text()
    assert "How these images were made is not known" in readme
    assert "generator" not in readme
    aggregator = lw.KSameAggregator(k=2).fit(np.random.default_rng(0).normal(size=(N, 3)))
    by_patient = lw.KSameAggregator(k=2)
    by_patient.fit(np.random.default_rng(0).normal(size=(N, 3)), groups=PATIENT)
    for step, said in (
        (lw.KSameAggregator(k=2), "patients or images (which of them was not recorded)"),
        (aggregator, "2 images, each taken as a patient of its own"),
        (by_patient, "a group of at least 2 patients."),
    ):
        pipe = Pipeline([("ksame", step), ("own", Step({}))])
        shutil.rmtree(tmp_path / "release", ignore_errors=True)
        release = write_release(tmp_path / "release", images, pipeline=pipe, **TEST)
        readme = (release / "README.md").read_text()
        assert said in readme
        assert "2. another step: a step that is not known here" in readme
        assert "walk" not in readme.replace("latentwalk", "")


def test_other_reports_and_pipelines_are_type_errors(tmp_path, images):
    with pytest.raises(TypeError, match="report is a str with verdict 'unknown'"):
        write_release(tmp_path / "release", images, report="NO EVIDENCE")
    with pytest.raises(TypeError, match="pipeline is a list"):
        write_release(tmp_path / "release", images, pipeline=[], **TEST)


def test_the_public_parameters_exist():
    for name, parameters in PUBLIC_PARAMETERS.items():
        known = signature(getattr(lw, name)).parameters
        assert [p for p in parameters if p not in known] == [], name


def test_flat_images_take_their_shape_from_the_pipeline(tmp_path, decoder_generator):
    X = np.random.default_rng(0).uniform(size=(5, 64))
    pipe = Pipeline([("decode", GANDecoder(decoder_generator, flatten=True))])
    release = write_release(tmp_path / "release", X, pipeline=pipe, **TEST)
    with np.load(release / "images.npz") as stored:
        assert stored["images"].shape == (5, 1, 8, 8)
    with pytest.raises(ValueError, match="image_shape"):
        write_release(tmp_path / "other", X, **TEST)

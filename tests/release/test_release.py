"""What is in a release, what is not, and what is refused."""

from __future__ import annotations

import csv
import json
import random
import re
import shutil
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from types import SimpleNamespace

import latentwalk
import numpy as np
import pytest
from latentwalk import GANDecoder, write_release
from latentwalk.release._manifest import PUBLIC_PARAMETERS
from PIL import Image
from sklearn.pipeline import Pipeline

N = 60


@dataclass(frozen=True)
class Report:
    """What a release reads of an audit."""

    verdict: str = "NO EVIDENCE"
    p_value: float = 0.4
    n_exposed_lower: int = 0
    tpr: float = 0.01
    tpr_interval: tuple[float, float] = (0.0, 0.04)
    collision_rate: float = float("nan")
    members: str = "patient-17.png"


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, size=(N, 3, 8, 8), dtype=np.uint8)


def read_labels(release: Path) -> list[dict[str, str]]:
    with (release / "labels.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def text_of(release: Path) -> str:
    names = [str(file.relative_to(release)) for file in release.rglob("*")]
    texts = [f.read_text() for f in release.rglob("*") if f.suffix in (".json", ".txt", ".csv")]
    return "\n".join(names + texts)


def test_images_labels_and_files_agree_after_the_shuffle(tmp_path, images):
    y = np.arange(N) % 3
    images[:, 0, 0, 0] = y  # each image carries its label and its row
    images[:, 0, 0, 1] = np.arange(N)
    release = write_release(tmp_path / "release", images, y)
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
        with np.load(write_release(tmp_path / name, images) / "images.npz") as stored:
            rows = [np.flatnonzero((images == x).all((1, 2, 3)))[0] for x in stored["images"]]
        orders.append(rows)
    assert orders[0] != list(range(N))
    assert orders[0] != orders[1]


def test_floats_become_bytes_and_png_files_have_no_metadata(tmp_path, images):
    release = write_release(tmp_path / "release", (images[:, :1] / 255).astype(np.float32))
    with np.load(release / "images.npz") as stored:
        X = stored["images"]
    assert X.dtype == np.uint8
    assert {x.tobytes() for x in X} == {x.tobytes() for x in images[:, :1]}
    for file in (release / "images").iterdir():
        assert re.fullmatch(r"\d\d\.png", file.name)
        data = file.read_bytes()
        assert not any(chunk in data for chunk in (b"tEXt", b"iTXt", b"zTXt", b"eXIf", b"tIME"))


def test_more_channels_than_png_has_are_in_the_array_alone(tmp_path):
    X = np.random.default_rng(0).uniform(size=(5, 4, 8, 8))
    release = write_release(tmp_path / "release", X, [0, 0, 0, 1, 1])
    assert not (release / "images").exists()
    assert [row["file"] for row in read_labels(release)] == [""] * 5


def test_repeated_images_are_released_once(tmp_path, images):
    y = np.arange(N) % 2
    doubled = np.concatenate([images, images[:7]])
    with pytest.warns(UserWarning, match=r"7 of 67 images in X_syn equal another one"):
        release = write_release(tmp_path / "release", doubled, np.concatenate([y, y[:7]]))
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
        licence="CC0",
    )
    manifest = json.loads((release / "manifest.json").read_text())
    assert manifest["pipeline"][0] == {"step": "KSameAggregator", "parameters": {"k": 7}}
    assert manifest["pipeline"][1] == {"step": "another step"}
    assert manifest["audit"] == {
        "verdict": "NO EVIDENCE",
        "p_value": 0.4,
        "tpr": 0.01,
        "tpr_interval": [0.0, 0.04],
        "collision_rate": None,
    }
    assert manifest["licence"] == "CC0"
    text = text_of(release)
    secrets = ["424242", "cuda", "ward", "scans", "patient-17", decoder_generator.sha256[:12]]
    assert [s for s in [*secrets, str(tmp_path)] if s in text] == []


@pytest.mark.parametrize("verdict", ["NO EVIDENCE", "SIGNAL", "UNDERPOWERED", "LEAK", None])
def test_nothing_is_promised(tmp_path, images, verdict):
    report = None if verdict is None else Report(verdict=verdict)
    allow = "a demonstration" if verdict == "LEAK" else None
    release = write_release(tmp_path / "release", images, report=report, allow=allow)
    text = text_of(release).lower()
    assert not re.search(r"\b(safe|safely|private|anonym\w*)\b", text)
    assert (verdict or "not audited").lower() in (release / "README.txt").read_text().lower()


@pytest.mark.parametrize("verdict", ["LEAK", "INVALID"])
def test_a_bad_verdict_is_refused_unless_a_reason_is_recorded(tmp_path, images, verdict):
    report = Report(verdict=verdict)
    with pytest.raises(ValueError, match=rf"the verdict of report is {verdict}"):
        write_release(tmp_path / "release", images, report=report)
    with pytest.raises(ValueError, match=r"allow='  '; expected a reason"):
        write_release(tmp_path / "release", images, report=report, allow="  ")
    assert list(tmp_path.iterdir()) == []
    release = write_release(tmp_path / "release", images, report=report, allow="a public test set")
    manifest = json.loads((release / "manifest.json").read_text())
    assert manifest["released_despite_the_verdict"] == "a public test set"
    assert "a public test set" in (release / "README.txt").read_text()


def test_an_audit_without_held_out_patients_is_no_verdict(tmp_path, images):
    release = write_release(tmp_path / "release", images, report=Report(verdict=None))
    assert json.loads((release / "manifest.json").read_text())["audit"]["verdict"] == "no verdict"
    assert "no patients were held out" in (release / "README.txt").read_text()


def test_an_audit_of_other_images_is_refused(tmp_path, images):
    report = Report()
    object.__setattr__(report, "sets", SimpleNamespace(n_synthetic=N))
    with pytest.raises(ValueError, match=f"audit of {N} synthetic images; X_syn has {N - 1}"):
        write_release(tmp_path / "release", images[1:], report=report)
    assert write_release(tmp_path / "release", images, report=report).exists()


def test_rates_do_not_give_the_number_of_patients(tmp_path, images):
    report = Report(p_value=0.123456, tpr=7 / 516, tpr_interval=(2 / 516, 1.0))
    release = write_release(tmp_path / "release", images, report=report)
    audit = json.loads((release / "manifest.json").read_text())["audit"]
    assert (audit["p_value"], audit["tpr"]) == (0.123, 0.0136)
    assert audit["tpr_interval"] == [0.00388, 1.0]


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path, images):
    (tmp_path / "note").write_text("mine")
    with pytest.raises(FileExistsError, match="not an empty folder"):
        write_release(tmp_path, images)
    assert [file.name for file in tmp_path.iterdir()] == ["note"]
    (tmp_path / "empty").mkdir()
    assert (write_release(tmp_path / "empty", images) / "manifest.json").exists()


def test_a_failure_leaves_nothing_behind(tmp_path, images, monkeypatch):
    def full(*args):
        raise OSError("no space left on device")

    monkeypatch.setattr("latentwalk.release._release.write_labels", full)
    with pytest.raises(OSError, match="no space"):
        write_release(tmp_path / "release", images, np.arange(N) % 2)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_noticed_before(tmp_path, images, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    with pytest.raises(OSError, match=r"0 MB free; the release needs up to \d"):
        write_release(tmp_path / "release", images)


def test_labels_that_look_like_patient_ids_are_refused(tmp_path, images):
    with pytest.raises(ValueError, match=r"y has 60 distinct values for 60 images") as error:
        write_release(tmp_path / "release", images, [f"patient-{i}" for i in range(N)])
    assert "patient-1" not in str(error.value)


def test_other_reports_and_pipelines_are_type_errors(tmp_path, images):
    with pytest.raises(TypeError, match="report is a str with verdict 'unknown'"):
        write_release(tmp_path / "release", images, report="NO EVIDENCE")
    with pytest.raises(TypeError, match="pipeline is a list"):
        write_release(tmp_path / "release", images, pipeline=[])


def test_the_public_parameters_exist():
    for name, parameters in PUBLIC_PARAMETERS.items():
        known = signature(getattr(latentwalk, name)).parameters
        assert [p for p in parameters if p not in known] == [], name


def test_flat_images_take_their_shape_from_the_pipeline(tmp_path, decoder_generator):
    X = np.random.default_rng(0).uniform(size=(5, 64))
    pipe = Pipeline([("decode", GANDecoder(decoder_generator, flatten=True))])
    release = write_release(tmp_path / "release", X, pipeline=pipe)
    with np.load(release / "images.npz") as stored:
        assert stored["images"].shape == (5, 1, 8, 8)
    with pytest.raises(ValueError, match="image_shape"):
        write_release(tmp_path / "other", X)

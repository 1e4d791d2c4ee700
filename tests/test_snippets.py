"""Every block of code in README.md and in the documentation runs.

The blocks of a page share their names, as for a reader who types them in one after another. What
such a reader has is there already: images, patients, a generator, the files of a page. Networks are
tiny and iterations few, unless a block asks for a number of its own.
"""

from __future__ import annotations

import re
import shlex
import tomllib
import warnings
from functools import cache
from pathlib import Path

import latentwalk as lw
import numpy as np
import pytest
import sklearn
import torch
from latentwalk.auditing import ATTACKS, PANELS, Panel
from latentwalk.cli._app import make_app
from latentwalk.generators import NetworkSize
from PIL import Image
from sklearn.pipeline import Pipeline
from torch import nn

from conftest import make_decoder
from snippets import ROOT, Block, blocks, pages

SHAPE = (1, 32, 32)
N_SUBJECTS, N_IMAGES = 80, 2
FEW = {
    lw.GANInverter: {"max_iter": 1, "encoder_iter": 2, "loss": "pixels"},
    lw.GuidedWalker: {"max_iter": 1},
    lw.IdentityClassifier: {"max_iter": 1},
    lw.LabelClassifier: {"max_iter": 1},
    lw.PrivacyAuditor: {"features": "pixels"},
}


@cache
def small_generator():
    noise = np.random.default_rng(0).integers(0, 256, (16, *SHAPE), dtype=np.uint8)
    size = NetworkSize(latent_dim=32, channel_base=128, channel_max=8, mapping_layers=1)
    trainer = lw.StyleGAN2Trainer(size=size, max_iter=1, batch_size=4, features="pixels")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of measures from a few images
        return trainer.set_params(random_state=0).fit(noise).generator_


@pytest.fixture
def few_iterations(monkeypatch):
    """Small defaults, and a trainer that hands out a network that is there."""
    for estimator, values in FEW.items():
        for name, value in values.items():
            monkeypatch.setitem(estimator.__init__.__kwdefaults__, name, value)

    generator = small_generator()

    def fit(self, X, y=None, **params):
        self.generator_ = generator
        self.n_iter_ = 0
        return self

    monkeypatch.setattr(lw.StyleGAN2Trainer, "fit", fit)
    one = Panel("quick", (), ("nearest", "calibrated nearest"), ("nearest",), is_plain=True)
    monkeypatch.setitem(PANELS, "quick", one)


def study():
    """Images of members and of others: what a reader has who comes to a page."""
    generator = small_generator()
    rows = N_SUBJECTS * N_IMAGES
    images, latents = generator.sample(rows, random_state=0)
    patients = np.repeat([f"p{i:03}" for i in range(N_SUBJECTS)], N_IMAGES)
    labels = np.repeat(np.arange(N_SUBJECTS) % 2, N_IMAGES)
    half = rows // 2
    return {
        "images": images,
        "labels": labels,
        "patients": patients,
        "generator": generator,
        "X": images[:half],
        "y": labels[:half],
        "patient": patients[:half],
        "X_out": images[half:],
        "y_out": labels[half:],
        "patient_out": patients[half:],
        "W": latents[:half],
    }


def given(page: str) -> dict:
    """The names that a page takes as known, besides those of `study`."""
    names = study()
    X, y, patient = (names[n] for n in ("X", "y", "patient"))
    if page.endswith(("walk.rst", "guides.rst")):
        names["prototypes"] = lw.KSameAggregator(k=5).fit_transform(names["W"], y, groups=patient)
        names["identity"] = lw.IdentityClassifier().fit(X, patient)
        names["label"] = lw.LabelClassifier().fit(X, y)
        names["auditor"] = lw.PrivacyAuditor().fit(X, X_holdout=names["X_out"])
        names["network"], names["patients"] = make_classifier(), np.unique(patient)
        names["train"], names["other"] = np.arange(0, 80, 2), np.arange(1, 80, 2)
    if page.endswith(("audit.rst", "evaluation.rst", "fidelity.rst", "red_team.rst")):
        names |= released(names)
        names["network"], names["normalise"] = make_classifier(), nn.Identity()
    if page.endswith("guarantee.rst"):
        names["W"] = np.random.default_rng(0).normal(size=(2000, 32))
        names["y"], names["patient"] = np.arange(2000) % 2, np.arange(2000)
        X, y, patient = names["W"], names["y"], names["patient"]
        site = np.arange(len(X)) < len(X) // 2
        for place, rows in (("a", site), ("b", ~site)):
            names |= {f"W_{place}": names["W"][rows], f"patient_{place}": patient[rows]}
            names[f"y_{place}"] = np.array(["healthy", "ill"])[y[rows]]
    if page == "README.md":
        names["split"] = lw.split_patients(X, y, patient, random_state=0)
    if page.endswith("generators.rst"):
        names["members"], names["calibration"] = np.arange(8), np.arange(8, 16)
    return names


def make_classifier():
    return nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(SHAPE)), N_SUBJECTS // 2))


def released(names: dict) -> dict:
    generator, X, y, patient = (names[n] for n in ("generator", "X", "y", "patient"))
    pipe = Pipeline(
        [
            ("invert", lw.GANInverter(generator)),
            ("ksame", lw.KSameAggregator(k=5)),
            ("walk", lw.GuidedWalker(generator, lw.IdentityClassifier())),
            ("decode", lw.GANDecoder(generator)),
        ]
    )
    params = {"ksame__groups": patient, "walk__X_real": X, "walk__groups": patient}
    X_syn = pipe.fit_transform(X, y, **params)
    others = dict(zip(("X_canary", "y_canary", "patient_canary"), fresh(), strict=True))
    return others | {
        "pipe": pipe,
        "X_syn": X_syn,
        "y_syn": y,
        "inverter": pipe["invert"],
        "classifier": lw.LabelClassifier().fit(X_syn, y),
        "sex": y,
        "sex_out": names["y_out"],
    }


def fresh():
    images = small_generator().sample(200, random_state=1)[0]
    return images, np.arange(200) % 2, np.array([f"c{i}" for i in range(200)])


def write_files(page: str, folder: Path) -> None:
    """The files that a page opens."""
    small_generator_file(folder)
    if page.endswith("data.rst"):
        rng = np.random.default_rng(0)
        rows = ["image_id,dx,lesion_id"]
        for row in range(40):
            place = folder / "scans" / ("pneumonia", "normal")[row % 2] / f"{row}"
            place.mkdir(parents=True)
            picture = Image.fromarray(rng.integers(0, 256, (16, 16), dtype=np.uint8))
            picture.save(place / "3.png")
            (folder / "HAM10000").mkdir(exist_ok=True)
            picture.save(folder / "HAM10000" / f"ISIC_{row}.png")
            rows.append(f"ISIC_{row},{('nv', 'mel')[row % 2]},L{row}")
        (folder / "HAM10000_metadata.csv").write_text("\n".join(rows) + "\n")
    if page.endswith("generators.rst"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch.jit is deprecated, and old files use it
            torch.jit.script(make_decoder(512, (3, 64, 64))).save(folder / "decoder.pt")
        state = {f"main.{k}": v for k, v in dcgan().state_dict().items()}
        torch.save({"netG_state_dict": state}, folder / "weights.tar")


def small_generator_file(folder: Path) -> None:
    for name in ("network.safetensors", "network-snapshot.pkl", "network-snapshot-025000.pkl"):
        small_generator().save(folder / name)


def dcgan():
    def block(a, b, stride=2, padding=1):
        convolution = nn.ConvTranspose2d(a, b, 4, stride, padding, bias=False)
        return [convolution, nn.BatchNorm2d(b), nn.ReLU()]

    return nn.Sequential(
        *block(100, 512, 1, 0),
        *block(512, 256),
        *block(256, 128),
        *block(128, 64),
        nn.ConvTranspose2d(64, 3, 4, 2, 1, bias=False),
        nn.Tanh(),
    )


@pytest.fixture
def put_back():
    """What blocks change for the whole process is as it was afterwards."""
    attacks, routing = dict(ATTACKS), sklearn.get_config()["enable_metadata_routing"]
    yield
    ATTACKS.clear()
    ATTACKS.update(attacks)
    sklearn.set_config(enable_metadata_routing=routing)


FOUND = {page.relative_to(ROOT).as_posix(): list(blocks(page)) for page in pages()}
PYTHON = [name for name, found in FOUND.items() if any(b.language == "python" for b in found)]


@pytest.mark.parametrize("page", PYTHON)
def test_the_blocks_of_a_page_run(page, tmp_path, monkeypatch, few_iterations, put_back):
    monkeypatch.chdir(tmp_path)
    write_files(page, tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of few images and of networks that were not trained
        names = given(page)
        for block in FOUND[page]:
            if block.language == "python" and not block.reason:
                run(block, names)


def run(block: Block, names: dict) -> None:
    try:
        exec(compile(block.code, f"{block.page}:{block.line}", "exec"), names)
    except Exception as error:
        if "Nothing was written" in str(error):  # the audit of so few patients concludes nothing
            return
        raise AssertionError(f"{block.page}, line {block.line}: {error!r}") from error


SHELL = [b for found in FOUND.values() for b in found if b.language == "shell"]


@pytest.mark.parametrize("block", SHELL, ids=lambda block: f"{block.page}:{block.line}")
def test_commands_exist_with_their_options(block):
    makefile = (ROOT / "Makefile").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for line in block.code.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if not words:
            continue
        if words[0] == "latentwalk":
            make_app().parse_args(words[1:], exit_on_error=False, print_error=False)
        elif words[0] == "make":
            assert re.search(rf"^{words[1]}:", makefile, re.MULTILINE), line
        elif words[0] == "python":
            module = words[1] == "-m"
            script = f"{words[2].replace('.', '/')}/__main__.py" if module else words[1]
            assert (ROOT / script).is_file(), line
        else:
            assert words[:2] == ["pip", "install"], line
            for extra in re.findall(r"\[([\w,]+)\]", line):
                assert set(extra.split(",")) <= set(project["optional-dependencies"]), line


def test_blocks_are_found_in_both_formats(tmp_path):
    text = "Text::\n\n   a = 1\n\n   b = 2\n\nMore\n\n.. not run: slow\n\n"
    text += ".. code-block:: python\n\n   c\n"
    assert [(b.code, b.language, b.reason) for b in read(tmp_path, "page.rst", text)] == [
        ("a = 1\n\nb = 2", "python", ""),
        ("c", "python", "slow"),
    ]
    text = "```bash\nmake it\n```\n\n<!-- not run: slow -->\n```python\nd\n```\n```text\nx\n```\n"
    assert [(b.code, b.language, b.reason) for b in read(tmp_path, "page.md", text)] == [
        ("make it", "shell", ""),
        ("d", "python", "slow"),
        ("x", "text", ""),
    ]


def read(tmp_path, name, text):
    page = tmp_path / name
    page.write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("snippets.ROOT", tmp_path)
        return list(blocks(page))

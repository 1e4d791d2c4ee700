"""The command as a user runs it: in a process of its own, on folders of small images."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
import tomllib

import latentwalk as lw
import numpy as np
import pytest
from latentwalk.cli import main
from latentwalk.cli._app import make_app
from latentwalk.cli._outcome import code_of
from latentwalk.cli._record import as_tokens, read_run, write_run
from latentwalk.metrics import patients_needed
from latentwalk.utils import to_bytes
from PIL import Image

from conftest import make_decoder

RNG = np.random.default_rng(0)


def write_folder(folder, images):
    folder.mkdir(parents=True, exist_ok=True)
    for row, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{row:03}.png")
    return folder


def run(*words):
    """Exit code, standard output and standard error of the command."""
    command = [sys.executable, "-m", "latentwalk", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Folders of members, held-out images, noise, and near-copies of the members."""
    root = tmp_path_factory.mktemp("folders")
    members, holdout, noise = RNG.integers(1, 255, (3, 40, 16, 16), dtype=np.uint8)
    near = members + RNG.integers(-1, 2, members.shape)
    sets = {"members": members, "holdout": holdout, "noise": noise, "near": near.astype(np.uint8)}
    return {name: write_folder(root / name, images) for name, images in sets.items()}


def audit_words(folders, synthetic, *more):
    sets = {"members": "members", "holdout": "holdout", "synthetic": synthetic}
    return ["audit", *(f"--{name}={folders[where]}" for name, where in sets.items()), *more]


def test_two_folders_are_audited_whoever_made_the_images(folders, tmp_path):
    out = tmp_path / "audit"
    code, text, errors = run(*audit_words(folders, "near", f"--out={out}"))
    assert (code, errors) == (2, "")
    assert "LEAK" in text
    assert {f.name for f in out.iterdir()} == {"report.html", "report.json", "run.toml"}
    code, text, _ = run(*audit_words(folders, "noise", "--json"))
    found = json.loads(text)
    assert code == found["exit_code"] == 1
    assert found["verdict"] == "UNDERPOWERED"
    assert found["sets"]["n_members"] == 40


def test_patients_come_from_a_table(folders, tmp_path, capsys):
    table = tmp_path / "patients.csv"
    with table.open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["file", "subject"])
        rows.writerows([f"{row:03}", f"p{row // 2}"] for row in range(40))
    # the same names in both folders: members and held-out share patients
    assert main(audit_words(folders, "noise", f"--groups={table}")) == 3
    shown = capsys.readouterr()
    assert "subjects" in shown.err
    assert "p1" not in shown.err
    table.write_text("file,subject\n000,p0\n")
    assert main(audit_words(folders, "noise", f"--groups={table}")) == 3
    assert "--groups has no subject for 39 of 40 images" in capsys.readouterr().err


def test_subgroups_and_attributes_come_from_the_tables(folders, tmp_path, capsys):
    real, synthetic = tmp_path / "real.csv", tmp_path / "synthetic.csv"
    sets = {"members": range(40), "other": range(40, 80)}
    # the held-out images under names of their own
    other = write_folder(tmp_path / "other", [])
    for row in range(40):
        shutil.copy(folders["holdout"] / f"{row:03}.png", other / f"{row + 40:03}.png")
    lines = [f"{row:03},p{row},{'fm'[row % 2]},{row % 2}" for rows in sets.values() for row in rows]
    real.write_text("\n".join(["file,subject,sex,label", *lines]))
    synthetic.write_text("\n".join(["file,label", *(f"{row:03},{row % 2}" for row in range(40))]))
    words = audit_words({**folders, "holdout": other}, "near", f"--groups={real}", "--json")
    asked = ["--by=sex", "--by=label", "--attributes=label", f"--synthetic-table={synthetic}"]
    assert main([*words, *asked]) == 2
    found = json.loads(capsys.readouterr().out)
    groups = [(group["by"], group["value"], group["n_members"]) for group in found["subgroups"]]
    assert groups == [("sex", "f", 20), ("sex", "m", 20), ("label", "0", 20), ("label", "1", 20)]
    assert found["attributes"][0]["name"] == "label"
    assert found["attributes"][0]["members_right"] == 1.0
    for wrong, problem in (
        (["--by=age"], "columns file and age"),
        (["--attributes=label"], "--attributes needs --synthetic-table"),
        (["--attributes=sex", f"--synthetic-table={synthetic}"], "--synthetic-table expects"),
    ):
        assert main([*words, *wrong]) == 3
        assert problem in capsys.readouterr().err
    assert main(audit_words(folders, "near", "--by=sex")) == 3
    assert "--by names columns of --groups" in capsys.readouterr().err


def test_the_full_panel_can_be_asked_for(folders, capsys):
    assert main(audit_words(folders, "near", "--panel=full", "--json")) == 2
    assert json.loads(capsys.readouterr().out)["panel"] == "full"


def test_a_run_is_repeated_from_its_toml(folders, tmp_path, capsys):
    out = tmp_path / "audit"
    words = audit_words(folders, "near", f"--out={out}", "--seed=3", "--features=pixels")
    assert main(words) == 2
    record = out / "run.toml"
    content = tomllib.loads(record.read_text())
    assert content["verb"] == "audit"
    assert content["options"]["seed"] == 3
    assert content["options"]["members"] == str(folders["members"])
    first = (out / "report.json").read_text()
    record.write_text(record.read_text().replace(str(out), str(tmp_path / "again")))
    capsys.readouterr()
    assert main(["repeat", str(record)]) == 2
    assert (tmp_path / "again" / "report.json").read_text() == first
    assert main(["repeat", str(folders["members"] / "000.png")]) == 3
    (tmp_path / "other.toml").write_text("a = 1\n")
    assert main(["repeat", str(tmp_path / "other.toml")]) == 3
    assert "was not written by latentwalk" in capsys.readouterr().err


def test_a_release_is_drawn_under_a_guarantee(tmp_path, capsys):
    pytest.importorskip("opendp", reason="the extra dp is not installed")
    pytest.importorskip("dp_accounting", reason="the extra dp is not installed")
    network = tmp_path / "network.safetensors"
    trainer = lw.StyleGAN2Trainer(
        discriminator="stylegan2", size="small", max_iter=1, batch_size=2, random_state=0
    )
    trainer.fit(RNG.integers(0, 256, (8, 1, 8, 8), dtype=np.uint8)).generator_.save(network)
    for row, image in enumerate(RNG.integers(0, 256, (160, 8, 8), dtype=np.uint8)):
        label = ("healthy", "ill")[row % 2]
        write_folder(tmp_path / "scans" / label / f"patient-{row}", [image])
    words = ["release", tmp_path / "scans", "--size=8", "--levels=label", "--levels=subject"]
    words += [f"--network={network}", "--guarantee=0.3", "--n-images=40", "--quiet", "--k=5"]
    words += ["--set=invert__encoder_iter=5", "--set=invert__max_iter=2", "--set=ksame__n_axes=2"]
    command = [*map(str, words), f"--out={tmp_path / 'out'}"]
    assert main(command) == 3
    assert "--other-patients" in capsys.readouterr().err
    assert main([*command, "--other-patients", "--k=10"]) == 3
    assert "--guarantee takes one" in capsys.readouterr().err
    # the noise has no seed: of so few subjects an audit may say LEAK, by chance
    main([*command, "--other-patients", "--allow=a test"])
    assert "GDP" in capsys.readouterr().out
    manifest = json.loads((tmp_path / "out" / "release" / "manifest.json").read_text())
    assert manifest["guarantee"]["tpr_bound"] == pytest.approx(0.3)
    assert manifest["n_images"] <= 40


def test_a_network_is_trained_and_released_for_the_same_patients(tmp_path, capsys):
    generator = lw.Generator.from_module(
        make_decoder(), w_dim=6, image_shape=(1, 8, 8), output_range=(-0.2, 0.2)
    )
    images = to_bytes(generator.sample(80, random_state=0)[0])
    for row, image in enumerate(images):
        label = ("healthy", "ill")[row % 2]
        write_folder(tmp_path / "scans" / label / f"patient-{row}", [image[0]])
    data = [tmp_path / "scans", "--size=8", "--levels=label", "--levels=subject", "--quiet"]
    data = list(map(str, data))
    small = ["size=small", "batch_size=4"]
    net = tmp_path / "net"
    train = ["train", *data, f"--out={net}", "--max-iter=2", *(f"--set={s}" for s in small)]
    assert main(train) == 0
    network = net / "network.safetensors"
    assert network.is_file()
    shown = capsys.readouterr().out
    assert f"--network {network}" in shown and "2 of 2 steps\n" in shown

    quick = [
        "invert__encoder_iter=5",
        "invert__max_iter=2",
        "walk__max_iter=2",
        "walk__n_points=16",
    ]
    release = ["release", *data, f"--network={network}", "--k=3", *(f"--set={s}" for s in quick)]
    assert main([*release, f"--out={tmp_path / 'other'}", "--seed=1"]) == 3
    assert "--seed differs from that of the network's training" in capsys.readouterr().err
    code, text, errors = run(*release, f"--out={tmp_path / 'out'}", "--allow=a test", "--json")
    assert code in (0, 1, 2), errors
    assert "latentwalk: note: an audit with" in errors
    assert "UserWarning" not in errors and ".py" not in errors  # no code is shown
    found = json.loads(text)
    assert found["exit_code"] == code == code_of(found["audit"]["verdict"])
    assert found["audit"]["sets"]["n_members"] == 40
    assert {f.name for f in (tmp_path / "out").iterdir()} == {"release", "audit", "run.toml"}
    labels = (tmp_path / "out" / "release" / "labels.csv").read_text()
    assert "healthy" in labels
    assert not any("patient-" in f.read_text() for f in (tmp_path / "out").rglob("*.json"))

    elsewhere = network.rename(tmp_path / "alone.safetensors")
    moved = ["release", *data, f"--network={elsewhere}", f"--out={tmp_path / 'third'}"]
    assert main(moved) == 3
    assert "tells which patients it was trained on" in capsys.readouterr().err


def test_a_network_is_inspected(tmp_path):
    sheet = tmp_path / "sheet.png"
    network = lw.datasets.dermoscopy_generator_path()
    code, text, _ = run("inspect", network, f"--sheet={sheet}", "--json")
    assert code == 0
    assert json.loads(text)["image_shape"] == [3, 32, 32]
    with Image.open(sheet) as image:
        assert image.size == (8 * 32, 4 * 32)


def test_help_imports_no_torch():
    code = (
        "import sys; from latentwalk.cli import main; main(['--help']); "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing"], "Unknown command"),
        (["audit", "--members=a"], "holdout"),
        (["inspect", "absent.pkl"], "absent.pkl"),
        (["release", "a", "--network=b", "--out=c"], "--size"),
        (["release", "a", "--network=b", "--out=c", "--size=8", "--set=x"], "run.toml"),
    ],
)
def test_errors_are_one_line_and_code_3(words, message, capsys):
    assert main(words) == 3
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("latentwalk: ")
    assert message in shown.err
    assert "Traceback" not in shown.err


def test_help_says_what_the_verbs_are_for(capsys):
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    for verb in ("demo", "plan", "train", "release", "audit", "inspect", "repeat"):
        assert verb in shown
        assert main([verb, "--help"]) == 0
    assert "Exit codes" in shown
    assert main(["--version"]) == 0


def test_a_record_gives_the_words_back(tmp_path):
    words = ["release", "scans", "--network=n", "--out=o", "--size=8", "--levels=label", "--k=3"]
    words += ["--k=5", "--ladder", "--set=walk__max_iter=2"]
    verb, bound, _ = make_app().parse_args(words)
    write_run(tmp_path, verb.__name__, bound.arguments)
    verb_again, again, _ = make_app().parse_args(as_tokens(read_run(tmp_path / "run.toml")))
    assert verb_again is verb
    for name, value in bound.arguments.items():
        expected = value.resolve() if name in ("folder", "network", "out") else value
        assert again.arguments[name] == expected, name


def test_the_number_of_patients_is_planned(capsys):
    assert main(["plan", "--tolerance=0.05", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    needed = patients_needed(0.05, n_attacks=10)
    assert (found["n_members"], found["n_holdout"]) == needed
    assert 0.5 * found["n_patients"] >= needed.n_members
    assert 0.3 * found["n_patients"] >= needed.n_holdout
    assert main(["plan", f"--patients={found['n_patients']}", "--smallest-class=50"]) == 0
    shown = capsys.readouterr().out
    assert ": enough" in shown and "\nk             5, 10 (" in shown
    assert main(["plan", f"--patients={found['n_patients'] - 1}", "--smallest-class=19"]) == 1
    shown = capsys.readouterr().out
    assert "expect UNDERPOWERED" in shown and "none: a class needs 20" in shown
    assert main(["plan", "--tolerance=0.01"]) == 3
    assert "cannot be ruled out" in capsys.readouterr().err


def test_a_split_divides_patients_as_the_plan_says():
    X = np.zeros((200, 1, 4, 4), np.uint8)
    split = lw.split_patients(X, random_state=0)
    assert len(split.members) == 0.5 * 200 and len(split.audit) == 0.3 * 200


def test_exit_codes():
    verdicts = ["NO EVIDENCE", "SIGNAL", "UNDERPOWERED", None, "LEAK", "INVALID"]
    assert [code_of(v) for v in verdicts] == [0, 1, 1, 1, 2, 3]

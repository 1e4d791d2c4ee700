"""What hubs and search engines read: the dataset card, Croissant, and a folder for each class.

The rules that mlcroissant checks are checked here without it, since it brings 30 packages. Its own
``validate`` passes a release, and it reads both record sets (version 1.1.1).
"""

import csv
import fnmatch
import json
from hashlib import sha256
from types import SimpleNamespace

import numpy as np
import pytest
from latentwalk import ReleaseFacts, write_release
from latentwalk.evaluation import PrivacyStatement
from PIL import Image

N = 24
TEST = {"allow": "a test"}
FACTS = ReleaseFacts(
    name="Cells: a & b",
    licence="CC BY-NC 4.0",
    contact="board@example.org",
    date="2026-01-02",
    utility=SimpleNamespace(synthetic=0.61, real=0.74, chance=0.5),
    fidelity=SimpleNamespace(
        rows=(SimpleNamespace(name="coverage", value=0.12, baseline=0.97, higher_is_better=True),)
    ),
)


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, size=(N, 1, 8, 8), dtype=np.uint8)


def front_matter(release):
    text = (release / "README.md").read_text()
    head, card = text.removeprefix("---\n").split("---\n", 1)
    pairs = dict(line.split(": ", 1) for line in head.splitlines())
    return {k: json.loads(v) if v[0] in '"' else v for k, v in pairs.items()}, card


def test_the_card_says_what_a_hub_and_a_stranger_need(tmp_path, images):
    y = np.arange(N) % 2
    names = ["healthy", "ill"]
    release = write_release(tmp_path / "r", images, y, class_names=names, facts=FACTS, **TEST)
    head, card = front_matter(release)
    assert head["pretty_name"] == "Cells: a & b" and head["license"] == "cc-by-nc-4.0"
    assert head["size_categories"] == '["n<1K"]'
    assert head["task_categories"] == "[image-classification]"
    for heading in ("Intended use", "Out of scope", "Audit", "Guarantee", "Known limits", "Terms"):
        assert f"\n## {heading}\n" in card
    assert "Classes: healthy (12), ill (12)." in card and "board@example.org" in card
    assert "balanced accuracy of 0.61" in card and "coverage: 0.12, real images 0.97" in card
    assert "None was stated" in card


def test_a_licence_that_no_hub_knows_keeps_its_name(tmp_path, images):
    facts = ReleaseFacts(licence='ask "us": now', name="<script>x</script> [a](b)")
    release = write_release(tmp_path / "r", images, facts=facts, **TEST)
    head, card = front_matter(release)
    assert head["license"] == "other" and head["license_name"] == 'ask "us": now'
    assert "<script>" not in card and "[a](b)" not in card


def test_a_statement_is_on_the_card_as_it_is(tmp_path, images):
    facts = ReleaseFacts(statement=PrivacyStatement(None, ("no step adds noise",)))
    card = front_matter(write_release(tmp_path / "r", images, facts=facts, **TEST))[1]
    assert "guarantee: VOID\n- no step adds noise" in card and "None was stated" not in card


def test_croissant_describes_the_files_that_are_there(tmp_path, images):
    y = np.arange(N) % 2
    release = write_release(tmp_path / "r", images, y, facts=FACTS, **TEST)
    found = json.loads((release / "croissant.json").read_text())
    assert found["@type"] == "sc:Dataset" and found["name"] == "Cells: a & b"
    assert found["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    assert found["license"] == "CC BY-NC 4.0" and found["datePublished"] == "2026-01-02"
    known = set()
    for part in found["distribution"]:
        known.add(part["@id"])
        if part["@type"] == "cr:FileObject":
            content = (release / part["contentUrl"]).read_bytes()
            assert part["sha256"] == sha256(content).hexdigest()
            assert part["contentSize"] == f"{len(content)} B"
        else:
            files = [p.relative_to(release).as_posix() for p in release.rglob("*.png")]
            pattern = part["includes"].replace("**/", "*")
            assert len(fnmatch.filter(files, pattern)) == N
    ids = [field["@id"] for records in found["recordSet"] for field in records["field"]]
    assert len(set(ids)) == len(ids) == 5
    with (release / "labels.csv").open() as stream:
        columns = next(csv.reader(stream))
    for records in found["recordSet"]:
        for field in records["field"]:
            assert field["@id"].startswith(f"{records['@id']}/")
            source = field["source"]
            assert source.get("fileObject", source.get("fileSet"))["@id"] in known
            assert source["extract"].get("column", columns[0]) in columns


def test_terms_of_croissant_are_in_its_context(tmp_path, images):
    release = write_release(tmp_path / "r", images, np.arange(N) % 2, facts=FACTS, **TEST)
    found = json.loads((release / "croissant.json").read_text())
    schema_org = {"name", "description", "license", "datePublished", "keywords", "creator"}
    schema_org |= {"distribution", "contentUrl", "contentSize", "encodingFormat", "sha256"}

    def keys(value):
        if isinstance(value, dict):
            yield from (key for key in value if not key.startswith("@"))
        for part in value.values() if isinstance(value, dict) else value:
            if isinstance(part, dict | list):
                yield from keys(part)

    context = found.pop("@context")
    prefixes = {name for name in context if isinstance(context[name], str)}
    unknown = {k for k in keys(found) if k.split(":")[0] not in prefixes | set(context)}
    assert unknown <= schema_org


def test_each_class_may_have_a_folder(tmp_path, images):
    y = np.arange(N) % 2
    images[:, 0, 0, 0] = y
    release = write_release(
        tmp_path / "r", images, y, class_names=["healthy", "ill"], layout="folders", **TEST
    )
    for code, name in enumerate(("healthy", "ill")):
        files = list((release / "images" / name).iterdir())
        assert len(files) == N // 2
        assert {np.asarray(Image.open(file))[0, 0] for file in files} == {code}
    with (release / "labels.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert all(row["file"].startswith(f"images/{row['label']}/") for row in rows)


@pytest.mark.parametrize("names", [["..", "b"], ["a/b", "c"], ["a\\b", "c"], ["Ill", "ill"]])
def test_a_class_whose_name_no_folder_can_have_is_refused(tmp_path, images, names):
    options = {"class_names": names, "layout": "folders"}
    with pytest.raises(ValueError, match="name that no folder can have"):
        write_release(tmp_path / "r", images, np.arange(N) % 2, **options, **TEST)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="expected y"):
        write_release(tmp_path / "r", images, layout="folders", **TEST)
    with pytest.raises(ValueError, match="layout='tree'"):
        write_release(tmp_path / "r", images, layout="tree", **TEST)

"""Tables of the images of a folder."""

from __future__ import annotations

import json

import numpy as np
import pytest
from latentwalk.datasets import load_image_folder
from PIL import Image

SIZE = 8


@pytest.fixture
def folder(tmp_path):
    """Files whose grey value is in their name, in two subfolders."""
    for name in ("part_1/10.png", "part_1/20.png", "part_2/30.png"):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((SIZE, SIZE), int(path.stem), dtype=np.uint8)).save(path)
    return tmp_path / "images"


def load(folder, content, name="rows.csv", encoding="utf-8", **options):
    table = folder.parent / name
    table.write_text(content, encoding=encoding)
    return load_image_folder(folder, size=SIZE, table=table, **options)


def values(data):
    return np.asarray(data.images)[:, 0, 0, 0].tolist()


def test_a_table_says_it_in_its_own_order(folder):
    content = "subject,file,note\n7,part_2/30.png,x\n8,part_1/10.png,\n"
    data = load(folder, content, encoding="utf-8-sig")
    assert values(data) == [30, 10]
    assert data.groups.tolist() == ["7", "8"]
    assert data.target is None
    assert data.left_out == {"image without a row": 1}


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_published_columns_and_names_without_suffix(folder, delimiter):
    content = "lesion,image_id,dx,patient_id\n1,30,nv,a\n2,10,mel,b\n".replace(",", delimiter)
    columns = {"file": "image_id", "label": "dx", "subject": "patient_id"}
    data = load(folder, content, columns=columns)
    assert values(data) == [30, 10]
    assert data.target_names == ["mel", "nv"]
    assert data.target.tolist() == [1, 0]
    assert data.groups.tolist() == ["a", "b"]


def test_paths_that_begin_with_the_name_of_the_folder(folder):
    content = f"file\nimages/part_1/10.png\n{folder}/part_2/30.png\npart_1\\20.png\n"
    assert values(load(folder, content)) == [10, 30, 20]


def test_rows_without_a_file_and_files_without_a_row(folder):
    content = "file,label\n10.png,a\nsmith.png,b\n30.png,c\n20.png,\n10,a\n"
    message = r"3 of 5 files .* rows 1, 3, 4 of table, counted from 0 \(row 1: no files"
    with pytest.raises(ValueError, match=message) as caught:
        load(folder, content)
    assert "smith" not in str(caught.value)
    data = load(folder, content, on_error="skip")
    assert values(data) == [10, 30]
    assert data.rows.tolist() == [0, 2]
    assert data.target_names == ["a", "c"]
    reasons = {file.row: file.reason for file in data.skipped}
    assert list(reasons) == [1, 3, 4]
    assert reasons[3] == "it has no label"
    assert reasons[4] == "its file is that of a row before"
    assert "smith" not in repr(data.skipped)
    assert data.left_out == {"image without a row": 1}


def test_a_name_in_two_subfolders_is_not_guessed(folder):
    (folder / "part_2" / "10.png").write_bytes((folder / "part_1" / "10.png").read_bytes())
    with pytest.raises(ValueError, match="row 0: 2 files in folder have its name"):
        load(folder, "file\n10.png\n")
    assert values(load(folder, "file\npart_2/10.png\n")) == [10]


@pytest.mark.parametrize("file", ["../outside.png", "/etc/hostname", "part_1/../../outside.png"])
def test_paths_that_leave_the_folder_are_refused(folder, file):
    Image.fromarray(np.zeros((8, 8), dtype=np.uint8)).save(folder.parent / "outside.png")
    with pytest.raises(ValueError, match="row 0: its file is not in folder") as caught:
        load(folder, f"file\n{file}\n")
    assert "outside" not in str(caught.value)


def test_classes_that_are_numbers_sort_as_numbers(folder):
    data = load(folder, "file,label\n10,10\n20,9\n30,-1.5\n")
    assert data.target_names == ["-1.5", "9", "10"]
    assert data.target.tolist() == [2, 1, 0]
    assert load(folder, "file,label\n10,10\n20,9\n30,x\n").target_names == ["10", "9", "x"]
    assert load(folder, "file,label\n10,nan\n20,9\n30,10\n").target_names == ["10", "9", "nan"]


def test_the_table_of_stylegan(folder):
    content = json.dumps({"labels": [["part_2/30.png", 11], ["part_1/10.png", 2]]})
    data = load(folder, content, name="dataset.json")
    assert values(data) == [30, 10]
    assert data.target_names == ["2", "11"]
    for wrong in ("[]", "{}", '{"labels": null}', '{"labels": [["a", [0.5, 1]]]}', "[" * 10**5):
        with pytest.raises(ValueError, match=r"table .*labels"):
            load(folder, wrong, name="dataset.json")


def test_encodings_are_named_by_the_error_and_by_the_user(folder):
    content = "file,subject\n10,Müller\n20,Ångström\n"
    for encoding in ("cp1252", "utf-16"):
        with pytest.raises(ValueError, match="not text in encoding='utf-8'") as caught:
            load(folder, content, encoding=encoding)
        assert "ller" not in str(caught.value)
        table = folder.parent / "rows.csv"
        data = load_image_folder(folder, size=SIZE, table=table, encoding=encoding)
        assert data.groups.tolist() == ["Müller", "Ångström"]


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("Smith John,4711.png\n", {}, "no column 'file' among its 2 columns; name yours"),
        ("", {}, "no column 'file' among its 0 columns"),
        ("file,label\n", {}, "no rows"),
        ("file,label\n10.png,\n", {}, "row 0: it has no label"),
        ("file,label\n10.png\n", {}, "row 0: it has no label"),
        ("file,label\n10.png,a\nsmith.png,b\n", {}, "row 1: no files"),
        ('file,label\n10.png,"smith\n', {}, "table is not CSV"),
        ("file\n" + "smith" * 100_000, {}, "table is not CSV"),
        ("file\n" + "smith" * 1000, {}, "row 0: no files"),
        ("file\nsmith\0\n", {}, "table is not CSV|row 0: no files"),
        ("file\n10\n", {"columns": {"label": "dx"}}, "no column 'dx' among its 1 columns"),
        ("file\n10\n", {"columns": {"patient": "dx"}}, r"keys \['patient'\]; expected some of"),
        ("file\n10\n", {"levels": ("label",)}, "expected one of them"),
    ],
)
def test_bad_tables(folder, content, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        load(folder, content, **options)
    assert "smith" not in str(caught.value).lower()


def test_options_that_do_not_fit(folder):
    with pytest.raises(ValueError, match="columns are those of a table"):
        load_image_folder(folder, size=SIZE, columns={"file": "image_id"})
    with pytest.raises(ValueError, match="table is not there"):
        load_image_folder(folder, size=SIZE, table=folder / "absent.csv")
    with pytest.raises(ValueError, match="on_error='ignore'; expected 'raise' or 'skip'"):
        load_image_folder(folder, size=SIZE, on_error="ignore")
    with pytest.raises(ValueError, match="check='all'; expected True, False or 'pixels'"):
        load_image_folder(folder, size=SIZE, check="all")

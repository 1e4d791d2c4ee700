"""What is public: importable, documented, listed, and light to import."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import latentwalk
import pytest

from import_graph import circles, folders, import_graph

PRIVATE = {"utils", "cli"}  # shared by the stages, and the command: promised to nobody who imports
PACKAGES = {module.name for module in iter_modules(latentwalk.__path__) if module.ispkg}
FOLDERS = sorted(PACKAGES - PRIVATE)
ROOT = Path(__file__).parents[1]


def public_objects():
    for folder in FOLDERS:
        module = import_module(f"latentwalk.{folder}")
        for name in getattr(module, "__all__", []):
            yield pytest.param(getattr(module, name), id=f"{folder}.{name}")


@pytest.mark.parametrize("name", latentwalk.__all__)
def test_top_level_names_come_from_a_folder(name):
    value = getattr(latentwalk, name)
    if name == "__version__":
        return
    folder = import_module(f"latentwalk.{latentwalk._HOMES[name]}")
    assert value is getattr(folder, name)
    assert name in folder.__all__


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        latentwalk.nothing  # noqa: B018
    assert {*latentwalk.__all__, *FOLDERS} == set(dir(latentwalk))


def test_folders_need_no_import_of_their_own():
    code = f"import latentwalk as lw; [getattr(lw, folder).__all__ for folder in {FOLDERS}]"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_says_what_it_is_for(folder):
    module = import_module(f"latentwalk.{folder}")
    assert len(module.__doc__ or "") > 40
    assert sorted(module.__all__) == sorted(set(module.__all__))


@pytest.mark.parametrize("value", list(public_objects()))
def test_public_objects_are_documented_and_typed(value):
    if not (inspect.isclass(value) or inspect.isfunction(value)):
        return  # a type alias or a constant
    assert value.__doc__, "no docstring"
    functions = [value] if inspect.isfunction(value) else own_functions(value)
    for function in functions:
        parameters = list(inspect.signature(function).parameters.values())
        bare = [p.name for p in parameters if p.annotation is p.empty and p.name != "self"]
        assert bare == [], f"{function.__qualname__} has no types for {bare}"
        assert function.__doc__, f"{function.__qualname__} has no docstring"


def own_functions(value):
    members = vars(value).items()
    return [f for name, f in members if inspect.isfunction(f) and not name.startswith("_")]


def test_the_api_reference_lists_every_public_folder_and_no_other():
    words = (ROOT / "docs" / "api" / "index.rst").read_text().split()
    assert sorted(w for w in words if w.startswith("latentwalk.")) == [
        f"latentwalk.{f}" for f in FOLDERS
    ]


def test_importing_the_package_is_light():
    code = (
        "import sys, latentwalk; print([m for m in ('faiss', 'matplotlib', 'torch', 'sklearn') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_grouping_and_splitting_do_not_wait_for_torch():
    code = (
        "import sys; from latentwalk import KSameAggregator, split_patients; "
        "KSameAggregator(k=2).fit([[0.0], [1.0], [5.0], [6.0]]); "
        "split_patients([[0.0]] * 8); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_using_the_stages_does_not_draw_or_search():
    code = (
        "import sys, latentwalk as lw; [getattr(lw, n) for n in lw.__all__]; "
        "print([m for m in ('faiss', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# a folder imports folders of earlier rows alone: no stage knows another
LAYERS = (
    ("utils",),
    ("features", "neighbors"),
    ("metrics",),
    ("datasets",),
    ("generators", "inspection"),
    ("inversion", "aggregation", "classifiers", "walking", "auditing"),
    ("evaluation",),
    ("release",),
    ("cli",),
    ("__main__",),
)
GRAPH = import_graph(ROOT / "latentwalk")


@pytest.mark.parametrize("folder", sorted(folders(GRAPH)))
def test_imports_run_one_way(folder):
    layers = {f: number for number, layer in enumerate(LAYERS) for f in layer}
    imported = folders(GRAPH)[folder]
    assert [f for f in sorted(imported) if layers[f] >= layers[folder]] == []


@pytest.mark.parametrize("folder", sorted(folders(GRAPH)))
def test_no_module_imports_itself_through_others(folder):
    assert [c for c in circles(GRAPH) if any(m.split(".")[1] == folder for m in c)] == []


@pytest.mark.parametrize("folder", sorted(folders(GRAPH)))
def test_files_of_other_folders_are_private(folder):
    pairs = [(name, m) for name, imported in GRAPH.items() for m in imported]
    own = [(name.split("."), m.split(".")) for name, m in sorted(pairs)]
    wrong = [m for name, m in own if name[1] == folder and m[1] not in (folder, *PRIVATE)]
    assert [m for m in wrong if len(m) > 2] == []


def test_the_package_does_not_import_its_own_public_names():
    files = (ROOT / "latentwalk").rglob("*.py")
    code = re.compile(r"^ *(from latentwalk import|import latentwalk)", re.MULTILINE)
    assert [f.name for f in files if code.search(f.read_text())] == []


def test_a_circle_is_found_however_it_is_closed(tmp_path):
    package = tmp_path / "house"
    for name, text in {
        "__init__": "",
        "a/__init__": "from house.a._one import x",
        "a/_one": "import os\ndef f():\n    from house.a import _two",
        "a/_two": "from house.b import y",
        "b/__init__": "if TYPE_CHECKING:\n    from house.a import x",
        "b/_alone": "import house.b",
    }.items():
        file = package / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    graph = import_graph(package)
    assert graph["house.a._one"] == {"house.a._two"}
    assert folders(graph) == {"a": {"b"}, "b": {"a"}}
    assert circles(graph) == [["house.a", "house.a._one", "house.a._two", "house.b"]]

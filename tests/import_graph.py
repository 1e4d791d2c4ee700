"""The package's import graph, read from the sources: `python tests/import_graph.py` prints it.

An import inside a function and one for type checking count like any other: they hide a dependency,
and do not remove it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]

Graph = dict[str, set[str]]  # a module to the modules that it imports


def import_graph(package: Path) -> Graph:
    """Every module of a package and the modules of the package that it imports.

    The package's own `__init__` is left out: it only gives the public names a place.
    """
    files = {_module(file, package): file for file in sorted(package.rglob("*.py"))}
    del files[package.name]
    return {
        name: set(_imports(ast.parse(file.read_text()), files)) - {name}
        for name, file in files.items()
    }


def _module(file: Path, package: Path) -> str:
    parts = file.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(tree: ast.Module, modules: dict[str, Path]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import; this package's are absolute"
            for alias in node.names:
                candidates = (f"{node.module}.{alias.name}", str(node.module))
                yield from [name for name in candidates if name in modules][:1]


def folders(graph: Graph) -> Graph:
    """The graph of the package's folders and of the files beside them."""
    result: Graph = {}
    for name, imported in graph.items():
        folder = name.split(".")[1]
        result.setdefault(folder, set()).update({m.split(".")[1] for m in imported} - {folder})
    return result


def circles(graph: Graph) -> list[list[str]]:
    """The sets of modules that import each other, directly or through others; each sorted."""
    reachable = {name: _reachable(graph, name) for name in graph}
    joined = {
        tuple(sorted(other for other in reachable[name] if name in reachable[other]))
        for name in graph
    }
    return [list(circle) for circle in sorted(joined) if circle]


def _reachable(graph: Graph, start: str) -> set[str]:
    seen, waiting = set(), [start]
    while waiting:
        new = graph[waiting.pop()] - seen
        seen |= new
        waiting.extend(new)
    return seen


if __name__ == "__main__":
    whole = import_graph(ROOT / "latentwalk")
    for title, graph in (("folders", folders(whole)), ("modules", whole)):
        print(f"{title}, each with what it imports:")
        for name, imported in sorted(graph.items()):
            print(f"  {name}: {', '.join(sorted(imported)) or 'nothing'}")
    print(f"circles: {circles(whole) or 'none'}")

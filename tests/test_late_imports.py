"""An import inside a function keeps its module from being loaded before: one that is loaded anyway is at the top."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "simpleflow_lab"


def imports(tree: ast.AST, *, inside: bool = False) -> Iterator[tuple[bool, ast.Import | ast.ImportFrom]]:
    """Each import that runs, and whether it stands inside a function."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.Import() | ast.ImportFrom():
                yield inside, node
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=other):
                for each in other:
                    yield from imports(each, inside=inside)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield from imports(node, inside=True)
            case _:
                yield from imports(node, inside=inside)


def modules_of(node: ast.Import | ast.ImportFrom, modules: Mapping[str, str]) -> set[str]:
    """The modules that an import loads, without the packages that they are in."""
    if isinstance(node, ast.Import):
        return {name.name for name in node.names}
    names = {f"{node.module}.{name.name}" for name in node.names} & modules.keys()
    return names if len(names) == len(node.names) else {*names, str(node.module)}


def loaded_anyway(modules: Mapping[str, str]) -> list[str]:
    """The late imports of modules, given by their names and sources, that load nothing new."""
    tops: dict[str, set[str]] = {}
    late: list[tuple[str, int, set[str]]] = []
    for module, source in modules.items():
        tops[module] = set()
        for inside, node in imports(ast.parse(source)):
            found = modules_of(node, modules)
            if inside:
                late.append((module, node.lineno, found))
            else:
                tops[module] |= found
    return [f"{module}:{line}" for module, line, found in late if found <= loaded_with(module, tops)]


def loaded_with(module: str, tops: Mapping[str, set[str]]) -> set[str]:
    """All that is loaded when a module is imported, besides itself and what the front door would load."""
    found: set[str] = set()
    ahead = [module]
    while ahead:
        for name in tops.get(ahead.pop(), ()):
            parts = name.split(".")
            new = {".".join(parts[:end]) for end in range(1, len(parts) + 1)} - found - {PACKAGE}
            found |= new
            ahead += new
    return found


@pytest.mark.parametrize(
    ("late", "found"),
    [
        ("from p import heavy", []),
        ("from p.heavy import x", []),
        ("from p import light", ["p.user:2"]),
        ("from p.light import y", ["p.user:2"]),
        ("import json", ["p.user:2"]),
        ("import csv", []),
    ],
)
def test_what_saves_nothing_is_found(late: str, found: list[str]) -> None:
    user = f"def work():\n    {late}\nfrom p import between\n"
    sources = {
        "p.user": user,
        "p.between": "from p.light import y",
        "p.light": "import json\ny = 1",
        "p.heavy": "x = 1",
    }
    assert loaded_anyway(sources) == found


def test_what_only_a_type_checker_reads_is_no_import() -> None:
    user = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import csv\ndef work():\n    import csv\n"
    assert loaded_anyway({"p.user": user}) == []


def test_a_late_import_saves_something() -> None:
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path.read_text()
        for path in sorted((ROOT / PACKAGE).rglob("*.py"))
    }
    assert loaded_anyway(modules) == []

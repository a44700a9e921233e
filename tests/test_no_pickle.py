"""Threat T2: nothing of ours reads a format that can run code, and diskcache, which can, is known to one module."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Set
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "simpleflow_lab"

RUN_CODE = {"pickle", "dill", "marshal", "shelve", "yaml", "multiprocess", "cloudpickle", "joblib", "jsonpickle"}
KNOWN_TO = {"diskcache": {"data/disk_cache.py"}}


def imported(path: Path, names: Set[str] = RUN_CODE) -> Iterator[str]:
    """Those of these top-level packages that a module imports, however it does."""
    return (name for name in _imported(path, names) if name in names)


def _imported(path: Path, names: Set[str]) -> Iterator[str]:
    source = path.read_text()
    if not any(name in source for name in names):  # to parse all modules takes seconds
        return
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (name.name.partition(".")[0] for name in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module.partition(".")[0]
            case ast.Call(func=ast.Name(id="__import__") | ast.Attribute(attr="import_module"), args=[first, *_]):
                if isinstance(first, ast.Constant):
                    yield str(first.value).partition(".")[0]


def test_no_module_imports_what_can_run_code():
    files = sorted(PACKAGE.rglob("*.py"))
    assert len(files) > 50
    found = [(str(path.relative_to(PACKAGE)), name) for path in files for name in imported(path)]
    assert found == []


def test_diskcache_is_known_to_one_module():
    for package, modules in KNOWN_TO.items():
        found = {str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py") if set(imported(path, {package}))}
        assert found == modules


def test_such_imports_are_found(tmp_path):
    path = tmp_path / "x.py"
    path.write_text("import pickle\nfrom yaml import load\nimport importlib\nimportlib.import_module('dill.x')\n")
    assert set(imported(path)) == {"pickle", "yaml", "dill"}

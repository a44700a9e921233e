"""What the reference is made of: every public module, everything public in it, and docstrings that Sphinx can read."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tools.reference import INTERNAL, PACKAGE, PAGES, public_modules, to_rst

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTED = [module for page in PAGES for module in page.modules]


def test_every_public_module_is_on_one_page() -> None:
    inner = [module for module in DOCUMENTED if module.split(".")[0] in INTERNAL]
    forgotten = set(public_modules()) - set(DOCUMENTED)
    assert not forgotten, f"add them to PAGES in tools/reference.py: {sorted(forgotten)}"
    assert sorted(DOCUMENTED) == sorted([*public_modules(), *inner])


def undocumented(module: ModuleType) -> Iterator[str]:
    """Public functions, classes, methods and properties that say nothing. A method inherits what it overrides says."""
    protocols = [c for c in vars(module).values() if inspect.isclass(c) and getattr(c, "_is_protocol", False)]
    for name, value in vars(module).items():
        if name.startswith("_") or getattr(value, "__module__", None) != module.__name__:
            continue
        if (inspect.isclass(value) or inspect.isfunction(value)) and not inspect.getdoc(value):
            yield name
        for member, found in vars(value).items() if inspect.isclass(value) else ():
            is_code = inspect.isroutine(found) or isinstance(found, property | classmethod | staticmethod)
            if is_code and not member.startswith("_") and not inspect.getdoc(getattr(value, member)):
                promised = any(inspect.getdoc(getattr(protocol, member, None)) for protocol in protocols)
                if not promised:
                    yield f"{name}.{member}"


@pytest.mark.parametrize("module", DOCUMENTED)
def test_whatever_is_public_says_what_it_promises(module: str) -> None:
    found = importlib.import_module(f"{PACKAGE}.{module}")
    assert found.__doc__
    assert list(undocumented(found)) == []


def test_what_says_nothing_is_found() -> None:
    module: Any = ModuleType("silent")
    exec("def f(): pass\nclass C:\n    'Says.'\n    def m(self): pass\n    def _m(self): pass", vars(module))
    for value in (module.f, module.C):
        value.__module__ = "silent"
    assert list(undocumented(module)) == ["f", "C.m"]


@pytest.mark.parametrize(
    ("docstring", "rst"),
    [
        ("`f(*args)` gives **kwargs", "``f(*args)`` gives \\*\\*kwargs"),
        ("a name_ and name_of, a | b", "a name\\_ and name_of, a \\| b"),
        ("says:\n\n    class A:\n        b = `c`\n\nthen", "says:\n\n::\n\n    class A:\n        b = `c`\n\nthen"),
        ("    code first", "::\n\n    code first"),
        ("one\n    line", "one\n    line"),
        (":param x: first\n    second `y`", ":param x: first\n    second ``y``"),
        (":param x: first\n\n    second", ":param x: first\n\n    second"),
        ("* one\n* two", "* one\n* two"),
        ("===  ====\n`a`  b\n===  ====\n\nno `table`", "===  ====\n`a`  b\n===  ====\n\nno ``table``"),
        ("a\n\n    b\n\n    c", "a\n\n::\n\n    b\n\n    c"),
        ("C:\\x", "C:\\\\x"),
        ("a `long\nname` *here*", "a ``long\nname`` \\*here\\*"),
    ],
)
def test_docstrings_become_restructuredtext(docstring: str, rst: str) -> None:
    assert "\n".join(to_rst(docstring.split("\n"))) == rst


_QUESTION = re.compile(
    r"((after|at|by|for|from|in|of|on|since|until|up to|with) )?(what|how|who|where|when|which)\b", re.IGNORECASE
)


def test_no_docstring_begins_as_a_question() -> None:
    """It says what a function gives or does, and not `What it gives`."""
    found = []
    for path in sorted((ROOT / "simpleflow_lab").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                text = ast.get_docstring(node) or ""
                if _QUESTION.match(text):
                    found.append(f"{path.relative_to(ROOT)}: {text.splitlines()[0]}")
    assert found == []


def test_the_tree_in_contributing_names_modules_that_are_there() -> None:
    """The last column of the table: a module, in the folder that was named before it or in one above."""
    section = (ROOT / "CONTRIBUTING.md").read_text().partition("### The tree")[2].partition("\n## ")[0]
    missing, count = [], 0
    for row in re.findall(r"(?m)^\| `.*\| (.*) \|$", section):
        folder = ROOT / "simpleflow_lab"
        for name in re.findall(r"`([^`]+)`", row):
            if name.endswith("/"):
                folder = ROOT / "simpleflow_lab" / name
            elif not any((place / f"{name}.py").exists() for place in (folder, folder.parent)):
                missing.append(name)
            count += 1
    assert count > 50
    assert missing == []


def test_the_architecture_page_names_files_that_are_there() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    paths = re.findall(r"`((?:[a-z_]+/)*[a-z_]+(?:\.py|/))`", page)
    assert len(paths) > 30
    package = ROOT / "simpleflow_lab"
    assert [path for path in paths if not (package / path).exists() and not (ROOT / path).exists()] == []


def test_the_architecture_page_names_what_is_defined_there() -> None:
    """A name in brackets behind a file is defined in that file."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    named = re.findall(r"`([a-z_/]+\.py)` \(`(\w+)`\)", page)
    assert len(named) > 3
    package = ROOT / "simpleflow_lab"
    defined = r"(?m)^\s*(?:def |class )?%s\b"
    assert [pair for pair in named if not re.search(defined % pair[1], (package / pair[0]).read_text())] == []

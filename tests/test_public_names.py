"""Public names: what the front door gives is fixed, and no word means two things without a reason that stands here."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

import simpleflow_lab
from tools.reference import PACKAGE, PAGES, public_modules

PUBLIC = {
    *("Lab", "Execution", "RecordedExecution", "open_history", "Executions", "open_histories", "History"),
    *("Workflow", "Activity", "Future", "Group", "Chain", "FuncGroup", "Retry", "WaitForSignal"),
    *("activity", "canvas", "constants", "exceptions", "futures", "log", "marker", "swf", "task", "workflow"),
    *("logger", "__version__"),
}

SAME_NAME = {
    "Executor": "upstream has both: what `run` finds as `self.executor`, and `simpleflow.local.executor.Executor`",
    "History": "one thing: the front door's is that of `swf` with upstream's records beside the events",
    "Step": "upstream has both: a step of a workflow, and a measured part of an activity",
}
"""Names of two public classes or functions, with the reason."""

SAME_CLASS = {
    "ActivityTask": "what an author submits, and the decision that becomes of it",
    "Step": SAME_NAME["Step"],
}
"""Names of two classes, public or not, with the reason. Those of `upstream` have one already."""

UPSTREAM = "upstream's path"
COMMAND = "what an author submits, and the command that becomes of it"
FACES = "the same for each face, and faces don't import each other"
SAME_MODULE = {
    "step.constants": UPSTREAM,
    "step.workflow": UPSTREAM,
    "commands.workflow": "a noun of the command table: `workflow.start`",
    "replay.commands.activity": COMMAND,
    "replay.commands.marker": COMMAND,
    "replay.commands.signal": COMMAND,
    "cli.renderers": FACES,
    "notebook.renderers": FACES,
}
"""Modules whose last name is another one's too, with the reason. Those of `upstream` have one already."""


def test_the_front_door_gives_these_names_and_no_others() -> None:
    assert set(simpleflow_lab.__all__) == PUBLIC
    assert len(simpleflow_lab.__all__) == len(PUBLIC)
    assert all(hasattr(simpleflow_lab, name) for name in PUBLIC)


def test_an_import_of_all_names_hides_no_module_of_python() -> None:
    assert not set(simpleflow_lab.__all__) & sys.stdlib_module_names
    assert simpleflow_lab.signal.WaitForSignal is simpleflow_lab.WaitForSignal


def public_objects() -> Iterator[tuple[str, str]]:
    """Each class or function of ours in a public module, or in one of the reference: its name, and where it stands."""
    for module in {*public_modules(), *(module for page in PAGES for module in page.modules)}:
        for name, value in vars(importlib.import_module(f"{PACKAGE}.{module}")).items():
            ours = getattr(value, "__module__", "").split(".")[0] == PACKAGE
            if ours and not name.startswith("_") and (inspect.isclass(value) or inspect.isfunction(value)):
                yield name, f"{value.__module__}.{value.__qualname__}"
    for name in simpleflow_lab.__all__:
        value = getattr(simpleflow_lab, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            yield name, f"{value.__module__}.{value.__qualname__}"


def test_no_public_name_means_two_things() -> None:
    found = defaultdict(set)
    for name, where in public_objects():
        found[name].add(where)
    assert {name: sorted(places) for name, places in found.items() if len(places) > 1 and name not in SAME_NAME} == {}
    assert [name for name in SAME_NAME if len(found[name]) < 2] == []


def modules() -> Iterator[str]:
    """All modules below the package, public or not."""
    root = Path(simpleflow_lab.__file__).parent
    for path in root.rglob("*.py"):
        if path.name != "__init__.py":
            yield ".".join(path.relative_to(root).with_suffix("").parts)


def test_no_name_of_a_module_means_two_things() -> None:
    found = defaultdict(list)
    for module in modules():
        if module not in SAME_MODULE and not module.startswith("upstream."):
            found[module.rpartition(".")[2]].append(module)
    assert {name: places for name, places in found.items() if len(places) > 1} == {}
    assert SAME_MODULE.keys() <= set(modules())


@pytest.fixture(scope="module")
def parsed() -> dict[Path, ast.Module]:
    """All modules of the package."""
    root = Path(simpleflow_lab.__file__).parent
    return {path.relative_to(root): ast.parse(path.read_text()) for path in root.rglob("*.py")}


def test_no_name_of_a_class_means_two_things(parsed: dict[Path, ast.Module]) -> None:
    found = defaultdict(list)
    for module in modules():
        if not module.startswith("upstream."):
            for node in parsed[Path(module.replace(".", "/")).with_suffix(".py")].body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    found[node.name].append(module)
    assert {name: places for name, places in found.items() if len(places) > 1 and name not in SAME_CLASS} == {}
    assert [name for name in SAME_CLASS if len(found[name]) < 2] == []


IDIOM = frozenset(
    {
        *("asked", "errand", "passage", "portable", "site", "strand", "strands", "stranger", "strangers", "stuck"),
        *("told", "turn", "turns", "unasked", "unsaid", "untold"),
    }
)
"""Words that were names here once: each has a term in docs/glossary.md, or in English."""


def names_given(module: ast.Module) -> Iterator[str]:
    """Every name that a module gives: of its classes, functions, arguments, attributes and variables."""
    for node in ast.walk(module):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()) | ast.arg(arg=name):
                yield name


def test_no_name_is_a_word_of_a_private_idiom(parsed: dict[Path, ast.Module]) -> None:
    found = []
    for path, module in parsed.items():
        for name in {path.stem, *names_given(module)}:
            if IDIOM & {word.lower() for word in re.split(r"_|(?<=[a-z])(?=[A-Z])", name)}:
                found.append(f"{path}: {name}")
    assert sorted(found) == []
    seen = set(
        names_given(ast.parse("class A:\n    def b(self, c):\n        self.d = e = c\n        for turn in e: ..."))
    )
    assert seen == {"A", "b", "self", "c", "d", "e", "turn"}

"""A test that a workflow still decides what one of its executions did: a pytest file, and the history beside it.

The test replays the history with the workflow as it then is, and compares what it decides with the decisions that are
written into the test. It needs neither a store nor the executions' activities.

Rule: what comes from a history is written as Python literals and never as code.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from simpleflow_lab.debugger.steps import ReplaySteps
from simpleflow_lab.exceptions import JumboReferenceError, UsageError
from simpleflow_lab.swf.history import EXECUTION_OF_FILE, History
from simpleflow_lab.workflow import Workflow

_LINE: Final = 120
"""Characters of the longest line of the test, where it can be cut."""
_NEVER_CLEAN: Final = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, kw_only=True)
class RecordedTest:
    """A test and its fixture, before they are written."""

    test_name: str
    """The name of the pytest file."""
    test: str
    """Its text."""
    history_name: str
    """The name of the file with the history."""
    history: str
    """Its text."""
    decisions: int
    """Number of decisions that the test checks."""


def recorded_test(
    workflow: type[Workflow],
    history: History,
    *,
    workflow_id: str,
    run_id: str,
    folder: Path,
    module: str | None = None,
) -> RecordedTest:
    """The test of one execution, to be written into a folder. `module` is from where the workflow is imported, if not
    from its own.

    Raises `UsageError` if the workflow, as it is now, does not decide what the history has, or needs large values that
    are not in it; and if it can't be imported by name.
    """
    module = module or workflow.__module__
    if module == "__main__" or "<locals>" in workflow.__qualname__:
        raise UsageError(
            f"{workflow.__qualname__} is in no module that a test could import: write it into one, "
            "or in a notebook %simpleflow export FILE"
        )
    with ReplaySteps(history, workflow, workflow_id=workflow_id, run_id=run_id) as steps:
        expected = [step.decided for step in steps if step.is_replayed]
        last = steps[-1] if len(steps) else None
    if last is not None and last.error is not None:
        if last.error.startswith(JumboReferenceError.__name__):
            raise UsageError(f"{workflow_id} has large values, which a test without a store can't read: {last.error}")
        raise UsageError(f"{workflow_id} is not decided so by the code that is here: {last.error}")
    if not expected:
        raise UsageError(f"{workflow_id}: its history has no decision to test")
    stem = _NEVER_CLEAN.sub("_", f"{workflow.__name__}_{workflow_id}".lower()).strip("_")[:100]
    name = f"{stem}_history.json"
    return RecordedTest(
        test_name=f"test_{stem}.py",
        test=_text(workflow, module, name, stem, workflow_id, run_id, expected, _root_of(module, folder)),
        history_name=name,
        history=history.to_json(workflow_id=workflow_id, run_id=run_id) + "\n",
        decisions=len(expected),
    )


def execution_in(path: str | os.PathLike[str]) -> tuple[str, str]:
    """Workflow id and run id that the file of a history names beside its events; empty if it names none."""
    try:
        text = Path(path).read_bytes()
        data: Any = json.loads(text) if f'"{EXECUTION_OF_FILE}"'.encode() in text else None
    except (OSError, ValueError, RecursionError):
        return "", ""
    found = data.get(EXECUTION_OF_FILE) if isinstance(data, dict) else None
    ids = (found.get("workflowId"), found.get("runId")) if isinstance(found, dict) else ("", "")
    return tuple(each if isinstance(each, str) else "" for each in ids)  # type: ignore[return-value]


def _text(
    workflow: type[Workflow],
    module: str,
    history_name: str,
    stem: str,
    workflow_id: str,
    run_id: str,
    expected: Sequence[Sequence[str]],
    root: str | None,
) -> str:
    outermost, _, inner = workflow.__qualname__.partition(".")
    path = "" if root is None else f"sys.path.insert(0, str(Path(__file__).resolve().parent / {_quoted(root)}))\n\n"
    decisions = "".join(f"    {_literal(each)},\n" for each in expected)
    return f'''"""Does {workflow.__name__} still decide what one of its executions did?

Written by `simpleflow workflow.to_test`, which writes it anew with --force. It fails when the workflow decides
otherwise: open executions could then not go on with it. See docs/determinism.md of Simpleflow Lab for changes that let
them.
"""

{"import sys" + chr(10) if root is not None else ""}from pathlib import Path

{path}from {module} import {outermost}
from simpleflow_lab import open_history

HISTORY = Path(__file__).with_name({_quoted(history_name)})
EXECUTION = {{"workflow_id": {_quoted(workflow_id)}, "run_id": {_quoted(run_id)}}}
DECISIONS = [
{decisions}]
"""What each decision of the execution decided."""


def test_{stem}() -> None:
    with open_history(HISTORY).replay({outermost}{"." + inner if inner else ""}, **EXECUTION) as steps:
        assert steps[-1].error is None, steps[-1].error
        assert [step.decided for step in steps if step.is_replayed] == DECISIONS
'''


def _literal(decided: Sequence[str]) -> str:
    one_line = f"[{', '.join(map(_quoted, decided))}]"
    if len(one_line) <= _LINE - 5:
        return one_line
    return "[\n" + "".join(f"        {_quoted(each)},\n" for each in decided) + "    ]"


def _quoted(text: str) -> str:
    """The text as a literal, in the quotes that formatters prefer."""
    is_plain = text.isascii() and text.isprintable() and not set(text) & {'"', "\\"}
    return f'"{text}"' if is_plain else repr(text)


def _root_of(module: str, folder: Path) -> str | None:
    """The folder from which a module of the user's own is imported, seen from the test's folder; `None` of an installed
    one. One that is nowhere yet is about to be written there."""
    if (folder / f"{module}.py").is_file() or _is_nowhere(module.partition(".")[0]):
        return "."
    file = getattr(sys.modules.get(module.partition(".")[0]), "__file__", None)
    if file is None:
        return None
    found = Path(file).resolve()
    root = found.parent.parent if found.name == "__init__.py" else found.parent
    if any(root.is_relative_to(path) for path in set(sysconfig.get_paths().values())):
        return None
    return os.path.relpath(root, folder.resolve())


def _is_nowhere(module: str) -> bool:
    try:
        return module not in sys.modules and importlib.util.find_spec(module) is None
    except ValueError:  # `__main__` of some front ends
        return False

"""What helps, as commands of a shell.

Explanations and comparisons name calls of Python, for they are made for notebooks first. Here each call that a command
can do is replaced by the command, and one that only Python can do is left out. A notebook without a name for the
execution or its Lab does the same.
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from simpleflow_lab.settings import default_domain
from simpleflow_lab.views.listings import Listing

if TYPE_CHECKING:
    from simpleflow_lab.commands.inspection import AnyExecution
    from simpleflow_lab.views.explanation_lines import ExplanationLine

PROGRAM: Final = "simpleflow"
_CALL: Final = re.compile(
    r"""(?P<of>execution|lab|comparison)\.(?P<name>\w+)"""
    r"""\((?P<arguments>(?:[^()'"]|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")*)\)"""
)
"""A call in a line of advice; its arguments are literals."""
_ADVISING: Final = ("what helps", "what to do")
"""The columns of listings that say what helps."""
_ANY_CALL: Final = re.compile(r"\b(?:execution|lab|comparison)\.\w+\(")
_EXPLAIN: Final = re.compile(r"^(lab\.execution\(.*\))\.explain\(\)$")


def named_in_shell(execution: AnyExecution) -> str:
    """How a command names an execution, of a store or from a file."""
    path = getattr(execution, "path", None)
    if path is not None:
        return shlex.join(["--file", path])
    if not execution.workflow_id:
        return "--file FILE"
    words = (
        [execution.workflow_id] if execution.domain == default_domain() else [execution.domain, execution.workflow_id]
    )
    return shlex.join(words)


def listing_in_shell(listing: Listing, execution: str, program: str = PROGRAM) -> Listing:
    """A listing with its columns of what helps as commands."""
    columns = [place for place, title in enumerate(listing.columns) if title in _ADVISING]
    if not columns:
        return listing
    rows = [
        tuple(
            as_commands(value, execution, program) if place in columns and isinstance(value, str) else value
            for place, value in enumerate(row)
        )
        for row in listing.rows
    ]
    return Listing(columns=listing.columns, rows=rows)


def in_shell(line: ExplanationLine, execution: str, program: str = PROGRAM) -> str:
    """A line with what helps as commands; `execution` is how a command names the execution that it is about."""
    advice = as_commands(line.to_do, execution, program)
    return f"{line.text} → {advice}" if advice else line.text


def as_commands(to_do: str, execution: str, program: str = PROGRAM) -> str:
    """What helps, with each call as the command that does it; empty if there is a call that no command does.

    `program` is how each command begins, as `simpleflow --store shop.sqlite`.
    """
    _, either, rest = to_do.partition(", or simpleflow ")
    if either:
        return f"{program} {rest}"
    if to_do.startswith(f"{PROGRAM} "):
        return program + to_do.removeprefix(PROGRAM)
    explains = _EXPLAIN.match(to_do)
    if explains is not None:
        to_do = explains[1]
    commands: list[str] = []
    for call in _CALL.finditer(to_do):
        command = _COMMANDS.get((call["of"], call["name"]))
        arguments = _literals(call["arguments"])
        found = None if command is None or arguments is None else command(execution, *arguments)
        if found is None:
            return ""
        commands.append(f"{program}{found.removeprefix(PROGRAM)}")
    found_in_order = iter(commands)
    advice = _CALL.sub(lambda call: next(found_in_order), to_do)
    return "" if _ANY_CALL.search(advice) else advice


def _literals(arguments: str) -> tuple[list[object], dict[str, object]] | None:
    """The positional and the named arguments of a call; `None` if they are no literals."""
    try:
        call = ast.parse(f"f({arguments})", mode="eval").body
        assert isinstance(call, ast.Call)
        positional = [ast.literal_eval(each) for each in call.args]
        return positional, {each.arg: ast.literal_eval(each.value) for each in call.keywords if each.arg}
    except (ValueError, SyntaxError):
        return None


def _of_execution(command: str) -> Callable[[str, list[object], dict[str, object]], str | None]:
    return lambda execution, positional, named: f"simpleflow {command.format(execution)}"


def _start_workers(execution: str, positional: list[object], named: dict[str, object]) -> str:
    words = ["simpleflow", "worker.start", "--module", "MODULE"]
    if "task_list" in named:
        words += ["--task-list", str(named["task_list"])]
    if positional:
        words += ["-N", str(positional[0])]
    return shlex.join(words)


def _explain(execution: str, positional: list[object], named: dict[str, object]) -> str:
    return shlex.join(["simpleflow", "workflow.explain", *map(str, positional)])


def _resume(execution: str, positional: list[object], named: dict[str, object]) -> str:
    return shlex.join(["simpleflow", "resume", *map(str, positional), "--module", "MODULE"])


_COMMANDS: Final[Mapping[tuple[str, str], Callable[[str, list[object], dict[str, object]], str | None]]] = {
    ("execution", "tasks"): _of_execution("workflow.tasks {}"),
    ("execution", "unhandled_failures"): _of_execution("--filter 'Last State!=completed' workflow.tasks {}"),
    ("execution", "critical_path"): _of_execution("gantt {} -o run.html"),
    ("execution", "retry_decision"): _of_execution("workflow.retry_decision {}"),
    ("execution", "events"): _of_execution("workflow.history {}"),
    ("execution", "decisions"): _of_execution("workflow.history {}"),
    ("execution", "waiting_for"): _of_execution("workflow.info {}"),
    ("lab", "start_workers"): _start_workers,
    ("lab", "resume"): _resume,
    ("lab", "start_deciders"): lambda execution, positional, named: "simpleflow decider.start --module MODULE",
    ("lab", "pollers"): lambda execution, positional, named: "simpleflow worker.list",
    ("lab", "execution"): _explain,
}
"""The command for each call. What is not here, as `execution.result()` and `execution.slack()`, only Python can do."""

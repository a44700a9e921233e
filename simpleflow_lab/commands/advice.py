"""Advice as commands of a shell.

Explanations and comparisons name calls of Python, for they are made for notebooks first. Here each call that a command
can do is replaced by the command, and one that only Python can do is left out. A notebook without a name for the
execution or its Lab does the same.
"""

from __future__ import annotations

import ast
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simpleflow_lab.settings import default_domain
from simpleflow_lab.views.advice_text import PROGRAM, Call, read_advice, shell_words
from simpleflow_lab.views.listings import Listing

if TYPE_CHECKING:
    from simpleflow_lab.commands.inspection import AnyExecution
    from simpleflow_lab.views.explanation_lines import ExplanationLine

_ADVISING: Final = ("what helps", "what to do")
"""The columns of listings that say what helps."""


@dataclass(frozen=True, kw_only=True)
class Named:
    """The words by which commands of a shell name an execution, and others of its domain."""

    workflow_id: str = ""
    domain: str | None = None
    """Its domain, if commands have to name it."""
    path: str | None = None
    """The file that it was opened from."""

    def __str__(self) -> str:
        """The words behind the name and the options of a command about it."""
        if self.path is not None:
            return shlex.join(["--file", self.path])
        return self.words(self.workflow_id) if self.workflow_id else "--file FILE"

    def words(self, *words: str) -> str:
        """The words about an execution of the same domain: its id, and what follows it."""
        return shell_words(*([] if self.domain is None else [self.domain]), *words)

    @property
    def option(self) -> list[str]:
        """The option that names the domain for a command about no execution."""
        return [] if self.domain is None else ["--domain", self.domain]


def named_in_shell(execution: AnyExecution) -> Named:
    """The words by which a command names an execution, of a store or from a file."""
    path = getattr(execution, "path", None)
    if path is not None or not execution.workflow_id:
        return Named(path=path)
    assert execution.domain is not None
    return Named(
        workflow_id=execution.workflow_id, domain=None if execution.domain == default_domain() else execution.domain
    )


def listing_in_shell(listing: Listing, execution: Named, program: str = PROGRAM) -> Listing:
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


def in_shell(line: ExplanationLine, execution: Named, program: str = PROGRAM) -> str:
    """A line with what helps as commands; `execution` is how a command names the execution that it is about."""
    advice = as_commands(line.to_do, execution, program)
    return f"{line.text} → {advice}" if advice else line.text


def as_commands(to_do: str, execution: Named, program: str = PROGRAM) -> str:
    """The advice with each call as the command that does it; empty if there is a call that no command does.

    `program` is how each command begins, as `simpleflow --store shop.sqlite`.
    """
    advice = read_advice(to_do)
    if advice.command:
        return f"{program} {advice.command}"
    if not advice.is_read:
        return ""
    found: list[str] = []
    for part in advice.parts:
        command = part if isinstance(part, str) else _command_of(part, execution)
        if command is None:
            return ""
        found.append(command if isinstance(part, str) else f"{program} {command}")
    return "".join(found)


def _command_of(call: Call, execution: Named) -> str | None:
    """The words behind `simpleflow` of the command that does what a call does; `None` if there is none."""
    command = _COMMANDS.get((call.of, call.name))
    arguments = _literals(call.arguments)
    if command is None or arguments is None or call.then not in _SHOWN.get((call.of, call.name), ("",)):
        return None
    return command(execution, *arguments)


def _literals(arguments: str) -> tuple[list[object], dict[str, object]] | None:
    """The positional and the named arguments of a call; `None` if they are no literals."""
    try:
        call = ast.parse(f"f({arguments})", mode="eval").body
        assert isinstance(call, ast.Call)
        positional = [ast.literal_eval(each) for each in call.args]
        return positional, {each.arg: ast.literal_eval(each.value) for each in call.keywords if each.arg}
    except (ValueError, SyntaxError):
        return None


_Command = Callable[[Named, list[object], dict[str, object]], str]


def _of_execution(command: str) -> _Command:
    return lambda execution, positional, named: f"{command} {execution}"


def _of_domain(*words: str) -> _Command:
    return lambda execution, positional, named: shlex.join([*words, *execution.option])


def _start_workers(execution: Named, positional: list[object], named: dict[str, object]) -> str:
    words = ["worker.start", "--module", "MODULE", *execution.option]
    if "task_list" in named:
        words += ["--task-list", str(named["task_list"])]
    if positional:
        words += ["-N", str(positional[0])]
    return shlex.join(words)


def _explain(execution: Named, positional: list[object], named: dict[str, object]) -> str:
    return f"workflow.explain {execution.words(*map(str, positional))}"


def _resume(execution: Named, positional: list[object], named: dict[str, object]) -> str:
    words = [str(each) for each in positional]
    command = shlex.join(["resume", "--module", "MODULE", *execution.option])
    return f"{command} {shell_words(*words)}" if words else command


_COMMANDS: Final[Mapping[tuple[str, str], _Command]] = {
    ("execution", "tasks"): _of_execution("workflow.tasks"),
    ("execution", "unhandled_failures"): _of_execution("--filter 'Last State!=completed' workflow.tasks"),
    ("execution", "critical_path"): _of_execution("gantt -o run.html"),
    ("execution", "retry_decision"): _of_execution("workflow.retry_decision"),
    ("execution", "events"): _of_execution("workflow.history"),
    ("execution", "decisions"): _of_execution("workflow.history"),
    ("execution", "waiting_for"): _of_execution("workflow.info"),
    ("lab", "start_workers"): _start_workers,
    ("lab", "resume"): _resume,
    ("lab", "start_deciders"): _of_domain("decider.start", "--module", "MODULE"),
    ("lab", "pollers"): _of_domain("worker.list"),
    ("lab", "execution"): _explain,
}
"""The words of the command for each call. What is not here, as `execution.result()`, only Python can do."""
_SHOWN: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {("lab", "execution"): ("", ".explain()")}
"""Methods that may be called on the result of a call, and whose command does it, too."""

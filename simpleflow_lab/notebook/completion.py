"""Completion after `%simpleflow` and `%%simpleflow`: commands, options, names of workflows, executions and Labs.

Everything comes from the table of commands. To complete a name opens no store: ids of executions are offered if their
store is open.
"""

from __future__ import annotations

import itertools
import os
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher
from IPython.core.interactiveshell import InteractiveShell

from simpleflow_lab.commands.command_specs import CommandSpec, ParameterSpec
from simpleflow_lab.commands.output_options import OF_A_SHELL
from simpleflow_lab.exceptions import SimpleflowLabError
from simpleflow_lab.lab import Lab
from simpleflow_lab.notebook.awaited_magics import AWAIT, NO_RAISE, WAITING
from simpleflow_lab.notebook.cell_definitions import workflow_names
from simpleflow_lab.notebook.magics import SimpleflowMagics, commands
from simpleflow_lab.views.waiting import SIGNAL

MAX_IDS: Final = 200
"""The most ids of executions that are offered: those of the latest."""
_MAGIC: Final = re.compile(r"(?:^|[=\s])%(?P<cell>%?)simpleflow\s(?P<words>.*)$", re.DOTALL)
_OUT: Final = ParameterSpec(
    names=("-o", "--out"), kind="variable", choices=(), is_option=True, multiple=False, help="Keep it in a variable."
)
_FLAGS: Final = tuple(
    ParameterSpec(names=(name,), kind="flag", choices=(), is_option=True, multiple=False, help="")
    for name in (AWAIT, NO_RAISE)
)
"""Of the commands that wait."""
_SHELL_ONLY: Final = frozenset(itertools.chain(*OF_A_SHELL.values()))
"""Options that are refused in a notebook."""
MAX_FILES: Final = 200
"""The most files that are offered."""


@contextmanager
def completing(shell: InteractiveShell, magics: SimpleflowMagics) -> Iterator[None]:
    """Within this context, the shell completes our magics."""

    @context_matcher(identifier="simpleflow_lab", priority=100)  # type: ignore[untyped-decorator]
    def matcher(context: CompletionContext) -> SimpleMatcherResult:
        before = context.full_text.split("\n")[context.cursor_line][: context.cursor_position]
        found = _MAGIC.search(before)
        if found is None or (found["cell"] and context.cursor_line != 0):
            return SimpleMatcherResult(completions=[])
        *given, word = re.split(r"\s+", found["words"].lstrip())
        offers = [
            SimpleCompletion(text, type=kind)
            for text, kind in _Offers(shell, magics).offers(given, word)
            if text.startswith(word)
        ]
        # Where we have nothing to offer, IPython's own offers stand.
        return SimpleMatcherResult(completions=offers, suppress=bool(offers), matched_fragment=word, ordered=True)

    matchers = shell.Completer.custom_matchers
    matchers.append(matcher)
    try:
        yield
    finally:
        if matcher in matchers:
            matchers.remove(matcher)


def files(word: str) -> list[str]:
    """The files and folders whose paths begin with this word; hidden ones if the word says so."""
    folder, name = os.path.split(word)
    try:
        with os.scandir(os.path.expanduser(folder) or ".") as found:
            entries = sorted(
                (entry.name, entry.is_dir())
                for entry in found
                if entry.name.startswith(name) and (name or not entry.name.startswith("."))
            )
    except OSError:  # there is no such folder, or it may not be read
        return []
    paths = (os.path.join(folder, name) + (os.sep if is_folder else "") for name, is_folder in entries[:MAX_FILES])
    # What a shell would take apart can't be typed without quotes, which IPython would not complete.
    return [path for path in paths if shlex.quote(path) == path or path.startswith("~")]


class _Offers:
    """The words that may stand in a place of a command line."""

    def __init__(self, shell: InteractiveShell, magics: SimpleflowMagics) -> None:
        self._shell = shell
        self._magics = magics

    def offers(self, given: Sequence[str], word: str) -> Iterator[tuple[str, str]]:
        """The words that may follow the words `given`, each with its kind."""
        specs = {spec.name: spec for spec in commands()}
        at = next((i for i, one in enumerate(given) if one in specs), None)
        command = specs[""] if at is None else specs[given[at]]
        previous = given[-1] if given else ""
        ours = (_OUT, *_FLAGS) if command.name in WAITING else (_OUT,)
        taking = next((one for one in (*command.parameters, *ours) if previous in one.names and one.is_option), None)
        if taking is not None and taking.kind != "flag":
            yield from self._values(taking, word)
        elif word.startswith("-"):
            used = set(given)
            for parameter in (*command.parameters, *ours):
                if not parameter.is_option or _SHELL_ONLY & set(parameter.names):
                    continue
                if parameter.multiple or not used & set(parameter.names):
                    yield from ((name, "option") for name in parameter.names)
        elif at is None:
            yield from ((name, "command") for name in specs if name)
        elif command.name == "workflow.signal" and len(given) > at + 1:
            yield from ((name, "signal") for name in self._signals(given[-1]))
        else:
            yield from self._arguments(command, specs, word)

    def _arguments(self, command: CommandSpec, specs: Iterable[str], word: str) -> Iterator[tuple[str, str]]:
        if command.name == "help":
            yield from ((name, "command") for name in specs if name)
        for parameter in command.parameters:
            if not parameter.is_option:
                yield from self._values(parameter, word)

    def _values(self, parameter: ParameterSpec, word: str) -> Iterator[tuple[str, str]]:
        match parameter.kind:
            case "choice":
                yield from ((choice, "choice") for choice in parameter.choices)
            case "workflow":
                yield from ((name, "workflow") for name in workflow_names())
            case "execution" | "task" if parameter.kind == "execution" or not parameter.is_option:
                yield from ((name, "execution") for name in self._ids())
            case "path":
                yield from ((name, "file") for name in files(word))
            case "domain":
                yield from ((name, "domain") for name in self._domains())
            case "lab":
                labs = (name for name, value in self._shell.user_ns.items() if isinstance(value, Lab))
                yield from ((name, "variable") for name in labs if not name.startswith("_"))

    def _domains(self) -> list[str]:
        lab = self._magics.lab
        if lab is None:
            return []
        try:
            return lab.domains()
        except SimpleflowLabError:
            return []

    def _signals(self, workflow_id: str) -> list[str]:
        """The names of the signals that an execution waits for."""
        lab = self._magics.lab
        if lab is None:
            return []
        try:
            waits = lab.execution(workflow_id).waiting_for()
        except SimpleflowLabError:
            return []
        return list(dict.fromkeys(wait.id for wait in waits if wait.kind == SIGNAL and wait.depth == 0 and wait.id))

    def _ids(self) -> list[str]:
        lab = self._magics.lab
        if lab is None:
            return []
        try:
            infos = lab.execution_infos()
        except SimpleflowLabError:
            return []
        return list(dict.fromkeys(info["execution"]["workflowId"] for info in infos[:MAX_IDS]))

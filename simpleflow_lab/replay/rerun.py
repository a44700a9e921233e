"""Code that runs again from its start: what it commanded before is resolved, and not asked of SWF a second time.

A workflow that raises `ExecutionBlocked` runs again from its start at the next decision, as upstream runs every
workflow at every decision. It then makes the commands that it has made. An activity, a child or a timer is recognised
by its id, and must have the same type and input; a command without an id of its own is recognised by all its members,
the n-th equal one in the n-th place. The first command stands: later events belong to it. It gets the latest run's
future.

A rerun is no replay: all that is known resolves at once, so fibers may run in another order than the first time. A
command's number is therefore found by the fiber that makes it (`fibers.Fiber.path`, `task_ids`), not by its place in
the whole run. Resolving by id alone would need ids that don't depend on that order: no recorded history has such ids.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from simpleflow_lab.futures import Future, copy_outcome
from simpleflow_lab.replay.command import Command, CommandKind, PendingCommands, describe
from simpleflow_lab.replay.divergence import Divergence

_Key = tuple[Any, ...]


class CommandIndex:
    """Every command that the code of one run made, by what makes it the same in each rerun."""

    def __init__(self, pending: PendingCommands) -> None:
        self._pending = pending
        self._first_run: list[tuple[Command, str | None]] = []
        """The first run's commands, in order: most workflows run once, and the index is never needed."""
        self._commands: dict[_Key, tuple[Command, str | None]] | None = None
        """With the input that each had at first: a retry may have another one."""
        self._counts: Counter[_Key] = Counter()

    def register(self, command: Command) -> Command:
        """The command that stands for this one: itself, or the equal one that an earlier run made.

        Raises `NondeterminismError` if that has the same id and another type or input.
        """
        if self._commands is None:
            self._first_run.append((command, command.input))
            return command
        key = self._key(command)
        found = self._commands.get(key)
        if found is None or not self._is_known_to_swf(found[0]):
            self._commands[key] = command, command.input
            return command
        first, first_input = found
        if first.type != command.type or first_input != command.input:
            raise Divergence(
                event_id=None,
                recorded=describe(first.kind.name, first.id, first.type, first_input),
                commanded=command.describe(),
                recorded_line=first.line_text,
                commanded_line=command.line_text,
            ).error()
        _copy_state(first.future, command.future)
        first.future, first.task, first.line = command.future, command.task, command.line
        first.dependencies = command.dependencies
        return first

    def renamed(self, command: Command, before: str) -> None:
        """This command, whose ids are unique, has got another one than it had before."""
        if self._commands is not None and (found := self._commands.pop((command.kind, before), None)) is not None:
            self._commands[command.kind, command.id] = found

    def of_kind(self, kind: CommandKind) -> Iterator[Command]:
        """All commands of a kind, oldest first."""
        commands = self._first_run if self._commands is None else self._commands.values()
        return (command for command, _ in list(commands) if command.kind is kind)

    def begin_rerun(self) -> None:
        """The code is about to run from its start: nothing waits any more for the futures it got so far."""
        if self._commands is None:
            self._commands = {self._key(command): (command, input) for command, input in self._first_run}
            self._first_run.clear()
        self._counts.clear()
        for command, _ in self._commands.values():
            # The future of a command without a task is not the author's, and goes on being waited for.
            if command.task is not None:
                detached = Future(task_id=command.future.task_id)
                _copy_state(command.future, detached)
                command.future = detached

    def _key(self, command: Command) -> _Key:
        if command.kind.has_unique_ids:
            return command.kind, command.id
        options = tuple((name, str(value)) for name, value in sorted(command.options.items()))
        members = (command.kind, command.id, command.input, options)
        self._counts[members] += 1
        return (*members, self._counts[members])

    def _is_known_to_swf(self, command: Command) -> bool:
        """SWF knows of it, or will, or it was canceled with the execution: not if the author canceled it before."""
        return command.sent or command.cancel_requested or command in self._pending


def _copy_state(known: Future, future: Future) -> None:
    """Bring a future to the state of another one."""
    if known.done:
        copy_outcome(known, future)
    elif known.running:
        future.set_running()

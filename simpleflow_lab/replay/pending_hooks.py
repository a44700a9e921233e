"""Hooks of a workflow that decide about a failed task, and have not decided yet.

Such a hook is the author's code and may wait, in a fiber of its own. When the workflow runs again from its start, so do
the hooks that have not decided.
"""

from __future__ import annotations

from collections.abc import Callable

from simpleflow_lab.replay.command import Command
from simpleflow_lab.replay.fibers import Fibers


class PendingHooks:
    """The undecided hooks of one run, each with the command that it decides about."""

    def __init__(self) -> None:
        self._hooks: dict[Command, Callable[[], None]] = {}

    def start(self, fibers: Fibers, command: Command, hook: Callable[[], None]) -> None:
        """Run a hook in a fiber of its own; `decided` takes it out again."""
        self._hooks[command] = hook
        _spawn(fibers, command, hook)

    def decided(self, command: Command) -> None:
        """The hook has decided: it does not run again when the workflow does."""
        self._hooks.pop(command, None)

    def begin_rerun(self, fibers: Fibers) -> None:
        """Run the undecided hooks again, in the fibers of the rerun."""
        for command, hook in self._hooks.items():
            _spawn(fibers, command, hook)


def _spawn(fibers: Fibers, command: Command, hook: Callable[[], None]) -> None:
    # The path says which failure of which task it is: hooks start whenever events come.
    path = ("hook", command.kind.name, command.id, command.attempts.failures.total())
    fibers.spawn(hook, command.line, path, label=f"hook on_task_failure of {command.id}")

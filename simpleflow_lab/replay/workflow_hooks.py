"""The hooks of a workflow class that the replay calls around its code.

Rule: an error of a hook fails the decision, and not the execution.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from simpleflow_lab.data.failure_details import message_of
from simpleflow_lab.exceptions import DecisionTaskError, SimpleflowLabError
from simpleflow_lab.replay.output_commit import before_output
from simpleflow_lab.replay.run import ReplayedRun
from simpleflow_lab.workflow import Workflow

_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "before_replay": ("before_run", "before_replay"),
    "after_replay": ("after_replay",),
    "should_cancel": ("should_cancel",),
    "on_completed": ("on_completed",),
    "on_failure": ("on_failure",),
    "on_canceled": ("on_canceled",),
    "after_closed": ("after_run", "after_closed"),
}
"""The workflow's hooks, and the methods that are called for each: some had another name once."""


class InfrastructureError(DecisionTaskError):
    """The workflow's code met an infrastructure error; the decision is retried."""

    @classmethod
    def of(cls, error: BaseException, where: str) -> InfrastructureError:
        """The error that the author's code raised there, whatever its `__str__` does."""
        infrastructure_error = cls(f"{type(error).__name__} in {where}: {message_of(error)}")
        infrastructure_error.__cause__ = error
        return infrastructure_error


class Hooks:
    """The hooks of one workflow class."""

    def __init__(self, workflow: type[Workflow]) -> None:
        self._type_name = workflow.type_name
        self._own = {
            name: tuple(each for each in methods if getattr(workflow, each) is not getattr(Workflow, each))
            for name, methods in _NAMES.items()
        }

    def has(self, name: str) -> bool:
        """The class has this hook of its own, rather than from `Workflow`."""
        return bool(self._own[name])

    def call(self, run: ReplayedRun, name: str, *args: Any) -> Any:
        """Call a hook of the run's workflow if its class has it; gives what it returns.

        Raises `InfrastructureError` for whatever the hook raises.
        """
        methods = self._own[name]
        if not methods:
            return None
        try:
            returned = None
            for method in methods:
                returned = getattr(run.workflow, method)(run.history, *args)
            return returned
        except Exception as error:  # a hook is the author's code: what it raises blocks the decision
            raise InfrastructureError.of(error, f"{self._type_name()}.{name}") from error

    def call_at_close(self, run: ReplayedRun, name: str, *args: Any) -> None:
        """Call a hook of the close: when the close is decided, and not when it is replayed or only inspected.

        A hook is called once, also if SWF refuses the close and another follows. Commands that the hook makes are
        dropped: the execution closes.
        """
        if not run.is_live or not self._own[name] or name in run.hooks_called:
            return
        try:
            before_output()
        except SimpleflowLabError as error:
            raise InfrastructureError.of(error, f"{self._type_name()}.{name}") from error
        before = set(run.pending)
        self.call(run, name, *args)
        for command in list(run.pending):
            if command not in before:
                run.pending.remove(command)

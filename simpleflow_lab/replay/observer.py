"""The interface of observers, to whom a replay reports while it goes along a history.

Rule: an observer only watches. It changes nothing that it is given, calls none of the workflow's code and raises
nothing. Without one a replay compares with `None` instead: a few times per decision, once per task, command and resumed
fiber.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from simpleflow_lab.futures import Future
from simpleflow_lab.replay.command import Command
from simpleflow_lab.replay.divergence import Divergence
from simpleflow_lab.replay.fibers import Fiber
from simpleflow_lab.replay.history_reader import DecisionBatch
from simpleflow_lab.replay.lines import Line
from simpleflow_lab.swf.decisions import Decision
from simpleflow_lab.swf.history import HistoryEvent
from simpleflow_lab.task import Task


class Observer(Protocol):
    """Watches one replay.

    Each decision is reported by `decision_begins`, then what happens in it, then one of `decision_replayed`,
    `decision_made` and `decision_failed`; all fibers are suspended then.
    """

    def decision_begins(self, started_event_id: int, seen: Sequence[HistoryEvent], batch: DecisionBatch | None) -> None:
        """The decision that this `DecisionTaskStarted` event begins is about to see these events; then the code runs.

        `batch` is the decision as the history records it, if it does.
        """

    def rerun_begins(self) -> None:
        """The code raised `ExecutionBlocked` and is about to run from its start: all its fibers are about to be ended.

        It gets new fibers, with the paths that they had, and new futures for the tasks that it submits again.
        """

    def starts_over(self) -> None:
        """The decisions so far are replayed once more, but those whose close SWF refused: they don't count.

        They are reported again, with new futures, commands and fibers for what the code submits again. The next
        decision that was not reported before is the one that follows.
        """

    def recorded_before(self, event: HistoryEvent, command: Command) -> None:
        """This event of a decision that doesn't count records the command, which is not sent a second time."""

    def fiber_resumed(self, fiber: Fiber) -> None:
        """A fiber starts, or goes on."""

    def arguments_captured(self, future: Future, dependencies: Sequence[Future]) -> None:
        """The task of this future, which is about to be submitted, has these futures among its arguments, in order."""

    def task_submitted(self, task: Task, future: Future, line: Line | None, fiber: Fiber | None) -> None:
        """The code submitted a task. A timer that it submits again has the same future."""

    def container_submitted(self, future: Future, line: Line | None, fiber: Fiber | None) -> None:
        """The code submitted a group, a chain, or another container of tasks."""

    def command_made(self, command: Command, fiber: Fiber | None) -> None:
        """A command is pending from now on. A retry is reported as a command of its own."""

    def output_written(self, text: str) -> None:
        """The code wrote this to standard output. It goes nowhere else."""

    def execution_failed(self, error: BaseException, reason: str) -> None:
        """The code raised this, and so the execution is about to be closed as failed, for this reason."""

    def raised_at_once(self, future: Future) -> None:
        """The failure of this task was raised where `run` waits, because the history shows that whoever decided did so:
        what the code did since belongs to the same decision."""

    def decision_replayed(
        self, pairs: Sequence[tuple[HistoryEvent, Command]], divergence: Divergence | None, *, pending: int
    ) -> None:
        """The events of the decision record these commands; `pending` are the commands that no event records yet.

        Also reported, without `decision_begins`, for a decision that this replay made itself.
        """

    def decision_made(self, decisions: Sequence[Decision], execution_context: str | None, *, pending: int) -> None:
        """The decision task is answered with these decisions, or would be."""

    def decision_failed(self, error: Exception, *, pending: int) -> None:
        """The code could not run to where all of it waits, or must not run."""

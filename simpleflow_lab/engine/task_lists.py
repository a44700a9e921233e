"""Task lists: tasks that wait for a poll, and polls that wait for a task.

Rule: a task goes to one poll, in order of priority, then of time. A waiting poll sleeps until a task is assigned to it,
and one task wakes one poll. Everything here runs under the engine's lock, except the sleeping.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from simpleflow_lab.engine.execution_state import ExecutionState, started_event
from simpleflow_lab.engine.lazy_heap import LazyHeap
from simpleflow_lab.engine.waiters import Waiter
from simpleflow_lab.exceptions import LimitExceededFault
from simpleflow_lab.swf import limits
from simpleflow_lab.swf.event_types import DECISION_TASK
from simpleflow_lab.swf.history import HistoryEvent


class ScheduledTask(NamedTuple):
    """A decision task or activity task that is scheduled."""

    kind: str
    """The kind of entity: `DECISION_TASK` or `ACTIVITY`."""
    execution: ExecutionState
    """The execution that the task belongs to."""
    scheduled: HistoryEvent
    """DecisionTaskScheduled or ActivityTaskScheduled."""

    def is_pending(self) -> bool:
        """Whether the task can still be started: it is neither started nor closed, and its execution is open."""
        if self.execution.closed:
            return False
        if self.kind == DECISION_TASK:
            return self.execution.queued == self.scheduled.id and self.execution.started is None
        entity = self.execution.entities.get(self.scheduled.id)
        return entity is not None and started_event(entity) is None


class Poll(Waiter):
    """One call that polls for a task."""

    __slots__ = ("assigned", "identity", "is_connected", "is_remote", "seconds", "start_ticket", "ticket")

    def __init__(
        self, identity: str | None, is_connected: Callable[[], bool] = lambda: True, seconds: float | None = None
    ):
        super().__init__()
        self.seconds = seconds
        """How long the poll waits; `None` for the engine's default."""
        self.is_connected = is_connected
        """Whether the client still waits for the response; called before a task is assigned."""
        self.is_remote = False
        """Whether another process polls: it gets the task only when the task's start is on disk."""
        self.identity = identity
        """The `identity` member of the request."""
        self.assigned: tuple[ScheduledTask, int] | None = None
        """The task that was assigned to the poll, and its startedEventId."""
        self.ticket = 0
        """The store's ticket after which work on the task may begin."""
        self.start_ticket = 0
        """The store's ticket after which the start of the task is on disk."""


class TaskList:
    """One named task list of a domain."""

    __slots__ = ("_polls", "_tasks")

    def __init__(self) -> None:
        self._tasks: LazyHeap[ScheduledTask] = LazyHeap(ScheduledTask.is_pending)
        self._polls: deque[Poll] = deque()

    def push(self, task: ScheduledTask) -> None:
        """Add a task."""
        priority = int(task.scheduled.attributes.get("taskPriority", 0))
        self._tasks.push((-priority, round(task.scheduled.timestamp.timestamp() * 1000), task.scheduled.id), task)

    def pop(self) -> ScheduledTask | None:
        """Remove and return the task that is next; `None` if there is none."""
        return self._tasks.pop()

    def add_poll(self, poll: Poll) -> None:
        """Let a poll wait for a task. Raises `LimitExceededFault`."""
        if len(self._polls) >= limits.MAX_POLLERS:
            raise LimitExceededFault(f"{limits.MAX_POLLERS} polls wait on this task list; SWF allows no more")
        self._polls.append(poll)

    def remove_poll(self, poll: Poll) -> None:
        """Let a poll wait no longer."""
        poll.finished = True
        if poll in self._polls:
            self._polls.remove(poll)

    def match(self) -> tuple[ScheduledTask, Poll] | None:
        """Remove and return the next task and the poll that has waited longest; `None` unless there are both.

        Polls whose client has disconnected are removed and woken.
        """
        while self._polls:
            if self._polls[0].finished or not self._polls[0].is_connected():
                self._polls.popleft().wake()
                continue
            task = self._tasks.pop()
            return None if task is None else (task, self._polls.popleft())
        return None

    def count(self) -> int:
        """How many tasks wait."""
        return sum(1 for _ in self._tasks)

    def polls(self) -> list[Poll]:
        """The polls that wait."""
        return list(self._polls)

    @property
    def is_empty(self) -> bool:
        """Whether neither a task nor a poll waits."""
        return not self._polls and self._tasks.first() is None

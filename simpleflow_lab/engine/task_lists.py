"""Task lists: tasks that wait for a poll, and polls that wait for a task.

Rule: a task goes to one poll, in order of priority, then of time. A waiting poll sleeps until a task is given to it,
and one task wakes one poll. All of this runs under the engine's lock, except the sleeping.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from simpleflow_lab.engine.execution_state import ExecutionState, started_event
from simpleflow_lab.engine.lazy_heap import LazyHeap
from simpleflow_lab.engine.waiters import Waiter
from simpleflow_lab.exceptions import LimitExceededFault
from simpleflow_lab.swf import limits
from simpleflow_lab.swf.history import HistoryEvent

DECISION: Final = "decision"
ACTIVITY: Final = "activity"


class Task(NamedTuple):
    """A decision or activity task that is scheduled."""

    kind: str
    """`decision` or `activity`."""
    execution: ExecutionState
    """Whose task it is."""
    scheduled: HistoryEvent
    """DecisionTaskScheduled or ActivityTaskScheduled."""

    def alive(self) -> bool:
        """It may still be started."""
        if self.execution.closed:
            return False
        if self.kind == DECISION:
            return self.execution.queued == self.scheduled.id and self.execution.started is None
        entity = self.execution.entities.get(self.scheduled.id)
        return entity is not None and started_event(entity) is None


class Poll(Waiter):
    """One call that waits for a task."""

    __slots__ = ("given", "identity", "is_connected", "seconds", "ticket")

    def __init__(
        self, identity: str | None, is_connected: Callable[[], bool] = lambda: True, seconds: float | None = None
    ):
        super().__init__()
        self.seconds = seconds
        """How long it waits; `None` for as long as the engine's polls do."""
        self.is_connected = is_connected
        """Somebody still waits for this poll's answer; asked before a task is given to it."""
        self.identity = identity
        """What the poller says it is."""
        self.given: tuple[Task, int] | None = None
        """The task it was given and its startedEventId, once it was."""
        self.ticket = 0
        """When the store has come this far, the task may be worked on."""


class TaskList:
    """One named list of a domain."""

    __slots__ = ("_polls", "_tasks")

    def __init__(self) -> None:
        self._tasks: LazyHeap[Task] = LazyHeap(Task.alive)
        self._polls: deque[Poll] = deque()

    def push(self, task: Task) -> None:
        """Add a task that was scheduled."""
        priority = int(task.scheduled.attributes.get("taskPriority", 0))
        self._tasks.push((-priority, round(task.scheduled.timestamp.timestamp() * 1000), task.scheduled.id), task)

    def take(self) -> Task | None:
        """The task that is next."""
        return self._tasks.pop()

    def wait(self, poll: Poll) -> None:
        """Let a poll wait for a task. Raises `LimitExceededFault`."""
        if len(self._polls) >= limits.MAX_POLLERS:
            raise LimitExceededFault(f"{limits.MAX_POLLERS} polls wait on this task list; SWF allows no more")
        self._polls.append(poll)

    def leave(self, poll: Poll) -> None:
        """The poll gives up."""
        poll.over = True
        if poll in self._polls:
            self._polls.remove(poll)

    def match(self) -> tuple[Task, Poll] | None:
        """The next task and the poll that has waited longest, if there are both."""
        while self._polls:
            if self._polls[0].over or not self._polls[0].is_connected():
                self._polls.popleft().wake()
                continue
            task = self._tasks.pop()
            return None if task is None else (task, self._polls.popleft())
        return None

    def count(self) -> int:
        """Tasks that wait."""
        return sum(1 for _ in self._tasks)

    def polls(self) -> list[Poll]:
        """Polls that wait."""
        return list(self._polls)

    @property
    def unused(self) -> bool:
        """Nothing waits here."""
        return not self._polls and self._tasks.first() is None

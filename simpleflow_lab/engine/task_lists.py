"""Task lists: tasks that wait for a poll, and polls that wait for a task.

Rule: a task goes to one poll, in order of priority, then of time. A poll of a client session is given only tasks whose
types its process defines, as `client_sessions` says; a poll without a session is given any. Tasks wait in groups of
one type, one home and one origin (of which something is known), so that looking for a poll's next task takes a step for
each group, not for each task. A waiting poll sleeps until a task is assigned to it, and one task wakes one poll.
Everything here runs under the engine's lock, except the sleeping.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from simpleflow_lab.engine.client_sessions import (
    CLAIM_SECONDS,
    HOME_SECONDS,
    ClientSession,
    ClientSessions,
    MayTake,
)
from simpleflow_lab.engine.execution_state import ExecutionState, started_event
from simpleflow_lab.engine.isolation import Isolation
from simpleflow_lab.engine.lazy_heap import LazyHeap
from simpleflow_lab.engine.process_records import ListKey
from simpleflow_lab.engine.waiters import Waiter
from simpleflow_lab.exceptions import LimitExceededFault
from simpleflow_lab.swf import limits
from simpleflow_lab.swf.event_types import DECISION_TASK
from simpleflow_lab.swf.history import HistoryEvent

_WAITS: Final = {MayTake.LATER: round(HOME_SECONDS * 1000), MayTake.RETURNING: round(CLAIM_SECONDS * 1000)}
"""Milliseconds for which a task waits for the home of its execution."""


class ScheduledTask(NamedTuple):
    """A decision task or activity task that is scheduled."""

    kind: str
    """The kind of entity: `DECISION_TASK` or `ACTIVITY`."""
    execution: ExecutionState
    """The execution that the task belongs to."""
    scheduled: HistoryEvent
    """DecisionTaskScheduled or ActivityTaskScheduled."""
    home_changes: int = 0
    """Number of times that the execution's home had changed when the task was put into its list."""
    is_isolated: bool = False
    """Whether it is to run alone in its process; see `isolation`."""
    queued_at: int = 0
    """When it was put into its list, in milliseconds since 1970."""

    @property
    def type_key(self) -> tuple[str, str, str]:
        """The kind of the task, and the name and version of its workflow type or activity type."""
        if self.kind == DECISION_TASK:
            return self.kind, self.execution.run.type_name, self.execution.run.type_version
        of = self.scheduled.attributes["activityType"]
        return self.kind, of["name"], of["version"]

    def is_pending(self) -> bool:
        """Whether the task can still be started: it is neither started nor closed, and its execution is open.

        A task is put into its list again when the home of its execution changes: then this entry is obsolete.
        """
        if self.execution.closed or self.home_changes != self.execution.home_changes:
            return False
        if self.kind == DECISION_TASK:
            return self.execution.queued == self.scheduled.id and self.execution.started is None
        entity = self.execution.entities.get(self.scheduled.id)
        return entity is not None and started_event(entity) is None


class Poll(Waiter):
    """One call that polls for a task."""

    __slots__ = (
        "assigned",
        "client_number",
        "identity",
        "is_connected",
        "is_remote",
        "seconds",
        "session",
        "start_ticket",
        "ticket",
    )

    def __init__(
        self, identity: str | None, is_connected: Callable[[], bool] = lambda: True, seconds: float | None = None
    ) -> None:
        super().__init__()
        self.seconds = seconds
        """Seconds that the poll waits; `None` for the engine's default."""
        self.is_connected = is_connected
        """Whether the client still waits for the response; called before a task is assigned."""
        self.is_remote = False
        """Whether another process polls, which may outlive this engine."""
        self.identity = identity
        """The `identity` member of the request."""
        self.session: ClientSession | None = None
        """The client session of the process that polls; `None` for one that has none."""
        self.client_number: int | None = None
        """The number that its client has given it, if it has a session; see `ClientPolls`."""
        self.assigned: tuple[ScheduledTask, int] | None = None
        """The task that was assigned to the poll, and its startedEventId."""
        self.ticket = 0
        """The store's ticket after which work on the task may begin."""
        self.start_ticket = 0
        """The store's ticket after which the start of the task is on disk."""

    @property
    def may_decide_at_once(self) -> bool:
        """Whether its client may get a decision task whose start is not on disk yet.

        If that start is lost with this engine, the client's answer is refused by the next one, and the decision is made
        again. A client of another program without a session would take that for an error.
        """
        return self.session is not None or not self.is_remote


class _WaitingPolls:
    """The waiting polls of one client session, or of all clients without one.

    Of a session the poll that came last is served first: its thread ran last, and what it works with is still in the
    processor's caches. The others can't be told apart: of those it is the one that has waited longest.
    """

    __slots__ = ("_is_of_session", "numbers", "polls")

    def __init__(self, session: ClientSession | None) -> None:
        self.polls = deque[Poll]()
        """The polls, in the order in which they came."""
        self.numbers = deque[int]()
        """As many numbers, ascending: when they came, among all polls of the list. The first one tells whose turn it
        is."""
        self._is_of_session = session is not None

    def add(self, poll: Poll, number: int) -> None:
        """Add a poll, which is the one with this number in its list."""
        self.polls.append(poll)
        self.numbers.append(number)

    def take(self) -> Poll:
        """Remove and return the poll that is served first."""
        self.numbers.popleft()
        return self.polls.pop() if self._is_of_session else self.polls.popleft()

    def remove(self, poll: Poll) -> None:
        """Remove a poll, if it is there."""
        if poll in self.polls:
            self.polls.remove(poll)
            self.numbers.pop()


class TaskList:
    """One named task list of a domain."""

    __slots__ = ("_count", "_groups", "_isolation", "_key", "_polls", "_sessions", "recheck_at")

    def __init__(self, key: ListKey, sessions: ClientSessions, isolation: Isolation) -> None:
        self._key = key
        self._sessions = sessions
        self._isolation = isolation
        self._groups: dict[tuple[tuple[str, str, str], str | None, bool, str | None], LazyHeap[ScheduledTask]] = {}
        self._polls: dict[ClientSession | None, _WaitingPolls] = {}
        self._count = 0
        self.recheck_at: int | None = None
        """When to look for a poll again, because a task waits for its home until then: milliseconds since 1970."""

    def push(self, task: ScheduledTask) -> None:
        """Add a task."""
        execution = task.execution
        group = (
            task.type_key,
            execution.home,
            task.is_isolated,
            execution.origin if self._sessions.record_of(execution.origin) is not None else None,
        )
        heap = self._groups.get(group)
        if heap is None:
            heap = self._groups[group] = LazyHeap(ScheduledTask.is_pending)
        priority = int(task.scheduled.attributes.get("taskPriority", 0))
        heap.push((-priority, round(task.scheduled.timestamp.timestamp() * 1000), task.scheduled.id), task)

    def pop(self, session: ClientSession | None, now: int) -> ScheduledTask | None:
        """Remove and return the next task for a poll of this session; `None` if there is none."""
        found = self._next_group(session, now)
        return None if found is None else found.pop_first()

    def _next_group(self, session: ClientSession | None, now: int) -> LazyHeap[ScheduledTask] | None:
        """The group whose first task, which is pending, is the next one for a poll of this session."""
        best, best_key = None, None
        empty = []
        for group, heap in self._groups.items():
            first = heap.first()
            if first is None:
                empty.append(group)
                continue
            key, task = first
            if best_key is not None and key >= best_key:
                continue
            if session is not None:
                age = (now - task.queued_at) / 1000
                may_take = self._sessions.may_take(session, self._key, group[0], group[1], age, group[3])
                if (wait := _WAITS.get(may_take)) is not None:
                    at = task.queued_at + wait
                    self.recheck_at = at if self.recheck_at is None else min(self.recheck_at, at)
                if may_take is not MayTake.ALLOWED or not self._has_room(session, task):
                    continue
            best, best_key = heap, key
        for group in empty:
            del self._groups[group]
        return best

    def _has_room(self, session: ClientSession, task: ScheduledTask) -> bool:
        return (
            not self._isolation.is_used
            or task.kind == DECISION_TASK
            or self._isolation.allows(session, isolated=task.is_isolated, is_pending=task.is_pending)
        )

    def add_poll(self, poll: Poll) -> None:
        """Let a poll wait for a task. Raises `LimitExceededFault`."""
        if sum(len(waiting.polls) for waiting in self._polls.values()) >= limits.MAX_POLLERS:
            raise LimitExceededFault(f"{limits.MAX_POLLERS} polls wait on this task list; SWF allows no more")
        self._count += 1
        waiting = self._polls.get(poll.session)
        if waiting is None:
            waiting = self._polls[poll.session] = _WaitingPolls(poll.session)
        waiting.add(poll, self._count)

    def remove_poll(self, poll: Poll) -> None:
        """Let a poll wait no longer."""
        poll.finished = True
        waiting = self._polls.get(poll.session)
        if waiting is not None:
            waiting.remove(poll)
            if not waiting.polls:
                del self._polls[poll.session]

    def match(self, now: int) -> tuple[ScheduledTask, Poll] | None:
        """Remove and return a task and a poll for one like it; `None` unless there are both.

        It is the turn of the client that has waited longest. A process that is silent is given none. Polls whose client
        has disconnected are removed and woken. `now` is in milliseconds since 1970.
        """
        self.recheck_at = None
        waiting = self._polls
        for session in sorted(waiting, key=lambda one: waiting[one].numbers[0]) if len(waiting) > 1 else list(waiting):
            if session is not None and session.is_silent(self._sessions.running()):
                continue
            group = self._next_group(session, now)
            if group is None:
                continue
            polls = waiting[session]
            found = None
            while polls.polls and found is None:
                poll = polls.take()
                if poll.finished or not poll.is_connected():
                    poll.wake()
                else:
                    found = poll
            if not polls.polls:
                del waiting[session]
            if found is not None:
                return group.pop_first(), found
        return None

    def count(self) -> int:
        """The number of tasks that wait."""
        return sum(1 for heap in self._groups.values() for _ in heap)

    def tasks(self) -> list[ScheduledTask]:
        """The tasks that wait, in no particular order."""
        return [task for heap in self._groups.values() for task in heap]

    def polls(self) -> list[Poll]:
        """The polls that wait."""
        return [poll for waiting in self._polls.values() for poll in waiting.polls]

    @property
    def is_empty(self) -> bool:
        """Whether neither a task nor a poll waits."""
        return not self._polls and all(heap.first() is None for heap in self._groups.values())

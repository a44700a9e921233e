"""The common part of a decider and an activity worker: one task list, a state, counts, and how they are stopped.

Rule: whoever is told to stop takes no more tasks. What is in progress is finished first, unless the caller says
otherwise.
"""

from __future__ import annotations

import abc
import datetime
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final, Literal, NamedTuple

from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.runtime.context import WorkerContext
from simpleflow_lab.runtime.poller import Poller, join_all
from simpleflow_lab.swf.event_types import ACTIVITY, DECISION_TASK
from simpleflow_lab.swf.limits import MAX_POLLERS

State = Literal["polling", "busy", "blocked", "draining", "stopped"]

DECIDER: Final = "decider"
ACTIVITY_WORKER: Final = "activity worker"
WORKER_KINDS: Final[Mapping[str, str]] = {DECISION_TASK: DECIDER, ACTIVITY: ACTIVITY_WORKER}
"""Who handles tasks, by the kind of the tasks."""


class CurrentTask(NamedTuple):
    """A task that is being handled."""

    workflow_id: str
    """The workflow id of its execution."""
    run_id: str
    """The run id of its execution."""
    activity_id: str | None
    """The id of an activity task; `None` for a decision task."""
    type: str
    """Name and version of its activity type or workflow type."""
    since: datetime.datetime
    """When it was taken."""


class Worker(abc.ABC):
    """A decider or an activity worker of this process, for one task list."""

    kind: ClassVar[str]
    """`decider` or `activity worker`."""
    task_kind: ClassVar[str]
    """The kind of its tasks."""

    def __init__(self, context: WorkerContext, task_list: str, *, limit: int) -> None:
        """`limit` tasks are handled at once."""
        self._context = context
        self._service = context.service
        self.task_list = task_list
        """The task list that it polls."""
        self.was_started = False
        """Whether it was ever started."""
        self.is_closed = False
        """Whether its Lab was closed: then it can't be started again."""
        self._served = self.task_kind, context.domain, task_list
        self.poller = Poller(f"{self.kind} of {task_list}", self._poll, self._handle, limit=limit, at_end=self._at_end)
        """Its threads."""

    def __repr__(self) -> str:
        return f"<{self.kind} of {self.task_list}, {self.state}>"

    # -- what it does --

    @property
    def state(self) -> State:
        """`polling`: it waits for a task. `busy`: it has a task in progress. `blocked`: a decision can't be made for
        now; it is retried, and other executions go on. `draining`: it was stopped, and ends when what is in progress
        is finished. `stopped`: it takes no tasks."""
        if not self.was_started or (self.poller.is_stopping and not self.poller.thread_count):
            return "stopped"
        if self.poller.is_stopping:
            return "draining"
        if self.blocked_since is not None:
            return "blocked"
        return "busy" if self.poller.busy_count else "polling"

    @property
    def since(self) -> datetime.datetime:
        """The time since which it is in this state."""
        blocked = self.blocked_since if self.state == "blocked" else None
        return _time(self.poller.changed_at if blocked is None else blocked)

    @property
    def blocked_since(self) -> float | None:
        """The time since which something is blocked, by `time.time`; `None` if nothing is."""
        return None

    @property
    def at_once(self) -> int:
        """The number of tasks that it handles at once."""
        return self.poller.limit

    @property
    def tasks(self) -> list[CurrentTask]:
        """The tasks that it handles, in the order in which they were taken."""
        return [
            CurrentTask(
                workflow_id=task["workflowExecution"]["workflowId"],
                run_id=task["workflowExecution"]["runId"],
                activity_id=task.get("activityId"),
                type=_type_text(task.get("activityType") or task["workflowType"]),
                since=_time(since),
            )
            for task, since in self.poller.tasks
        ]

    @property
    def tokens(self) -> list[str]:
        """The task tokens of the tasks that it handles."""
        return [task["taskToken"] for task, _ in self.poller.tasks]

    @property
    def waiting_polls(self) -> int:
        """The number of its polls that wait for a task."""
        return self.poller.thread_count - self.poller.busy_count

    @property
    def done(self) -> int:
        """The number of tasks that it has completed, and of activities that it has canceled."""
        return self.poller.done

    @property
    def failed(self) -> int:
        """The number of activities that failed, or of decisions that could not be made."""
        return self.poller.failed

    @property
    def last_error(self) -> str | None:
        """The latest error of a task or of a poll; `None` if there was none."""
        return self.poller.last_error

    @property
    @abc.abstractmethod
    def types(self) -> list[str]:
        """Name and version of each type that this process defines and that it takes tasks of, its own list's first."""

    # -- starting and stopping --

    def start(self) -> None:
        """Take tasks, again after `stop`; one that takes tasks already goes on.

        Raises `UsageError` if its Lab is closed.
        """
        if self.is_closed:
            raise UsageError(f"the Lab of this {self.kind} is closed: open another one")
        if self.was_started and not self.poller.is_stopping:
            return
        try:
            self._context.session.serve(*self._served)
        except BaseException:  # an interrupt too: what does not begin is not served
            self._context.session.stop_serving(*self._served)
            raise
        self._begin()
        self.was_started = True
        self.poller.start()

    def stop(self, *, drain: bool = True, seconds: float | None = None) -> bool:
        """Take no more tasks, and wait for the end of those in progress, at most `seconds`; `False` if some still run.

        With `drain=False` those in progress are given out again at once, and should end soon: an activity is told that
        it is canceled, its process is killed if it has one, and a decision's code is interrupted. An activity in a
        thread that sends no heartbeats goes on all the same; its result is dropped.

        The automatic policy of a Lab does not start it again: `start` does. On Amazon SWF a poll that waits can't be
        taken back for up to 60 seconds; a task that it still gets is finished. Raises `UsageError` for a negative time.
        """
        return stop_all([self], drain=drain, seconds=seconds)

    def handle(self, task: Mapping[str, Any]) -> None:
        """Handle a task that somebody polled elsewhere, here and now."""
        self._begin()
        try:
            self.poller.count(self._handle(task))
        finally:
            self._at_end()

    def scale(self, count: int) -> None:
        """Handle `count` tasks at once from now on. Fewer are at work when those in progress are finished.

        Raises `UsageError`.
        """
        fewer = checked_count(count) < self.poller.limit
        self.poller.limit = count
        if fewer:
            self.release_polls()

    def take_no_more(self) -> None:
        """Take no more tasks after those in progress; the caller releases the polls that wait."""
        if self.was_started and not self.poller.is_stopping:
            self._context.session.stop_serving(*self._served)
        self.poller.stop()

    def release_polls(self) -> None:
        """Let the service end the polls that wait."""
        self._service.release_polls()

    @abc.abstractmethod
    def give_back(self) -> None:
        """Give back what waits here for a retry; after the polls have ended, which could get it again."""

    @abc.abstractmethod
    def forget_blocked(self) -> None:
        """Say that nothing is blocked here any more."""

    @abc.abstractmethod
    def abandon_tasks(self) -> None:
        """Stop what is in progress without an answer."""

    @abc.abstractmethod
    def give_up(self) -> None:
        """Let what is in progress end soon."""

    # -- inside --

    @abc.abstractmethod
    def _begin(self) -> None:
        """Prepare to take tasks, again after `give_up`."""

    @abc.abstractmethod
    def _poll(self) -> Mapping[str, Any]:
        """SWF's answer to a poll."""

    @abc.abstractmethod
    def _handle(self, task: Mapping[str, Any]) -> str | None:
        """Handle a task; gives the error with which it failed, or `None`."""

    @property
    def _poll_request(self) -> dict[str, Any]:
        """The request of a poll."""
        return {
            "domain": self._context.domain,
            "taskList": {"name": self.task_list},
            "identity": self._context.identity,
        }

    def _answered(self, answer: Callable[..., Mapping[str, Any]], **members: Any) -> None:
        """Give an answer with these members; a service that can carries out the next poll with it."""
        if self.poller.polls_next:
            self.poller.take_next(answer(**members, then_poll=self._poll_request))
        else:
            answer(**members)

    @abc.abstractmethod
    def _at_end(self) -> None:
        """Called in each of its threads, when it ends."""


def stop_all(workers: Sequence[Worker], *, drain: bool = True, seconds: float | None = None) -> bool:
    """Stop all of them at once; see `Worker.stop`. Raises `UsageError`, and stops none, for what is no time."""
    at_most = _checked_seconds(seconds)
    for worker in workers:
        worker.take_no_more()
    of_each_service = {id(worker._service): worker for worker in workers}.values()

    def release() -> None:
        for worker in of_each_service:
            worker.release_polls()

    release()
    for worker in workers:
        worker.give_back()
        worker.forget_blocked()
        if not drain:
            worker.give_up()  # first: a task that comes now is given back
            worker.abandon_tasks()
    return join_all([worker.poller for worker in workers], at_most, release)


def checked_count(count: object) -> int:
    """A number of tasks that are handled at once. Raises `UsageError` for anything else."""
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise UsageError(f"a worker handles 1 task or more at once, not {count!r}: stop() stops it")
    if count > MAX_POLLERS:  # each has a thread that polls
        raise UsageError(
            f"a worker handles {MAX_POLLERS} tasks at once at most, not {count:,}: SWF allows no more polls"
        )
    return count


def _checked_seconds(seconds: object) -> float:
    """The seconds to wait, from an argument. Raises `UsageError` for anything else than a time, or `None` for ever."""
    if seconds is None:
        return math.inf
    if isinstance(seconds, int | float) and not isinstance(seconds, bool) and seconds >= 0:
        return seconds
    raise UsageError(f"seconds is how long to wait for the tasks in progress, 0 or more, or None, not {seconds!r}")


def _time(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)


def _type_text(type: Mapping[str, str]) -> str:
    return f"{type['name']} {type['version']}"

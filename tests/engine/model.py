"""A model of the engine in plain dicts: the executions that are open and what is open in them.

Rule: nothing here is imported from the engine. The model takes what callers do and how time passes, and holds what must
then be open, and how the closed executions closed. Where SWF leaves an order open, the model has no order.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

NEVER = 1 << 62
Id = tuple[str, str]
"""workflowId and runId."""


@dataclasses.dataclass
class Countdown:
    """A timeout that runs. Time in which the engine was down does not count."""

    since: int
    length: int
    down: int = 0

    @property
    def due(self) -> int:
        return self.since + self.length + self.down


@dataclasses.dataclass
class Activity:
    """An open activity task."""

    timeouts: Mapping[str, int]
    """Milliseconds by SWF's names of timeouts; those that are NONE are not in it."""
    counting: dict[str, Countdown]
    token: str | None = None
    cancel_requested: bool = False


@dataclasses.dataclass
class Execution:
    """An open execution."""

    id: Id
    policy: str
    task_timeout: int
    parent: Id | None
    counting: Countdown
    queued: bool = True
    token: str | None = None
    deciding: Countdown | None = None
    activities: dict[str, Activity] = dataclasses.field(default_factory=dict)
    timers: dict[str, int] = dataclasses.field(default_factory=dict)
    """When they fire, by the clock on the wall."""
    children: set[str] = dataclasses.field(default_factory=set)
    cancel_requested: bool = False
    signals: int = 0


class Model:
    """The executions."""

    def __init__(self, now: int):
        self.now = now
        self.open: dict[str, Execution] = {}
        self.closed: dict[Id, str] = {}
        """Close statuses."""
        self.unnamed: list[Execution] = []
        """Executions that the engine started by itself: their run ids are not known yet."""

    # -- what happens to an execution --

    def start(self, id: Id, *, policy: str, timeout: int, task_timeout: int, parent: Id | None = None) -> Execution:
        execution = Execution(id, policy, task_timeout, parent, Countdown(self.now, timeout))
        self.open[id[0]] = execution
        return execution

    def is_open(self, execution: Execution) -> bool:
        return self.open.get(execution.id[0]) is execution

    def wake(self, execution: Execution) -> None:
        """Something happened that the decider should see."""
        if self.is_open(execution):
            execution.queued = True

    def close(self, execution: Execution, status: str) -> None:
        self._record_close(execution, status)
        self._after_close(execution, status)

    def _record_close(self, execution: Execution, status: str) -> None:
        del self.open[execution.id[0]]
        if execution in self.unnamed:
            self.unnamed.remove(execution)
        else:
            self.closed[execution.id] = status

    def _after_close(self, execution: Execution, status: str) -> None:
        if status == "CONTINUED_AS_NEW":
            self._next_run(execution)
            return
        parent = self.open.get(execution.parent[0]) if execution.parent else None
        if parent is not None and parent.id == execution.parent:
            parent.children.discard(execution.id[0])
            self.wake(parent)
        for workflow_id in sorted(execution.children):
            child = self.open.get(workflow_id)
            if child is None or child.parent != execution.id:
                continue
            if execution.policy == "TERMINATE":
                self.close(child, "TERMINATED")
            elif execution.policy == "REQUEST_CANCEL":
                child.cancel_requested = True
                self.wake(child)

    # -- time --

    def pass_time(self, milliseconds: int) -> None:
        self.now += milliseconds
        self.record_due()

    def record_due(self) -> None:
        """What is due happens, in the order of the deadlines."""
        while True:
            due = min(self._deadlines(), key=lambda found: found[0], default=(NEVER, None, "", ""))
            if due[0] > self.now or due[1] is None:
                return
            _, execution, kind, name = due
            if kind == "execution":
                self.close(execution, "TIMED_OUT")
                continue
            if kind == "activity":
                del execution.activities[name]
            elif kind == "timer":
                del execution.timers[name]
            else:
                execution.token = execution.deciding = None
            self.wake(execution)

    def _deadlines(self) -> Iterator[tuple[int, Execution | None, str, str]]:
        for execution in self.open.values():
            yield execution.counting.due, execution, "execution", ""
            if execution.deciding is not None:
                yield execution.deciding.due, execution, "decision", ""
            for name, activity in execution.activities.items():
                if activity.counting:
                    yield min(c.due for c in activity.counting.values()), execution, "activity", name
            for name, fires_at in execution.timers.items():
                yield fires_at, execution, "timer", name

    def reopen(self, last_alive: int) -> None:
        """The store is opened again, at `now`; when it was last known to be open, it was `last_alive`."""
        for execution in self.open.values():
            countdowns = [execution.counting]
            for activity in execution.activities.values():
                countdowns += activity.counting.values()
            for countdown in countdowns:
                countdown.down += max(0, self.now - max(last_alive, countdown.since))
            if execution.token is not None:
                execution.token = execution.deciding = None
                execution.queued = True
            for name, activity in list(execution.activities.items()):
                if activity.token is not None:
                    del execution.activities[name]
                    execution.queued = True
        self.record_due()

    # -- decisions --

    def decide(self, execution: Execution, decisions: list[Mapping[str, Any]]) -> None:
        """Complete a decision task with decisions as SWF has them; a closing one is the last."""
        execution.token = execution.deciding = None
        failed = False
        effects: list[tuple[str, Mapping[str, Any]]] = []
        for decision in decisions:
            kind = decision["decisionType"]
            (about,) = (value for name, value in decision.items() if name.endswith("Attributes"))
            if kind == "ScheduleActivityTask":
                if about["activityId"] in execution.activities:
                    failed = True
                else:
                    self._schedule(execution, about)
            elif kind == "RequestCancelActivityTask":
                activity = execution.activities.get(about["activityId"])
                if activity is None:
                    failed = True
                else:
                    activity.cancel_requested = True
                    effects.append((kind, about))
            elif kind == "StartTimer":
                if about["timerId"] in execution.timers:
                    failed = True
                else:
                    execution.timers[about["timerId"]] = self.now + 1000 * int(about["startToFireTimeout"])
            elif kind == "CancelTimer":
                failed = execution.timers.pop(about["timerId"], None) is None or failed
            elif kind == "RecordMarker":
                pass
            elif kind in _CLOSES:
                if execution.queued or failed:
                    failed = True
                else:
                    self._record_close(execution, _CLOSES[kind])
                    effects.append((kind, about))
            else:
                effects.append((kind, about))
        if failed:
            self.wake(execution)
        # In the order of the events, so that the next run of an execution that continues as new starts after the
        # messages of its last decision have found no execution of that id. SWF does not document this order.
        for kind, about in effects:
            self._run_effect(execution, kind, about)
        self.record_due()

    def _schedule(self, execution: Execution, about: Mapping[str, Any]) -> None:
        timeouts = {
            name: 1000 * int(about[member]) for name, member in _ACTIVITY_TIMEOUTS.items() if about[member] != "NONE"
        }
        waits = {
            name: Countdown(self.now, timeouts[name])
            for name in ("SCHEDULE_TO_START", "SCHEDULE_TO_CLOSE")
            if name in timeouts
        }
        execution.activities[about["activityId"]] = Activity(timeouts, waits)

    def _next_run(self, execution: Execution) -> None:
        following = self.start(
            (execution.id[0], ""), policy="TERMINATE", timeout=100_000_000, task_timeout=30_000, parent=execution.parent
        )
        self.unnamed.append(following)

    def _run_effect(self, execution: Execution, kind: str, about: Mapping[str, Any]) -> None:
        if kind in _CLOSES:
            self._after_close(execution, _CLOSES[kind])
        elif kind == "RequestCancelActivityTask":
            activity = execution.activities.get(about["activityId"])
            if self.is_open(execution) and activity is not None and activity.token is None:
                del execution.activities[about["activityId"]]
                self.wake(execution)
        elif kind == "StartChildWorkflowExecution":
            if not self.is_open(execution):
                return
            workflow_id = about["workflowId"]
            if workflow_id not in self.open:
                child = self.start(
                    (workflow_id, ""),
                    policy=about["childPolicy"],
                    timeout=100_000_000,
                    task_timeout=30_000,
                    parent=execution.id,
                )
                self.unnamed.append(child)
                execution.children.add(workflow_id)
            self.wake(execution)
        else:
            target = self.open.get(about["workflowId"])
            if target is not None:
                if kind == "RequestCancelExternalWorkflowExecution":
                    target.cancel_requested = True
                else:
                    target.signals += 1
                self.wake(target)
            self.wake(execution)


_CLOSES = {
    "CompleteWorkflowExecution": "COMPLETED",
    "FailWorkflowExecution": "FAILED",
    "CancelWorkflowExecution": "CANCELED",
    "ContinueAsNewWorkflowExecution": "CONTINUED_AS_NEW",
}
_ACTIVITY_TIMEOUTS = {
    "SCHEDULE_TO_START": "scheduleToStartTimeout",
    "SCHEDULE_TO_CLOSE": "scheduleToCloseTimeout",
    "START_TO_CLOSE": "startToCloseTimeout",
    "HEARTBEAT": "heartbeatTimeout",
}

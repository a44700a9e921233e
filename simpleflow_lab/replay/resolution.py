"""What an event means for the request it belongs to: one function per kind of entity and state, in one table.

A task that fails is asked for again while it has retries left. An attempt that was lost because its worker's process
died costs no retry. A task that SWF refuses to schedule for want of its type is asked for again, for the decider
registers types; one refused because too much is open waits its turn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from simpleflow_lab.exceptions import TaskCanceled, TaskFailed, TaskTerminated, TimeoutError
from simpleflow_lab.replay.executor import ReplayExecutor
from simpleflow_lab.replay.requests import Request
from simpleflow_lab.swf import event_types
from simpleflow_lab.swf.history import HistoryEvent
from simpleflow_lab.swf.recovery import is_worker_lost
from simpleflow_lab.task import ActivityTask, WorkflowTask

Resolve = Callable[[ReplayExecutor, Request, HistoryEvent], None]

MAX_TYPE_MISSING: Final = 3
"""How often a task is asked for again because SWF does not know its type. Registering takes one round."""

_TYPE_MISSING: Final = frozenset({"ACTIVITY_TYPE_DOES_NOT_EXIST", "WORKFLOW_TYPE_DOES_NOT_EXIST"})
_TOO_MUCH: Final = frozenset(
    {
        "OPEN_ACTIVITIES_LIMIT_EXCEEDED",
        "ACTIVITY_CREATION_RATE_EXCEEDED",
        "OPEN_CHILDREN_LIMIT_EXCEEDED",
        "OPEN_WORKFLOWS_LIMIT_EXCEEDED",
        "CHILD_CREATION_RATE_EXCEEDED",
        "OPEN_TIMERS_LIMIT_EXCEEDED",
        "TIMER_CREATION_RATE_EXCEEDED",
    }
)


def resolve(executor: ReplayExecutor, request: Request, event: HistoryEvent) -> None:
    """Tell the request's future what the event says."""
    row = event.row
    found = _TABLE.get((row.entity, row.state))
    if found is not None and request.future is not None and not request.future.done:
        found(executor, request, event)


def _running(executor: ReplayExecutor, request: Request, event: HistoryEvent) -> None:
    assert request.future is not None
    request.future.set_running()


def _completed(executor: ReplayExecutor, request: Request, event: HistoryEvent) -> None:
    assert request.future is not None
    request.future.set_finished(executor.fields.decode_later(event.attributes.get("result")))


def _failed(executor: ReplayExecutor, request: Request, event: HistoryEvent) -> None:
    attributes = event.attributes
    reason, details = (executor.fields.text(attributes.get(name)) for name in ("reason", "details"))
    _attempt_failed(executor, request, TaskFailed(request.id, reason, details))


def _timed_out(executor: ReplayExecutor, request: Request, event: HistoryEvent) -> None:
    attributes = event.attributes
    if is_worker_lost(attributes.get("details")):
        executor.ask(request.again())
        return
    kind = str(attributes.get("timeoutType"))
    _attempt_failed(executor, request, TimeoutError(kind, _timeout_value(request, kind)))


def _canceled(executor: ReplayExecutor, request: Request, event: HistoryEvent) -> None:
    assert request.future is not None
    request.future.set_cancelled(TaskCanceled(executor.fields.text(event.attributes.get("details"))))


def _terminated(executor: ReplayExecutor, request: Request, event: HistoryEvent) -> None:
    _attempt_failed(executor, request, TaskTerminated())


def _refused(executor: ReplayExecutor, request: Request, event: HistoryEvent) -> None:
    assert request.future is not None
    cause = str(event.attributes.get("cause"))
    if cause in _TOO_MUCH:
        executor.ask(request.again())
    elif cause in _TYPE_MISSING and request.failures < MAX_TYPE_MISSING:
        request.failures += 1
        executor.ask(request.again())
    else:
        request.future.set_exception(TaskFailed(request.id, f"SWF refused it: {cause}"))


def _fired(executor: ReplayExecutor, request: Request, event: HistoryEvent) -> None:
    assert request.future is not None
    request.future.set_finished(None)


def _signaled(executor: ReplayExecutor, request: Request, event: HistoryEvent) -> None:
    assert request.future is not None
    request.future.set_finished(None)


def _attempt_failed(executor: ReplayExecutor, request: Request, error: Exception) -> None:
    assert request.future is not None
    request.failures += 1
    if request.failures <= _retries(request):
        executor.ask(request.again())
    else:
        request.future.set_exception(error)


def _retries(request: Request) -> int:
    if isinstance(request.task, ActivityTask):
        return request.task.activity.retry
    return request.task.workflow.retry if isinstance(request.task, WorkflowTask) else 0


def _timeout_value(request: Request, kind: str) -> Any:
    value = request.members.get(f"{kind.lower()}_timeout", request.members.get(f"execution_{kind.lower()}_timeout"))
    return int(value) if isinstance(value, str) and value.isdigit() else value


_TABLE: Final[dict[tuple[str, str], Resolve]] = {
    (event_types.ACTIVITY, "scheduled"): _running,
    (event_types.ACTIVITY, "completed"): _completed,
    (event_types.ACTIVITY, "failed"): _failed,
    (event_types.ACTIVITY, "timed_out"): _timed_out,
    (event_types.ACTIVITY, "canceled"): _canceled,
    (event_types.ACTIVITY, "schedule_failed"): _refused,
    (event_types.CHILD, "initiated"): _running,
    (event_types.CHILD, "completed"): _completed,
    (event_types.CHILD, "failed"): _failed,
    (event_types.CHILD, "timed_out"): _timed_out,
    (event_types.CHILD, "canceled"): _canceled,
    (event_types.CHILD, "terminated"): _terminated,
    (event_types.CHILD, "start_failed"): _refused,
    (event_types.TIMER, "started"): _running,
    (event_types.TIMER, "fired"): _fired,
    (event_types.TIMER, "start_failed"): _refused,
    (event_types.EXTERNAL_SIGNAL, "initiated"): _running,
    (event_types.EXTERNAL_SIGNAL, "signaled"): _signaled,
    (event_types.EXTERNAL_SIGNAL, "failed"): _failed,
}

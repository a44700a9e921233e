"""What an event means for the request it belongs to: one function per kind of entity and state, in one table.

What follows a failed attempt is decided in `failed_attempts`. An attempt that was lost because its worker's process
died costs no retry, and nobody is asked. A task that SWF refuses to schedule for want of its type is asked for again,
for the decider registers types; one refused because too much is asked at once waits longer each time; what SWF refuses
for good has failed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from simpleflow_lab.exceptions import TaskCanceled, TaskFailed, TaskTerminated, TimeoutError
from simpleflow_lab.replay import requests
from simpleflow_lab.replay.executor import ReplayExecutor
from simpleflow_lab.replay.failed_attempts import attempt_failed, timeout_value, try_again
from simpleflow_lab.replay.requests import Request
from simpleflow_lab.retry import back_off
from simpleflow_lab.swf import event_types
from simpleflow_lab.swf.history import HistoryEvent
from simpleflow_lab.swf.lost_workers import is_worker_lost

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
        "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_RATE_EXCEEDED",
        "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_RATE_EXCEEDED",
    }
)
"""Causes that pass: SWF takes the task when less is open, or later."""


def resolve(executor: ReplayExecutor, request: Request, event: HistoryEvent) -> None:
    """Tell the request's future what the event says."""
    row = event.row
    if row.entity == event_types.TIMER and row.state in ("fired", "canceled") and executor.timers_in_line:
        executor.ask_again(executor.timers_in_line.pop(0))
    found = _TABLE.get((row.entity, row.state))
    if found is not None and (request.future or request.of) is not None and not request.closed:
        found(executor, request, event)


def _running(executor: ReplayExecutor, request: Request, event: HistoryEvent) -> None:
    assert request.future is not None
    request.future.set_running()
    if request.attempts.first_at is None:
        request.attempts.first_at = event.timestamp


def _completed(executor: ReplayExecutor, request: Request, event: HistoryEvent) -> None:
    assert request.future is not None
    request.future.set_finished(executor.fields.decode_later(event.attributes.get("result")))


def _failed(executor: ReplayExecutor, request: Request, event: HistoryEvent) -> None:
    attributes = event.attributes
    reason, details = (executor.fields.text(attributes.get(name)) for name in ("reason", "details"))
    attempt_failed(executor, request, event, TaskFailed(request.id, reason, details))


def _timed_out(executor: ReplayExecutor, request: Request, event: HistoryEvent) -> None:
    attributes = event.attributes
    if is_worker_lost(attributes.get("details")):
        executor.ask_again(request)
        return
    kind = str(attributes.get("timeoutType"))
    last_words = executor.fields.text(attributes.get("details"))
    attempt_failed(executor, request, event, TimeoutError(kind, timeout_value(request, kind), last_words))


def _terminated(executor: ReplayExecutor, request: Request, event: HistoryEvent) -> None:
    attempt_failed(executor, request, event, TaskTerminated())


def _child_canceled(executor: ReplayExecutor, request: Request, event: HistoryEvent) -> None:
    assert request.future is not None
    error = TaskCanceled(executor.fields.text(event.attributes.get("details")))
    if request.given_up:
        request.future.set_cancelled(error)  # as the author wanted it
    else:
        attempt_failed(executor, request, event, error, final=True)


def _activity_canceled(executor: ReplayExecutor, request: Request, event: HistoryEvent) -> None:
    assert request.future is not None
    if request.given_up:
        request.future.mark_handled()
    request.future.set_cancelled(TaskCanceled(executor.fields.text(event.attributes.get("details"))))


def _refused(executor: ReplayExecutor, request: Request, event: HistoryEvent) -> None:
    assert request.future is not None
    cause = str(event.attributes.get("cause"))
    attempts = request.attempts
    error = TaskFailed(request.id, f"SWF refused it: {cause}")
    if cause in _TYPE_MISSING and attempts.type_missing < MAX_TYPE_MISSING:
        attempts.type_missing += 1
        executor.ask_again(request)
    elif cause == "OPEN_TIMERS_LIMIT_EXCEEDED":
        executor.timers_in_line.append(request)
    elif cause == "TIMER_CREATION_RATE_EXCEEDED":
        executor.ask_again(request)  # a timer can't wait by means of a timer: only by the decision in between
    elif cause in _TOO_MUCH:
        attempts.refusals += 1
        try_again(executor, request, back_off(attempts.refusals))
    elif request.kind in (requests.ACTIVITY, requests.CHILD):
        attempt_failed(executor, request, event, error, final=True)
    else:
        request.future.set_exception(error)


def _fired(executor: ReplayExecutor, request: Request, event: HistoryEvent) -> None:
    assert request.future is not None
    request.future.set_finished(None)


def _child_started(executor: ReplayExecutor, request: Request, event: HistoryEvent) -> None:
    executor.child_started(request)


def _not_signaled(executor: ReplayExecutor, request: Request, event: HistoryEvent) -> None:
    assert request.future is not None
    attributes = event.attributes
    if attributes.get("cause") == "UNKNOWN_EXTERNAL_WORKFLOW_EXECUTION":
        whom = attributes.get("workflowId")
        unknown = f"SWF refused it: {attributes['cause']}, no execution {whom!r} is open to get the signal"
        request.future.set_exception(TaskFailed(request.id, unknown))
    else:
        _refused(executor, request, event)


def _not_canceled(executor: ReplayExecutor, request: Request, event: HistoryEvent) -> None:
    cause = str(event.attributes.get("cause"))
    if cause in _TOO_MUCH:
        request.attempts.refusals += 1
        try_again(executor, request, back_off(request.attempts.refusals))
    else:
        executor.cancel_refused(request, cause)


def _signaled(executor: ReplayExecutor, request: Request, event: HistoryEvent) -> None:
    assert request.future is not None
    request.future.set_finished(None)


_TABLE: Final[dict[tuple[str, str], Resolve]] = {
    (event_types.ACTIVITY, "scheduled"): _running,
    (event_types.ACTIVITY, "completed"): _completed,
    (event_types.ACTIVITY, "failed"): _failed,
    (event_types.ACTIVITY, "timed_out"): _timed_out,
    (event_types.ACTIVITY, "canceled"): _activity_canceled,
    (event_types.ACTIVITY, "schedule_failed"): _refused,
    (event_types.CHILD, "initiated"): _running,
    (event_types.CHILD, "started"): _child_started,
    (event_types.CHILD, "completed"): _completed,
    (event_types.CHILD, "failed"): _failed,
    (event_types.CHILD, "timed_out"): _timed_out,
    (event_types.CHILD, "canceled"): _child_canceled,
    (event_types.CHILD, "terminated"): _terminated,
    (event_types.CHILD, "start_failed"): _refused,
    (event_types.TIMER, "started"): _running,
    (event_types.TIMER, "fired"): _fired,
    (event_types.TIMER, "start_failed"): _refused,
    (event_types.EXTERNAL_SIGNAL, "initiated"): _running,
    (event_types.EXTERNAL_SIGNAL, "signaled"): _signaled,
    (event_types.EXTERNAL_SIGNAL, "failed"): _not_signaled,
    (event_types.EXTERNAL_CANCEL, "failed"): _not_canceled,
    (event_types.DECISION_FAILURE, "request_cancel_activity_failed"): _not_canceled,
}

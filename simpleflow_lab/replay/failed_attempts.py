"""What becomes of a task whose attempt failed: the workflow's hook says so, or else the task's retry policy.

The hook, `Workflow.on_task_failure`, is the author's code and runs like all of it: in a strand of its own, in the
decision that first sees the failure, and again in each replay. One that waits while the workflow begins again, because
`ExecutionBlocked` was raised by hand, begins again, too. A wait before the next attempt is an SWF timer under
upstream's name, which may be used again once it has fired. Nothing is drawn or measured here: times are those of
events, chance comes from ids.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

from simpleflow_lab.data.codec import encode
from simpleflow_lab.data.failure_details import error_names
from simpleflow_lab.data.fields import PATHS_KEY
from simpleflow_lab.data.references import all_loaded
from simpleflow_lab.exceptions import (
    EncodingError,
    ExecutionBlocked,
    TaskCanceled,
    TaskException,
    TimeoutError,
    UsageError,
    WorkflowCanceled,
    WorkflowException,
)
from simpleflow_lab.futures import Future, copy_outcome
from simpleflow_lab.replay import requests
from simpleflow_lab.replay.executor import ReplayExecutor
from simpleflow_lab.replay.requests import Request
from simpleflow_lab.replay.task_ids import within_limit
from simpleflow_lab.retry import FailedAttempt, policy_of
from simpleflow_lab.swf.history import HistoryEvent
from simpleflow_lab.swf.timer_names import RETRY_TIMER
from simpleflow_lab.task import ActivityTask, TaskFailureContext, TimerTask, WorkflowTask

_HOOK: Final = "on_task_failure"


def attempt_failed(
    executor: ReplayExecutor, request: Request, event: HistoryEvent, error: Exception, *, final: bool = False
) -> None:
    """An attempt of an activity or child workflow ended so. With `final` no policy tries again, only the hook may."""
    timeout_type = error.timeout_type if isinstance(error, TimeoutError) else None
    request.attempts.failures[timeout_type or ""] += 1
    failed = FailedAttempt(
        error_names=error_names(error),
        timeout_type=timeout_type,
        failures=dict(request.attempts.failures),
        elapsed=_elapsed(request, event),
        seed=f"{executor.run_context()['run_id']}/{request.id}/{request.attempts.failures.total()}",
    )

    def by_policy() -> None:
        task = _task_of(request)
        retry = task.activity.retry if isinstance(task, ActivityTask) else task.workflow.retry
        wait = None if final else policy_of(retry).wait_after(failed)
        if wait is None:
            _give_up(request, error)
        else:
            try_again(executor, request, wait)

    if executor.hook(_HOOK) is None:
        by_policy()
        return
    decided_at = executor.started_event_id

    def ask_author() -> None:
        hook = executor.hook(_HOOK)  # of the workflow's instance that runs now
        assert hook is not None
        try:
            context = _context(executor, request, event, error, decided_at)
            answer = hook(context)
            if answer is not None and not isinstance(answer, TaskFailureContext):
                raise UsageError(f"it returned {answer!r}: return the context that it was given, or None")
            if not request.closed:  # it may have been canceled meanwhile
                answer = answer or context
                _carry_out(executor, request, answer, error, by_policy)
                if answer.decision is TaskFailureContext.Decision.handled and answer.future and not request.closed:
                    return  # until the future closes that it becomes as, the hook may have to hand over another one
        except ExecutionBlocked:
            executor.blocked = True
            return
        except WorkflowCanceled as canceled:
            if request.future is not None and not request.closed:
                request.future.set_cancelled(TaskCanceled(str(canceled)))
        except Exception as failure:  # the author's: it ends the execution as one in `run` does
            executor.author_failed(failure, _HOOK)
        executor.hook_decided(request)

    executor.ask_hook(request, ask_author)


def try_again(executor: ReplayExecutor, request: Request, wait: int) -> None:
    """One more attempt, after so many seconds."""

    def ask(_: Future | None = None) -> None:
        if not request.closed and executor.closing is None:
            executor.ask_again(request)

    if not wait:
        ask()
        return
    to = request.members.get("workflow_id") if request.kind == requests.SIGNAL else None
    timer_id = within_limit(f"{RETRY_TIMER}{request.id}" if to is None else f"{RETRY_TIMER}{request.id}-{to}")
    fired = Future(task_id=timer_id)
    fired.add_done_callback(ask)
    executor.ask_by_itself(Request(requests.TIMER, timer_id, future=fired, input=str(wait), line=request.line))


def _carry_out(
    executor: ReplayExecutor,
    request: Request,
    context: TaskFailureContext,
    error: Exception,
    by_policy: Callable[[], None],
) -> None:
    """Do what the hook decided."""
    verdict = TaskFailureContext.Decision
    decision, told, future = context.decision, context.future, request.future
    assert future is not None
    if decision is verdict.handled and told is None:
        decision = verdict.retry_now
    if decision in (verdict.ignore, verdict.cancel):
        executor.settled_by_hook += 1
    if decision in (None, verdict.none, verdict.retry_now, verdict.retry_later):
        _take_over(executor, request, context.a_task)
    match decision:
        case None | verdict.none:
            by_policy()
        case verdict.abort:
            executor.author_failed(error, f"{_HOOK} aborted the workflow")
        case verdict.ignore:
            # `told` still has the error, and so no result, unless the hook gave it one.
            future.set_finished(None if told is None else told.result)
        case verdict.cancel:
            future.set_cancelled()
        case verdict.retry_now:
            try_again(executor, request, 0)
        case verdict.retry_later:
            # A TimerTask refuses what is no number of seconds, in a line.
            try_again(executor, request, TimerTask(RETRY_TIMER, context.retry_wait_timeout or 0).timeout)
        case verdict.handled:
            assert told is not None
            _become(executor, request, told)
        case other:
            raise UsageError(f"{other!r} is no decision: use one of TaskFailureContext.Decision")


def _give_up(request: Request, error: Exception) -> None:
    """The task failed for good."""
    assert request.future is not None
    if isinstance(error, TaskCanceled):
        request.future.set_cancelled(error)
    else:
        request.future.set_exception(error, raises=_task_of(request).raises_on_failure)


def _become(executor: ReplayExecutor, request: Request, other: Future) -> None:
    """Close the request's future, the one that it has by then, as the other one closes."""

    def close(done: Future) -> None:
        executor.hook_decided(request)
        future = request.future
        if future is None or future.done:
            return
        executor.settled_by_hook += 1
        done.mark_handled()  # whoever looks at the task's future sees to its error
        copy_outcome(done, future)

    other.add_done_callback(close)


def _take_over(executor: ReplayExecutor, request: Request, task: object) -> None:
    """From now on the request asks for this task, under its old id."""
    kind = ActivityTask if request.kind == requests.ACTIVITY else WorkflowTask
    if not isinstance(task, ActivityTask | WorkflowTask) or not isinstance(task, kind):
        raise UsageError(f"a_task is {task!r}: a failed {request.kind} can only be tried again as one")
    args, kwargs = request.arguments
    changed = copy.copy(task)
    changed.args = tuple(_as_it_was(value, args[n : n + 1]) for n, value in enumerate(task.args))
    changed.kwargs = {
        name: _as_it_was(value, [kwargs[name]] if name in kwargs else []) for name, value in task.kwargs.items()
    }
    same_arguments = (
        len(changed.args) == len(args)
        and changed.kwargs.keys() == kwargs.keys()
        and all(map(operator.is_, changed.args, args))
        and all(value is kwargs[name] for name, value in changed.kwargs.items())
    )
    if not same_arguments or _but_arguments(task) != _but_arguments(_task_of(request)):
        executor.change(request, changed)


def _as_it_was(given: Any, was: list[Any]) -> Any:
    """The argument that was there, large and maybe not to be written again, if this one is equal to it."""
    for value in was:
        try:
            if encode(given) == encode(all_loaded(value)):
                return value
        except EncodingError:  # a future, or nonsense: whoever asks for it will say so
            pass
    return given


def _but_arguments(task: ActivityTask | WorkflowTask) -> dict[str, Any]:
    return {name: value for name, value in vars(task).items() if name not in ("args", "kwargs")}


def _task_of(request: Request) -> ActivityTask | WorkflowTask:
    task = request.task
    assert isinstance(task, ActivityTask | WorkflowTask)
    return task


def _elapsed(request: Request, event: HistoryEvent) -> float:
    first = request.attempts.first_at
    return 0.0 if first is None else (event.timestamp - first).total_seconds()


def _context(
    executor: ReplayExecutor, request: Request, event: HistoryEvent, error: Exception, started: int
) -> TaskFailureContext:
    task = copy.copy(_task_of(request))
    # Copies, for the hook may change them in place, however deep; and large values themselves.
    args, kwargs = copy.deepcopy(all_loaded(request.arguments))
    task.args, task.kwargs = tuple(args), kwargs
    attempt = _as_upstream(executor, request, event)
    if isinstance(attempt.get("input"), dict) and attempt["input"].pop(PATHS_KEY, None):
        attempt["input"].update(copy.deepcopy({"args": args, "kwargs": kwargs}))
    ended = Future(task_id=request.id)
    ended.set_exception(error)
    return TaskFailureContext(
        task,
        attempt,
        ended,
        TaskException if isinstance(task, ActivityTask) else WorkflowException,
        history=executor.history,
        current_started_decision_id=started,
        last_completed_decision_id=next(
            (n for n in range(started, 0, -1) if executor.events[n - 1].type == "DecisionTaskCompleted"), None
        ),
    )


def _as_upstream(executor: ReplayExecutor, request: Request, event: HistoryEvent) -> dict[str, Any]:
    """The attempt as upstream's dict of it: its keys, by what the attempt's events say."""
    found: dict[str, Any] = {
        "type": _UPSTREAM_TYPE[request.kind],
        "id": request.id,
        "name": request.type[0] if request.type else None,
        "version": request.type[1] if request.type else None,
        "retry": request.attempts.failures.total() - 1,
    }
    keys = _UPSTREAM_KEYS[request.kind]
    for attribute in ("scheduledEventId", "initiatedEventId", "startedEventId"):
        event_id = event.attributes.get(attribute)
        if event_id:
            _describe(executor, found, executor.events[event_id - 1], keys)
    _describe(executor, found, event, keys)
    if isinstance(found.get("timeout_type"), str):
        found["timeout_value"] = timeout_value(request, found["timeout_type"])
    return found


def _describe(executor: ReplayExecutor, found: dict[str, Any], event: HistoryEvent, keys: Mapping[str, str]) -> None:
    state = event.row.state
    attributes = event.attributes
    id_key, time_key = _STATE_KEYS.get(state, (f"{state}_id", f"{state}_timestamp"))
    found.update({"state": _UPSTREAM_STATES.get(state, state), id_key: event.id, time_key: event.timestamp})
    found.update({key: attributes[name] for name, key in keys.items() if name in attributes})
    if "input" in attributes:
        found["input"] = executor.fields.decode(attributes["input"])
    if "taskList" in attributes:
        found["task_list"] = attributes["taskList"]["name"]
    if "workflowExecution" in attributes:
        execution = attributes["workflowExecution"]
        found.update({"workflow_id": execution["workflowId"], "run_id": execution["runId"]})


_UPSTREAM_TYPE: Final = {requests.ACTIVITY: "activity", requests.CHILD: "child_workflow"}
_UPSTREAM_STATES: Final = {"initiated": "start_initiated"}
_STATE_KEYS: Final = {"initiated": ("initiated_event_id", "initiated_event_timestamp")}
_COMMON_KEYS: Final = {
    "decisionTaskCompletedEventId": "decision_task_completed_event_id",
    "control": "control",
    "reason": "reason",
    "details": "details",
    "timeoutType": "timeout_type",
    "cause": "cause",
}
_UPSTREAM_KEYS: Final[Mapping[str, Mapping[str, str]]] = {
    requests.ACTIVITY: {**_COMMON_KEYS, "identity": "identity", "activityType": "activity_type"},
    requests.CHILD: {**_COMMON_KEYS, "input": "raw_input", "childPolicy": "child_policy", "tagList": "tag_list"},
}


def timeout_value(request: Request, kind: str) -> Any:
    """Seconds of one of the task's timeouts, or what SWF has instead of a number."""
    value = request.members.get(f"{kind.lower()}_timeout", request.members.get(f"execution_{kind.lower()}_timeout"))
    return int(value) if isinstance(value, str) and value.isdigit() else value

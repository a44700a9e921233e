"""What a running workflow talks to: takes its tasks, gives futures, collects requests.

The executor knows the workflow's side of a replay: which tasks were submitted, under which ids, with which futures.
`replay.replay` knows the history's side and tells it what became of them.
"""

from __future__ import annotations

import contextvars
import datetime
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import greenlet

from simpleflow_lab.exceptions import StoreError, UsageError
from simpleflow_lab.fields import Fields, LateFields
from simpleflow_lab.futures import Future, nested, resolved
from simpleflow_lab.jumbo import all_fetched
from simpleflow_lab.marker import Marker
from simpleflow_lab.replay import requests
from simpleflow_lab.replay.fibers import Fibers, Line
from simpleflow_lab.replay.requests import Asked, Request
from simpleflow_lab.replay.task_ids import TaskIds, arguments_hash
from simpleflow_lab.signal import WaitForSignal
from simpleflow_lab.swf.decisions import seconds
from simpleflow_lab.swf.history import HistoryEvent
from simpleflow_lab.task import (
    ActivityTask,
    CancelTimerTask,
    ContinueAsNewWorkflowTask,
    MarkerTask,
    SignalTask,
    Task,
    TimerTask,
    WorkflowTask,
)
from simpleflow_lab.workflow import Workflow, priority_of


class ReplayExecutor:
    """The executor of one workflow execution while it is replayed; implements `workflow.Executor`."""

    def __init__(
        self,
        started: HistoryEvent,
        *,
        domain: str,
        workflow_id: str,
        run_id: str,
        context: contextvars.Context | None,
        fields: Fields,
    ):
        self.fibers = Fibers(context)
        self.fields = LateFields(fields, self.fibers.outside)
        self.asked = Asked()
        """Requests that the history has not recorded yet."""
        self.events: list[HistoryEvent] = []
        self.replaying = False
        self.decided_at: datetime.datetime = started.timestamp
        self.closing: Request | None = None
        """The close decision, once the workflow came to its end."""
        self._started = started
        self._domain, self._workflow_id, self._run_id = domain, workflow_id, run_id
        self._ids = TaskIds(workflow_id, run_id)
        self._by_id: dict[str, Request] = {}
        self._timers: dict[str, Request] = {}
        self._markers: list[Marker] = []
        self._marked: dict[tuple[str, str | None], Future] = {}
        self._signals: dict[str, list[Any]] = {}
        self._waiting_for_signal: dict[str, list[Future]] = {}
        self._failed: list[Future] = []
        self._workflow: Workflow | None = None

    # -- workflow.Executor --

    @property
    def history(self) -> Sequence[HistoryEvent]:
        """The events so far."""
        return self.events

    @property
    def is_replaying(self) -> bool:
        """What the code does now was done before."""
        return self.replaying

    def now(self) -> datetime.datetime:
        """When the current decision task was started."""
        return self.decided_at

    def run_context(self) -> Mapping[str, Any]:
        """See `Workflow.get_run_context`."""
        attributes = self._started.attributes
        parent = attributes.get("parentWorkflowExecution") or {}
        kind = attributes.get("workflowType") or {}
        return {
            "name": kind.get("name"),
            "version": kind.get("version"),
            "domain_name": self._domain,
            "workflow_id": self._workflow_id,
            "run_id": self._run_id,
            "tag_list": list(attributes.get("tagList") or []),
            "continued_execution_run_id": attributes.get("continuedExecutionRunId"),
            "parent_workflow_id": parent.get("workflowId"),
            "parent_run_id": parent.get("runId"),
        }

    def markers(self) -> list[Marker]:
        """The markers of this run."""
        return list(self._markers)

    def event_details(self, kind: str, name: str) -> Mapping[str, Any] | None:
        """See `Workflow.get_event_details`."""
        attribute = {"marker": "markerName", "signal": "signalName", "timer": "timerId"}.get(kind)
        if attribute is None:
            raise UsageError(f'event details are kept of "marker", "signal" and "timer", not of {kind!r}')
        for event in reversed(self.events):
            if event.row.entity == kind and event.attributes.get(attribute) == name:
                return {
                    "event_id": event.id,
                    "timestamp": event.timestamp,
                    "state": event.row.state,
                    **event.attributes,
                }
        return None

    def submit(self, task: Task) -> Future:
        """Take a task; gives its future at once."""
        if self.fibers.closed:
            # Code in a `finally` of an abandoned strand; nothing can be asked any more.
            raise greenlet.GreenletExit
        for kind, take in _TAKERS.items():
            if isinstance(task, kind):
                future: Future = take(self, task, self.fibers.line())
                return future
        raise TypeError(f"{task!r} can't be submitted")

    def spawn(self, future: Future, body: Callable[[], Any]) -> None:
        """Run `body` in a strand of its own; its result or error closes the future."""

        def to_future() -> None:
            try:
                future.set_finished(body())
            except Exception as error:  # of the author's code, told by the future
                future.set_exception(error, raises=True)

        self.fibers.spawn(to_future, self.fibers.line())

    def new_future(self, future_class: type[Future], *, raises: bool) -> Future:
        """A future of a container."""
        future = future_class(self.fibers.wait, raises=raises)
        future.add_done_callback(self._note_failure)
        return future

    # -- what becomes of tasks; told by the replay --

    def signaled(self, name: str, value: Any) -> None:
        """A signal came."""
        self._signals.setdefault(name, []).append(value)
        for future in self._waiting_for_signal.pop(name, []):
            future.set_finished(value)

    def ask(self, request: Request) -> None:
        """One more request."""
        self.asked.add(request)

    def unnoticed_failures(self) -> list[str]:
        """Ids of the tasks that failed for good without anybody reading or raising their errors."""
        return [future.task_id for future in self._failed if future.unnoticed_failure and future.task_id]

    def unraised_failure(self) -> BaseException | None:
        """The first error that was to be raised, had anybody read the result."""
        for future in self._failed:
            if future.raises and future.unnoticed_failure:
                future.notice()
                return future.peek_exception()
        return None

    @property
    def failures(self) -> int:
        """How many tasks failed for good."""
        return len(self._failed)

    @property
    def waiting_signals(self) -> list[str]:
        """Names of the signals that are waited for."""
        return sorted(self._waiting_for_signal)

    def close_with(self, decision_type: str, **members: Any) -> None:
        """The workflow came to its end: from now on only this is asked."""
        if self.closing is None:
            self.closing = Request(requests.CLOSE, decision_type, members=members)
            self.asked.add(self.closing)

    # -- one method for each kind of task --

    def _new_future(self, task_id: str, *, raises: bool = False) -> Future:
        future = Future(self.fibers.wait, task_id=task_id, raises=raises)
        future.add_done_callback(self._note_failure)
        return future

    def _note_failure(self, future: Future) -> None:
        if future.peek_exception() is not None:
            self._failed.append(future)

    def _when_arguments_are_there(self, args: Any, future: Future, go_on: Callable[[], None]) -> None:
        """Call `go_on` when every future in `args` is done; at once if all are.

        An argument that is to raise closes this task's future instead, and so does, later, a task that can't be asked
        for; now, that is an error of the line that submits.
        """
        waiting = [dependency for dependency in nested(args) if not dependency.done]
        if not waiting:
            self._go_on(args, future, go_on)
            return
        left = len(waiting)

        def later() -> None:
            try:
                self._go_on(args, future, go_on)
            except StoreError:
                raise  # the world's
            except Exception as error:  # the author's line has passed: the future tells
                future.set_exception(error, raises=True)

        def one_done(_: Future) -> None:
            nonlocal left
            left -= 1
            if not left:
                self.fibers.soon(later)

        for dependency in waiting:
            dependency.add_done_callback(one_done)

    def _go_on(self, args: Any, future: Future, go_on: Callable[[], None]) -> None:
        if future.done:
            return  # canceled by the author meanwhile
        for dependency in nested(args):
            error = dependency.peek_exception()
            if error is not None and dependency.raises:
                dependency.notice()
                future.set_exception(error, raises=True)
                return
        go_on()

    def _submit_activity(self, task: ActivityTask, line: Line | None) -> Future:
        activity = task.activity
        args, kwargs = _snapshot(task.args), _snapshot(task.kwargs)
        number = None if activity.idempotent else self._ids.next_number(task.name)
        future = self._new_future("", raises=task.raises_on_failure)
        if number is not None:
            future.task_id = self._ids.task_id(task.name, number)

        def go_on() -> None:
            values, named = resolved(args), resolved(kwargs)
            task_id = future.task_id or self._ids.task_id(
                task.name, arguments_hash(all_fetched(values), all_fetched(named))
            )
            future.task_id = task_id
            same = self._by_id.get(task_id)
            if same is not None:
                _follow(same.future, future)
                return
            given: dict[str, Any] = {"args": values, "kwargs": named}
            if activity.meta:
                given["meta"] = activity.meta
            workflow_priority = self._workflow.task_priority if self._workflow else None
            request = Request(
                requests.ACTIVITY,
                task_id,
                task=task,
                future=future,
                type=(activity.name, activity.version),
                input=self.fields.encode_input(given, f"input of {activity.name}"),
                line=line,
                members={
                    "task_list": activity.task_list,
                    "task_priority": priority_of(task.task_priority, activity.task_priority, workflow_priority),
                    "start_to_close_timeout": activity.task_start_to_close_timeout,
                    "schedule_to_close_timeout": activity.task_schedule_to_close_timeout,
                    "schedule_to_start_timeout": activity.task_schedule_to_start_timeout,
                    "heartbeat_timeout": activity.task_heartbeat_timeout,
                },
            )
            self._by_id[task_id] = request
            self.ask(request)

        self._when_arguments_are_there((args, kwargs), future, go_on)
        return future

    def _submit_child(self, task: WorkflowTask, line: Line | None) -> Future:
        workflow = task.workflow
        args, kwargs = _snapshot(task.args), _snapshot(task.kwargs)
        future = self._new_future(task.workflow_id or "", raises=task.raises_on_failure)
        if not future.task_id and not task.idempotent:
            future.task_id = self._ids.child_id(task.name, self._ids.next_number(task.name))

        def go_on() -> None:
            values, named = resolved(args), resolved(kwargs)
            child_id = future.task_id or self._ids.child_id(
                task.name, arguments_hash(all_fetched(values), all_fetched(named))
            )
            future.task_id = child_id
            same = self._by_id.get(child_id)
            if same is not None:
                _follow(same.future, future)
                return
            request = Request(
                requests.CHILD,
                child_id,
                task=task,
                future=future,
                type=(workflow.type_name(), workflow.type_version()),
                alias=f"{workflow.__module__}.{workflow.__qualname__}",
                input=self.fields.encode_input({"args": values, "kwargs": named}, f"input of {workflow.type_name()}"),
                line=line,
                members=self._child_members(task),
            )
            self._by_id[child_id] = request
            self.ask(request)

        self._when_arguments_are_there((args, kwargs), future, go_on)
        return future

    def _child_members(self, task: WorkflowTask) -> dict[str, Any]:
        workflow, parent = task.workflow, self._started.attributes
        tags = parent.get("tagList") if task.tag_list is Workflow.INHERIT_TAG_LIST else task.tag_list
        timeout, decision_timeout = workflow.execution_timeout, workflow.decision_tasks_timeout
        return {
            "task_list": task.task_list or parent["taskList"]["name"],
            "task_priority": priority_of(workflow.task_priority),
            "execution_start_to_close_timeout": (
                parent.get("executionStartToCloseTimeout") if timeout is None else seconds(timeout)
            ),
            "task_start_to_close_timeout": (
                parent.get("taskStartToCloseTimeout") if decision_timeout is None else seconds(decision_timeout)
            ),
            "child_policy": workflow.child_policy or parent.get("childPolicy"),
            "tag_list": list(tags) if tags else None,
        }

    def _submit_timer(self, task: TimerTask, line: Line | None) -> Future:
        same = self._timers.get(task.timer_id)
        if same is not None and same.future is not None:
            return same.future
        future = self._new_future(task.timer_id)
        control = (
            None if task.control is None else self.fields.encode(task.control, f"control of timer {task.timer_id}")
        )
        request = Request(
            requests.TIMER,
            task.timer_id,
            task=task,
            future=future,
            input=str(task.timeout),
            line=line,
            members={"control": control} if control else None,
        )
        self._timers[task.timer_id] = request
        self.ask(request)
        return future

    def _cancel_timer(self, task: CancelTimerTask, line: Line | None) -> Future:
        future = self._new_future(task.timer_id)
        future.set_finished(None)
        timer = self._timers.get(task.timer_id)
        if timer is not None and timer.future is not None and not timer.future.done:
            timer.future.set_cancelled()
            if timer in self.asked and not timer.sent:
                self.asked.remove(timer)
            else:
                self.ask(Request(requests.CANCEL_TIMER, task.timer_id, task=task, future=future, line=line))
        return future

    def _record_marker(self, task: MarkerTask, line: Line | None) -> Future:
        details = (
            None
            if task.details is None
            else self.fields.encode(resolved(task.details), f"details of marker {task.name}")
        )
        future = self._marked.get((task.name, details))
        if future is None:
            # SWF refuses a marker only for want of permission, so it counts as recorded when it is asked for.
            future = self._marked[task.name, details] = self._new_future(task.name)
            future.set_finished(task.details)
            self._markers.append(Marker(task.name, task.details))
            self.ask(Request(requests.MARKER, task.name, task=task, future=future, input=details, line=line))
        return future

    def _send_signal(self, task: SignalTask, line: Line | None) -> Future:
        args, kwargs = _snapshot(task.args), _snapshot(task.kwargs)
        future = self._new_future(task.name)

        def go_on() -> None:
            self.ask(
                Request(
                    requests.SIGNAL,
                    task.name,
                    task=task,
                    future=future,
                    input=self.fields.encode(
                        {"args": resolved(args), "kwargs": resolved(kwargs)}, f"input of signal {task.name}"
                    ),
                    line=line,
                    members={
                        "workflow_id": task.workflow_id or self._workflow_id,
                        # A signal to this execution is meant for this run; one to another for whichever is open.
                        "run_id": task.run_id or (None if task.workflow_id else self._run_id),
                    },
                )
            )

        self._when_arguments_are_there((args, kwargs), future, go_on)
        return future

    def _wait_for_signal(self, task: WaitForSignal, line: Line | None) -> Future:
        future = self._new_future(task.signal_name)
        came = self._signals.get(task.signal_name)
        if came:
            future.set_finished(came[-1])
        else:
            self._waiting_for_signal.setdefault(task.signal_name, []).append(future)
        return future

    def _continue_as_new(self, task: ContinueAsNewWorkflowTask, line: Line | None) -> Future:
        args, kwargs = _snapshot(task.args), _snapshot(task.kwargs)
        future = self._new_future(task.name, raises=True)

        def go_on() -> None:
            started = self._started.attributes
            self.close_with(
                "ContinueAsNewWorkflowExecution",
                input=self.fields.encode_input(
                    {"args": resolved(args), "kwargs": resolved(kwargs)}, "input of the next run"
                ),
                # SWF falls back to the type's defaults, not to this run's values: so they are all given.
                task_list=started["taskList"]["name"],
                task_priority=started.get("taskPriority"),
                execution_start_to_close_timeout=started.get("executionStartToCloseTimeout"),
                task_start_to_close_timeout=started.get("taskStartToCloseTimeout"),
                child_policy=started.get("childPolicy"),
                tag_list=started.get("tagList"),
                workflow_type_version=task.workflow.type_version(),
            )

        self._when_arguments_are_there((args, kwargs), future, go_on)
        return future

    def attach(self, workflow: Workflow) -> None:
        """The workflow that runs on this executor."""
        self._workflow = workflow


_TAKERS: Final[dict[type[Task], Callable[..., Future]]] = {
    ActivityTask: ReplayExecutor._submit_activity,
    WorkflowTask: ReplayExecutor._submit_child,
    TimerTask: ReplayExecutor._submit_timer,
    CancelTimerTask: ReplayExecutor._cancel_timer,
    MarkerTask: ReplayExecutor._record_marker,
    SignalTask: ReplayExecutor._send_signal,
    WaitForSignal: ReplayExecutor._wait_for_signal,
    ContinueAsNewWorkflowTask: ReplayExecutor._continue_as_new,
}


def _snapshot(value: Any) -> Any:
    """The containers copied, so that what the author changes after submitting changes nothing."""
    if isinstance(value, dict):
        return {key: _snapshot(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_snapshot(item) for item in value]
    if type(value) is tuple:
        return tuple(_snapshot(item) for item in value)
    return value


def _follow(first: Future | None, second: Future) -> None:
    """The same task submitted again has the same outcome."""
    assert first is not None

    def copy(done: Future) -> None:
        error = done.peek_exception()
        if done.cancelled:
            second.set_cancelled(error)
        elif error is not None:
            second.set_exception(error)
        else:
            second.set_finished(done.passed_on())

    first.add_done_callback(copy)

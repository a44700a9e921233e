"""What a running workflow talks to: takes its tasks, gives futures, collects requests.

The executor knows the workflow's side of a replay: which tasks were submitted, under which ids, with which futures.
`replay.replay` knows the history's side and tells it what became of them. What is an idea of its own stands apart:
arguments that wait for futures (`arguments`), what a task asks of SWF (`task_requests`), signals that came (`signals`)
and are passed on (`propagation`), ids (`task_ids`), patches, and runs from the start (`asked_before`).
"""

from __future__ import annotations

import contextvars
import datetime
from collections.abc import Callable, Mapping
from typing import Any, Final

import greenlet

from simpleflow_lab.data.codec import decode, encode
from simpleflow_lab.data.fields import DeferredFields, Fields
from simpleflow_lab.data.references import all_loaded, is_reference
from simpleflow_lab.exceptions import DecisionTaskError, ExecutionBlocked, StoreError, TaskCanceled, WorkflowCanceled
from simpleflow_lab.futures import PENDING, Canceler, Future, copy_outcome
from simpleflow_lab.marker import Marker
from simpleflow_lab.replay import requests, task_requests
from simpleflow_lab.replay.arguments import Given
from simpleflow_lab.replay.asked_before import AskedBefore
from simpleflow_lab.replay.fibers import Fibers, Line
from simpleflow_lab.replay.patches import Patches
from simpleflow_lab.replay.propagation import Propagation
from simpleflow_lab.replay.requests import Asked, Request
from simpleflow_lab.replay.signals import Signals
from simpleflow_lab.replay.task_ids import TaskIds, arguments_hash
from simpleflow_lab.replay.task_records import HistoryWithRecords
from simpleflow_lab.replay.task_requests import Asks
from simpleflow_lab.signal import PROPAGATE, Signal, SignalFuture, WaitForNextSignal, WaitForSignal
from simpleflow_lab.swf.history import HistoryEvent
from simpleflow_lab.swf.timer_names import DEADLINE_TIMER
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
from simpleflow_lab.workflow import Workflow, has_priority, priority_of


class _Waiter:
    """How the futures of one executor stand still; a `futures.TimedWaiter`."""

    __slots__ = ("_executor",)

    def __init__(self, executor: ReplayExecutor):
        self._executor = executor

    def __call__(self, future: Future, /) -> None:
        self._executor.fibers.wait(future)

    def start_deadline(self, seconds: int) -> Future:
        return self._executor.start_deadline(seconds)


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
        defaults: Mapping[str, str],
        fields: Fields,
    ):
        self.fibers = Fibers(context)
        self.fields = DeferredFields(fields, lambda call: self.fibers.outside(call))
        self.asked = Asked()
        """Requests that the history has not recorded yet."""
        self.events: list[HistoryEvent] = []
        self.history = HistoryWithRecords(self.events)
        """The events up to the decision at hand: what the workflow may know."""
        self.replaying = False
        self.decided_at: datetime.datetime = started.timestamp
        self.started_event_id = 0
        """The `DecisionTaskStarted` event of the decision that is replayed or made."""
        self.closing: Request | None = None
        """The close decision, once the workflow came to its end."""
        self.blocked = False
        """The code raised `ExecutionBlocked`: it is to run again from its start."""
        self.told_late = False
        """A hook closed a future after that: nothing else may come to make the code look again."""
        self.trouble: DecisionTaskError | None = None
        """Why no decision can be made, whatever the code does about it."""
        self.patches = Patches()
        self._before = AskedBefore(self.asked)
        self._context = context
        self.timers_in_line: list[Request] = []
        """Timers that SWF refused because as many as it allows are open; each waits for one of those to close."""
        self.settled_by_hook = 0
        """Tasks that failed and of which the workflow's hook made something else."""
        self._hooks: dict[Request, Callable[[], None]] = {}
        self.author_failed: Callable[[BaseException, str], None] = _nobody_listens
        """Called with an error of the author's code outside of `run`, and what raised it."""
        self._started = started
        self._defaults = defaults
        self._domain, self._workflow_id, self._run_id = domain, workflow_id, run_id
        self._ids = TaskIds(workflow_id, run_id, strand=lambda: self.fibers.path)
        self._by_id: dict[str, Request] = {}
        self._timers: dict[str, Request] = {}
        self._markers: list[Marker] = []
        self._marked: dict[tuple[str, str | None], Future] = {}
        self.signals = Signals()
        self._propagation = Propagation(started)
        self._deliveries: list[Future] = []
        self._waiter = _Waiter(self)
        self._failed: list[Future] = []
        self._workflow: Workflow | None = None

    # -- workflow.Executor --

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
        found = self.history.event_details(kind, name)
        for key in ("details", "input"):
            if found is not None and is_reference(found.get(key)):
                found = {**found, key: self.fields.decode(found[key])}
        if kind == "marker":
            # What was asked for in this decision is done for the workflow, and recorded with the answer.
            asked = [marker for marker in self._markers if marker.name == name]
            if len(asked) > len(self.history.markers.get(name, ())):
                details = {"name": name, "details": asked[-1].details, "event_id": None, "timestamp": self.decided_at}
                return {"type": kind, "state": "recorded", **details}
        if kind == "timer" and found is not None and name in self._timers:
            future = self._timers[name].future
            if future is not None and future.cancelled and found["state"] == "started":
                return {**found, "state": "canceled"}
        return found

    @property
    def workflow(self) -> Workflow | None:
        """The workflow that runs on it: where a container of the author's own submits what it holds."""
        return self._workflow

    def attach(self, workflow: Workflow) -> None:
        """The workflow that runs on this executor."""
        self._workflow = workflow

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
                result = body()
            except ExecutionBlocked:
                self.blocked = True
            except WorkflowCanceled as error:
                if not future.done:
                    future.set_cancelled(error)
            except (Exception, SystemExit) as error:  # of the author's code, told by the future
                if not future.done:
                    future.set_exception(error, raises=True)
            else:
                if not future.done:
                    future.set_finished(result)

        self.fibers.spawn(to_future, self.fibers.line())

    def new_future(self, future_class: type[Future], *, raises: bool) -> Future:
        """A future of a container."""
        future = future_class(self._waiter, raises=raises)
        future.add_done_callback(self._note_failure)
        return future

    # -- what becomes of tasks; told by the replay --

    def signaled(self, event: HistoryEvent, value: Any) -> None:
        """A signal came, with this input."""
        sender = event.attributes.get("externalWorkflowExecution") or {}
        signal = Signal(
            name=event.attributes["signalName"],
            input=value,
            event_id=event.id,
            workflow_id=sender.get("workflowId"),
            run_id=sender.get("runId"),
        )
        self._propagation.signaled(signal, event.attributes.get("input"))
        self._pass_signals_on_soon()
        self.signals.add(signal)

    def hook(self, name: str) -> Callable[..., Any] | None:
        """The workflow's own hook of this name, or `None` if it left that of `Workflow` as it is."""
        workflow = self._workflow
        if workflow is None or getattr(type(workflow), name) is getattr(Workflow, name):
            return None
        found: Callable[..., Any] = getattr(workflow, name)
        return found

    def ask_hook(self, request: Request, ask: Callable[[], None]) -> None:
        """Let a hook say what becomes of a request, in a strand of its own; see `hook_decided`."""
        self._hooks[request] = ask
        self._begin_hook(request, ask)

    def hook_decided(self, request: Request) -> None:
        """The hook has said it. Until then it begins again when the workflow does."""
        self._hooks.pop(request, None)
        self.told_late = self.told_late or (self.blocked and request.closed)

    def begin_hooks_again(self) -> None:
        """The workflow runs from its start, and so do those hooks that have not decided."""
        for request, ask in self._hooks.items():
            self._begin_hook(request, ask)

    def _begin_hook(self, request: Request, ask: Callable[[], None]) -> None:
        self.fibers.spawn(ask, request.line, ("hook", request.kind, request.id, request.attempts.failures.total()))

    def change(self, request: Request, task: ActivityTask | WorkflowTask) -> None:
        """The next attempt is of this task, whatever the request asked for before."""
        args, kwargs = Given((task.args, task.kwargs)).value
        if isinstance(task, ActivityTask):
            asks = self._of_activity(task, args, kwargs, self._priority_of(task))
        else:
            asks = self._of_child(task, args, kwargs)
        for member, value in asks.items():
            setattr(request, member, value)

    def child_event(self, event: HistoryEvent) -> None:
        """Something became of a child; events of other kinds are passed over."""
        self._propagation.child_event(event)
        self._pass_signals_on_soon()

    def child_started(self, request: Request) -> None:
        """A child runs: only now it can be asked to cancel."""
        request.started = True
        if request.given_up:
            self._ask_to_cancel(request, request.line)

    def cancel_refused(self, request: Request, cause: str) -> None:
        """SWF refused to cancel a task."""
        task = request.of
        assert task is not None
        if cause == "ACTIVITY_ID_UNKNOWN":
            # Its latest attempt has failed and the next one is not made yet; now it never will.
            assert task.future is not None
            task.future.mark_handled()
            task.future.set_cancelled(TaskCanceled())
        elif cause != "UNKNOWN_EXTERNAL_WORKFLOW_EXECUTION":
            task.given_up = False  # it goes on, and may be canceled again
        # A child that is unknown has closed, and its own event says how.

    def patched(self, patch: str, *, deprecated: bool) -> bool:
        """See `Workflow.patched`."""
        new_way, marker = self.patches.settle(
            patch, deprecated=deprecated, replaying=self.replaying, line=self.fibers.line()
        )
        if marker is not None:
            self.ask_by_itself(marker)
        return new_way

    def ask(self, request: Request) -> Request:
        """One more request; gives the one that stands for it. What was asked for before is not asked for again."""
        try:
            stands = self._before.stands(request)
        except DecisionTaskError as error:
            self.trouble = error
            raise
        if stands is request:
            self.asked.add(request)
        return stands

    def ask_by_itself(self, request: Request) -> None:
        """One more request, which the code does not make: running again does not make it again."""
        self.asked.add(request)

    def ask_again(self, request: Request) -> None:
        """One more attempt of what was asked for; none if it was given up."""
        if not request.given_up:
            self.asked.add(request.again())
        elif request.future is not None and not request.future.done:
            request.future.set_cancelled(TaskCanceled())

    def begin_again(self) -> None:
        """The workflow is about to run from its start. What it asked for so far stays asked for."""
        self.blocked = self.told_late = False
        self.fibers.close()
        self.fibers = Fibers(self._context)
        self._ids.begin_again()
        self._before.begin_again()
        self._by_id.clear()
        self._timers.clear()
        self.signals.begin_again()
        self._failed.clear()
        self._pass_signals_on_soon()

    def unhandled_failures(self) -> list[str]:
        """Ids of the tasks that failed for good without anybody reading or raising their errors."""
        return [future.task_id for future in self._failed if future.unhandled_failure and future.task_id]

    def unraised_failure(self) -> BaseException | None:
        """The first error that was to be raised, had anybody read the result."""
        for future in self._failed:
            if future.raises and future.unhandled_failure:
                future.mark_handled()
                return future.peek_exception()
        return None

    @property
    def failures(self) -> int:
        """How many tasks failed for good, or would have if a hook had made nothing else of it."""
        return len(self._failed) + self.settled_by_hook

    @property
    def is_passing_signals_on(self) -> bool:
        """A signal that was passed on has not arrived yet. Nobody knows whether SWF delivers it after the close."""
        self._deliveries = [future for future in self._deliveries if not future.done]
        return bool(self._deliveries)

    def close_with(self, decision_type: str, **members: Any) -> None:
        """The workflow came to its end: from now on only this is asked."""
        if self.closing is None:
            self.closing = Request(requests.CLOSE, decision_type, members=members)
            self.asked.add(self.closing)

    # -- one method for each kind of task --

    def _new_future(self, task_id: str, *, raises: bool = False, canceler: Canceler | None = None) -> Future:
        future = Future(self._waiter, task_id=task_id, raises=raises, canceler=canceler)
        future.add_done_callback(self._note_failure)
        return future

    def _note_failure(self, future: Future) -> None:
        if future.peek_exception() is not None:
            self._failed.append(future)

    def _when_arguments_are_there(self, given: Given, future: Future, go_on: Callable[[], None]) -> None:
        """Call `go_on` when every future in what was given is done; at once if all are.

        An argument that is to raise closes this task's future instead, and so does, later, a task that can't be asked
        for; now, that is an error of the line that submits.
        """
        waiting = [dependency for dependency in given.futures if not dependency.done]
        if not waiting:
            self._go_on(given, future, go_on)
            return
        left = len(waiting)

        def later() -> None:
            try:
                self._go_on(given, future, go_on)
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

    def _go_on(self, given: Given, future: Future, go_on: Callable[[], None]) -> None:
        if future.done:
            return  # canceled by the author meanwhile
        for dependency in given.futures:
            error = dependency.peek_exception()
            if error is not None and dependency.raises:
                dependency.mark_handled()
                future.set_exception(error, raises=True)
                return
        go_on()

    def _submit_activity(self, task: ActivityTask, line: Line | None) -> Future:
        activity = task.activity
        given = Given((task.args, task.kwargs))
        get_task_id = getattr(activity.callable, "get_task_id", None)
        future = self._new_future("", raises=task.raises_on_failure, canceler=self._give_up)
        if get_task_id is None and not activity.idempotent:
            future.task_id = self._ids.task_id(task.name, self._ids.next_number(task.name))
        # Asked now, for a property may say something else when the arguments are there.
        priority = self._priority_of(task)

        def go_on() -> None:
            args, kwargs = given.value
            if get_task_id is not None:
                future.task_id = self._ids.task_id(
                    task.name, str(get_task_id(self._workflow, *all_loaded(args), **all_loaded(kwargs)))
                )
            task_id = future.task_id or self._ids.task_id(
                task.name, arguments_hash(all_loaded(args), all_loaded(kwargs))
            )
            self._ask_once(
                requests.ACTIVITY, task_id, future, line, given, lambda: self._of_activity(task, args, kwargs, priority)
            )

        self._when_arguments_are_there(given, future, go_on)
        return future

    def _priority_of(self, task: ActivityTask) -> int | str | None:
        own = (task.task_priority, task.activity.task_priority)
        if self._workflow is None or any(has_priority(candidate) for candidate in own):
            return priority_of(*own)
        return priority_of(self._workflow.task_priority)

    def _of_activity(
        self, task: ActivityTask, args: list[Any], kwargs: dict[str, Any], priority: int | str | None
    ) -> Asks:
        return task_requests.of_activity(
            task, args, kwargs, priority=priority, defaults=self._defaults, fields=self.fields
        )

    def _submit_child(self, task: WorkflowTask, line: Line | None) -> Future:
        given = Given((task.args, task.kwargs))
        future = self._new_future("", raises=task.raises_on_failure, canceler=self._give_up)
        # Reserved now, even for a class that may say an id of its own when the arguments are there.
        numbered = None if task.idempotent else self._ids.child_id(task.name, self._ids.next_number(task.name))
        if not hasattr(task.workflow, "get_workflow_id"):
            future.task_id = numbered

        def go_on() -> None:
            args, kwargs = given.value
            child_id = (
                future.task_id
                or task.workflow_id(all_loaded(args), all_loaded(kwargs))
                or numbered
                or self._ids.child_id(task.name, arguments_hash(all_loaded(args), all_loaded(kwargs)))
            )
            self._ask_once(requests.CHILD, child_id, future, line, given, lambda: self._of_child(task, args, kwargs))

        self._when_arguments_are_there(given, future, go_on)
        return future

    def _of_child(self, task: WorkflowTask, args: list[Any], kwargs: dict[str, Any]) -> Asks:
        return task_requests.of_child(task, args, kwargs, started=self._started.attributes, fields=self.fields)

    def _ask_once(
        self, kind: str, task_id: str, future: Future, line: Line | None, given: Given, asks: Callable[[], Asks]
    ) -> None:
        """Ask for an activity or a child; one that has this id already has the same outcome for both."""
        future.task_id = task_id
        same = self._by_id.get(task_id)
        if same is None:
            self._by_id[task_id] = self.ask(
                Request(kind, task_id, future=future, line=line, dependencies=given.futures, **asks())
            )
        else:
            assert same.future is not None
            copy_outcome(same.future, future)

    def _submit_timer(self, task: TimerTask, line: Line | None) -> Future:
        same = self._timers.get(task.timer_id)
        if same is not None and same.future is not None:
            return same.future
        future = self._new_future(task.timer_id, canceler=self._give_up_timer)
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
        self._timers[task.timer_id] = self.ask(request)
        return future

    def _cancel_timer(self, task: CancelTimerTask, line: Line | None) -> Future:
        future = self._new_future(task.timer_id)
        future.set_finished(None)
        timer = self._timers.get(task.timer_id)
        if timer is not None and timer.future is not None:
            timer.future.cancel()
        return future

    def start_deadline(self, seconds: int) -> Future:
        """A timer that no author named; see `futures.TimedWaiter`."""
        return self.submit(TimerTask(f"{DEADLINE_TIMER}_{self._ids.next_number(DEADLINE_TIMER)}", seconds))

    def _record_marker(self, task: MarkerTask, line: Line | None) -> Future:
        given = Given(task.details)
        future = self._new_future(task.name)

        def go_on() -> None:
            value = given.value
            text = None if value is None else self.fields.encode(value, f"details of marker {task.name}")
            same = self._marked.get((task.name, text))
            if same is not None:
                copy_outcome(same, future)
                return
            # As the history gives it back: in JSON's types, and not to be changed by the author.
            marker = Marker(task.name, None if value is None else decode(encode(all_loaded(value))))
            # SWF refuses a marker only for want of permission, so it counts as recorded when it is asked for.
            self._marked[task.name, text] = future
            future.set_finished(marker.details)
            self._markers.append(marker)
            self.ask(Request(requests.MARKER, task.name, task=task, future=future, input=text, line=line))

        self._when_arguments_are_there(given, future, go_on)
        return future

    def _send_signal(self, task: SignalTask, line: Line | None) -> Future:
        given = Given((task.args, task.kwargs))
        future = self._new_future(task.name, canceler=self._give_up_signal)

        def go_on() -> None:
            args, kwargs = given.value
            sent = {"args": args, "kwargs": kwargs, PROPAGATE: task.propagate}
            self.ask(
                Request(
                    requests.SIGNAL,
                    task.name,
                    task=task,
                    future=future,
                    input=self.fields.encode(sent, f"input of signal {task.name}"),
                    line=line,
                    dependencies=given.futures,
                    members={
                        "workflow_id": task.workflow_id or self._workflow_id,
                        # A signal to this execution is meant for this run; one to another for whichever is open.
                        "run_id": task.run_id or (None if task.workflow_id else self._run_id),
                    },
                )
            )

        self._when_arguments_are_there(given, future, go_on)
        return future

    def _wait_for_signal(self, task: WaitForSignal, line: Line | None) -> Future:
        future = self._new_signal_future(task)
        self.signals.wait_for(task.signal_name, future)
        return future

    def _take_signal(self, task: WaitForNextSignal, line: Line | None) -> Future:
        future = self._new_signal_future(task)
        self.signals.take(task.signal_name, future)
        return future

    def _new_signal_future(self, task: WaitForSignal) -> SignalFuture:
        future = SignalFuture(self._waiter, task_id=task.signal_name)
        future.add_done_callback(self._note_failure)
        return future

    def _pass_signals_on_soon(self) -> None:
        """With the workflow's code, which must be there to say whether its parent gets them."""
        if self._propagation.is_due:
            self.fibers.soon(self._pass_signals_on)

    def _pass_signals_on(self) -> None:
        to_parent = bool(getattr(self._workflow, "propagate_signals_to_parent", True))
        for signal, input, to in self._propagation.due(to_parent=to_parent):
            # Its failure concerns nobody: a relative that has closed meanwhile misses nothing.
            future = Future()
            self._deliveries.append(future)
            self.ask_by_itself(
                Request(
                    requests.SIGNAL,
                    signal.name,
                    future=future,
                    input=input,
                    members={"workflow_id": to.workflow_id, "run_id": to.run_id},
                )
            )

    def _continue_as_new(self, task: ContinueAsNewWorkflowTask, line: Line | None) -> Future:
        given = Given((task.args, task.kwargs))
        future = self._new_future(task.name, raises=True, canceler=self._give_up_continuing)

        def go_on() -> None:
            args, kwargs = given.value
            asks = task_requests.of_next_run(task, args, kwargs, started=self._started.attributes, fields=self.fields)
            self.close_with("ContinueAsNewWorkflowExecution", **asks)

        self._when_arguments_are_there(given, future, go_on)
        return future

    # -- giving up: `Future.cancel`, which is called only while the future is not done --

    def _give_up(self, future: Future) -> bool:
        """An activity or a child."""
        request = self._by_id.get(future.task_id or "")
        if request is not None and request.future is not None and request.future is not future:
            return request.future.cancel()  # the same task, submitted before
        future.mark_handled()
        if request is None:
            future.set_cancelled(TaskCanceled())  # it waits for its arguments
        elif request in self.asked:
            self.asked.remove(request)
            if future.state == PENDING:
                del self._by_id[request.id]  # SWF never heard of it: the id is free
            future.set_cancelled(TaskCanceled())
        elif not request.given_up:
            request.given_up = True
            self._ask_to_cancel(request, self.fibers.line())
        return True

    def give_up_activities(self) -> None:
        """Cancel every activity task that is not done: those that run learn of it by their heartbeats."""
        for request in self._before.requests(requests.ACTIVITY):
            if request.given_up or request.future is None or request.closed:
                continue
            request.given_up = True
            request.future.mark_handled()
            if request in self.asked:
                self.asked.remove(request)
                request.future.set_cancelled(TaskCanceled())
            else:
                self._ask_to_cancel(request, None)

    def _ask_to_cancel(self, request: Request, line: Line | None) -> None:
        if request.kind == requests.ACTIVITY:
            kind = requests.CANCEL_ACTIVITY
        elif request.started:
            kind = requests.CANCEL_CHILD
        else:
            return  # see `child_started`
        self.ask_by_itself(Request(kind, request.id, of=request, line=line))

    def _give_up_timer(self, future: Future) -> bool:
        request = self._timers[future.task_id or ""]
        future.set_cancelled()
        if request in self.asked:
            self.asked.remove(request)
        else:
            self.ask(Request(requests.CANCEL_TIMER, request.id, line=self.fibers.line()))
        return True

    def _give_up_signal(self, future: Future) -> bool:
        """One that is on its way can't be called back."""
        if future.state != PENDING:
            return False
        for request in self.asked.named(requests.SIGNAL, future.task_id or ""):
            if request.future is future:
                self.asked.remove(request)
                break
        future.set_cancelled()
        return True

    def _give_up_continuing(self, future: Future) -> bool:
        if self.closing is not None:
            return False
        future.set_cancelled()
        return True


_TAKERS: Final[dict[type[Task], Callable[..., Future]]] = {
    ActivityTask: ReplayExecutor._submit_activity,
    WorkflowTask: ReplayExecutor._submit_child,
    TimerTask: ReplayExecutor._submit_timer,
    CancelTimerTask: ReplayExecutor._cancel_timer,
    MarkerTask: ReplayExecutor._record_marker,
    SignalTask: ReplayExecutor._send_signal,
    WaitForNextSignal: ReplayExecutor._take_signal,
    WaitForSignal: ReplayExecutor._wait_for_signal,
    ContinueAsNewWorkflowTask: ReplayExecutor._continue_as_new,
}


def _nobody_listens(error: BaseException, what: str) -> None:
    raise error

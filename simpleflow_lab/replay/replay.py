"""A history replayed: the workflow's code runs along it, decision by decision.

Each decision task is replayed as it was made: the events that the decider saw then are applied, the code runs until all
its strands wait, and what it asked for is held against the decisions that the history recorded. So a branch on
`future.done` sees what it saw the first time, and code that has changed is found out at the first difference.

A `Replay` can be kept: fed only the new events, it goes on where it stood, and a chain of N tasks costs N steps in all.
Made anew and fed the whole history it comes to the same decisions. It does no I/O and reads no clock.

A workflow that raises `ExecutionBlocked` by hand is run again from its start at the next decision; see `asked_before`.
"""

from __future__ import annotations

import contextvars
import functools
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import greenlet

from simpleflow_lab.data.codec import arguments_of, parse_or_text
from simpleflow_lab.data.failure_details import format_traceback, read_details, reason_of
from simpleflow_lab.data.fields import DeferredFields, Fields
from simpleflow_lab.data.references import Reference
from simpleflow_lab.exceptions import (
    DecisionInterrupted,
    DecisionTaskError,
    ExecutionBlocked,
    HistoryError,
    ImpureWorkflowError,
    JumboTooLargeError,
    TaskFailed,
    UsageError,
    WorkflowCanceled,
    WorkflowException,
)
from simpleflow_lab.replay import determinism, patches, requests
from simpleflow_lab.replay.determinism import RECORDED
from simpleflow_lab.replay.executor import ReplayExecutor
from simpleflow_lab.replay.fibers import Fiber
from simpleflow_lab.replay.impurities import Impurity, impurities_of
from simpleflow_lab.replay.quiet import quiet
from simpleflow_lab.replay.requests import Request
from simpleflow_lab.replay.resolution import resolve
from simpleflow_lab.swf import decisions as swf_decisions
from simpleflow_lab.swf import event_types
from simpleflow_lab.swf.decisions import Decision
from simpleflow_lab.swf.event_types import CLOSE_STATUS
from simpleflow_lab.swf.history import HistoryEvent
from simpleflow_lab.swf.limits import MAX_DATA, MAX_DECISIONS, MAX_OPEN_ACTIVITIES, MAX_REASON, MAX_REQUEST_BYTES
from simpleflow_lab.swf.timer_names import WAKE_UP_TIMER
from simpleflow_lab.workflow import Workflow

IDENTITY_KEY: Final = "simpleflow_lab"
"""Key in the identity of our deciders, by which a replay knows its own histories."""
LIMIT_KEY: Final = "max_open"
"""In the identity of a decider of ours that keeps fewer activity tasks open than SWF lets it: how many."""

_BUDGET: Final = MAX_REQUEST_BYTES - 64_000
"""Bytes of decisions in one answer; the rest is for the request around them and the execution context."""

_INFRASTRUCTURE: Final = frozenset(
    {
        "builtins.MemoryError",
        "builtins.ConnectionError",
        "sqlite3.Error",
        "botocore.exceptions.BotoCoreError",
        "botocore.exceptions.ClientError",
        "urllib3.exceptions.HTTPError",
        "simpleflow_lab.exceptions.StoreError",
        "simpleflow_lab.exceptions.SWFFault",
        "simpleflow_lab.exceptions.DecisionTaskError",
    }
)
"""Errors of the world around a workflow, by qualified name. They fail the decision, never the execution."""


class Answer(NamedTuple):
    """What a decider answers to a decision task."""

    decisions: list[Decision]
    """In SWF's shape."""
    execution_context: str | None
    """`None` leaves it as it is; "" clears it."""
    large: Sequence[tuple[Reference, str]] = ()
    """Texts of large fields, to be kept as objects before the answer is given."""


class InfrastructureError(DecisionTaskError):
    """The workflow's code met an error of the world around it; the decision is to be tried again."""


class Replay:
    """One workflow execution, replayed."""

    def __init__(
        self,
        workflow: type[Workflow],
        *,
        domain: str = "",
        workflow_id: str = "",
        run_id: str = "",
        context: contextvars.Context | None = None,
        defaults: Mapping[str, str] | None = None,
        max_open_activities: int = MAX_OPEN_ACTIVITIES,
        fields: Fields | None = None,
    ):
        """`context` is what the workflow's code sees as its `contextvars`, and so where its output goes.

        `defaults` are the task list and the timeouts of activities that say none, by their names in a decision.
        `fields` reads the large fields of the history; without it those that the code asks for can't be read.
        """
        self.workflow = workflow
        self._names = {"domain": domain, "workflow_id": workflow_id, "run_id": run_id}
        self._context = context
        self._hooks = {name: _own_hooks(workflow, name) for name in _HOOKS}
        self._defaults = defaults or {}
        self._open_limit = max_open_activities
        self._recorded_limit = max_open_activities
        self._fields = fields if fields is not None else Fields()
        self._executor: ReplayExecutor | None = None
        self._instance: Workflow | None = None
        self._applied = 0
        self._decided_for = 0
        self._completed: HistoryEvent | None = None
        self._batch: list[HistoryEvent] = []
        self._batch_is_limited = False
        self._strict = False
        self._bound: dict[int, Request] = {}
        self._open_activities = 0
        self._cancel_requested = False
        self._cancel_raised: WorkflowCanceled | None = None
        self._execution_context = ""
        self._error: DecisionTaskError | None = None

    # -- what a decider does --

    def feed(self, events: Iterable[HistoryEvent]) -> None:
        """Take the events since the last ones, in order; those known already are passed over.

        Raises `NondeterminismError` at the first decision that the code would make otherwise, `HistoryError` if events
        are missing.
        """
        for event in events:
            known = self._executor.events if self._executor is not None else []
            if event.id <= len(known):
                continue
            if event.id != len(known) + 1:
                raise HistoryError(f"event {event.id} came after event {len(known)}")
            if self._executor is None:
                self._begin(event)
                continue
            known.append(event)
            if event.type == "DecisionTaskCompleted":
                self._close_batch()
                self._completed, self._batch = event, []
            elif self._completed is not None:
                its_own = self._is_decision(event)
                if its_own:
                    self._batch.append(event)
                if not its_own or event.type in CLOSE_STATUS:
                    self._close_batch()

    def decide(self, started_event_id: int) -> Answer:
        """The decisions for the decision task that this event started. Call `feed` before.

        Raises `DecisionTaskError` for what must not close the execution.
        """
        if self.workflow.determinism == "raise" and self.impurities:
            raise ImpureWorkflowError("; ".join(str(impurity) for impurity in self.impurities))
        self._close_batch()
        self._run_to(started_event_id, replaying=False)
        return self._answer()

    @property
    def impurities(self) -> tuple[Impurity, ...]:
        """Lines of the workflow that may do something else when they run again."""
        return () if self.workflow.determinism == "off" else impurities_of(self.workflow)

    @property
    def is_long(self) -> bool:
        """The history has become long enough to continue as new."""
        return self._decided_for >= self.workflow.continue_as_new_after

    @property
    def decided_for(self) -> int:
        """Id of the `DecisionTaskStarted` event up to which the code has run; 0 before the first."""
        return self._decided_for

    @property
    def started(self) -> HistoryEvent | None:
        """The first event, once it was fed."""
        return self._executor.events[0] if self._executor is not None else None

    @property
    def last_event_id(self) -> int:
        """Id of the last event that was fed."""
        return len(self._executor.events) if self._executor is not None else 0

    @property
    def waiting(self) -> list[Fiber]:
        """The strands of the workflow that stand still, with their frames."""
        return self._executor.fibers.waiting if self._executor is not None else []

    def close(self) -> None:
        """Let go of the workflow's code, from the thread that replayed it."""
        if self._executor is not None:
            self._executor.fibers.close()

    # -- along the history --

    def _begin(self, event: HistoryEvent) -> None:
        if event.type != "WorkflowExecutionStarted":
            raise HistoryError(f"a history starts with WorkflowExecutionStarted, not {event.type}")
        executor = self._executor = ReplayExecutor(
            event, context=self._context, defaults=self._defaults, fields=self._fields, **self._names
        )
        executor.events.append(event)
        executor.author_failed = self._author_failed
        self._applied = 1
        executor.fibers.spawn(self._main)

    def _replay_decision(self, completed: HistoryEvent) -> None:
        started = completed.attributes.get("startedEventId", 0)
        if self._decided_for < started:
            assert self._executor is not None
            self._executor.patches.recorded(self._batch)
            self._run_to(started, replaying=True)
        self._batch_is_limited = False
        decider = self._decider_of(started)
        self._strict = decider is not None
        self._recorded_limit = (decider or {}).get(LIMIT_KEY, MAX_OPEN_ACTIVITIES)
        context = completed.attributes.get("executionContext")
        if context is not None:
            self._execution_context = context

    def _is_decision(self, event: HistoryEvent) -> bool:
        """The event records a decision of the batch at hand, rather than what later became of one."""
        assert self._completed is not None
        return (
            event.attributes.get("decisionTaskCompletedEventId") == self._completed.id
            and event.type in RECORDED
            and not event.attributes.get("initiatedEventId")
        )

    def _match(self, event: HistoryEvent) -> None:
        executor = self._executor
        assert executor is not None
        if event.attributes.get("timerId") == WAKE_UP_TIMER:
            self._batch_is_limited = True
            return
        if patches.may_be_missed(event, executor.asked):
            return
        request = determinism.match(event, executor.asked)
        executor.asked.remove(request)
        if executor.fields.has_unwritten:
            executor.fields.take_unwritten([request.input, *request.members.values()])  # the objects are there
        request.sent = True
        if request.kind == requests.CLOSE:
            if event.row.entity != "execution":
                executor.asked.add(request.again())  # refused, for something happened meanwhile: it is asked again
            self._batch_is_limited = True
            return
        if request.kind in _CLOSED_LATER:
            self._bound[event.id] = request
        if event.type == "ActivityTaskScheduled":
            self._open_activities += 1

    def _close_batch(self) -> None:
        """Replay a decision now that all that it recorded is known.

        Everything the code asked for must be recorded, unless an answer could not hold it.
        """
        completed, self._completed = self._completed, None
        if completed is None:
            return
        self._replay_decision(completed)
        for event in self._batch:
            self._match(event)
        if not self._strict or self._batch_is_limited:
            return
        assert self._executor is not None
        left = [request for request in self._executor.asked if request.kind != requests.CLOSE]
        if self._executor.closing is not None:
            # The close may come later than the code's end: when a signal that is passed on has arrived.
            left = [request for request in left if request.kind not in _LOST_AT_CLOSE]
        if self._open_activities >= min(self._max_open_activities, self._recorded_limit):
            left = [request for request in left if request.kind != requests.ACTIVITY]
        determinism.nothing_left(completed, left)

    def _decider_of(self, started_event_id: int) -> Mapping[str, Any] | None:
        """The identity of the decider of ours that made this decision, and so cut its batches as we do, or `None`."""
        assert self._executor is not None
        return _mark_in(self._executor.events[started_event_id - 1].attributes.get("identity"))

    def _run_to(self, started_event_id: int, *, replaying: bool) -> None:
        """Apply the events that the decider saw, and let the code run until all of it waits."""
        executor = self._executor
        if executor is None or not 0 < started_event_id <= len(executor.events):
            raise HistoryError(f"event {started_event_id} is not in the history that was fed")
        started = executor.events[started_event_id - 1]
        executor.replaying = replaying
        executor.decided_at = started.timestamp
        if executor.blocked and executor.closing is None:
            self._begin_again(executor)
        executor.started_event_id = started_event_id
        for event in executor.events[self._applied : started_event_id]:
            self._apply(event)
        self._applied = started_event_id
        self._decided_for = started_event_id
        executor.history.advance(started_event_id)
        if executor.closing is not None:
            return
        if replaying:
            with quiet():
                self._let_it_run(executor)
        else:
            self._let_it_run(executor)

    def _begin_again(self, executor: ReplayExecutor) -> None:
        with quiet():
            executor.begin_again()
        self._instance = None
        executor.fibers.spawn(self._main)
        executor.begin_hooks_again()

    def _let_it_run(self, executor: ReplayExecutor) -> None:
        self._enter(executor)
        if self._cancels():
            self._cancel(executor)
        if executor.closing is None:
            executor.fibers.run()
        while executor.told_late and executor.closing is None and executor.trouble is None and self._error is None:
            self._begin_again(executor)
            self._enter(executor)
            executor.fibers.run()
        if executor.trouble is not None:
            raise executor.trouble
        if self._error is not None:
            raise self._error
        if executor.closing is None:
            self._hook("after_replay")
        else:
            self._closing_hook("after_closed")

    def _enter(self, executor: ReplayExecutor) -> None:
        if self._instance is None:
            self._instance = self.workflow(executor)
            executor.attach(self._instance)
        self._hook("before_replay")

    def _cancels(self) -> bool:
        """Somebody asked to cancel, and the workflow, which is asked once for each request, does not refuse."""
        requested, self._cancel_requested = self._cancel_requested, False
        if not requested or self._cancel_raised is not None:
            return False
        return not self._hooks["should_cancel"] or bool(self._hook("should_cancel"))

    def _cancel(self, executor: ReplayExecutor) -> None:
        if self.workflow.cancellation == "raise":
            executor.give_up_activities()  # at a close they learn of it anyway
            self._cancel_raised = WorkflowCanceled("the execution was asked to cancel")
            executor.fibers.interrupt(self._cancel_raised)
        else:
            self._hook("after_replay")
            self._close_canceled(executor)

    def _close_canceled(self, executor: ReplayExecutor) -> None:
        self._closing_hook("on_canceled")
        executor.close_with("CancelWorkflowExecution")

    # -- hooks --

    def _hook(self, name: str, *args: Any) -> Any:
        """Call one of the workflow's hooks, if it has it. What it raises fails the decision, and not the execution."""
        executor, workflow = self._executor, self._instance
        assert executor is not None
        try:
            answer = None
            for own in self._hooks[name]:
                answer = getattr(workflow, own)(executor.history, *args)
            return answer
        except Exception as error:
            raise InfrastructureError(
                f"{type(error).__name__} in {self.workflow.type_name()}.{name}: {error}"
            ) from error

    def _closing_hook(self, name: str, *args: Any) -> None:
        """A hook of the close: called when that is decided, and not when it is replayed.

        What it submits is not asked for: the execution closes.
        """
        executor = self._executor
        assert executor is not None
        if executor.replaying:
            return
        before = set(executor.asked)
        self._hook(name, *args)
        for request in list(executor.asked):
            if request not in before:
                executor.asked.remove(request)

    def _apply(self, event: HistoryEvent) -> None:
        executor = self._executor
        assert executor is not None
        row = event.row
        if event.type == "WorkflowExecutionSignaled":
            executor.signaled(event, executor.fields.decode(event.attributes.get("input")))
            return
        if event.type == "WorkflowExecutionCancelRequested":
            self._cancel_requested = True
            return
        if row.entity == event_types.CHILD:
            executor.child_event(event)
        first = (event.attributes.get(row.find.follows) if row.find.follows else None) or event.id
        request = self._bound.get(first)
        if request is None:
            return
        if row.closes:
            del self._bound[first]
            if request.kind == requests.ACTIVITY and first != event.id:
                self._open_activities -= 1
        resolve(executor, request, event)

    # -- the workflow's code --

    def _main(self) -> None:
        """The first strand: the workflow's `run`, and how the execution ends."""
        executor, workflow = self._executor, self._instance
        assert executor is not None
        assert workflow is not None
        started = executor.events[0]
        try:
            args, kwargs = _input_of(started, executor.fields)
            result = workflow.run(*args, **kwargs)
            unraised = executor.unraised_failure()
            if unraised is not None:
                raise unraised
            text = executor.fields.encode(result, "result")
        except ExecutionBlocked:
            if self._cancel_raised is None:
                executor.blocked = True
            else:
                self._close_canceled(executor)
        except WorkflowCanceled:
            self._close_canceled(executor)
        except WorkflowException as error:
            self._fail(executor, error.reason, error.details)
        except (greenlet.GreenletExit, DecisionInterrupted):
            raise
        except BaseException as error:
            self._author_failed(error)
        else:
            if executor.closing is None:
                self._hook("after_replay")
                self._closing_hook("on_completed")
                executor.close_with("CompleteWorkflowExecution", result=text)

    def _author_failed(self, error: BaseException, what: str = "") -> None:
        """The author's code raised: it ends the execution, unless the world around is to blame."""
        executor = self._executor
        assert executor is not None
        if _is_infrastructure(error):
            where = f"{self.workflow.type_name()}.{what or 'run'}"
            self._error = InfrastructureError(f"{type(error).__name__} in {where}: {error}")
            self._error.__cause__ = error
        else:
            reason = reason_of(error)
            self._fail(executor, f"{what}: {reason}" if what else reason, _failure_details(error))

    def _fail(self, executor: ReplayExecutor, reason: str, details: str | None) -> None:
        if executor.closing is not None:
            return  # it ended otherwise before
        self._closing_hook("on_failure", reason, details)
        executor.close_with(
            "FailWorkflowExecution",
            reason=reason[:MAX_REASON],
            details=None
            if details is None
            else executor.fields.store_or_truncate(details, "details of the failure", _both_ends),
        )

    # -- the answer --

    @property
    def _max_open_activities(self) -> int:
        return int(getattr(self.workflow, "max_open_activity_count", None) or self._open_limit)

    def _answer(self) -> Answer:
        executor = self._executor
        assert executor is not None
        closing = executor.closing
        decisions: list[Decision] = []
        size, room, full = 0, self._max_open_activities - self._open_activities, False
        # Patches first: what a replay does depends on their being recorded by this very decision.
        new_patches = executor.asked.named(requests.MARKER, patches.MARKER_NAME)
        for request in dict.fromkeys([*new_patches, *executor.asked]) if new_patches else executor.asked:
            if request is closing or request.sent:
                continue
            if closing is not None and request.kind in _LOST_AT_CLOSE:
                continue
            if request.kind == requests.ACTIVITY:
                if room <= 0:
                    continue  # sent when one of those that are open closes
                room -= 1
            decision = request.decision()
            size += _size(decision)
            # One place is kept, for the close or for the timer that brings the next decision task.
            if len(decisions) == MAX_DECISIONS - 1 or (decisions and size > _BUDGET):
                full = True
                break
            decisions.append(decision)
            request.sent = True
        if full:
            decisions.append(swf_decisions.start_timer(timer_id=WAKE_UP_TIMER, start_to_fire_timeout=0))
        elif closing is not None and not executor.is_passing_signals_on:
            closing.sent = True
            decisions.append(closing.decision())
        context = self._new_context(executor)
        if not executor.fields.has_unwritten:
            return Answer(decisions, context)
        written = itertools.chain([context], *(swf_decisions.attributes(decision).values() for decision in decisions))
        return Answer(decisions, context, executor.fields.take_unwritten(written))

    def _new_context(self, executor: ReplayExecutor) -> str | None:
        """The execution context, if it changes: which signals are waited for, and which failures nobody looked at."""
        context: dict[str, Any] = {}
        waited_for = executor.signals.waited_for
        if waited_for:
            context["waiting_signals"] = waited_for
        if executor.closing is not None and executor.failures:
            context[IDENTITY_KEY] = {"unhandled_failures": executor.unhandled_failures()}
        text = json.dumps(context) if context else ""
        try:
            text = executor.fields.fit(text, "execution context")
        except JumboTooLargeError:
            return None
        return None if text == self._execution_context else text


_CLOSED_LATER: Final = frozenset(
    {
        requests.ACTIVITY,
        requests.CANCEL_ACTIVITY,
        requests.CHILD,
        requests.CANCEL_CHILD,
        requests.TIMER,
        requests.SIGNAL,
    }
)
"""Kinds of request of which later events tell."""

_LOST_AT_CLOSE: Final = frozenset({requests.ACTIVITY, requests.CANCEL_ACTIVITY, requests.TIMER, requests.CANCEL_TIMER})
"""SWF drops these when the execution closes: asking for them in the same answer would leave them open for ever."""


_HOOKS: Final[Mapping[str, tuple[str, ...]]] = {
    "before_replay": ("before_run", "before_replay"),
    "after_replay": ("after_replay",),
    "should_cancel": ("should_cancel",),
    "on_completed": ("on_completed",),
    "on_failure": ("on_failure",),
    "on_canceled": ("on_canceled",),
    "after_closed": ("after_run", "after_closed"),
}
"""The workflow's hooks, and what is called for each: some had another name once."""


def _own_hooks(workflow: type[Workflow], name: str) -> tuple[str, ...]:
    """What this workflow has of its own for a hook, rather than from `Workflow`."""
    return tuple(each for each in _HOOKS[name] if getattr(workflow, each) is not getattr(Workflow, each))


@functools.lru_cache(maxsize=64)  # an execution has few deciders
def _mark_in(identity: str | None) -> Mapping[str, Any] | None:
    """The identity of a decider of ours, or `None`."""
    found = parse_or_text(identity)
    return found if isinstance(found, dict) and IDENTITY_KEY in found else None


def _size(decision: Mapping[str, Any]) -> int:
    """About how many bytes a decision adds to the request."""
    attributes = swf_decisions.attributes(decision)
    return 400 + sum(len(value) for value in attributes.values() if isinstance(value, str))


def _input_of(started: HistoryEvent, fields: DeferredFields) -> tuple[list[Any], dict[str, Any]]:
    """The arguments that the execution was started with, by upstream's rule (SD-14)."""
    text = started.attributes.get("input")
    if not text:
        return [], {}
    try:
        value = fields.decode_input(text)
        if isinstance(value, dict):
            value.pop("__extra", None)
            if not value:
                return [], {}
        return arguments_of(value, where="the input of the execution")
    except ValueError as error:
        raise UsageError(f"the input of the execution is not JSON: {error}") from None


def _is_infrastructure(error: BaseException) -> bool:
    return any(f"{kind.__module__}.{kind.__qualname__}" in _INFRASTRUCTURE for kind in type(error).__mro__)


def _failure_details(error: BaseException) -> str:
    """The traceback of the workflow's code, and, of a task that failed, what its worker recorded."""
    text = "".join(format_traceback(error))
    if isinstance(error, TaskFailed):
        task = read_details(error.details)
        if task is not None and task.traceback:
            text += f"\n{error.name} failed with:\n{task.traceback}\n"
    return text


def _both_ends(text: str) -> str:
    """Within SWF's limit: where it began, and what happened."""
    half = MAX_DATA // 2 - 10
    return f"{text[:half]}\n[...]\n{text[-half:]}"

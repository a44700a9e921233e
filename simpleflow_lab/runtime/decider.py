"""Deciders: take decision tasks of one task list, replay, answer.

The thread that polls also replays, for a greenlet lives in one thread: each task list has a decider of its own, and an
execution's decision tasks come from its list. Replays of open executions are kept, the latest used at most
`MAX_KEPT`, and fed only new events; one that does not fit is made anew from the whole history.

So a `run` that never waits holds up its task list in this process. It is watched: before the decision task's time is
over it is interrupted, and from then on tried again beside the others, as everything that is stuck. If it stands in a
call that can't be interrupted, another thread polls in place of the one that it has taken.

A decision that can't be made fails the decision task, not the execution. It is held back and tried again: after a pause
that doubles, and at once when a workflow is defined, for that may be the cure.
"""

from __future__ import annotations

import contextvars
import itertools
import logging
import threading
import time
import warnings
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from simpleflow_lab import workflow as workflows
from simpleflow_lab.constants import DEFAULT_DECISION_TASK_TIMEOUT
from simpleflow_lab.data import codec
from simpleflow_lab.data.fields import Fields
from simpleflow_lab.data.objects import using
from simpleflow_lab.exceptions import (
    DecisionInterrupted,
    DecisionTaskError,
    DecisionTooLongError,
    DeterminismWarning,
    HistoryError,
    ImpureWorkflowError,
    StoreError,
    SWFFault,
    UnknownResourceFault,
    ValidationException,
    WorkflowNotRegisteredError,
)
from simpleflow_lab.replay.impurities import Impurity
from simpleflow_lab.replay.replay import Answer, Replay
from simpleflow_lab.runtime.context import Site
from simpleflow_lab.runtime.decision_watch import DecisionWatch, Watched, limit_of
from simpleflow_lab.runtime.poller import Poller
from simpleflow_lab.runtime.type_registration import Registration
from simpleflow_lab.swf.decisions import CLOSING_DECISIONS
from simpleflow_lab.swf.history import HistoryEvent, event_from_wire
from simpleflow_lab.workflow import Workflow

logger = logging.getLogger(__name__)

MAX_KEPT = 500
"""Replays of open executions that a decider keeps."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds before a decision that failed is tried again: the first, and the longest."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockedDecision:
    """A decision task that can't be answered for now."""

    task: Mapping[str, Any]
    """The task as it was polled."""
    error: Exception
    """Why."""
    tries: int
    """How often it was tried."""
    due: float
    """When to try again, by `time.monotonic`."""


class Listener(Protocol):
    """Who is told of what a decider does."""

    def decided(self, run_id: str, decisions: Sequence[Mapping[str, Any]]) -> None:
        """These decisions are about to be answered."""

    def decision_blocked(self, run_id: str, error: Exception | None) -> None:
        """The execution can't be decided for now; with `None` it goes on."""

    def warned(self, run_id: str, message: str) -> None:
        """The workflow's author should know this."""


class Decider:
    """Decides for the executions of one task list."""

    def __init__(self, site: Site, task_list: str, *, registration: Registration, listener: Listener):
        self._site = site
        self._service = site.service
        self._task_list = task_list
        self._registration = registration
        self._listener = listener
        self._too_long: dict[str, DecisionTooLongError] = {}
        self._watch = DecisionWatch(f"watch of {task_list}", on_slow=listener.warned, on_given_up=self._given_up)
        self._stuck: dict[str, BlockedDecision] = {}
        self._stuck_changed = threading.Condition()
        self._stopped = False
        self._retrier: threading.Thread | None = None
        self.pollers = [self._new_poller()]

    def start(self) -> None:
        """Begin to take tasks."""
        workflows.on_registered.append(self._something_defined)
        codec.on_registered.append(self._something_defined)
        self._watch.start()
        for poller in self.pollers:
            poller.start()

    def stop(self) -> None:
        """Try nothing again that is stuck; the pollers are stopped by their owner."""
        if self._something_defined in workflows.on_registered:
            workflows.on_registered.remove(self._something_defined)
        if self._something_defined in codec.on_registered:
            codec.on_registered.remove(self._something_defined)
        self._watch.stop()
        with self._stuck_changed:
            self._stopped = True
            self._stuck_changed.notify()

    def _new_poller(self) -> Poller:
        # What is kept belongs to the thread that made it.
        kept: OrderedDict[str, Replay] = OrderedDict()

        def let_go() -> None:
            for replay in kept.values():
                replay.close()
            kept.clear()

        name = f"decider of {self._task_list}"
        return Poller(name, self._poll, lambda task: self._handle(task, kept), at_end=let_go)

    # -- a decision task --

    def _poll(self) -> Mapping[str, Any]:
        return self._service.poll_for_decision_task(
            domain=self._site.domain,
            taskList={"name": self._task_list},
            identity=self._site.identity,
            startAtPreviousStartedEvent=True,
        )

    def _handle(self, task: Mapping[str, Any], kept: OrderedDict[str, Replay]) -> None:
        run_id = task["workflowExecution"]["runId"]
        too_long = self._too_long.get(run_id)
        if too_long is not None:
            # It would hold up the others once more: it is tried in the thread of what is stuck.
            stuck = self._stuck.get(run_id)
            self._hold_back(task, too_long, tries=stuck.tries if stuck is not None else 1)
            return
        try:
            new = self._new_events(task)
            replay, answer = self._decide(task, new, kept.pop(run_id, None))
        except UnknownResourceFault as error:
            logger.info("nobody waits for this decision any more: %s", error)
            self._too_long.pop(task["workflowExecution"]["runId"], None)
        except Exception as error:
            self._hold_back(task, error, tries=1)
        else:
            self._respond(task, replay, answer, tries=1, kept=kept)

    def _decide(self, task: Mapping[str, Any], new: list[HistoryEvent], kept: Replay | None) -> tuple[Replay, Answer]:
        """Replay up to this decision task. What is kept goes on if it stands where SWF says the last decision was."""
        run_id, before = task["workflowExecution"]["runId"], list[HistoryEvent]()
        started = kept.started if kept is not None else None
        if started is None:
            before = self._events_before(task, new[0].id)
            started = (before or new)[0]
        kind = task["workflowType"]
        workflow = registered_workflow(kind["name"], kind["version"], started, self._site.fields)
        if kept is not None and (
            kept.workflow is not workflow
            or kept.decided_for != task.get("previousStartedEventId", 0)
            or kept.last_event_id + 1 < new[0].id
        ):
            kept.close()
            kept, before = None, self._events_before(task, new[0].id)
        replay = kept or self._new_replay(workflow, task["workflowExecution"], started)
        try:
            if kept is None:
                self._warn_of(run_id, replay.impurities)
            answer = self._watched_answer(replay, run_id, before, new, task["startedEventId"])
        except BaseException:
            replay.close()
            raise
        if replay.is_long:
            self._listener.warned(
                run_id,
                f"the history has {workflow.continue_as_new_after} events and more; SWF ends a run at 25,000: "
                "continue_as_new goes on with an empty one",
            )
        return replay, answer

    def _new_replay(self, workflow: type[Workflow], execution: Mapping[str, Any], started: HistoryEvent) -> Replay:
        return Replay(
            workflow,
            domain=self._site.domain,
            workflow_id=execution["workflowId"],
            run_id=execution["runId"],
            context=self._context_of(execution["workflowId"], started),
            defaults=self._site.activity_defaults,
            max_open_activities=self._site.settings.swf_max_open_activity_count,
            fields=self._site.fields,
        )

    def _watched_answer(
        self, replay: Replay, run_id: str, before: list[HistoryEvent], new: list[HistoryEvent], started_event_id: int
    ) -> Answer:
        """Let the code run, as long as it may. Raises `DecisionTooLongError` if it had to be interrupted."""
        watched = self._watch.begin(run_id, replay.workflow.__module__, _time_for(new))
        try:
            try:
                with using(self._site.storage):  # for a workflow's hooks
                    replay.feed(itertools.chain(before, new))
                    answer = replay.decide(started_event_id)
            finally:
                self._watch.end(watched)
        except DecisionInterrupted:
            self._watch.end(watched)  # it may have come in the midst of that
            self._too_long[run_id] = error = watched.error()
            raise error from None
        self._too_long.pop(run_id, None)
        return answer

    def _warn_of(self, run_id: str, impurities: Sequence[Impurity]) -> None:
        """Once for each line. Where such warnings are errors, they are errors of the decision."""
        for impurity in impurities:
            self._listener.warned(run_id, str(impurity))
            if impurity not in _warned:
                try:
                    warnings.warn_explicit(
                        str(impurity), DeterminismWarning, impurity.line.filename, impurity.line.lineno
                    )
                except DeterminismWarning as warning:
                    raise ImpureWorkflowError(str(warning)) from None
                _warned.add(impurity)

    def _respond(
        self,
        task: Mapping[str, Any],
        replay: Replay,
        answer: Answer,
        *,
        tries: int,
        kept: OrderedDict[str, Replay] | None,
    ) -> None:
        """Answer the task. A replay is kept with those of the thread that made it, if that keeps any."""
        run_id = task["workflowExecution"]["runId"]
        closes = bool(answer.decisions) and answer.decisions[-1]["decisionType"] in CLOSING_DECISIONS
        if closes or kept is None:
            kept = OrderedDict()
        else:
            # Before answering: the next decision task of this execution may be here before the answer's echo.
            _keep(kept, run_id, replay)
        try:
            for reference, text in answer.large:
                # Before answering: whoever has the history can read what it refers to.
                self._site.fields.keep(reference, text)
            self._registration.types_of(answer.decisions)
            self._listener.decided(run_id, answer.decisions)
            context: dict[str, Any] = (
                {} if answer.execution_context is None else {"executionContext": answer.execution_context}
            )
            self._service.answer_decision_task(taskToken=task["taskToken"], decisions=answer.decisions, **context)
        except UnknownResourceFault as error:
            logger.info("this decision came too late: %s", error)
            kept.pop(run_id, None)
        except (SWFFault, StoreError, OSError) as error:
            kept.pop(run_id, None)
            self._hold_back(task, error, tries=tries)
        else:
            self._listener.decision_blocked(run_id, None)
        if run_id not in kept:
            replay.close()

    def _new_events(self, task: Mapping[str, Any]) -> list[HistoryEvent]:
        """The events since the previous decision task, all pages."""
        events = [event_from_wire(event) for event in task["events"]]
        page = task.get("nextPageToken")
        while page:
            answer = self._service.poll_for_decision_task(
                domain=self._site.domain,
                taskList={"name": self._task_list},
                identity=self._site.identity,
                startAtPreviousStartedEvent=True,
                nextPageToken=page,
            )
            events.extend(event_from_wire(event) for event in answer["events"])
            page = answer.get("nextPageToken")
        return events

    def _events_before(self, task: Mapping[str, Any], event_id: int) -> list[HistoryEvent]:
        """The events before this id."""
        events: list[HistoryEvent] = []
        if event_id == 1:
            return events
        page: dict[str, Any] = {}
        while True:
            answer = self._service.get_workflow_execution_history(
                domain=self._site.domain, execution=dict(task["workflowExecution"]), **page
            )
            events.extend(event_from_wire(event) for event in answer["events"] if event["eventId"] < event_id)
            if not answer.get("nextPageToken") or len(events) >= event_id - 1:
                return events
            page = {"nextPageToken": answer["nextPageToken"]}

    def _context_of(self, workflow_id: str, started: HistoryEvent) -> contextvars.Context | None:
        """Where the output of this execution goes: of a child, where its parent's goes."""
        parent = started.attributes.get("parentWorkflowExecution") or {}
        contexts = self._site.contexts
        return contexts.get(workflow_id) or contexts.get(str(parent.get("workflowId")))

    # -- what is stuck --

    def _hold_back(self, task: Mapping[str, Any], error: Exception, *, tries: int) -> None:
        execution = task["workflowExecution"]
        if isinstance(error, DecisionTaskError | ValidationException | HistoryError):
            # Whoever waits for the execution is told; see `Execution.decision_error`.
            logger.info("execution %s is stuck: %s", execution["workflowId"], error)
        else:
            logger.error("execution %s is stuck", execution["workflowId"], exc_info=error)
        first, longest = FIRST_PAUSE, LONGEST_PAUSE
        if isinstance(error, DecisionTooLongError):
            # Trying it takes a processor for that long.
            first, longest = max(first, error.seconds), max(longest, 8 * error.seconds)
        pause = min(first * 2 ** max(tries - 1, 0), longest)
        with self._stuck_changed:
            self._stuck[execution["runId"]] = BlockedDecision(
                task=task, error=error, tries=tries, due=time.monotonic() + pause
            )
            if self._retrier is None:
                self._start_retrier()
            self._stuck_changed.notify()
        self._listener.decision_blocked(execution["runId"], error)

    def _start_retrier(self) -> None:
        self._retrier = threading.Thread(target=self._try_again, name=f"retries of {self._task_list}", daemon=True)
        self._retrier.start()

    def _given_up(self, watched: Watched) -> None:
        """Code can't be interrupted: its thread ends when it comes back, and another takes its place."""
        self._too_long[watched.run_id] = error = watched.error()
        self._listener.decision_blocked(watched.run_id, error)
        with self._stuck_changed:
            if self._stopped:
                return
            if self._retrier is not None and self._retrier.ident == watched.thread:
                self._start_retrier()
            for poller in [poller for poller in self.pollers if poller.thread_id == watched.thread]:
                poller.stop()
                self.pollers.remove(poller)
                self.pollers.append(self._new_poller())
                self.pollers[-1].start()

    def _something_defined(self, definition: object) -> None:
        """A definition may be the cure: everything that is stuck is due."""
        self._too_long.clear()
        with self._stuck_changed:
            for run_id, stuck in self._stuck.items():
                self._stuck[run_id] = BlockedDecision(task=stuck.task, error=stuck.error, tries=0, due=time.monotonic())
            self._stuck_changed.notify()

    def _try_again(self) -> None:
        while True:
            with self._stuck_changed:
                while not self._stopped and not any(stuck.due <= time.monotonic() for stuck in self._stuck.values()):
                    due = min((stuck.due for stuck in self._stuck.values()), default=None)
                    self._stuck_changed.wait(None if due is None else max(due - time.monotonic(), 0))
                if self._stopped or threading.current_thread() is not self._retrier:
                    return
                run_id = min(self._stuck, key=lambda found: self._stuck[found].due)
                stuck = self._stuck.pop(run_id)
            self._try_once_more(stuck)

    def _try_once_more(self, stuck: BlockedDecision) -> None:
        task = stuck.task
        if self._watch.is_at_hand(task["workflowExecution"]["runId"]):
            self._hold_back(task, stuck.error, tries=stuck.tries + 1)  # another thread stands in this very code
            return
        try:
            replay, answer = self._decide(task, self._new_events(task), None)
        except UnknownResourceFault as error:
            logger.info("nobody waits for this decision any more: %s", error)
            self._too_long.pop(task["workflowExecution"]["runId"], None)
        except Exception as error:
            self._hold_back(task, error, tries=stuck.tries + 1)
        else:
            self._respond(task, replay, answer, tries=stuck.tries + 1, kept=None)


_warned: set[Impurity] = set()
"""Lines of which people were warned in this process."""


def _keep(kept: OrderedDict[str, Replay], run_id: str, replay: Replay) -> None:
    kept[run_id] = replay
    while len(kept) > MAX_KEPT:
        kept.popitem(last=False)[1].close()


def _time_for(events: Sequence[HistoryEvent]) -> float:
    """How long the code may run for the decision task that these events end with, in seconds."""
    for event in reversed(events):
        if event.type == "DecisionTaskScheduled":
            timeout = str(event.attributes.get("startToCloseTimeout"))
            return limit_of(float(timeout if timeout.isdigit() else DEFAULT_DECISION_TASK_TIMEOUT))
    return limit_of(float(DEFAULT_DECISION_TASK_TIMEOUT))


def registered_workflow(name: str, version: str, started: HistoryEvent, fields: Fields) -> type[Workflow]:
    """The workflow defined in this process for an execution that began so. Raises `WorkflowNotRegisteredError`."""
    # Only where two classes have one type does the input say which: mostly it need not be read.
    several = len(workflows.same_type.get((name, version), ())) > 1
    found = workflows.defined(name, version, fields.decode(started.attributes.get("input")) if several else None)
    if found is None:
        raise WorkflowNotRegisteredError(name, version)
    return found

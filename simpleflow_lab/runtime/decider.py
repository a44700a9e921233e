"""Deciders: take decision tasks of one task list, replay, answer.

The thread that polls also replays, for a greenlet lives in one thread: each task list has a decider of its own, and an
execution's decision tasks come from its list. Replays of open executions are kept, the latest used at most
`MAX_KEPT`, and fed only new events; one that does not fit is made anew from the whole history.

So a `run` that never waits and never ends keeps its task list from being decided in this process; other lists go on,
and SWF gives the task to another decider when its time is over.

A decision that can't be made fails the decision task, not the execution. It is held back and tried again: after a pause
that doubles, and at once when a workflow is defined, for that may be the cure.
"""

from __future__ import annotations

import contextvars
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simpleflow_lab import workflow as workflows
from simpleflow_lab.exceptions import (
    DecisionTaskError,
    HistoryError,
    StoreError,
    SWFFault,
    UnknownResourceFault,
    ValidationException,
    WorkflowNotRegisteredError,
)
from simpleflow_lab.fields import Fields
from simpleflow_lab.replay.replay import Answer, Replay
from simpleflow_lab.runtime.poller import Poller
from simpleflow_lab.runtime.registration import Registration
from simpleflow_lab.service.protocol import WatchableService
from simpleflow_lab.swf.decisions import CLOSING_DECISIONS
from simpleflow_lab.swf.history import HistoryEvent, event_from_wire
from simpleflow_lab.workflow import Workflow

logger = logging.getLogger(__name__)

MAX_KEPT = 500
"""Replays of open executions that a decider keeps."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds before a decision that failed is tried again: the first, and the longest."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stuck:
    """A decision task that can't be answered for now."""

    task: Mapping[str, Any]
    """The task as it was polled."""
    error: Exception
    """Why."""
    tries: int
    """How often it was tried."""
    due: float
    """When to try again, by `time.monotonic`."""


class Decider:
    """Decides for the executions of one task list."""

    def __init__(
        self,
        service: WatchableService,
        domain: str,
        task_list: str,
        *,
        identity: str,
        registration: Registration,
        contexts: Callable[[str], contextvars.Context | None],
        on_decisions: Callable[[str, Sequence[Mapping[str, Any]]], None],
        on_stuck: Callable[[str, Exception | None], None],
        fields: Fields,
    ):
        """`on_decisions(run_id, decisions)` is called after each answer, `on_stuck(run_id, error)` when an execution
        gets stuck, and with `None` when it goes on."""
        self._service = service
        self._domain = domain
        self._task_list = task_list
        self._identity = identity
        self._registration = registration
        self._contexts = contexts
        self._on_decisions = on_decisions
        self._on_stuck = on_stuck
        self._fields = fields
        self._kept: OrderedDict[str, Replay] = OrderedDict()
        self._stuck: dict[str, Stuck] = {}
        self._stuck_changed = threading.Condition()
        self._stopped = False
        self._retrier: threading.Thread | None = None
        self.pollers = [Poller(f"decider of {task_list}", self._poll, self._handle, at_end=self._let_go)]

    def start(self) -> None:
        """Begin to take tasks."""
        workflows.on_registered.append(self._workflow_defined)
        for poller in self.pollers:
            poller.start()

    def stop(self) -> None:
        """Try nothing again that is stuck; the pollers are stopped by their owner."""
        if self._workflow_defined in workflows.on_registered:
            workflows.on_registered.remove(self._workflow_defined)
        with self._stuck_changed:
            self._stopped = True
            self._stuck_changed.notify()

    # -- a decision task --

    def _poll(self) -> Mapping[str, Any]:
        return self._service.poll_for_decision_task(
            domain=self._domain,
            taskList={"name": self._task_list},
            identity=self._identity,
            startAtPreviousStartedEvent=True,
        )

    def _handle(self, task: Mapping[str, Any]) -> None:
        run_id = task["workflowExecution"]["runId"]
        try:
            new = self._new_events(task)
            replay, answer = self._decide(task, new, self._kept.pop(run_id, None))
        except UnknownResourceFault as error:
            logger.info("nobody waits for this decision any more: %s", error)
        except Exception as error:
            self._hold_back(task, error, tries=1)
        else:
            self._respond(task, replay, answer, tries=1, keep=True)

    def _decide(self, task: Mapping[str, Any], new: list[HistoryEvent], kept: Replay | None) -> tuple[Replay, Answer]:
        """Replay up to this decision task. What is kept goes on if it stands where SWF says the last decision was."""
        execution, kind, started = task["workflowExecution"], task["workflowType"], task["startedEventId"]
        workflow = registered_workflow(kind["name"], kind["version"])
        if kept is not None and (
            kept.workflow is not workflow
            or kept.decided_for != task.get("previousStartedEventId", 0)
            or kept.last_event_id + 1 < new[0].id
        ):
            kept.close()
            kept = None
        replay = kept
        try:
            if replay is None:
                before = self._events_before(task, new[0].id) if new[0].id > 1 else []
                first = before[0] if before else new[0]
                replay = Replay(
                    workflow,
                    domain=self._domain,
                    workflow_id=execution["workflowId"],
                    run_id=execution["runId"],
                    context=self._context_of(execution["workflowId"], first),
                    fields=self._fields,
                )
                replay.feed(before)
            replay.feed(new)
            return replay, replay.decide(started)
        except BaseException:
            if replay is not None:
                replay.close()
            raise

    def _respond(self, task: Mapping[str, Any], replay: Replay, answer: Answer, *, tries: int, keep: bool) -> None:
        """Answer the task. A replay that is kept belongs to the decider's own thread."""
        run_id = task["workflowExecution"]["runId"]
        closes = bool(answer.decisions) and answer.decisions[-1]["decisionType"] in CLOSING_DECISIONS
        if keep and not closes:
            # Before answering: the next decision task of this execution may be here before the answer's echo.
            self._keep(run_id, replay)
        try:
            for reference, text in answer.large:
                # Before answering: whoever has the history can read what it refers to.
                self._fields.keep(reference, text)
            self._registration.types_of(answer.decisions)
            self._on_decisions(run_id, answer.decisions)
            context: dict[str, Any] = (
                {} if answer.execution_context is None else {"executionContext": answer.execution_context}
            )
            self._service.answer_decision_task(taskToken=task["taskToken"], decisions=answer.decisions, **context)
        except UnknownResourceFault as error:
            logger.info("this decision came too late: %s", error)
            self._kept.pop(run_id, None)
        except (SWFFault, StoreError, OSError) as error:
            self._kept.pop(run_id, None)
            self._hold_back(task, error, tries=tries)
        else:
            self._on_stuck(run_id, None)
        if not keep or closes or run_id not in self._kept:
            replay.close()

    def _new_events(self, task: Mapping[str, Any]) -> list[HistoryEvent]:
        """The events since the previous decision task, all pages."""
        events = [event_from_wire(event) for event in task["events"]]
        page = task.get("nextPageToken")
        while page:
            answer = self._service.poll_for_decision_task(
                domain=self._domain,
                taskList={"name": self._task_list},
                identity=self._identity,
                startAtPreviousStartedEvent=True,
                nextPageToken=page,
            )
            events.extend(event_from_wire(event) for event in answer["events"])
            page = answer.get("nextPageToken")
        return events

    def _events_before(self, task: Mapping[str, Any], event_id: int) -> list[HistoryEvent]:
        """The events before this id."""
        events: list[HistoryEvent] = []
        page: dict[str, Any] = {}
        while True:
            answer = self._service.get_workflow_execution_history(
                domain=self._domain, execution=dict(task["workflowExecution"]), **page
            )
            events.extend(event_from_wire(event) for event in answer["events"] if event["eventId"] < event_id)
            if not answer.get("nextPageToken") or len(events) >= event_id - 1:
                return events
            page = {"nextPageToken": answer["nextPageToken"]}

    def _context_of(self, workflow_id: str, started: HistoryEvent) -> contextvars.Context | None:
        """Where the output of this execution goes: of a child, where its parent's goes."""
        parent = started.attributes.get("parentWorkflowExecution") or {}
        return self._contexts(workflow_id) or self._contexts(str(parent.get("workflowId")))

    # -- what is kept --

    def _keep(self, run_id: str, replay: Replay) -> None:
        self._kept[run_id] = replay
        while len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)[1].close()

    def _let_go(self) -> None:
        for replay in self._kept.values():
            replay.close()
        self._kept.clear()

    # -- what is stuck --

    def _hold_back(self, task: Mapping[str, Any], error: Exception, *, tries: int) -> None:
        execution = task["workflowExecution"]
        if isinstance(error, DecisionTaskError | ValidationException | HistoryError):
            # Whoever waits for the execution is told; see `Execution.stuck`.
            logger.info("execution %s is stuck: %s", execution["workflowId"], error)
        else:
            logger.error("execution %s is stuck", execution["workflowId"], exc_info=error)
        pause = min(FIRST_PAUSE * 2 ** (tries - 1), LONGEST_PAUSE)
        with self._stuck_changed:
            self._stuck[execution["runId"]] = Stuck(task=task, error=error, tries=tries, due=time.monotonic() + pause)
            if self._retrier is None:
                self._retrier = threading.Thread(
                    target=self._try_again, name=f"retries of {self._task_list}", daemon=True
                )
                self._retrier.start()
            self._stuck_changed.notify()
        self._on_stuck(execution["runId"], error)

    def _workflow_defined(self, workflow: type[Workflow]) -> None:
        """A definition may be the cure: everything that is stuck is due."""
        with self._stuck_changed:
            for run_id, stuck in self._stuck.items():
                self._stuck[run_id] = Stuck(task=stuck.task, error=stuck.error, tries=0, due=time.monotonic())
            self._stuck_changed.notify()

    def _try_again(self) -> None:
        while True:
            with self._stuck_changed:
                while not self._stopped and not any(stuck.due <= time.monotonic() for stuck in self._stuck.values()):
                    due = min((stuck.due for stuck in self._stuck.values()), default=None)
                    self._stuck_changed.wait(None if due is None else max(due - time.monotonic(), 0))
                if self._stopped:
                    return
                run_id = min(self._stuck, key=lambda found: self._stuck[found].due)
                stuck = self._stuck.pop(run_id)
            self._try_once_more(stuck)

    def _try_once_more(self, stuck: Stuck) -> None:
        task = stuck.task
        try:
            replay, answer = self._decide(task, self._new_events(task), None)
        except UnknownResourceFault as error:
            logger.info("nobody waits for this decision any more: %s", error)
        except Exception as error:
            self._hold_back(task, error, tries=stuck.tries + 1)
        else:
            self._respond(task, replay, answer, tries=stuck.tries + 1, keep=False)


def registered_workflow(name: str, version: str) -> type[Workflow]:
    """The workflow defined in this process. Raises `WorkflowNotRegisteredError`."""
    found = workflows.registry.get((name, version))
    if found is None:
        raise WorkflowNotRegisteredError(name, version)
    return found

"""A workflow decided for in a private engine: what happened once happens again, or what might have.

The decider is the real replay. What the world outside did is a `Script`: how long each attempt of a task took and how
it ended, when a signal came, how long each decision took. A clock that is moved from one thing that happens to the
next makes hours of it pass in a moment.

Rule: one thread, and no code of the author's but the workflow's own: no activity runs, no hook of a close, and what
it prints or logs is dropped. Nothing leaves the engine, which is gone afterwards.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import json
import re
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from simpleflow_lab.engine.clock import ManualClock
from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.exceptions import (
    OperationNotPermittedFault,
    UnknownResourceFault,
    WorkflowExecutionAlreadyStartedFault,
)
from simpleflow_lab.replay.answer import Answer
from simpleflow_lab.replay.history_reader import IDENTITY_KEY, RULES
from simpleflow_lab.replay.muted_output import watched_output
from simpleflow_lab.replay.replay import Replay
from simpleflow_lab.replay.replay_thread import ReplayThread
from simpleflow_lab.replay.task_ids import run_hash
from simpleflow_lab.replay.trace import close_replay
from simpleflow_lab.runtime.captured_output import ensure_streams
from simpleflow_lab.runtime.decision_limit import DecisionLimit
from simpleflow_lab.runtime.simulation_script import (
    NANOSECONDS,
    REFUSED,
    SIGNAL,
    Attempted,
    Incoming,
    NextAttempts,
    Script,
)
from simpleflow_lab.runtime.type_registration import TypeRegistration
from simpleflow_lab.settings import Settings
from simpleflow_lab.swf import decisions as swf_decisions
from simpleflow_lab.swf.conventions import GIVEN_BACK, WAKE_UP_TIMER, is_given_back, is_worker_lost
from simpleflow_lab.swf.decisions import Decision
from simpleflow_lab.swf.history import HistoryEvent, event_from_wire
from simpleflow_lab.workflow import Workflow

DOMAIN: Final = "simulation"
_SECOND: Final = 1000 * NANOSECONDS
SINK: Final = "simpleflow_lab.listener"
"""The task list of the executions that get the signals which others got, and the start of the names of others."""
_STARTED_WITH: Final = (
    "input",
    "taskList",
    "taskPriority",
    "executionStartToCloseTimeout",
    "taskStartToCloseTimeout",
    "childPolicy",
    "tagList",
    "lambdaRole",
)
_DETAILS: Final = {
    "completed": ("CompleteWorkflowExecution", "result"),
    "failed": ("FailWorkflowExecution", "reason", "details"),
    "canceled": ("CancelWorkflowExecution", "details"),
}
"""The ways in which a child closes, each with the attributes that it closes with."""


class _Task:
    """One activity task that is scheduled."""

    def __init__(self, attempted: Attempted | None, attributes: Mapping[str, Any], task_list: str) -> None:
        self.attempted = attempted
        self.attributes = attributes
        self.list = task_list
        """Its own list in the engine: so it is taken when its turn comes here."""
        self.slots_of = ""
        self.token = ""
        self.is_done = False


class Simulation:
    """One execution, simulated."""

    def __init__(
        self,
        workflow: type[Workflow],
        started: HistoryEvent,
        script: Script,
        *,
        settings: Settings,
        workflow_id: str,
        **options: Any,
    ) -> None:
        """`started` is the first event of the execution that is simulated. `options` are further ones of `Replay`."""
        self._script = script
        self._started = started
        self._workflow_id = workflow_id
        self._ids = (workflow_id, str(options.get("run_id", "")))
        begin = round(started.timestamp.timestamp() * 1000)
        self._at = begin * NANOSECONDS
        self._clock = ManualClock(begin)
        self._service = EmbeddedSWF(":memory:", clock=self._clock, poll_seconds=0.0)
        self._types = TypeRegistration(self._service, DOMAIN, settings)
        self._replay = Replay(workflow, workflow_id=workflow_id, **options)
        self._todo: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._attempts = NextAttempts(script)
        self._queues: dict[str, list[tuple[int, int, _Task]]] = defaultdict(list)
        self._busy: Counter[str] = Counter()
        self._open: dict[str, _Task] = {}
        self._originals: dict[str, Mapping[str, Any]] = {}
        """By the list that a task has in the engine: its attributes as they were commanded."""
        self._refused: dict[str, dict[str, Any]] = {}
        """By the type that an attempt has in the engine, which refuses it: what its event says instead."""
        self._children: dict[str, str] = {}
        """By the workflow id that a child has here: the recorded one, in which only the ids of the parent differ."""
        self._listeners: set[str] = set()
        """The ids of the executions that are there for the signals which they get."""
        self._child_runs: dict[str, Mapping[str, str]] = {}
        """By the recorded workflow id of a child: the ids of its latest run here."""
        self._senders: deque[Mapping[str, str] | None] = deque()
        """Who sent the signals whose events were not read yet."""
        self._sender_of: dict[int, Mapping[str, str] | None] = {}
        """By the event of a signal that came from elsewhere: the execution that sent it, as it was recorded."""
        self._deciding = False
        self._decided = 0
        self._run_id = ""
        self.progress = 0
        """Grows with each thing that happens."""
        self.is_stopped = False
        """Set by whoever does not wait for it any more."""

    def run(self) -> list[HistoryEvent]:
        """Let it happen; gives the history. Raises what a decider raises for a decision that can't be made."""
        try:
            with self._service:
                self._start()
                while not self._plan_decision() and self._todo and not self.is_stopped:
                    at, _, action = heapq.heappop(self._todo)
                    self._clock.advance((at // NANOSECONDS - self._at // NANOSECONDS) / 1000)
                    self._at = at
                    action()
                    self.progress += 1
                return self._history()
        finally:
            close_replay(self._replay)

    # -- time --

    def _later(self, nanoseconds: int, action: Callable[[], None]) -> None:
        heapq.heappush(self._todo, (self._at + max(0, nanoseconds), next(self._numbers), action))

    def _plan_decision(self) -> bool:
        """Plan the decision that is due; gives whether the execution has closed."""
        found = self._service.describe_workflow_execution(domain=DOMAIN, execution=self._execution)
        if found["executionInfo"]["executionStatus"] == "CLOSED":
            return True
        if found["openCounts"]["openDecisionTasks"] and not self._deciding:
            self._deciding = True
            self._later(self._decision_times[0], self._decide)
        return False

    @property
    def _decision_times(self) -> tuple[int, int]:
        times = self._script.decisions
        return times[self._decided] if self._decided < len(times) else self._script.later_decisions

    # -- decisions --

    @property
    def _execution(self) -> dict[str, str]:
        return {"workflowId": self._workflow_id, "runId": self._run_id}

    def _start(self) -> None:
        attributes = self._started.attributes
        kind = attributes["workflowType"]
        self._types.register_workflow_type(kind["name"], kind["version"])
        request = {name: attributes[name] for name in _STARTED_WITH if attributes.get(name) is not None}
        request["taskList"] = {"name": f"{SINK}.decisions"}
        self._run_id = self._service.start_workflow_execution(
            domain=DOMAIN, workflowId=self._workflow_id, workflowType=dict(kind), **request
        )["runId"]
        if self._script.runs_out:
            self._later_for(attributes.get("executionStartToCloseTimeout"))
        for incoming in self._script.incoming:
            self._later(incoming.after, lambda incoming=incoming: self._call(incoming))  # type: ignore[misc]

    def _call(self, incoming: Incoming) -> None:
        with contextlib.suppress(UnknownResourceFault):  # it has closed by now
            getattr(self._service, incoming.method)(domain=DOMAIN, workflowId=self._workflow_id, **incoming.arguments)
            if incoming.method == SIGNAL:
                self._senders.append(incoming.sender)

    def _decide(self) -> None:
        request: dict[str, Any] = {
            "domain": DOMAIN,
            "taskList": {"name": f"{SINK}.decisions"},
            "identity": json.dumps({IDENTITY_KEY: RULES}) if self._script.is_by_ours else "simpleflow",
            "startAtPreviousStartedEvent": True,
        }
        task = page = self._service.poll_for_decision_task(**request)
        if not task.get("taskToken"):
            self._deciding = False  # it has closed: its time was over, or this start was one event too many
            return
        events = list(page["events"])
        while page.get("nextPageToken"):
            page = self._service.poll_for_decision_task(**request, nextPageToken=page["nextPageToken"])
            events.extend(page["events"])
        self._replay.feed([self._as_seen(event_from_wire(event)) for event in events])
        answer = self._replay.decide(task["startedEventId"], dry=True)
        self._later(self._decision_times[1], lambda: self._respond(task["taskToken"], answer))

    def _respond(self, token: str, answer: Answer) -> None:
        self._decided += 1
        self._deciding = False
        self._types.register_types_of(answer.decisions)
        tasks: list[_Task] = []
        decisions = [self._changed(decision, tasks) for decision in (*answer.decisions, *self._wake_up(answer))]
        context: dict[str, Any] = {}
        if answer.execution_context is not None:
            context["executionContext"] = answer.execution_context
        try:
            self._service.respond_decision_task_completed(taskToken=token, decisions=decisions, **context)
        except UnknownResourceFault:
            return  # it has closed while the decision was made: its time was over
        for task in tasks:
            self._queue(task)
        for decision in answer.decisions:
            if decision["decisionType"] == "RequestCancelActivityTask":
                self._cancel(swf_decisions.attributes(decision)["activityId"])

    def _wake_up(self, answer: Answer) -> list[Decision]:
        """The timer with which simpleflow's decider wakes itself to see what it has recorded."""
        timers = [swf_decisions.attributes(decision).get("timerId") for decision in answer.decisions]
        if not self._replay.sees_later or WAKE_UP_TIMER in timers:
            return []
        return [swf_decisions.start_timer(timer_id=WAKE_UP_TIMER, start_to_fire_timeout=0)]

    def _changed(self, decision: Mapping[str, Any], tasks: list[_Task]) -> Mapping[str, Any]:
        """A decision as the engine gets it."""
        kind = decision["decisionType"]
        attributes = swf_decisions.attributes(decision)
        if kind == "StartTimer":
            self._later(int(attributes["startToFireTimeout"]) * _SECOND, _nothing)
            return decision
        if kind == "ScheduleActivityTask":
            attempted = self._attempts.take(
                attributes["activityId"], attributes["activityType"]["name"], attributes.get("input")
            )
            if attempted is not None and attempted.state == REFUSED:
                return self._to_be_refused(decision, "activityType", attempted)
            task = _Task(attempted, attributes, self._own_list(attributes))
            tasks.append(task)
            given = {**attributes, "taskList": {"name": task.list}}
            if attempted is None or attempted.timeout_type != "HEARTBEAT":
                given["heartbeatTimeout"] = "NONE"
        elif kind == "StartChildWorkflowExecution":
            self._end_listener(attributes["workflowId"])
            attempted = self._attempts.take(
                self._recorded_id(attributes), attributes["workflowType"]["name"], attributes.get("input")
            )
            if attempted is not None and attempted.state == REFUSED:
                return self._to_be_refused(decision, "workflowType", attempted)
            own = self._own_list(attributes)
            given = {**attributes, "taskList": {"name": own}}
            if attempted is not None and attempted.running is not None:
                child = attributes["workflowId"]
                self._later(attempted.delay + attempted.running, lambda: self._close_child(own, child, attempted))
        elif kind == "SignalExternalWorkflowExecution":
            target = attributes["workflowId"]
            if (attributes["signalName"], self._children.get(target, target)) in self._script.not_signaled:
                return decision
            self._listen(target)
            given = {name: value for name, value in attributes.items() if name != "runId"}
        else:
            return decision
        return {**decision, _attributes_key(decision): given}

    def _to_be_refused(self, decision: Mapping[str, Any], type: str, attempted: Attempted) -> Mapping[str, Any]:
        """A decision that the engine refuses: of a type that is not registered there."""
        attributes = swf_decisions.attributes(decision)
        unknown = {"name": f"{SINK}.{REFUSED}.{next(self._numbers)}", "version": "0"}
        self._refused[unknown["name"]] = {type: attributes[type], "cause": attempted.cause}
        return {**decision, _attributes_key(decision): {**attributes, type: unknown}}

    def _as_refused(self, event: HistoryEvent) -> HistoryEvent:
        """An event with the type that was asked for and the cause that was recorded, if it is a refusal."""
        type: Any = event.attributes.get("activityType") or event.attributes.get("workflowType") or {}
        said = self._refused.get(type.get("name"))
        return event if said is None else event._replace(attributes={**event.attributes, **said})

    def _as_seen(self, event: HistoryEvent) -> HistoryEvent:
        """An event as the decider sees it: with the parent, and with the execution that sent a signal."""
        attributes = event.attributes
        if event.type == self._started.type:
            parent = self._started.attributes.get("parentWorkflowExecution")
            return event if parent is None else _with(event, parentWorkflowExecution=parent)
        if event.type == "ChildWorkflowExecutionStarted":
            child = attributes["workflowExecution"]
            self._child_runs[self._children.get(child["workflowId"], child["workflowId"])] = child
        elif event.type == "WorkflowExecutionSignaled":
            sender = self._sender(event)
            if sender is not None:
                return _with(event, externalWorkflowExecution=self._child_runs.get(sender["workflowId"], sender))
        return self._as_refused(event)

    def _sender(self, signaled: HistoryEvent) -> Mapping[str, str] | None:
        """The execution that sent this signal, as it was recorded; `None` if none did, or this one."""
        if signaled.attributes.get("externalWorkflowExecution"):
            return None
        if signaled.id not in self._sender_of:
            self._sender_of[signaled.id] = self._senders.popleft()
        return self._sender_of[signaled.id]

    def _recorded_id(self, attributes: Mapping[str, Any]) -> str:
        """The workflow id that a child was recorded with: its own, or if the execution's ids are not known, the one
        that differs in nothing else."""
        child: str = attributes["workflowId"]
        if child not in self._script.attempts:
            of_parent = f"-{self._ids[0]}--{run_hash(self._ids[1])}--"
            name, found, suffix = child.rpartition(of_parent)
            pattern = re.compile(f"{re.escape(name)}-.+--[0-9a-f]+--{re.escape(suffix)}")
            recorded = [id for id in self._script.attempts if found and pattern.fullmatch(id)]
            if len(recorded) == 1:
                self._children[child] = recorded[0]
        return self._children.get(child, child)

    def _listen(self, workflow_id: str) -> None:
        """Let an execution with this id be open, which gets a signal."""
        with contextlib.suppress(WorkflowExecutionAlreadyStartedFault):  # this one itself, a child, or a listener
            self._service.start_workflow_execution(
                domain=DOMAIN,
                workflowId=workflow_id,
                workflowType=dict(self._started.attributes["workflowType"]),
                taskList={"name": SINK},
            )
            self._listeners.add(workflow_id)

    def _end_listener(self, workflow_id: str) -> None:
        if workflow_id in self._listeners:
            self._listeners.remove(workflow_id)
            self._service.terminate_workflow_execution(domain=DOMAIN, workflowId=workflow_id)

    def _own_list(self, attributes: Mapping[str, Any]) -> str:
        name = f"{SINK}.{next(self._numbers)}"
        self._originals[name] = attributes
        return name

    # -- activities --

    def _queue(self, task: _Task) -> None:
        attempted, attributes = task.attempted, task.attributes
        self._open[attributes["activityId"]] = task
        for name in ("scheduleToStartTimeout", "scheduleToCloseTimeout"):
            self._later_for(attributes.get(name))
        if attempted is None or attempted.running is None:
            return  # nobody takes it
        task.slots_of = str((attributes.get("taskList") or {}).get("name"))
        priority = int(attributes.get("taskPriority") or 0)
        heapq.heappush(self._queues[task.slots_of], (-priority, next(self._numbers), task))
        self._later(0, lambda: self._dispatch(task.slots_of))

    def _later_for(self, seconds: str | None) -> None:
        if seconds and seconds != "NONE":
            self._later(int(seconds) * _SECOND, _nothing)

    def _dispatch(self, slots_of: str) -> None:
        slots = self._script.slots.get(slots_of, self._script.default_slots)
        queue = self._queues[slots_of]
        while queue and self._busy[slots_of] < slots:
            _, _, task = heapq.heappop(queue)
            self._busy[slots_of] += 1
            assert task.attempted is not None
            self._later(task.attempted.delay, lambda task=task: self._take(task))  # type: ignore[misc]

    def _take(self, task: _Task) -> None:
        attempted = task.attempted
        assert attempted is not None
        assert attempted.running is not None
        taken = self._service.poll_for_activity_task(domain=DOMAIN, taskList={"name": task.list}, identity="simulated")
        if not taken.get("taskToken"):
            self._free(task)  # it was canceled, or has timed out
            return
        task.token = taken["taskToken"]
        self._later_for(task.attributes.get("startToCloseTimeout"))
        heartbeat = task.attributes.get("heartbeatTimeout")
        if attempted.timeout_type == "HEARTBEAT" and heartbeat not in (None, "NONE"):
            self._later(attempted.running - int(heartbeat) * _SECOND, lambda: self._answer_with(task, "heartbeat"))
        self._later(attempted.running, lambda: self._end(task))

    def _end(self, task: _Task) -> None:
        if task.is_done:
            return
        attempted = task.attempted
        assert attempted is not None
        lost = is_worker_lost(attempted.details) or is_given_back(attempted.details)
        if attempted.state == "completed":
            self._answer_with(task, "completed", result=attempted.result)
        elif attempted.state == "failed":
            self._answer_with(task, "failed", reason=attempted.reason, details=attempted.details)
        elif attempted.state == "timed_out" and lost:
            self._answer_with(task, "failed", reason="its worker was lost", details=GIVEN_BACK)
        elif attempted.state == "canceled":
            self._answer_with(task, "canceled", details=attempted.details)
            if not task.is_done:
                return  # it goes on until it is asked to cancel
        self._free(task)

    def _cancel(self, activity_id: str) -> None:
        task = self._open.get(activity_id)
        if task is not None and task.token and task.attempted is not None and task.attempted.state == "canceled":
            self._later(task.attempted.canceling, lambda: self._end(task))

    def _answer_with(self, task: _Task, how: str, **members: str | None) -> None:
        given = {name: value for name, value in members.items() if value is not None}
        try:
            if how == "heartbeat":
                self._service.record_activity_task_heartbeat(taskToken=task.token)
            elif how == "completed":
                self._service.respond_activity_task_completed(taskToken=task.token, **given)
            elif how == "failed":
                self._service.respond_activity_task_failed(taskToken=task.token, **given)
            else:
                self._service.respond_activity_task_canceled(taskToken=task.token, **given)
                task.is_done = True
        except OperationNotPermittedFault:
            return  # it was not asked to cancel
        except UnknownResourceFault:
            task.is_done = True  # it has timed out

    def _free(self, task: _Task) -> None:
        task.is_done = True
        self._busy[task.slots_of] -= 1
        self._dispatch(task.slots_of)

    # -- children --

    def _close_child(self, task_list: str, workflow_id: str, attempted: Attempted) -> None:
        try:
            if attempted.state in _DETAILS:
                task = self._service.poll_for_decision_task(domain=DOMAIN, taskList={"name": task_list})
                if not task.get("taskToken"):
                    return
                kind, *names = _DETAILS[attempted.state]
                values = {name: getattr(attempted, name) for name in names}
                given = {name: value for name, value in values.items() if value is not None}
                decision = {"decisionType": kind}
                decision[_attributes_key(decision)] = given  # type: ignore[assignment]
                self._service.respond_decision_task_completed(taskToken=task["taskToken"], decisions=[decision])
            else:
                self._service.terminate_workflow_execution(domain=DOMAIN, workflowId=workflow_id)
        except UnknownResourceFault:
            pass  # it was terminated with its parent

    # -- what came of it --

    def _history(self) -> list[HistoryEvent]:
        events: list[HistoryEvent] = []
        page: dict[str, Any] = {}
        while True:
            found = self._service.get_workflow_execution_history(domain=DOMAIN, execution=self._execution, **page)
            events.extend(self._as_commanded(event_from_wire(event)) for event in found["events"])
            if not found.get("nextPageToken"):
                return events
            page = {"nextPageToken": found["nextPageToken"]}

    def _as_commanded(self, event: HistoryEvent) -> HistoryEvent:
        """An event with the task list and the timeout that were asked for, and the ids that were recorded."""
        event = self._as_refused(event)
        attributes = dict(event.attributes)
        sender = self._sender(event) if event.type == "WorkflowExecutionSignaled" else None
        if sender is not None:
            return _with(event, externalWorkflowExecution=sender)
        child: Any = attributes.get("workflowExecution") or {}
        if attributes.get("workflowId") in self._children:
            attributes["workflowId"] = self._children[attributes["workflowId"]]
        elif child.get("workflowId") in self._children:
            attributes["workflowExecution"] = {**child, "workflowId": self._children[child["workflowId"]]}
        own = attributes.get("taskList")
        if not own:
            return event._replace(attributes=attributes) if self._children else event
        if own["name"] == f"{SINK}.decisions":
            attributes["taskList"] = self._started.attributes["taskList"]
        elif own["name"] in self._originals:
            original = self._originals[own["name"]]
            for name in ("taskList", "heartbeatTimeout"):
                if original.get(name) is not None:
                    attributes[name] = original[name]
        return event._replace(attributes=attributes)


def _with(event: HistoryEvent, **attributes: Any) -> HistoryEvent:
    return event._replace(attributes={**event.attributes, **attributes})


def _nothing() -> None:
    """Time has passed, and the engine does what is due."""


def _attributes_key(decision: Mapping[str, Any]) -> str:
    """The member of a decision that holds its attributes."""
    kind = str(decision["decisionType"])
    return f"{kind[0].lower()}{kind[1:]}DecisionAttributes"


def simulated(workflow: type[Workflow], started: HistoryEvent, script: Script, **options: Any) -> list[HistoryEvent]:
    """The history of a `Simulation`, which runs in a thread of its own: an interrupt ends it, and goes through.

    Raises what `Simulation.run` raises, and `DecisionTooLongError` if one decision runs for longer than
    `SIMPLEFLOW_LAB_STEP_SECONDS`.
    """
    ensure_streams()
    begun: list[Simulation] = []

    def simulate() -> list[HistoryEvent]:
        begun.append(Simulation(workflow, started, script, **options))
        with watched_output(lambda text: None):
            return begun[0].run()

    limit = DecisionLimit(lambda: sum(simulation.progress for simulation in begun))
    with ReplayThread("simulation") as thread:
        try:
            return thread.call_watched(lambda: limit.check(lambda: thread.line(workflow.__module__)), simulate)
        except BaseException:  # an interrupt too: the thread that is left must end
            for simulation in begun:
                simulation.is_stopped = True
            raise

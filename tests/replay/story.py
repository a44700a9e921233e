"""A history that a test writes event by event, with real decisions in between."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from typing import Any

from simpleflow_lab import Workflow
from simpleflow_lab.replay.replay import Replay
from simpleflow_lab.swf.decisions import attributes
from simpleflow_lab.swf.event_types import EVENT_TYPES
from simpleflow_lab.swf.history import HistoryEvent

RECORDING_EVENTS = {
    row.decision: name for name, row in EVENT_TYPES.items() if row.decision is not None and not name.endswith("Failed")
} | {"FailWorkflowExecution": "WorkflowExecutionFailed"}
"""The event that records a decision when SWF carries it out."""

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


class Story:
    """A history that grows by what the test says, with a decider of ours."""

    identity: str | None = '{"simpleflow_lab":3}'
    """The identity of its decider."""

    def __init__(self, workflow: type[Workflow], *args: Any):
        self.workflow = workflow
        self.events: list[HistoryEvent] = []
        self.cached = self.new_replay()
        kind = {"name": workflow.name, "version": workflow.type_version()}
        self.add(
            "WorkflowExecutionStarted",
            input=json.dumps({"args": args}),
            taskList={"name": "refused"},
            workflowType=kind,
            childPolicy="TERMINATE",
            executionStartToCloseTimeout="3600",
            taskStartToCloseTimeout="300",
        )

    def new_replay(self) -> Replay:
        return Replay(self.workflow, workflow_id="w", run_id="r")

    def add(self, type_: str, **its: Any) -> HistoryEvent:
        when = START + datetime.timedelta(seconds=len(self.events))
        self.events.append(HistoryEvent(len(self.events) + 1, type_, when, its))
        return self.events[-1]

    def replays(self) -> list[Replay]:
        """Those that decide: their answers must be the same."""
        return [self.cached, self.new_replay()]

    def decide(self, meanwhile: Callable[[], Any] = lambda: None) -> list[dict[str, Any]]:
        """The decisions of the cached replay, and of one made anew: they must be the same.

        `meanwhile` adds events that come while the decision is made.
        """
        scheduled = self.add("DecisionTaskScheduled", taskList={"name": "refused"})
        self.started = self.add("DecisionTaskStarted", scheduledEventId=scheduled.id, identity=self.identity)
        answers = []
        for replay in self.replays():
            replay.feed(self.events)
            answers.append(replay.decide(self.started.id))
        self.answer = answers[0]
        assert answers[0] == answers[-1]
        meanwhile()
        self.completed = self.add(
            "DecisionTaskCompleted", scheduledEventId=scheduled.id, startedEventId=self.started.id
        )
        return self.answer.decisions

    def record(self, decision: dict[str, Any]) -> HistoryEvent:
        """SWF carries out a decision."""
        its = dict(attributes(decision))
        if decision["decisionType"] == "CancelTimer":
            its["startedEventId"] = next(
                event.id
                for event in reversed(self.events)
                if event.type == "TimerStarted" and event.attributes["timerId"] == its["timerId"]
            )
        type_ = RECORDING_EVENTS[decision["decisionType"]]
        return self.add(type_, decisionTaskCompletedEventId=self.completed.id, **its)

    def refuse(self, decision: dict[str, Any], cause: str) -> None:
        """SWF refuses a decision."""
        its = attributes(decision)
        match decision["decisionType"]:
            case "ScheduleActivityTask":
                members = {"activityId": its["activityId"], "activityType": its["activityType"]}
                type_ = "ScheduleActivityTaskFailed"
            case "RequestCancelActivityTask":
                members, type_ = {"activityId": its["activityId"]}, "RequestCancelActivityTaskFailed"
            case "RequestCancelExternalWorkflowExecution":
                members = {"workflowId": its["workflowId"], "initiatedEventId": self.record(decision).id}
                type_ = "RequestCancelExternalWorkflowExecutionFailed"
            case "StartTimer":
                members, type_ = {"timerId": its["timerId"]}, "StartTimerFailed"
            case "CancelTimer":
                members, type_ = {"timerId": its["timerId"]}, "CancelTimerFailed"
            case "StartChildWorkflowExecution":
                members = {"workflowId": its["workflowId"], "workflowType": its["workflowType"], "initiatedEventId": 0}
                type_ = "StartChildWorkflowExecutionFailed"
            case _:
                members = {"workflowId": its["workflowId"], "initiatedEventId": self.record(decision).id}
                type_ = "SignalExternalWorkflowExecutionFailed"
        self.add(type_, decisionTaskCompletedEventId=self.completed.id, cause=cause, **members)

    def refuse_close(self, decisions: list[dict[str, Any]], cause: str = "UNHANDLED_DECISION") -> None:
        """SWF carries out all decisions but the last one, which would close the execution."""
        for decision in decisions[:-1]:
            self.record(decision)
        type_ = f"{decisions[-1]['decisionType']}Failed"
        self.add(type_, decisionTaskCompletedEventId=self.completed.id, cause=cause)

    def fire(self, decision: dict[str, Any]) -> None:
        """A timer is started and fires."""
        started = self.record(decision)
        self.add("TimerFired", timerId=attributes(decision)["timerId"], startedEventId=started.id)

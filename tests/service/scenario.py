"""A service with a domain and types, and the few verbs of which the tests of services are made."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import socket
from collections.abc import Mapping
from typing import Any

from simpleflow_lab.engine.clock import ManualClock
from simpleflow_lab.service.protocol import SWFService

DOMAIN_VARIABLE = "SIMPLEFLOW_LAB_TEST_DOMAIN"
DOMAIN = os.environ.get(DOMAIN_VARIABLE, "lab")
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
WORKFLOW_TYPE = {"name": "workflow", "version": "1"}
ACTIVITY_TYPE = {"name": "activity", "version": "1"}
WORKFLOW_DEFAULTS = {
    "defaultTaskList": {"name": "decisions"},
    "defaultTaskStartToCloseTimeout": "30",
    "defaultExecutionStartToCloseTimeout": "100000",
    "defaultChildPolicy": "TERMINATE",
}
ACTIVITY_DEFAULTS = {
    "defaultTaskList": {"name": "work"},
    "defaultTaskScheduleToStartTimeout": "NONE",
    "defaultTaskScheduleToCloseTimeout": "NONE",
    "defaultTaskStartToCloseTimeout": "NONE",
    "defaultTaskHeartbeatTimeout": "NONE",
}


@dataclasses.dataclass(frozen=True)
class Handle:
    """An execution, by its ids."""

    workflow_id: str
    run_id: str

    @property
    def ids(self) -> dict[str, str]:
        return {"workflowId": self.workflow_id, "runId": self.run_id}


def this_process() -> str:
    """The identity of a poller in this process: tasks that it holds are lost when the process ends."""
    return json.dumps({"pid": os.getpid(), "hostname": socket.gethostname()})


class Scenario:
    """What tests do to a service."""

    def __init__(self, service: SWFService, clock: ManualClock, identity: str | None = None):
        """`identity` is that of its polls that name none."""
        self.service: Any = service
        self.poller: Mapping[str, Any] = {} if identity is None else {"identity": identity}
        self.clock = clock
        self.since = EPOCH

    def prepare(self) -> None:
        """Register the domain and the two types."""
        self.service.register_domain(name=DOMAIN, workflowExecutionRetentionPeriodInDays="90")
        self.workflow_type()
        self.activity_type()

    def workflow_type(self, name: str = "workflow", version: str = "1", **defaults: Any) -> None:
        self.service.register_workflow_type(
            domain=DOMAIN, name=name, version=version, **{**WORKFLOW_DEFAULTS, **defaults}
        )

    def activity_type(self, name: str = "activity", version: str = "1", **defaults: Any) -> None:
        self.service.register_activity_type(
            domain=DOMAIN, name=name, version=version, **{**ACTIVITY_DEFAULTS, **defaults}
        )

    def start(self, workflow_id: str = "w", **options: Any) -> Handle:
        options.setdefault("workflowType", WORKFLOW_TYPE)
        answer = self.service.start_workflow_execution(domain=DOMAIN, workflowId=workflow_id, **options)
        return Handle(workflow_id, answer["runId"])

    def poll(self, task_list: str = "decisions", **options: Any) -> dict[str, Any]:
        """A decision task, or an answer without `taskToken`."""
        asked = {**self.poller, **options}
        return self.service.poll_for_decision_task(domain=DOMAIN, taskList={"name": task_list}, **asked)

    def answer(self, task: Mapping[str, Any], *decisions: Any, **options: Any) -> None:
        self.service.respond_decision_task_completed(taskToken=task["taskToken"], decisions=list(decisions), **options)

    def decide(self, *decisions: Any, task_list: str = "decisions", **options: Any) -> dict[str, Any]:
        """Poll for a decision task and answer it; gives the task."""
        task = self.poll(task_list)
        assert task.get("taskToken"), "no decision task waits"
        self.answer(task, *decisions, **options)
        return task

    def take(self, task_list: str = "work", **options: Any) -> dict[str, Any]:
        """An activity task, or an answer without `taskToken`."""
        asked = {**self.poller, **options}
        return self.service.poll_for_activity_task(domain=DOMAIN, taskList={"name": task_list}, **asked)

    def complete(self, task: Mapping[str, Any], result: str | None = None) -> None:
        members = {} if result is None else {"result": result}
        self.service.respond_activity_task_completed(taskToken=task["taskToken"], **members)

    def work(self, result: str = "done", task_list: str = "work") -> dict[str, Any]:
        """Take an activity task and complete it."""
        task = self.take(task_list)
        assert task.get("taskToken"), "no activity task waits"
        self.complete(task, result)
        return task

    def signal(self, workflow_id: str = "w", name: str = "go", **options: Any) -> None:
        self.service.signal_workflow_execution(domain=DOMAIN, workflowId=workflow_id, signalName=name, **options)

    def events(self, handle: Handle) -> list[dict[str, Any]]:
        """The whole history, however many pages it has."""
        events: list[dict[str, Any]] = []
        token: dict[str, str] = {}
        while True:
            answer = self.service.get_workflow_execution_history(domain=DOMAIN, execution=handle.ids, **token)
            events += answer["events"]
            if "nextPageToken" not in answer:
                return events
            token = {"nextPageToken": answer["nextPageToken"]}

    def types(self, handle: Handle) -> list[str]:
        return [event["eventType"] for event in self.events(handle)]

    def last(self, handle: Handle, event_type: str | None = None) -> dict[str, Any]:
        """The attributes of the last event, or of the last one of a type."""
        for event in reversed(self.events(handle)):
            if event_type in (None, event["eventType"]):
                return attributes(event)
        raise AssertionError(f"no {event_type}")

    def describe(self, handle: Handle) -> dict[str, Any]:
        return self.service.describe_workflow_execution(domain=DOMAIN, execution=handle.ids)

    def status(self, handle: Handle) -> str:
        info = self.describe(handle)["executionInfo"]
        return info.get("closeStatus", info["executionStatus"])

    def run_of(self, workflow_id: str) -> Handle:
        """The open execution of this id."""
        infos = self.service.list_open_workflow_executions(
            domain=DOMAIN, startTimeFilter={"oldestDate": EPOCH}, executionFilter={"workflowId": workflow_id}
        )["executionInfos"]
        return Handle(workflow_id, infos[0]["execution"]["runId"])

    def everything(self) -> list[Handle]:
        """All executions that were started since this scenario was."""
        request = {"domain": DOMAIN, "startTimeFilter": {"oldestDate": self.since}}
        opened = self.service.list_open_workflow_executions(**request)["executionInfos"]
        closed = self.service.list_closed_workflow_executions(**request)["executionInfos"]
        return [Handle(each["execution"]["workflowId"], each["execution"]["runId"]) for each in (*opened, *closed)]


def attributes(event: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of an event."""
    (found,) = (value for name, value in event.items() if name.endswith("Attributes"))
    return found

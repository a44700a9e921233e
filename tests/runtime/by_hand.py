"""An execution that a test decides by hand: its one activity runs in a Lab's worker, and is canceled on request.

task = by_hand.Task(lab, my_activity, 1, 2)
task.request_cancel()
assert task.closed().type == "ActivityTaskCanceled"
"""

from __future__ import annotations

import contextlib
import uuid
from typing import Any

from simpleflow_lab import Lab, Workflow, activity
from simpleflow_lab.activity import Activity
from simpleflow_lab.data.codec import encode
from simpleflow_lab.exceptions import TypeAlreadyExistsFault
from simpleflow_lab.swf.history import HistoryEvent, event_from_wire

WORKFLOW = {"name": "by_hand", "version": "1"}


class _Warm(Workflow):
    """After it, its Lab serves the task list of this activity."""

    name = "by_hand.warm"
    task_list = "by_hand.warm"

    def run(self, task_list: str) -> Any:
        return self.submit(activity.with_attributes(task_list=task_list)(_nothing)).result


_nothing = activity.with_attributes(name="by_hand.nothing", version="1", task_list="by_hand")(lambda: None)


class Task:
    """One activity task."""

    def __init__(self, lab: Lab, of: Activity, *args: Any):
        lab.start(_Warm, of.task_list).result(200)
        self._lab = lab
        self._list = {"name": f"by hand {uuid.uuid4()}"}
        self.execution: dict[str, str] = {"workflowId": f"by-hand-{uuid.uuid4()}"}
        with contextlib.suppress(TypeAlreadyExistsFault):
            lab.service.register_workflow_type(domain=lab.domain, **WORKFLOW)
        with contextlib.suppress(TypeAlreadyExistsFault):
            lab.service.register_activity_type(domain=lab.domain, name=of.name, version=of.version)
        started = lab.service.start_workflow_execution(
            domain=lab.domain,
            workflowType=WORKFLOW,
            taskList=self._list,
            executionStartToCloseTimeout="600",
            taskStartToCloseTimeout="600",
            childPolicy="TERMINATE",
            **self.execution,
        )
        self.execution["runId"] = started["runId"]
        attributes = {
            "activityId": "by-hand",
            "activityType": {"name": of.name, "version": of.version},
            "taskList": {"name": of.task_list},
            "input": encode({"args": args, "kwargs": {}}),
            "heartbeatTimeout": of.task_heartbeat_timeout,
            "scheduleToCloseTimeout": "600",
            "scheduleToStartTimeout": "600",
            "startToCloseTimeout": "600",
        }
        self._decide("ScheduleActivityTask", attributes)

    def request_cancel(self) -> None:
        """Ask for the activity to be canceled."""
        self._lab.service.signal_workflow_execution(domain=self._lab.domain, signalName="cancel", **self.execution)
        self._decide("RequestCancelActivityTask", {"activityId": "by-hand"})

    def closed(self) -> HistoryEvent:
        """The event that closed the activity task, when it is there."""
        while True:
            for event in reversed([event_from_wire(event) for event in self._poll()["events"]]):
                if event.type in _CLOSED:
                    return event

    def terminate(self) -> None:
        """End the execution while the activity runs."""
        self._lab.service.terminate_workflow_execution(domain=self._lab.domain, **self.execution)

    def progress(self) -> Any:
        """What the activity says of its progress; `None` if it does not run."""
        found = self._lab.execution(self.execution["workflowId"]).progress().activities
        return found[0].progress if found else None

    def _decide(self, kind: str, attributes: dict[str, Any]) -> None:
        decision = {"decisionType": kind, f"{kind[0].lower()}{kind[1:]}DecisionAttributes": attributes}
        self._lab.service.respond_decision_task_completed(taskToken=self._poll()["taskToken"], decisions=[decision])

    def _poll(self) -> Any:
        while True:
            task = self._lab.service.poll_for_decision_task(domain=self._lab.domain, taskList=self._list)
            if task.get("taskToken"):
                return task


_CLOSED = {"ActivityTaskCompleted", "ActivityTaskFailed", "ActivityTaskCanceled", "ActivityTaskTimedOut"}

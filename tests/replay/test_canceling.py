"""Cancel requests, in histories that the embedded engine is too quick to make."""

import json

from simpleflow_lab import Workflow
from simpleflow_lab.replay.replay import Replay
from simpleflow_lab.replay.task_ids import TaskIds
from simpleflow_lab.swf.history import History


class Child(Workflow):
    name = "canceled_early.child"


def test_a_child_that_is_only_initiated_is_asked_as_soon_as_it_runs():
    """What an engine does within a millisecond takes SWF up to 100: a history that says so."""

    class Parent(Workflow):
        name = "canceled_early.early"

        def run(self):
            child = self.submit(Child)
            self.submit(self.wait_signal("cancel")).wait()
            child.cancel()
            child.wait()

    child = {"workflowId": TaskIds("w", "s").child_id("workflow-canceled_early.child", "1"), "runId": "c"}
    kind = {"name": "canceled_early.child", "version": "default"}

    def event(number, event_type, **attributes):
        key = f"{event_type[0].lower()}{event_type[1:]}EventAttributes"
        return {"eventId": number, "eventType": event_type, "eventTimestamp": 1.5e9 + number, key: attributes}

    events = [
        event(1, "WorkflowExecutionStarted", taskList={"name": "t"}, workflowType=kind, childPolicy="TERMINATE"),
        event(2, "DecisionTaskScheduled", taskList={"name": "t"}),
        event(3, "DecisionTaskStarted", scheduledEventId=2),
        event(4, "DecisionTaskCompleted", scheduledEventId=2, startedEventId=3),
        event(
            5,
            "StartChildWorkflowExecutionInitiated",
            decisionTaskCompletedEventId=4,
            workflowType=kind,
            input='{"args":[],"kwargs":{}}',
            **child,
        ),
        event(6, "WorkflowExecutionSignaled", signalName="cancel"),
        event(7, "DecisionTaskScheduled", taskList={"name": "t"}),
        event(8, "DecisionTaskStarted", scheduledEventId=7),
        event(9, "DecisionTaskCompleted", scheduledEventId=7, startedEventId=8),
        event(10, "ChildWorkflowExecutionStarted", initiatedEventId=5, workflowExecution=child, workflowType=kind),
        event(11, "DecisionTaskScheduled", taskList={"name": "t"}),
        event(12, "DecisionTaskStarted", scheduledEventId=11),
    ]
    history = History.from_json(json.dumps({"events": events}))

    def decided(up_to):
        replay = Replay(Parent, workflow_id="w", run_id="s")
        replay.feed(history[:up_to])
        answer = replay.decide(up_to)
        replay.close()
        return [decision["decisionType"] for decision in answer.decisions]

    assert decided(8) == []
    assert decided(12) == ["RequestCancelExternalWorkflowExecution"]

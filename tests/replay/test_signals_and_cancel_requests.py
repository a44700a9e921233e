"""Signals and cancel requests, in histories that the embedded engine is too quick or too generous to make."""

import json

from simpleflow_lab import Workflow, futures
from simpleflow_lab.replay.replay import Replay
from simpleflow_lab.replay.task_ids import TaskIds
from simpleflow_lab.swf.decisions import attributes
from simpleflow_lab.swf.history import History

KIND = {"name": "outside.parent", "version": "default"}
TASK_LIST = {"name": "t"}
CHILD_KIND = {"name": "outside.child", "version": "default"}
CHILD = {"workflowId": TaskIds("w", "s").child_id("workflow-outside.child", "1"), "runId": "c"}
RATE = "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_RATE_EXCEEDED"
OURS = '{"simpleflow_lab":"test"}'
"""Identity of a decider of ours: all its commands must be recorded."""


class Story:
    """A history, written event by event; each decision task is started and completed at once."""

    def __init__(self) -> None:
        self.events: list[dict] = []
        self.add("WorkflowExecutionStarted", taskList=TASK_LIST, workflowType=KIND, childPolicy="TERMINATE")

    def add(self, event_type, **members):
        number = len(self.events) + 1
        key = f"{event_type[0].lower()}{event_type[1:]}EventAttributes"
        self.events.append({"eventId": number, "eventType": event_type, "eventTimestamp": 1.5e9 + number, key: members})
        return number

    def started(self):
        self.add("DecisionTaskScheduled", taskList=TASK_LIST)
        return self.add("DecisionTaskStarted", scheduledEventId=len(self.events), identity=OURS)

    def decided(self):
        started = self.started()
        return self.add("DecisionTaskCompleted", scheduledEventId=started - 1, startedEventId=started)

    def decisions(self, workflow):
        """What the workflow decides after this story."""
        history = History.from_json(json.dumps({"events": self.events}))
        replay = Replay(workflow, workflow_id="w", run_id="s")
        replay.feed(history)
        answer = replay.decide(len(history))
        replay.close()
        return [(found["decisionType"], attributes(found)) for found in answer.decisions]


class Child(Workflow):
    name = "outside.child"


class CancelsEarly(Workflow):
    name = "outside.cancels_early"

    def run(self):
        child = self.submit(Child)
        self.submit(self.wait_signal("cancel")).wait()
        child.cancel()
        child.wait()


def a_child_is_initiated(story):
    return story.add(
        "StartChildWorkflowExecutionInitiated",
        decisionTaskCompletedEventId=story.decided(),
        workflowId=CHILD["workflowId"],
        workflowType=CHILD_KIND,
        input='{"args":[],"kwargs":{}}',
    )


def test_a_child_that_is_only_initiated_is_asked_to_cancel_as_soon_as_it_runs():
    """What an engine does within a millisecond takes SWF up to 100."""
    story = Story()
    initiated = a_child_is_initiated(story)
    story.add("WorkflowExecutionSignaled", signalName="cancel")
    story.decided()
    story.add("ChildWorkflowExecutionStarted", initiatedEventId=initiated, workflowExecution=CHILD, workflowType=KIND)
    story.started()
    ((kind, its),) = story.decisions(CancelsEarly)
    assert (kind, its["workflowId"]) == ("RequestCancelExternalWorkflowExecution", CHILD["workflowId"])


def test_a_cancel_request_that_came_too_fast_is_made_again():
    story = Story()
    initiated = a_child_is_initiated(story)
    story.add("ChildWorkflowExecutionStarted", initiatedEventId=initiated, workflowExecution=CHILD, workflowType=KIND)
    story.add("WorkflowExecutionSignaled", signalName="cancel")
    completed = story.decided()
    requested = story.add(
        "RequestCancelExternalWorkflowExecutionInitiated",
        decisionTaskCompletedEventId=completed,
        workflowId=CHILD["workflowId"],
    )
    story.add(
        "RequestCancelExternalWorkflowExecutionFailed",
        decisionTaskCompletedEventId=completed,
        initiatedEventId=requested,
        workflowId=CHILD["workflowId"],
        cause="REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_RATE_EXCEEDED",
    )
    story.started()
    ((kind, timer),) = story.decisions(CancelsEarly)
    assert (kind, timer["startToFireTimeout"]) == ("StartTimer", "1")  # and then it is made again


class SignalsTwo(Workflow):
    name = "outside.signals_two"

    def run(self):
        both = [self.submit(self.signal("go", workflow_id=name, propagate=False)) for name in ("one", "two")]
        futures.wait(both)
        return [str(future.exception) for future in both]


def test_a_signal_that_came_too_fast_is_sent_again():
    """Refused at once, or after it was initiated; the event does not name the signal, only whom it was for."""
    story = Story()
    completed = story.decided()
    first = story.add(
        "SignalExternalWorkflowExecutionInitiated",
        decisionTaskCompletedEventId=completed,
        workflowId="one",
        signalName="go",
    )
    refused = {"decisionTaskCompletedEventId": completed, "cause": RATE}
    story.add("SignalExternalWorkflowExecutionFailed", workflowId="two", initiatedEventId=0, **refused)
    story.add("SignalExternalWorkflowExecutionFailed", workflowId="one", initiatedEventId=first, **refused)
    story.started()
    timers = story.decisions(SignalsTwo)
    assert [kind for kind, _ in timers] == ["StartTimer"] * 2
    assert [found["timerId"].rpartition("-")[2] for _, found in timers] == ["two", "one"]


def test_a_signal_that_may_not_be_sent_fails_with_the_cause():
    story = Story()
    completed = story.decided()
    for name in ("one", "two"):
        story.add(
            "SignalExternalWorkflowExecutionFailed",
            decisionTaskCompletedEventId=completed,
            workflowId=name,
            initiatedEventId=0,
            cause="OPERATION_NOT_PERMITTED",
        )
    story.started()
    ((kind, its),) = story.decisions(SignalsTwo)
    assert kind == "CompleteWorkflowExecution"
    assert json.loads(its["result"]) == ["go: SWF refused it: OPERATION_NOT_PERMITTED"] * 2

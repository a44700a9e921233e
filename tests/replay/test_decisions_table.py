"""What is decided, as a table: a workflow, its history so far, and the decisions that follow.

Each row is a story. In its history `decided` is a decision of ours that SWF has taken whole; the other steps are what
happens to its tasks. Each decision is made by a replay that was fed all along and by one made anew (`story.Story`).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from simpleflow_lab import Workflow, activity, futures
from simpleflow_lab.canvas import Chain
from simpleflow_lab.exceptions import WorkflowCanceled
from simpleflow_lab.replay.task_ids import TaskIds
from simpleflow_lab.retry import Retry
from simpleflow_lab.swf.decisions import attributes
from simpleflow_lab.task import ContinueAsNewWorkflowTask
from tests.replay.story import Story

TASKS = {"task_list": "table", "version": "1"}


@activity.with_attributes(name="table.step", **TASKS)
def step(n):
    return n


@activity.with_attributes(name="table.flaky", retry=1, raises_on_failure=True, **TASKS)
def flaky(n):
    return n


@activity.with_attributes(name="table.patient", retry=Retry(maximum_attempts=2, initial_interval=7), **TASKS)
def patient(n):
    return n


# -- the workflows -----------------------------------------------------------------------------------------------------


class OneStep(Workflow):
    name = "table.one_step"
    version = "1"

    def run(self, n=1):
        return self.submit(step, n).result


class TwoSteps(Workflow):
    name = "table.two_steps"
    version = "1"

    def run(self):
        return sum(futures.wait(self.submit(step, 1), self.submit(step, 2)))


class DependentSteps(Workflow):
    name = "table.dependent_steps"
    version = "1"

    def run(self):
        return self.submit(step, self.submit(step, 1)).result


class ChainedSteps(Workflow):
    name = "table.chained_steps"
    version = "1"

    def run(self):
        return self.submit(Chain((step, 1), (step, 2))).result


class Flaky(Workflow):
    name = "table.flaky_step"
    version = "1"

    def run(self):
        return self.submit(flaky, 1).result


class Patient(Workflow):
    name = "table.patient_step"
    version = "1"

    def run(self):
        return self.submit(patient, 1).result


class Child(Workflow):
    name = "table.child"
    version = "1"

    def run(self, n):
        return n


class Parent(Workflow):
    name = "table.parent"
    version = "1"

    def run(self):
        return self.submit(Child, 5).result


class OneTimer(Workflow):
    name = "table.one_timer"
    version = "1"

    def run(self):
        self.submit(self.start_timer("tea", 180)).wait()
        return "ready"


class CanceledTimer(Workflow):
    name = "table.canceled_timer"
    version = "1"

    def run(self):
        tea = self.submit(self.start_timer("tea", 180))
        self.submit(step, 1).wait()
        self.submit(self.cancel_timer("tea"))
        self.submit(step, 2).wait()
        return tea.cancelled


class OneMarker(Workflow):
    name = "table.one_marker"
    version = "1"

    def run(self):
        self.submit(self.record_marker("seen", {"n": 1}))
        return len(self.list_markers())


class Sends(Workflow):
    name = "table.sends"
    version = "1"

    def run(self):
        self.submit(self.signal("go", 1, workflow_id="elsewhere")).wait()
        return "sent"


class Waits(Workflow):
    name = "table.waits"
    version = "1"

    def run(self):
        return self.submit(self.wait_signal("go")).result


class CleansUp(Workflow):
    name = "table.cleans_up"
    version = "1"
    cancellation = "raise"

    def run(self):
        try:
            return self.submit(step, 1).result
        except WorkflowCanceled:
            self.submit(step, "clean up").wait()
            raise


class NextRun(Workflow):
    name = "table.next_run"
    version = "1"

    def run(self, n):
        self.submit(ContinueAsNewWorkflowTask(NextRun, n + 1)).wait()


class Fails(Workflow):
    name = "table.fails"
    version = "1"

    def run(self):
        raise ValueError("no")


class FewAtATime(Workflow):
    name = "table.few_at_a_time"
    version = "1"
    max_open_activity_count = 2

    def run(self):
        return sum(futures.wait([self.submit(step, n) for n in range(3)]))


class Patched(Workflow):
    name = "table.patched"
    version = "1"

    def run(self):
        return self.submit(step, "new" if self.patched("p") else "old").result


# -- what happens to them ----------------------------------------------------------------------------------------------

Happens = Callable[["Past"], Any]


class Past(Story):
    """A history so far, with the events of its tasks by their ids."""

    def __init__(self, workflow: type[Workflow], *args: Any):
        super().__init__(workflow, *args)
        self.first: dict[str, int] = {}
        """Id of the latest event that recorded each task's command."""
        self.sent: list[dict[str, Any]] = []
        """The decisions of the latest decision task."""

    def record(self, decision):
        event = super().record(decision)
        names = ("activityId", "timerId", "signalName", "workflowId")
        name = next((event.attributes[name] for name in names if name in event.attributes), None)
        if name is not None and event.row.find.opens:
            self.first[name] = event.id
        return event

    def sent_for(self, id_: str) -> dict[str, Any]:
        """The latest decision about this task."""
        return next(decision for decision in self.sent if id_ in attributes(decision).values())


def decided(past: Past) -> None:
    past.sent = past.decide()
    for decision in past.sent:
        past.record(decision)


def decided_but_refused(id_: str, cause: str) -> Happens:
    def happens(past: Past) -> None:
        past.sent = past.decide()
        past.refuse(past.sent_for(id_), cause)

    return happens


def close_refused(past: Past) -> None:
    [close] = past.decide()
    past.add(
        f"{close['decisionType']}Failed", decisionTaskCompletedEventId=past.completed.id, cause="UNHANDLED_DECISION"
    )


def activity_(state: str, id_: str, **members: Any) -> Happens:
    return lambda past: past.add(f"ActivityTask{state}", scheduledEventId=past.first[id_], **members)


def completed(id_: str, result: Any) -> Happens:
    return activity_("Completed", id_, result=json.dumps(result))


def failed(id_: str) -> Happens:
    return activity_("Failed", id_, reason="ValueError: no")


def timed_out(id_: str) -> Happens:
    return activity_("TimedOut", id_, timeoutType="START_TO_CLOSE")


def canceled(id_: str) -> Happens:
    return activity_("Canceled", id_)


def child(state: str, **members: Any) -> Happens:
    def happens(past: Past) -> None:
        past.add(
            f"ChildWorkflowExecution{state}",
            initiatedEventId=past.first[CHILD],
            workflowExecution={"workflowId": CHILD, "runId": "c"},
            workflowType={"name": "table.child", "version": "1"},
            **members,
        )

    return happens


def fired(id_: str) -> Happens:
    return lambda past: past.add("TimerFired", timerId=id_, startedEventId=past.first[id_])


def signaled(name: str, value: Any) -> Happens:
    return lambda past: past.add("WorkflowExecutionSignaled", signalName=name, input=json.dumps(value))


def delivered(name: str) -> Happens:
    return lambda past: past.add("ExternalWorkflowExecutionSignaled", initiatedEventId=past.first[name])


def asked_to_cancel(past: Past) -> None:
    past.add("WorkflowExecutionCancelRequested")


# -- decisions in a line -----------------------------------------------------------------------------------------------

CHILD = TaskIds("w", "r").child_id("workflow-table.child", "1")


def line(decision: dict[str, Any]) -> str:
    """A decision as the table writes it."""
    its = dict(attributes(decision))
    args = ", ".join(str(arg) for arg in json.loads(its.get("input") or "{}").get("args", []))
    match decision["decisionType"]:
        case "ScheduleActivityTask":
            return f"schedule {its['activityId']}({args})"
        case "RequestCancelActivityTask":
            return f"request cancel of {its['activityId']}"
        case "StartChildWorkflowExecution":
            return f"start child {its['workflowId']}({args})"
        case "StartTimer":
            return f"start timer {its['timerId']} of {its['startToFireTimeout']} s"
        case "CancelTimer":
            return f"cancel timer {its['timerId']}"
        case "RecordMarker":
            return f"record marker {its['markerName']} {its['details']}"
        case "SignalExternalWorkflowExecution":
            return f"signal {its['signalName']}({args}) to {its['workflowId']}"
        case "CompleteWorkflowExecution":
            return f"complete with {its['result']}"
        case "FailWorkflowExecution":
            return f"fail: {its['reason']}"
        case "CancelWorkflowExecution":
            return "cancel the execution"
        case "ContinueAsNewWorkflowExecution":
            return f"continue as new({args})"
        case other:
            return other


# -- the table ---------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Row:
    story: str
    workflow: type[Workflow]
    history: Sequence[Happens]
    decisions: Sequence[str]
    args: tuple[Any, ...] = ()


STEP, FLAKY, PATIENT = "activity-table.step", "activity-table.flaky-1", "activity-table.patient-1"

TABLE = [
    # Activities.
    Row("an activity is scheduled", OneStep, [], [f"schedule {STEP}-1(1)"]),
    Row("while it runs, nothing is decided", OneStep, [decided], []),
    Row("its result is read", OneStep, [decided, completed(f"{STEP}-1", 8)], ["complete with 8"]),
    Row("two activities are scheduled at once", TwoSteps, [], [f"schedule {STEP}-1(1)", f"schedule {STEP}-2(2)"]),
    Row("one of two is not enough", TwoSteps, [decided, completed(f"{STEP}-2", 2)], []),
    Row(
        "both results are summed up",
        TwoSteps,
        [decided, completed(f"{STEP}-2", 2), decided, completed(f"{STEP}-1", 1)],
        ["complete with 3"],
    ),
    Row("what an activity depends on is scheduled alone", DependentSteps, [], [f"schedule {STEP}-1(1)"]),
    Row(
        "then its result is passed on",
        DependentSteps,
        [decided, completed(f"{STEP}-1", 7)],
        [f"schedule {STEP}-2(7)"],
    ),
    Row("a chain begins with its first activity", ChainedSteps, [], [f"schedule {STEP}-1(1)"]),
    Row("and goes on with its second", ChainedSteps, [decided, completed(f"{STEP}-1", 1)], [f"schedule {STEP}-2(2)"]),
    Row("no more activities are open than may be", FewAtATime, [], [f"schedule {STEP}-1(0)", f"schedule {STEP}-2(1)"]),
    Row(
        "the next one follows when one has closed",
        FewAtATime,
        [decided, completed(f"{STEP}-2", 1)],
        [f"schedule {STEP}-3(2)"],
    ),
    # Failures.
    Row("a failed activity is retried at once", Flaky, [decided, failed(FLAKY)], [f"schedule {FLAKY}(1)"]),
    Row("so is one that timed out", Flaky, [decided, timed_out(FLAKY)], [f"schedule {FLAKY}(1)"]),
    Row(
        "no more often than its retries allow",
        Flaky,
        [decided, failed(FLAKY), decided, failed(FLAKY)],
        [f"fail: TaskFailed: {FLAKY}: ValueError: no"],
    ),
    Row(
        "a retry may wait by means of a timer",
        Patient,
        [decided, failed(PATIENT)],
        [f"start timer __simpleflow_task_{PATIENT} of 7 s"],
    ),
    Row(
        "when it has fired, the activity is scheduled under its old id",
        Patient,
        [decided, failed(PATIENT), decided, fired(f"__simpleflow_task_{PATIENT}")],
        [f"schedule {PATIENT}(1)"],
    ),
    Row(
        "an activity that SWF can't take now is scheduled later",
        OneStep,
        [decided_but_refused(f"{STEP}-1", "OPEN_ACTIVITIES_LIMIT_EXCEEDED")],
        [f"start timer __simpleflow_task_{STEP}-1 of 1 s"],
    ),
    # Children.
    Row("a child is started", Parent, [], [f"start child {CHILD}(5)"]),
    Row(
        "its result is read, too",
        Parent,
        [decided, child("Started"), child("Completed", result="5")],
        ["complete with 5"],
    ),
    Row(
        "a failed child fails its parent",
        Parent,
        [decided, child("Started"), child("Failed", reason="ValueError: no")],
        [f"fail: TaskFailed: {CHILD}: ValueError: no"],
    ),
    # Timers and markers.
    Row("a timer is started", OneTimer, [], ["start timer tea of 180 s"]),
    Row("the code goes on when it fires", OneTimer, [decided, fired("tea")], ['complete with "ready"']),
    Row(
        "a timer that is not needed any more is canceled",
        CanceledTimer,
        [decided, completed(f"{STEP}-1", 1)],
        ["cancel timer tea", f"schedule {STEP}-2(2)"],
    ),
    Row(
        "and does not fire",
        CanceledTimer,
        [decided, completed(f"{STEP}-1", 1), decided, completed(f"{STEP}-2", 2)],
        ["complete with true"],
    ),
    Row("a marker counts as recorded at once", OneMarker, [], ['record marker seen {"n":1}', "complete with 1"]),
    # Signals.
    Row("a signal is sent", Sends, [], ["signal go(1) to elsewhere"]),
    Row("its delivery is waited for", Sends, [decided], []),
    Row("and then it is done", Sends, [decided, delivered("go")], ['complete with "sent"']),
    Row("a signal is waited for", Waits, [], []),
    Row("its input is the result", Waits, [decided, signaled("go", 3)], ["complete with 3"]),
    Row("one that came early waits for the code", Waits, [signaled("go", 3)], ["complete with 3"]),
    # The end.
    Row("a cancel request closes the execution", OneStep, [decided, asked_to_cancel], ["cancel the execution"]),
    Row(
        "or is raised, so that the code can clean up",
        CleansUp,
        [decided, asked_to_cancel],
        [f"request cancel of {STEP}-1", f"schedule {STEP}-2(clean up)"],
    ),
    Row(
        "and cancels it afterwards",
        CleansUp,
        [decided, asked_to_cancel, decided, canceled(f"{STEP}-1"), completed(f"{STEP}-2", None)],
        ["cancel the execution"],
    ),
    Row("an error of the code fails the execution", Fails, [], ["fail: ValueError: no"]),
    Row("a run continues as a new one", NextRun, [], ["continue as new(2)"], args=(1,)),
    Row(
        "a close that SWF refused is decided again",
        OneStep,
        [decided, completed(f"{STEP}-1", 8), close_refused, signaled("late", None)],
        ["complete with 8"],
    ),
    # Code and values.
    Row(
        "a patch is recorded before what depends on it",
        Patched,
        [],
        ['record marker simpleflow_lab.patch {"deprecated":false,"patch":"p"}', f"schedule {STEP}-1(new)"],
    ),
    Row("and its way is kept", Patched, [decided, completed(f"{STEP}-1", 1)], ["complete with 1"]),
]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.story)
def test_a_history_so_far_leads_to_these_decisions(row: Row) -> None:
    past = Past(row.workflow, *row.args)
    for happens in row.history:
        happens(past)
    assert [line(decision) for decision in past.decide()] == row.decisions


def test_a_large_value_is_a_reference_and_its_text_comes_with_the_answer() -> None:
    past = Past(OneStep, "x" * 50_000)
    [scheduled] = past.decide()
    [(reference, text)] = past.answer.large
    assert attributes(scheduled)["input"] == str(reference)
    assert json.loads(text)["args"] == ["x" * 50_000]
    past.record(scheduled)
    completed(f"{STEP}-1", 1)(past)
    assert [line(decision) for decision in past.decide()] == ["complete with 1"]

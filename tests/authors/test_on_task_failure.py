"""The hook that says what becomes of a task that failed: EH-05, EH-06, EH-07."""

from __future__ import annotations

import json
from typing import ClassVar

import pytest

from simpleflow_lab import Future, Workflow, activity, futures
from simpleflow_lab.canvas import Group
from simpleflow_lab.constants import MINUTE
from simpleflow_lab.exceptions import (
    TaskCanceled,
    TaskFailed,
    TaskTerminated,
    TimeoutError,
    WorkflowExecutionFailed,
)
from simpleflow_lab.task import ActivityTask, TaskFailureContext, WorkflowTask
from tests.authors.replaying import replay_all, timers_of, types_of

TASKS = {"task_list": "hooked", "version": "1"}


class Broken(RuntimeError):
    """What the activities raise."""


@activity.with_attributes(name="hooked.fails", **TASKS)
def fails(*args, **kwargs):
    raise Broken("no luck")


@activity.with_attributes(name="hooked.fails_aloud", raises_on_failure=True, retry=1, **TASKS)
def fails_aloud(*args, **kwargs):
    raise Broken("no luck")


@activity.with_attributes(name="hooked.needs_even", raises_on_failure=True, **TASKS)
def needs_even(values, *, unit="m"):
    if values[0] % 2:
        raise Broken(f"{values[0]} is odd")
    return f"{values[0]} {unit}"


@activity.with_attributes(name="hooked.echo", **TASKS)
def echo(value):
    return value


class Hooked(Workflow):
    """Submits what its subclasses say; their hook is `decide`, and what it was told is kept."""

    name = "hooked.hooked"
    task_list = "hooked"
    told: ClassVar[list[tuple]] = []

    def run(self, *args):
        return self.submit(fails_aloud, *args).result

    def on_task_failure(self, failure_context):
        type(self).told.append(
            (failure_context.task_name, failure_context.retry_count, failure_context.current_started_decision_id)
        )
        return self.decide(failure_context)

    def decide(self, ctx):
        return None


def told_again(execution, workflow):
    """What the hook was told in the run, after seeing that a replay tells it the same."""
    told, workflow.told = workflow.told, []
    replay_all(execution, workflow)
    # A replay ends where the last decision was recorded; all failures were decided by then.
    assert workflow.told == told
    return told


def hooked(type_name, decide, **attributes):
    """A workflow with this hook."""
    members = {"name": type_name, "decide": decide, "told": [], **attributes}
    return type(type_name.rpartition(".")[2], (Hooked,), members)


Default = hooked("hooked.default", lambda self, ctx: None)


def test_a_hook_without_an_opinion_leaves_the_default(shared_lab):
    """EH-03: one retry, then the error."""
    Default.told = []
    execution = shared_lab.start(Default, 7)
    with pytest.raises(WorkflowExecutionFailed, match="no luck"):
        execution.result(200)
    told = told_again(execution, Default)
    assert [(name, retries) for name, retries, _ in told] == [("hooked.fails_aloud", 0), ("hooked.fails_aloud", 1)]


Ignoring = hooked("hooked.ignoring", lambda self, ctx: ctx.decide_ignore())
Replacing = hooked("hooked.replacing", lambda self, ctx: (ctx.future.set_finished("made up"), ctx.decide_ignore())[1])


@pytest.mark.parametrize(("workflow", "result"), [(Ignoring, None), (Replacing, "made up")])
def test_an_ignored_failure_is_a_task_that_completed(shared_lab, workflow, result):
    execution = shared_lab.start(workflow)
    assert execution.result(200) == result
    assert len(types_of(execution, "ActivityTaskScheduled")) == 1
    assert len(execution.unhandled_failures()) == 0
    replay_all(execution, workflow)


Aborting = hooked(
    "hooked.aborting",
    lambda self, ctx: ctx.decide_abort(),
    run=lambda self: [self.submit(fails), self.submit(self.start_timer("long", 3600)).wait()],
)


def test_an_abort_fails_the_workflow_whatever_it_waits_for(shared_lab):
    execution = shared_lab.start(Aborting)
    with pytest.raises(WorkflowExecutionFailed) as caught:
        execution.result(200)
    reason = "on_task_failure aborted the workflow: TaskFailed: activity-hooked.fails-1: Broken: no luck"
    assert caught.value.reason == reason
    assert "raise Broken" in caught.value.details
    assert types_of(execution, "TimerFired", "TimerStarted") == ["TimerStarted"]
    replay_all(execution, Aborting)


def run_canceling(self):
    future = self.submit(fails_aloud)
    future.wait()
    return [future.state, future.cancelled, future.result, future.exception]


Canceling = hooked("hooked.canceling", lambda self, ctx: ctx.decide_cancel(), run=run_canceling)


def test_a_canceled_failure_is_a_canceled_future(shared_lab):
    assert shared_lab.start(Canceling).result(200) == ["CANCELLED", True, None, None]


def retry_with_other_arguments(self, ctx):
    ctx.a_task.args[0][0] += 1
    ctx.a_task.kwargs["unit"] = "km"
    return ctx.decide_retry()


Mending = hooked(
    "hooked.mending",
    retry_with_other_arguments,
    run=lambda self: self.submit(needs_even, self.submit(echo, [3])).result,
)


def test_arguments_changed_by_the_hook_are_what_is_tried_again(shared_lab):
    """EH-06: and what the next replay compares."""
    execution = shared_lab.start(Mending)
    assert execution.result(200) == "4 km"
    inputs = [
        json.loads(event.attributes["input"])
        for event in execution.history()
        if event.type == "ActivityTaskScheduled" and event.attributes["activityType"]["name"] == "hooked.needs_even"
    ]
    assert inputs == [{"args": [[3]], "kwargs": {}}, {"args": [[4]], "kwargs": {"unit": "km"}}]
    ids = [event.attributes["activityId"] for event in execution.history() if event.type == "ActivityTaskScheduled"]
    assert ids[1] == ids[2] == "activity-hooked.needs_even-1"
    replay_all(execution, Mending)


def mutate_and_let_be(self, ctx):
    ctx.a_task.args = ([6],)


class DefaultAfterEdit(Hooked):
    name = "hooked.default_after_edit"

    def run(self):
        tried = activity.with_attributes(name="hooked.needs_even", retry=1, raises_on_failure=True, **TASKS)(needs_even)
        return self.submit(tried, [5]).result

    def on_task_failure(self, failure_context):
        failure_context.a_task.args = ([6],)


def test_an_edit_also_holds_for_the_tasks_own_retries(shared_lab):
    execution = shared_lab.start(DefaultAfterEdit)
    assert execution.result(200) == "6 m"
    replay_all(execution, DefaultAfterEdit)


def directly(self, ctx):
    """Upstream's way to answer: by assignment."""
    if ctx.retry_count < 2:
        ctx.decision = ctx.Decision.retry_later
        ctx.retry_wait_timeout = 10 * MINUTE * ctx.attempt_number
        return ctx
    return None


Patient = hooked("hooked.patient", directly)


def test_a_retry_later_waits_by_a_timer_of_swf(shared_lab):
    Patient.told = []
    execution = shared_lab.start(Patient)
    with pytest.raises(WorkflowExecutionFailed, match="no luck"):
        execution.result(200)
    assert timers_of(execution) == [
        ("__simpleflow_task_activity-hooked.fails_aloud-1", 600),
        ("__simpleflow_task_activity-hooked.fails_aloud-1", 1200),
    ]
    assert [retries for _, retries, _ in told_again(execution, Patient)] == [0, 1, 2]


def hand_over(self, ctx):
    return ctx.decide_handled(ctx.a_task, self.submit(echo, f"instead of {ctx.task_name}"))


HandingOver = hooked("hooked.handing_over", hand_over)
ClosedByHand = hooked("hooked.closed_by_hand", lambda self, ctx: ctx.decide_handled(ctx.a_task, finished("by hand")))
Untouched = hooked(
    "hooked.untouched",
    lambda self, ctx: ctx.decide_handled(ctx.a_task, ctx.future),
    run=lambda self: [self.submit(fails).result, self.submit(fails).exception.reason],
)
AnotherTask = hooked(
    "hooked.another_task",
    lambda self, ctx: ctx.decide_handled(ActivityTask(echo, "another task")),
)


def finished(value):
    future = Future()
    future.set_finished(value)
    return future


@pytest.mark.parametrize(
    ("workflow", "result"),
    [
        (HandingOver, "instead of hooked.fails_aloud"),  # a task submitted by the hook
        (ClosedByHand, "by hand"),
        (Untouched, [None, "Broken: no luck"]),
        (AnotherTask, "another task"),
    ],
)
def test_a_handled_failure_becomes_what_the_hook_hands_over(shared_lab, workflow, result):
    execution = shared_lab.start(workflow)
    assert execution.result(200) == result
    replay_all(execution, workflow)


def wait_for_advice(self, ctx):
    ctx.future.set_finished(self.submit(echo, "advice").result)
    return ctx.decide_ignore()


Asking = hooked("hooked.asking", wait_for_advice)


def test_the_hook_may_submit_tasks_and_wait_for_them(shared_lab):
    Asking.told = []
    execution = shared_lab.start(Asking)
    assert execution.result(200) == "advice"
    assert len(told_again(execution, Asking)) == 1


def raising(self, ctx):
    raise KeyError("a bug of the hook")


@pytest.mark.parametrize(
    ("workflow", "reason"),
    [
        (hooked("hooked.raising", raising), "on_task_failure: KeyError: 'a bug of the hook'"),
        (hooked("hooked.odd_answer", lambda self, ctx: 7), "on_task_failure: UsageError: it returned 7: return the c"),
        (
            hooked("hooked.odd_decision", lambda self, ctx: setattr(ctx, "decision", "retry")),
            "on_task_failure: UsageError: 'retry' is no decision: use one of TaskFailureContext.Decision",
        ),
        (
            hooked("hooked.odd_task", lambda self, ctx: ctx.decide_handled(echo)),
            "on_task_failure: UsageError: a_task is <Activity hooked.echo 1>: a failed activity can only be tried",
        ),
        (
            hooked("hooked.odd_wait", lambda self, ctx: ctx.decide_retry(-5)),
            "on_task_failure: UsageError: timer __simpleflow_task_: the timeout must be seconds",
        ),
    ],
)
def test_an_error_of_the_hook_fails_the_workflow_with_its_name(shared_lab, workflow, reason):
    with pytest.raises(WorkflowExecutionFailed) as caught:
        shared_lab.start(workflow).result(200)
    assert caught.value.reason.startswith(reason)


class Telling(Workflow):
    """Its result is what the hook was told."""

    name = "hooked.telling"
    task_list = "hooked"

    def run(self):
        self.heard = []
        self.submit(fails, 1, unit="m").wait()
        return self.heard

    def on_task_failure(self, failure_context):
        ctx = failure_context
        self.seen = ctx
        event = {key: value for key, value in ctx.event.items() if isinstance(value, int | str | dict)}
        self.heard = [
            event,
            ctx.task_name,
            ctx.reason,
            ctx.task_error,
            ctx.task_message,
            ctx.task_error_type is Broken,
            ctx.attempt_number,
            ctx.id,
            [ctx.last_completed_decision_id, ctx.current_started_decision_id],
            sorted(ctx.details),
            [type(ctx.exception) is TaskFailed, ctx.exception_class.__name__, ctx.payload is fails],
            [list(ctx.a_task.args), ctx.a_task.kwargs, isinstance(ctx.a_task, ActivityTask)],
            ctx.history is not None,
        ]


def test_the_context_tells_what_upstreams_tells(shared_lab):
    """EH-05."""
    event, *rest = shared_lab.start(Telling).result(200)
    details = json.loads(event.pop("details"))
    identity = event.pop("identity")
    assert identity
    json.loads(event.pop("control"))
    assert event == {
        "type": "activity",
        "id": "activity-hooked.fails-1",
        "name": "hooked.fails",
        "version": "1",
        "activity_type": {"name": "hooked.fails", "version": "1"},
        "state": "failed",
        "retry": 0,
        "input": {"args": [1], "kwargs": {"unit": "m"}},
        "task_list": "hooked",
        "decision_task_completed_event_id": 4,
        "scheduled_id": 5,
        "started_id": 6,
        "failed_id": 7,
        "reason": "Broken: no luck",
    }
    assert details["message"] == "no luck"
    assert rest == [
        "hooked.fails",
        "Broken: no luck",
        "Broken",
        "no luck",
        True,
        1,
        5,
        [4, 9],
        ["error", "error_bases", "error_type", "message", "traceback"],
        [True, "TaskException", True],
        [[1], {"unit": "m"}, True],
        True,
    ]


class Child(Workflow):
    name = "hooked.child"
    task_list = "hooked"
    execution_timeout = 3600

    def run(self, how):
        if how == "fail":
            raise Broken("as a child")
        self.submit(self.start_timer("forever", 100_000)).wait()


class Parent(Workflow):
    name = "hooked.parent"
    task_list = "hooked"

    def run(self, how):
        self.heard = []
        self.submit(Child, how).wait()
        return self.heard

    def on_task_failure(self, failure_context):
        ctx = failure_context
        self.heard = [
            isinstance(ctx.a_task, WorkflowTask),
            ctx.task_name,
            type(ctx.exception).__name__,
            [ctx.task_error, ctx.task_message],
            ctx.exception_class.__name__,
            [ctx.event["type"], ctx.event["state"], ctx.event["retry"]],
            ctx.id == ctx.event["initiated_event_id"],
            ctx.event["run_id"] is not None,
            ctx.event.get("timeout_type"),
            ctx.event.get("timeout_value"),
        ]
        return ctx.decide_ignore()


TOLD_OF_CHILDREN = {
    "fail": [TaskFailed, ["Broken", "as a child"], "failed", None, None],
    "time out": [TimeoutError, [None, None], "timed_out", "START_TO_CLOSE", 3600],
}


@pytest.mark.parametrize("how", sorted(TOLD_OF_CHILDREN))
def test_the_hook_is_told_of_children_too(shared_lab, how):
    """EH-07."""
    kind, task_error, state, timeout_type, timeout_value = TOLD_OF_CHILDREN[how]
    assert shared_lab.start(Parent, how).result(200) == [
        True,
        "hooked.child",
        kind.__name__,
        task_error,
        "WorkflowException",
        ["child_workflow", state, 0],
        True,
        True,
        timeout_type,
        timeout_value,
    ]


class Ended(Workflow):
    """A child that somebody else ends."""

    name = "hooked.ended"
    task_list = "hooked"

    @classmethod
    def get_workflow_id(cls, name):
        return name

    def run(self, name):
        self.submit(self.wait_signal("never")).wait()


class OfTheEnded(Parent):
    name = "hooked.of_the_ended"

    def run(self, name):
        self.heard = []
        self.submit(Ended, name).wait()
        return self.heard


@pytest.mark.parametrize(("how", "kind"), [("terminate", TaskTerminated), ("request_cancel", TaskCanceled)])
def test_the_hook_is_told_of_children_that_somebody_else_ended(lab, how, kind):
    parent = lab.start(OfTheEnded, f"ended by {how}")
    next(_ for _ in parent.watch() if types_of(parent, "ChildWorkflowExecutionStarted"))
    getattr(lab.execution(f"ended by {how}"), how)()
    assert parent.result(200)[2] == kind.__name__


class Talking(Hooked):
    name = "hooked.talking"

    def on_task_failure(self, failure_context):
        print(f"attempt {failure_context.attempt_number} failed")
        return (
            failure_context.decide_retry(5) if failure_context.attempt_number < 3 else failure_context.decide_ignore()
        )


def test_what_the_hook_prints_appears_once(virtual_lab, capsys):
    """However often the decider has to begin anew."""
    execution = virtual_lab.start(Talking)
    execution.result(200)
    replay_all(execution, Talking)
    assert capsys.readouterr().out.splitlines() == [f"attempt {n} failed" for n in (1, 2, 3)]


class GivingUp(Workflow):
    """Ends while one of its tasks is about to be tried again."""

    name = "hooked.giving_up"
    task_list = "hooked"

    def run(self):
        failing = self.submit(fails)
        self.submit(self.start_timer("enough", 1800)).wait()
        return failing.state

    def on_task_failure(self, failure_context):
        return failure_context.decide_retry(1000)


def test_a_workflow_may_end_while_a_task_waits_for_its_next_attempt(virtual_lab):
    execution = virtual_lab.start(GivingUp)
    assert execution.result(200) == "RUNNING"
    assert len(types_of(execution, "ActivityTaskScheduled")) == 2
    replay_all(execution, GivingUp)


# -- what upstream's example of failures does, in our words --


@activity.with_attributes(name="hooked.shrugged_off", retry=1, **TASKS)
def shrugged_off():
    raise Broken("and it does not matter")


overrun: list = []


@activity.with_attributes(name="hooked.overruns", start_to_close_timeout=10, **TASKS)
def overruns():
    overrun[-1].advance(120)


class Failing(Workflow):
    name = "failing"
    version = "hooked"
    task_list = "hooked"
    retry = 1

    def run(self, fail=True):
        quiet = self.submit(shrugged_off)
        if not fail:
            futures.wait(quiet)
            return "not this time"
        loud = self.submit(fails_aloud)
        futures.wait(quiet, loud)
        raise AssertionError("futures.wait raises")


class NotFailing(Workflow):
    name = "hooked.not_failing"
    task_list = "hooked"

    def run(self):
        self.retried = []
        group = Group(raises_on_failure=False)
        group.append(Failing)
        group.append(overruns)
        future = self.submit(group)
        futures.wait(future)
        return [future.result, self.retried, future.exception.exceptions[1].timeout_type]

    def on_task_failure(self, failure_context):
        ctx = failure_context
        if not (isinstance(ctx.a_task, WorkflowTask) and ctx.task_name == "failing"):
            return None
        self.retried.append(ctx.retry_count)
        if ctx.retry_count >= 2:
            return None
        ctx.decision = ctx.Decision.retry_later
        ctx.retry_wait_timeout = 1 * MINUTE
        if ctx.retry_count == 1:
            ctx.a_task.kwargs = {"fail": False}
        return ctx


def test_upstreams_example_of_failures(shared_lab):
    """A child that fails twice, each time tried again a minute later, at last with other arguments."""
    overrun.append(shared_lab.clock)
    execution = shared_lab.start(NotFailing)
    assert execution.result(200) == [["not this time", None], [0, 1], "START_TO_CLOSE"]
    assert [wait for _, wait in timers_of(execution)] == [60, 60]
    children = [e for e in execution.history() if e.type == "StartChildWorkflowExecutionInitiated"]
    assert [json.loads(child.attributes["input"])["kwargs"] for child in children] == [{}, {}, {"fail": False}]
    assert len({child.attributes["workflowId"] for child in children}) == 1
    replay_all(execution, NotFailing)


def test_the_context_is_made_as_upstreams_is():
    ended = Future()
    ended.set_exception(TaskFailed("task", "reason only", "words"))
    context = TaskFailureContext(ActivityTask(echo, 1), {"retry": 1, "scheduled_id": 5}, ended, TaskFailed)
    assert (context.reason, context.details, context.task_error) == ("reason only", "words", None)
    assert (context.retry_count, context.attempt_number, context.id) == (1, 2, 5)
    assert context.decision is TaskFailureContext.Decision.none
    assert context.decide_retry().decision is TaskFailureContext.Decision.retry_now
    assert context.decide_retry(5).decision is TaskFailureContext.Decision.retry_later
    assert context.decide_retry(5).retry_wait_timeout == 5

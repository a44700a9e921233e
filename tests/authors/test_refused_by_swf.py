"""What SWF would refuse is refused at the author's line, in one line, and leaves no execution open."""

from __future__ import annotations

import functools
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simpleflow_lab import Lab, Retry, Workflow, activity, futures
from simpleflow_lab.exceptions import (
    EncodingError,
    SimpleflowLabError,
    UsageError,
    WorkflowExecutionFailed,
    WrongArgumentsError,
)
from simpleflow_lab.swf.decisions import attributes, seconds
from simpleflow_lab.task import ActivityTask, TimerTask
from tests.replay.story import Story

TASKS = {"task_list": "refused-by-swf", "version": "1"}


@activity.with_attributes(name="refused_by_swf.one", **TASKS)
def one():
    return 1


@activity.with_attributes(name="refused_by_swf.takes", **TASKS)
def takes(value):
    return value


@activity.with_attributes(name="refused_by_swf.urgent", task_priority="high", **TASKS)
def urgent():
    return 1


@activity.with_attributes(name="refused/by/swf", **TASKS)
def of_bad_name():
    return 1


@activity.with_attributes(name="refused_by_swf.bad", retry=Retry(maximum_attempts=5, initial_interval=3600), **TASKS)
def bad():
    raise OSError("down")


class Child(Workflow):
    name, version, task_list = "refused_by_swf.child", "1", "refused-by-swf"

    def run(self):
        return 1


class NamedChild(Child):
    name = "refused_by_swf.named_child"

    @classmethod
    def get_workflow_id(cls):
        return "a/b"


class TaggedChild(Child):
    name = "refused_by_swf.tagged_child"
    tag_list = ("a", "b", "c", "d", "e", "f")


class HurriedChild(Child):
    name = "refused_by_swf.hurried_child"
    execution_timeout = "soon"


class TimelessChild(Child):
    name = "refused_by_swf.timeless_child"
    decision_tasks_timeout = 0


class PoliticalChild(Child):
    name = "refused_by_swf.political_child"
    child_policy = "KEEP"


class LambdaChild(Child):
    name = "refused_by_swf.lambda_child"
    lambda_role = "x" * 1601


class UrgentChild(Child):
    name = "refused_by_swf.urgent_child"
    task_priority = "high"


class AsyncChild(Child):
    name = "refused_by_swf.async_child"

    async def run(self):
        return 1


class Submits(Workflow):
    """Submits what the test says."""

    name, version, task_list = "refused_by_swf.submits", "1", "refused-by-swf"

    def run(self, what):
        return self.submit(SUBMITTED[what](self)).result


SUBMITTED = {
    "timer id": lambda workflow: workflow.start_timer("a:b", 1),
    "empty timer id": lambda workflow: workflow.start_timer("", 1),
    "long timer id": lambda workflow: workflow.start_timer("x" * 257, 1),
    "timer seconds": lambda workflow: workflow.start_timer("t", 10**8),
    "timer nan": lambda workflow: workflow.start_timer("t", float("nan")),
    "timer infinity": lambda workflow: workflow.start_timer("t", float("inf")),
    "marker name": lambda workflow: workflow.record_marker("", 1),
    "signal name": lambda workflow: workflow.signal("x" * 300),
    "waited signal": lambda workflow: workflow.wait_signal("orders/new"),
    "next signal": lambda workflow: workflow.next_signal(""),
    "signal to": lambda workflow: workflow.signal("x", workflow_id="a|b"),
    "activity name": lambda workflow: of_bad_name,
    "child id": lambda workflow: NamedChild,
    "child tags": lambda workflow: TaggedChild,
    "child timeout": lambda workflow: HurriedChild,
    "child decisions": lambda workflow: TimelessChild,
    "async child": lambda workflow: AsyncChild,
    "child policy": lambda workflow: PoliticalChild,
    "child lambda role": lambda workflow: LambdaChild,
    "child priority": lambda workflow: UrgentChild,
    "activity priority": lambda workflow: urgent,
    "priority at submit": lambda workflow: ActivityTask(one, __priority=2**31),
    "signal run id": lambda workflow: workflow.signal("x", workflow_id="w", run_id="r" * 65),
}


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("timer id", "the id of a timer 'a:b' is none that SWF takes"),
        ("empty timer id", "the id of a timer is empty"),
        ("long timer id", "the id of a timer has 257 characters, and SWF takes 256 at most"),
        ("timer seconds", "timer t: the timeout is 99999999 seconds at most, not 100000000"),
        ("timer nan", "timer t: the timeout must be seconds, 0 or more, not nan"),
        ("timer infinity", "timer t: the timeout must be seconds, 0 or more, not inf"),
        ("marker name", "the name of a marker is empty"),
        ("signal name", "the name of a signal has 300 characters"),
        ("waited signal", "the name of a signal 'orders/new' is none that SWF takes"),
        ("next signal", "the name of a signal is empty"),
        ("signal to", "signal x: the workflow id 'a|b' is none that SWF takes"),
        ("activity name", "the name of an activity 'refused/by/swf' is none that SWF takes"),
        ("child id", "the workflow id of a child workflow-refused_by_swf.named_child 'a/b' is none that SWF takes"),
        ("child tags", "are 5 at most, and these are 6"),
        ("child timeout", "execution_timeout is whole seconds, 0 to 99999999, not 'soon'"),
        ("child decisions", "no decision can be made within a decision_tasks_timeout of 0 seconds"),
        ("async child", "AsyncChild.run is `async def`: write `def run`"),
        ("child policy", "child_policy is TERMINATE, REQUEST_CANCEL or ABANDON, not 'KEEP'"),
        ("child lambda role", "lambda_role has 1601 characters, and SWF takes 1 to 1600"),
        ("child priority", "is a whole number of 32 bits, not 'high'"),
        (
            "activity priority",
            "a task of refused_by_swf.urgent is a whole number of 32 bits, not 'high'",
        ),
        ("priority at submit", "is a whole number of 32 bits, not 2147483648"),
        ("signal run id", "signal x: the run id has 65 characters, and SWF takes 0 to 64"),
    ],
)
def test_it_fails_the_execution_at_the_line_that_submits_it(what, said):
    with Lab(":memory:") as lab:
        execution = lab.start(Submits, what)
        with pytest.raises(WorkflowExecutionFailed) as failed:
            execution.result(60)
    assert failed.value.reason.startswith("UsageError: ")
    assert said in str(failed.value)
    assert "in run\n    return self.submit(SUBMITTED[what](self)).result" in failed.value.details


class PassesItself(Child):
    name = "refused_by_swf.passes_itself"

    def run(self, levels):
        value = []
        value.append(value)
        for _ in range(levels):
            value = [value]
        try:
            self.submit(takes, value)
        except EncodingError as error:
            return str(error)


@pytest.mark.parametrize("levels", [0, 100_000])
def test_an_argument_that_contains_itself_is_refused_at_its_line(levels):
    with Lab(":memory:") as lab:
        said = lab.start(PassesItself, levels).result(60)
    assert said.startswith("an argument contains itself, or has more levels than JSON can hold")


# -- results, and what a workflow says of its failure ------------------------------------------------------------------


@activity.with_attributes(name="refused_by_swf.opaque", raises_on_failure=True, **TASKS)
def opaque():
    return object()


@activity.with_attributes(
    name="refused_by_swf.opaque_of_a_process", executor="processes", raises_on_failure=True, **TASKS
)
def opaque_of_a_process():
    return object()


class Returns(Child):
    """Returns, or says, what JSON or SWF can't hold."""

    name = "refused_by_swf.returns"

    def run(self, what):
        match what:
            case "self":
                return self
            case "future":
                return {"sum": self.submit(one)}
            case "activity":
                return self.submit(opaque).result
            case "process":
                return self.submit(opaque_of_a_process).result
            case "reason":
                self.fail(ValueError("x"))
            case "details":
                self.fail("x", {"code": 7})


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("self", f"EncodingError: the result of Returns.run can't be recorded: JSON can't hold a {__name__}.Returns"),
        ("future", "UsageError: Returns.run returned a future, which is no result: return what its `.result` gives"),
        (
            "activity",
            "EncodingError: the result of refused_by_swf.opaque can't be recorded: JSON can't hold a builtins.",
        ),
        ("process", "EncodingError: the result of refused_by_swf.opaque_of_a_process can't be recorded: JSON can't "),
        ("reason", "UsageError: the reason of a failure must be a text, not ValueError: convert it first"),
        ("details", "UsageError: the details of a failure must be a text, not dict: convert it first"),
    ],
)
def test_a_refused_value_fails_the_execution_and_shows_no_lines_of_the_library(what, said):
    with Lab(":memory:") as lab:
        execution = lab.start(Returns, what)
        with pytest.raises(WorkflowExecutionFailed) as failed:
            execution.result(60)
    assert said in failed.value.reason
    assert said in failed.value.details
    shown = [line.split('"')[1] for line in failed.value.details.splitlines() if line.startswith("  File ")]
    assert set(shown) <= {__file__}


# -- run and __init__ --------------------------------------------------------------------------------------------------


class Async(Child):
    name = "refused_by_swf.async"

    async def run(self):
        return 1


class Generates(Child):
    name = "refused_by_swf.generates"

    def run(self):
        yield 1


class NoFunction(Child):
    name = "refused_by_swf.no_function"
    run = 5  # type: ignore[assignment]


class OfNoExecutor(Child):
    name = "refused_by_swf.of_no_executor"

    def __init__(self):
        pass


class OfAnotherArgument(Child):
    name = "refused_by_swf.of_another_argument"

    def __init__(self, executor, size):
        super().__init__(executor)
        self.size = size


@pytest.mark.parametrize(
    ("workflow", "said"),
    [
        (Async, "Async.run is `async def`: write `def run`, and read a future's `.result`"),
        (Generates, "Generates.run has a `yield`"),
        (NoFunction, "NoFunction.run is no function: write `def run(self, …)`"),
        (OfNoExecutor, "OfNoExecutor.__init__ does not take the executor"),
        (OfAnotherArgument, "OfAnotherArgument.__init__ does not take the executor"),
    ],
)
def test_a_run_that_is_none_is_told_at_the_start(workflow, said):
    with Lab(":memory:") as lab:
        with pytest.raises(UsageError) as refused:
            lab.start(workflow)
        assert said in str(refused.value)
        assert "\n" not in str(refused.value)
        assert lab.executions().empty


class ForgetsItsBase(Child):
    name = "refused_by_swf.forgets_its_base"

    def __init__(self, executor):
        self.mine = executor


def test_an_init_that_forgets_its_base_is_named():
    with Lab(":memory:") as lab, pytest.raises(SimpleflowLabError, match=r"must call `super\(\).__init__\(executor\)`"):
        lab.start(ForgetsItsBase).result(60)


class ReturnsFutures(Child):
    name = "refused_by_swf.returns_futures"

    def run(self, how):
        future = self.submit(one)
        return {"one": future, "list": [future, 1], "deep": {"a": [{"b": (future,)}]}, "set": [{future}]}[how]


@pytest.mark.parametrize("how", ["one", "list", "deep", "set"])
def test_a_future_is_no_result(how):
    with Lab(":memory:") as lab, pytest.raises(WorkflowExecutionFailed, match=r"returned a future.*`\.result`"):
        lab.start(ReturnsFutures, how).result(60)


def logged(function):
    @functools.wraps(function)
    def call(*args):
        return function(*args)

    return call


class AsyncBehindADecorator(Child):
    name = "refused_by_swf.async_behind_a_decorator"

    @logged
    async def run(self):
        return 1


class YieldsBehindADecorator(Child):
    name = "refused_by_swf.yields_behind_a_decorator"

    @logged
    def run(self):
        yield 1


class ReturnsACoroutine(Child):
    name = "refused_by_swf.returns_a_coroutine"

    def run(self):
        return AsyncBehindADecorator.run(self)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize(
    ("workflow", "says"),
    [
        (AsyncBehindADecorator, r"run returned a coroutine, of which nothing ran: write `def run`"),
        (YieldsBehindADecorator, r"run has a `yield`, so calling it runs nothing"),
        (ReturnsACoroutine, r"run returned a coroutine, of which nothing ran: write `def run`"),
    ],
)
def test_what_a_decorator_hides_of_run_is_told_when_it_has_run_nothing(workflow, says):
    with Lab(":memory:") as lab, pytest.raises(WorkflowExecutionFailed, match=says):
        lab.start(workflow).result(60)


class ReturnsAGenerator(Child):
    """A generator that is no `run` of its own is a list; it may wait."""

    name = "refused_by_swf.returns_a_generator"

    def run(self):
        return (self.submit(one).result for _ in range(2))


def test_a_generator_expression_is_a_result():
    with Lab(":memory:") as lab:
        assert lab.start(ReturnsAGenerator).result(60) == [1, 1]


# -- seconds -----------------------------------------------------------------------------------------------------------


class Waits(Workflow):
    name, version, task_list = "refused_by_swf.waits", "1", "refused-by-swf"

    def run(self, seconds):
        self.submit(self.start_timer("t", seconds)).wait()
        return "done"


@pytest.mark.parametrize(("asked", "sent"), [(0, "0"), (0.01, "1"), (0.5, "1"), (1.9, "2"), (3.0, "3"), ("4", "4")])
def test_fractions_of_seconds_are_rounded_up(asked, sent):
    story = Story(Waits, asked)
    [timer] = story.decide()
    assert attributes(timer)["startToFireTimeout"] == sent
    story.fire(timer)
    assert [decision["decisionType"] for decision in story.decide()] == ["CompleteWorkflowExecution"]


@given(st.floats(0, 10**7))
@settings(deadline=None)
def test_a_timer_is_never_early_and_less_than_a_second_late(given_seconds):
    sent = TimerTask("t", given_seconds).timeout
    assert sent - 1 < given_seconds <= sent
    assert seconds(given_seconds) == str(sent)


def test_a_timer_that_was_recorded_when_fractions_were_cut_is_the_same():
    story = Story(Waits, 1.9)
    [timer] = story.decide()
    attributes(timer)["startToFireTimeout"] = "1"
    story.cached = story.new_replay()
    story.fire(timer)
    assert [decision["decisionType"] for decision in story.decide()] == ["CompleteWorkflowExecution"]


def test_a_text_holds_whole_seconds_only():
    with pytest.raises(UsageError, match=r"not '0\.5'"):
        TimerTask("t", "0.5")
    assert seconds(0.5) == "1"


# -- a task that is canceled while it waits for its next attempt -------------------------------------------------------


class CancelsInBackoff(Workflow):
    name, version, task_list = "refused_by_swf.cancels", "1", "refused-by-swf"

    def run(self):
        future = self.submit(bad)
        self.submit(self.start_timer("first", 60)).wait()
        future.cancel()
        futures.wait(future, self.submit(self.start_timer("second", 7200)))
        return future.state


class Stops(CancelsInBackoff):
    name = "refused_by_swf.stops"
    cancellation = "raise"

    def run(self):
        self.submit(bad).wait()


def test_its_timer_is_canceled_and_no_request_is_refused():
    with Lab(":memory:", clock="virtual") as lab:
        execution = lab.start(CancelsInBackoff, execution_start_to_close_timeout=90_000)
        assert execution.result(60) == "CANCELLED"
        types = [event.type for event in execution.history()]
    assert "TimerCanceled" in types
    assert not [name for name in types if name.startswith("RequestCancelActivityTask")]
    assert types.count("TimerFired") == 2


def test_histories_of_deciders_that_left_the_timer_are_replayed():
    story = Story(CancelsInBackoff)
    story.identity = '{"simpleflow_lab":1}'
    activity_, timer = (story.record(decision) for decision in story.decide())
    story.add("ActivityTaskFailed", scheduledEventId=activity_.id, reason="OSError: down")
    [backoff] = story.decide()
    story.record(backoff)
    story.add("TimerFired", timerId="first", startedEventId=timer.id)
    request, second = story.decide()
    assert request["decisionType"] == "RequestCancelActivityTask"
    story.add(
        "RequestCancelActivityTaskFailed",
        activityId=activity_.attributes["activityId"],
        cause="ACTIVITY_ID_UNKNOWN",
        decisionTaskCompletedEventId=story.completed.id,
    )
    story.fire(second)
    story.identity = '{"simpleflow_lab":2}'
    assert [decision["decisionType"] for decision in story.decide()] == ["CompleteWorkflowExecution"]


@pytest.mark.parametrize("timeout", [10**8, -1, "soon", 1.5, float("nan")])
def test_a_timeout_that_swf_does_not_read_is_refused_where_the_activity_is_defined(timeout):
    with pytest.raises(UsageError, match="a timeout is whole seconds, 0 to 99999999, or None; not "):
        activity.with_attributes(name="refused_by_swf.long", start_to_close_timeout=timeout, **TASKS)(abs)


class WaitsLong(Workflow):
    name, version, task_list = "refused_by_swf.waits_long", "1", "refused-by-swf"

    def run(self):
        return self.submit(bad).result

    def on_task_failure(self, failure_context):
        return failure_context.decide_retry(10**8)


def test_a_wait_that_swf_does_not_read_is_refused_where_the_hook_asks_for_it():
    story = Story(WaitsLong)
    [schedule] = story.decide()
    scheduled = story.record(schedule)
    started = story.add("ActivityTaskStarted", scheduledEventId=scheduled.id)
    story.add("ActivityTaskFailed", scheduledEventId=scheduled.id, startedEventId=started.id, reason="down")
    [close] = story.decide()
    assert "is 99999999 seconds at most, not 100000000" in attributes(close)["reason"]


# -- arguments that an activity does not take --------------------------------------------------------------------------


def wrapped(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


@activity.with_attributes(task_list="refused", version="1", name="refused_by_swf.wrapped")
@wrapped
def in_a_wrapper():
    return 1


class Miscalls(Child):
    name = "refused_by_swf.miscalls"
    calls: ClassVar[list[Any]] = []

    def run(self):
        self.submit(self.start_timer("moment", 0)).wait()
        args, kwargs = self.calls[-1]
        return self.submit(*args, **kwargs).result


class Takes(Child):
    name = "refused_by_swf.takes"

    def run(self, number, colour="blue"):
        return number


@pytest.mark.parametrize(
    ("args", "kwargs", "problem"),
    [
        ((Takes,), {}, "refused_by_swf.takes does not take these arguments: missing a required argument: 'number'"),
        ((Takes, 1, "red", 2), {}, "refused_by_swf.takes does not take these arguments: too many positional arguments"),
        ((Takes, 1), {"size": 2}, "these arguments: got an unexpected keyword argument 'size'"),
        ((one, 1, 2), {}, "refused_by_swf.one does not take these arguments: too many positional arguments"),
        ((one,), {"colour": "red"}, "these arguments: got an unexpected keyword argument 'colour'"),
    ],
)
def test_arguments_that_can_not_be_right_are_refused_at_their_line_and_the_execution_goes_on_once_corrected(
    args, kwargs, problem
):
    Miscalls.calls = [(args, kwargs)]
    with Lab(":memory:") as lab:
        execution = lab.start(Miscalls)
        with pytest.raises(WrongArgumentsError) as refused:
            execution.result(60)
        assert str(refused.value).startswith("test_refused_by_swf.py:")
        assert problem in str(refused.value)
        blocked = next(str(line) for line in execution.explain() if "blocked" in str(line))
        assert blocked.count("define it again") == 1  # the error's own advice is not given twice
        assert "execution.retry_decision()" in blocked
        assert not any(event.type.startswith(("ActivityTask", "StartChild")) for event in execution.history())
        Miscalls.calls.append(((one,), {}) if args[0] is one else ((Takes, 1), {"colour": "red"}))
        execution.retry_decision()
        assert execution.result(60) == 1


def test_arguments_that_a_wrapper_may_not_pass_on_are_told_once_at_their_line():
    Miscalls.calls = [((in_a_wrapper, 1), {})]
    with Lab(":memory:", replay_cache_size=0) as lab:
        execution = lab.start(Miscalls)
        assert execution.result(60) is None
        (told,) = execution.warnings
    assert told.startswith("test_refused_by_swf.py:")
    assert told.endswith("each attempt of refused_by_swf.wrapped will fail: too many positional arguments")

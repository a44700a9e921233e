"""Groups and chains: CV-01 to CV-11, and upstream's example of them in our words."""

from __future__ import annotations

import contextlib
import threading
from typing import ClassVar

import pytest

from simpleflow_lab import Chain, FuncGroup, Group, Workflow, activity, futures
from simpleflow_lab.canvas import ChainFuture, GroupFuture
from simpleflow_lab.exceptions import AggregateException, TaskFailed, UsageError, WorkflowExecutionFailed
from simpleflow_lab.task import ActivityTask, ChildWorkflowTask, WorkflowTask
from tests.authors.replaying import replay_all

TASKS = {"task_list": "canvas-tests", "version": "1"}


@activity.with_attributes(name="canvas.increment", **TASKS)
def increment(x, by=1):
    return x + by


@activity.with_attributes(name="canvas.multiply", **TASKS)
def multiply(numbers):
    product = 1
    for number in numbers:
        product *= number
    return product


@activity.with_attributes(name="canvas.arguments", **TASKS)
def arguments(*args, **kwargs):
    return [list(args), kwargs]


@activity.with_attributes(name="canvas.fail", **TASKS)
def fail(*args):
    raise ValueError("on purpose")


@activity.with_attributes(name="canvas.fail_aloud", raises_on_failure=True, **TASKS)
def fail_aloud(*args):
    raise ValueError("aloud")


class Double(Workflow):
    name = "canvas.double"
    task_list = "canvas-tests"

    def run(self, x, plus=0):
        return 2 * x + plus


class FailingChild(Workflow):
    name = "canvas.failing_child"
    task_list = "canvas-tests"

    def run(self):
        raise ValueError("the child")


numbers = iter(range(1, 1_000_000))


def result_of(lab, run):
    """What this `run` gives in a workflow of its own; its history is replayed as well."""
    members = {"name": f"canvas.flow-{next(numbers)}", "task_list": "canvas-tests", "run": run}
    workflow = type("Flow", (Workflow,), members)
    execution = lab.start(workflow)
    try:
        return execution.result(200)
    finally:
        replay_all(execution, workflow)


# -- what can be in one: CV-01, CV-02, CV-03, CV-04 --


@pytest.mark.parametrize("container", [Group, Chain])
def test_a_member_may_be_written_in_any_way_that_upstream_has(shared_lab, container):
    def run(self):
        mixed = container(
            (increment, 1),
            ActivityTask(increment, 2, by=3),
            (Double, 3),
            ChildWorkflowTask(Double, 4, plus=1),
            WorkflowTask(None, Double, 5),
            Group((increment, 6), (increment, 7)),
            Chain((increment, 8)),
            FuncGroup(lambda: Group((increment, 9))),
        )
        mixed.append(increment, 10, by=10)
        mixed.append((increment, 11), 11)
        mixed.append(Double, 12, plus=12)
        mixed.extend([(increment, 13), arguments])
        mixed += [(increment, 14)]
        future = self.submit(mixed)
        return [future.result, future.count_finished_activities, len(mixed.activities)]

    results, finished, members = result_of(shared_lab, run)
    assert results == [2, 5, 6, 9, 10, [7, 8], [9], [10], 20, 22, 36, 14, [[], {}], 15]
    assert finished == members == 14


def test_what_can_be_no_member_is_refused_with_the_way_out():
    task = ActivityTask(increment, 1)
    with pytest.raises(TypeError, match="has its arguments already: add it without any"):
        Group().append(task, 2)
    with pytest.raises(TypeError, match="has its arguments already"):
        Chain((Group(), 1))
    with pytest.raises(TypeError, match="can't be a member: it is no activity, workflow class, task, group or chain"):
        Group(print)
    with pytest.raises(UsageError, match="max_parallel must be 1 or more, not 0"):
        Group(max_parallel=0)
    with pytest.raises(UsageError, match="future_class must be a subclass of GroupFuture"):
        Group(future_class=futures.Future)


def test_containers_may_be_empty(shared_lab):
    def run(self):
        return [self.submit(each).result for each in (Group(), Chain(), Chain(Group()), Group(max_parallel=1))]

    assert result_of(shared_lab, run) == [[], [], [[]], []]


def test_signals_timers_and_markers_may_be_members(shared_lab):
    def run(self):
        return self.submit(
            Chain(
                self.start_timer("an hour", 3600),
                self.record_marker("waited", {"hours": 1}),
                self.signal("go", x=1),
                self.wait_signal("go"),
                (increment, 1),
                raises_on_failure=False,
            )
        ).result[4]

    assert result_of(shared_lab, run) == 2


def test_arguments_may_be_futures_of_other_tasks(shared_lab):
    def run(self):
        two = self.submit(increment, 1)
        return self.submit(Chain(Group((increment, two), (multiply, [two, two])), (increment, two))).result

    assert result_of(shared_lab, run) == [[3, 4], 3]


# -- CV-10: at most so many at a time --


@pytest.mark.parametrize("parallel", [1, 2, 3, 7, 8])
def test_no_more_members_run_at_a_time_than_allowed(shared_lab, parallel):
    at_work, most, lock = [0], [0], threading.Lock()

    @activity.with_attributes(name=f"canvas.counted-{parallel}-{next(numbers)}", **TASKS)
    def counted(n):
        with lock:
            at_work[0] += 1
            most[0] = max(most[0], at_work[0])
        threading.Event().wait(0.01)
        with lock:
            at_work[0] -= 1
        return n

    def run(self):
        return self.submit(Group(*((counted, n) for n in range(7)), max_parallel=parallel)).result

    assert result_of(shared_lab, run) == list(range(7))
    assert most[0] <= parallel


# -- CV-05: each gets the result before it --


def test_a_chain_sends_each_result_on(shared_lab):
    def run(self):
        x, y, z = 1, 2, 3
        chain = Chain(
            Group((increment, x), (increment, y), (increment, z)),
            multiply,
            (Double,),
            FuncGroup(lambda number: Group(*((increment, n) for n in range(0, number, 16)))),
            (arguments, "first"),
            send_result=True,
        )
        return self.submit(chain).result

    assert result_of(shared_lab, run) == [[2, 3, 4], 24, 48, [1, 17, 33], [["first", [1, 17, 33]], {}]]


def test_a_chain_that_sends_results_must_break_on_failure():
    with pytest.raises(UsageError, match="needs break_on_failure"):
        Chain(send_result=True, break_on_failure=False)


def test_the_option_is_called_send_result():
    """CV-11: upstream's page says send_results."""
    with pytest.raises(TypeError, match="send_results"):
        Chain(send_results=True)


# -- the same container, task or activity several times --


def test_what_was_submitted_may_be_submitted_again(shared_lab):
    def run(self):
        task = ActivityTask(arguments)
        fan_out = FuncGroup(lambda *args: Group((increment, len(args))), "x")
        group = Group((increment, 1), (increment, 2), max_parallel=1)
        chain = Chain((increment, 1), task, task, fan_out, group, send_result=True)
        everything = Group(chain, chain, task, group)
        futures_ = [self.submit(each) for each in (chain, everything, everything, task, task, group, group)]
        return [future.result for future in futures_], [list(task.args), fan_out.args]

    results, arguments_left = result_of(shared_lab, run)
    once = [2, [[2], {}], [[[[2], {}]], {}], [3], [2, 3]]
    everything = [once, once, [[], {}], [2, 3]]
    assert results == [once, everything, everything, [[], {}], [[], {}], [2, 3], [2, 3]]
    assert arguments_left == [[], ["x"]]


def test_options_of_a_container_change_nothing_in_it(shared_lab):
    """CV-06: upstream changes the activity itself, for every later use of it."""

    def run(self):
        task = ActivityTask(fail)
        inner = Group(task)
        loud = self.submit(Group(fail, task, inner, raises_on_failure=True))
        quiet = self.submit(Group(fail_aloud, FailingChild, Chain(fail_aloud), raises_on_failure=False))
        after = [self.submit(fail).result, self.submit(task).result, self.submit(inner).result, quiet.result]
        caught = []
        for future in (loud, self.submit(fail_aloud), self.submit(FailingChild)):
            try:
                future.result
            except Exception as error:
                caught.append(type(error).__name__)
        return [after, caught, fail.raises_on_failure, fail_aloud.raises_on_failure, FailingChild.raises_on_failure]

    after, caught, *attributes = result_of(shared_lab, run)
    assert after == [None, None, [None], [None, None, [None]]]
    assert caught == ["AggregateException", "TaskFailed", "TaskFailed"]
    assert attributes == [False, True, True]


def test_an_option_set_after_the_members_counts_as_well(shared_lab):
    """CV-06: with upstream it does nothing."""

    def run(self):
        group = Group(fail_aloud)
        group.raises_on_failure = False
        return self.submit(group).result

    assert result_of(shared_lab, run) == [None]


# -- CV-07 --


def test_a_func_group_is_called_when_its_turn_comes(shared_lab):
    def run(self):
        seen = []

        def now(*args):
            seen.append(list(args))
            return Chain((increment, 1), (increment, args[-1]), send_result=False)

        def nothing(*args):
            seen.append("nothing")

        chain = self.submit(
            Chain((increment, 1), FuncGroup(now, "a"), FuncGroup(nothing, _allow_none=True), send_result=True)
        )
        before = list(seen)
        result = chain.result
        single = self.submit(FuncGroup(lambda: ActivityTask(increment, 5))).result
        return [before, seen, result, single]

    assert result_of(shared_lab, run) == [[], [["a", 2], "nothing"], [2, [2, 3], []], 6]


def test_a_func_group_that_gives_nothing_says_so(shared_lab):
    def run(self):
        return self.submit(Chain((increment, 1), FuncGroup(lambda: None))).result

    with pytest.raises(WorkflowExecutionFailed, match="gave None to a FuncGroup: return a group, chain or task"):
        result_of(shared_lab, run)


def test_what_the_function_of_a_func_group_raises_is_raised(shared_lab):
    def run(self):
        def broken():
            raise KeyError("in the function")

        with contextlib.suppress(KeyError):
            self.submit(Group(FuncGroup(broken)))  # at once, at this line
        return self.submit(Chain(increment_by_two, FuncGroup(broken))).result

    increment_by_two = (increment, 1, 2)
    with pytest.raises(WorkflowExecutionFailed, match="KeyError: 'in the function'"):
        result_of(shared_lab, run)


# -- CV-08 --


class Counting(GroupFuture):
    looked: ClassVar[list] = []

    @property
    def result(self):
        self.looked.append("group")
        return super().result


class CountingChain(ChainFuture):
    @property
    def result(self):
        Counting.looked.append("chain")
        return super().result


class CountingGroup(Group):
    default_future_class = Counting


def test_a_container_may_have_a_future_of_its_own_class(shared_lab):
    def run(self):
        self.looked = []
        inner = Chain((fail,), raises_on_failure=False, future_class=CountingChain)
        future = self.submit(CountingGroup((increment, 1), inner, max_parallel=1))
        other = self.submit(Group((increment, 1), future_class=Counting))
        kinds = [type(each).__name__ for each in (future, future.futures[0], other)]
        return [future.result, other.result, kinds, [type(each).__name__ for each in future.futures]]

    assert result_of(shared_lab, run) == [
        [2, [None]],
        [2],
        ["Counting", "Future", "Counting"],
        ["Future", "CountingChain"],
    ]
    assert "group" in Counting.looked


def test_a_group_counts_how_many_of_its_members_are_finished(shared_lab):
    def run(self):
        future = self.submit(Group((increment, 1), fail, self.wait_signal("never"), Chain((increment, 1))))
        counts = [future.count_finished_activities]
        for member in (0, 1, 3):
            future.futures[member].wait()
        return [*counts, future.count_finished_activities, future.results, future.done]

    assert result_of(shared_lab, run) == [0, 3, [2, None, None, [2]], False]


# -- CV-09, EH-09 --


def test_a_group_collects_the_errors_in_the_slots_of_its_members(shared_lab):
    def run(self):
        future = self.submit(Group((increment, 1), fail, Group(fail, (increment, 2))))
        error = future.exception
        assert isinstance(error, AggregateException)
        slots = [type(each).__name__ for each in error.exceptions]
        flat = [type(each).__name__ for each in error.flatten().exceptions]
        left = []
        error.flatten().handle(lambda each: isinstance(each, TaskFailed))
        try:
            error.handle(lambda each: isinstance(each, TaskFailed))
        except AggregateException as unhandled:
            left = [type(each).__name__ for each in unhandled.exceptions]
        return [future.result, slots, flat, left]

    assert result_of(shared_lab, run) == [
        [2, None, [None, 3]],
        ["NoneType", "TaskFailed", "AggregateException"],
        ["TaskFailed", "TaskFailed"],
        ["AggregateException"],
    ]


# -- what upstream's example of canvas shows --


def test_upstreams_example_of_canvas(shared_lab):
    def run(self):
        optional = Chain((fail, 1), (increment, 1), (multiply, [3, 2]), raises_on_failure=False)
        going_on = Chain((fail, 1), (increment, 1), (multiply, [3, 2]), break_on_failure=False)
        around_optional = Chain(
            Chain((fail, 1), raises_on_failure=False),
            (increment, 1),
            (multiply, [3, 2]),
        )
        around_bubbling = Chain(
            Chain(
                Chain((fail, 1), raises_on_failure=False, bubbles_exception_on_failure=True),
                (increment, 1),
                bubbles_exception_on_failure=False,
            ),
            (multiply, [3, 2]),
        )
        return [self.submit(each).result for each in (optional, going_on, around_optional, around_bubbling)]

    assert result_of(shared_lab, run) == [[None], [None, 2, 6], [[None], 2, 6], [[[None]], 6]]


def test_members_of_a_chain_that_sends_results_depend_on_the_member_before(lab):
    class Sends(Workflow):
        name = "canvas.sends"
        task_list = "canvas-tests"

        def run(self):
            return self.submit(Chain((increment, 1), increment, Group((increment, 5)), send_result=True)).result

    execution = lab.start(Sends)
    assert execution.result(200) == [2, 3, [6]]
    tasks = execution.tasks()
    assert list(tasks["depends_on"]) == [(), (tasks["id"][0],), ()]

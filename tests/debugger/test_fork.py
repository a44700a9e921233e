# ruff: noqa: F811  fixtures of the tests of authors
"""Forks: what was recorded before the point is reused, and nothing of it runs a second time."""

from collections import Counter

import pytest

from simpleflow_lab import Group, Workflow, activity, futures
from simpleflow_lab.debugger.recorded_test import recorded_test
from simpleflow_lab.debugger.rerun_attempts import attempts_of_task
from simpleflow_lab.debugger.view_data import overview
from simpleflow_lab.exceptions import ExecutionBlocked, UsageError, WorkflowExecutionFailed
from simpleflow_lab.replay.trace import watch
from tests.authors.conftest import lab, lab_for_large, replay_cache_size, replays_anew  # noqa: F401

pytestmark = pytest.mark.usefixtures("replays_anew")

TASKS = {"task_list": "forks", "version": "1"}
calls: Counter[str] = Counter()
broken: set[str] = set()


@pytest.fixture(autouse=True)
def nothing_called():
    calls.clear()
    broken.clear()


@activity.with_attributes(name="forks.increment", **TASKS)
def increment(number):
    calls[f"increment {number}"] += 1
    return number + 1


@activity.with_attributes(name="forks.fetch", raises_on_failure=True, **TASKS)
def fetch(name):
    calls[f"fetch {name}"] += 1
    if name in broken:
        raise OSError(f"{name} is gone")
    return name.upper()


@activity.with_attributes(name="forks.store", **TASKS)
def store(text):
    calls[f"store {text}"] += 1
    return len(text)


class Sum(Workflow):
    name, version, task_list = "forks.sum", "1", "forks"

    def run(self, number):
        first = self.submit(increment, number).result
        second = self.submit(increment, first).result
        return [first, second, self.submit(increment, second).result]


class Fetches(Workflow):
    name, version, task_list = "forks.fetches", "1", "forks"

    def run(self, names):
        fetched = [self.submit(fetch, name) for name in names]
        stored = [self.submit(store, future) for future in fetched]
        assert [future.exception for future in fetched]  # none is open when it fails
        return [future.result for future in stored]


class Limited(Workflow):
    name, version, task_list = "forks.limited", "1", "forks"

    def run(self, names, at_once):
        return self.submit(Group(*[(fetch, name) for name in names], max_parallel=at_once)).result


class Child(Workflow):
    name, version, task_list = "forks.child", "1", "forks"

    def run(self, number):
        calls[f"child {number}"] += not self.is_replaying
        return self.submit(increment, number).result


class Parent(Workflow):
    name, version, task_list = "forks.parent", "1", "forks"

    def run(self):
        drawn, made, seen = self.random.random(), str(self.uuid4()), self.now()
        first = self.submit(Child, 1)
        early = self.submit(store, f"{drawn} {made} {seen} {self.get_run_context()['run_id']}").result
        self.record_marker("begun", {"seen": str(seen)})
        self.submit(self.start_timer("pause", 0)).wait()
        told = self.submit(self.signal("told", workflow_id="listener", input={"n": 1})).result
        second = self.submit(Child, first.result)
        return [first.result, second.result, early, told, [drawn, made, str(seen)]]


class Listener(Workflow):
    name, version, task_list = "forks.listener", "1", "forks"

    def run(self):
        self.submit(self.wait_signal("stop")).wait()


class Named(Listener):
    name, version, task_list = "forks.named", "1", "forks"

    @staticmethod
    def get_workflow_id(workflow, *args, **kwargs):
        return "the-only-one"


class ParentOfNamed(Workflow):
    name, version, task_list = "forks.parent_of_named", "1", "forks"

    def run(self):
        first = self.submit(increment, 1).result
        return [first, self.submit(Named).result]


class Flaky(Workflow):
    name, version, task_list = "forks.flaky", "1", "forks"

    def run(self):
        seen = []
        tasks = [self.submit(sometimes, name) for name in "xy"]
        while not all(task.done for task in tasks):
            futures.wait(tasks, return_when=futures.FIRST_COMPLETED) if not any(t.done for t in tasks) else [
                task.wait() for task in tasks
            ]
            seen.append([task.done for task in tasks])
        approved = self.submit(self.wait_signal("approve")).result
        return [seen, [task.result for task in tasks], approved, self.submit(store, approved).result]


@activity.with_attributes(name="forks.sometimes", retry=2, raises_on_failure=True, **TASKS)
def sometimes(name):
    calls[f"sometimes {name}"] += 1
    if calls[f"sometimes {name}"] < 3:
        raise OSError("not yet")
    return name


class Ends(Workflow):
    name, version, task_list = "forks.ends", "1", "forks"

    def run(self, number):
        if self.submit(increment, number).result == 5:
            print("it ends early")
            return "early"
        return self.submit(increment, 10).result

    def on_completed(self, history):
        calls["completed"] += 1


class GoesOn(Workflow):
    name, version, task_list = "forks.goes_on", "1", "forks"
    tag_list = ("mine",)

    def run(self, number):
        found = self.submit(increment, number).result
        if found < 3:
            self.submit(self.continue_as_new(found)).wait()
        return [found, self.get_run_context()["tag_list"]]


class Blocks(Workflow):
    name, version, task_list = "forks.blocks", "1", "forks"

    def run(self, number):
        first = self.submit(increment, number)
        child = self.submit(Child, number)
        if not first.done or not child.done:
            raise ExecutionBlocked
        second = self.submit(increment, first.result + child.result)
        if not second.done:
            raise ExecutionBlocked
        return [first.result, child.result, second.result]


def done_by(execution, decision):
    """The ids of the activity tasks whose completion this decision saw, or one before."""
    names = {
        event.id: event.attributes["activityId"]
        for event in execution.history()
        if event.type == "ActivityTaskScheduled"
    }
    until = execution.replay()[decision].started_event_id
    return {
        names[event.attributes["scheduledEventId"]]
        for event in execution.history()
        if event.type == "ActivityTaskCompleted" and event.id <= until
    }


def ids(execution):
    return [event.attributes["activityId"] for event in execution.history() if event.type == "ActivityTaskScheduled"]


def test_before_a_decision_what_it_saw_is_reused_and_the_rest_runs(lab):
    origin = lab.start(Sum, 1)
    assert origin.result(timeout=200) == [2, 3, 4]
    fork = origin.fork(at=3)
    assert fork.result(timeout=200) == [2, 3, 4]
    assert calls == {"increment 1": 1, "increment 2": 1, "increment 3": 2}
    assert len(ids(fork)) == 1
    assert f"forked from {origin.workflow_id} before decision 3: 2 results reused" in repr(fork)


def test_a_fork_shows_its_input_without_what_it_inherits(lab):
    execution = lab.start(Sum, 1)
    execution.result(timeout=200)
    fork = execution.fork(at=2)
    assert fork.result(timeout=200) == [2, 3, 4]
    html = fork._repr_html_()
    assert "args&#34;: [1]" in html
    assert "inherited" not in html


def test_how_many_results_a_fork_reused_is_said_exactly_when_its_code_asks_for_fewer(lab):
    origin = lab.start(Ends, 1)
    origin.result(timeout=200)
    fork = origin.fork(replace={"increment-1": 5})  # ends before it asks for the second one
    assert fork.result(timeout=200) == "early"
    assert "1 result reused, 1 of them replaced" in str(fork.explain())


def test_a_child_that_is_open_under_an_id_of_its_own_is_told_before_a_fork_starts(lab):
    origin = lab.start(ParentOfNamed)
    for _ in origin.watch(timeout=200):
        if any(event.type == "ChildWorkflowExecutionStarted" for event in origin.history()):
            break
    with pytest.raises(UsageError, match=r"the child the-only-one is open, .* terminate it first"):
        origin.fork(at=1)
    lab.execution("the-only-one").signal("stop")
    assert origin.result(timeout=200)[0] == 2
    fork = origin.fork(at=1)
    for _ in fork.watch(timeout=200):
        if any(event.type == "ChildWorkflowExecutionStarted" for event in fork.history()):
            break
    fork.terminate()


def test_a_result_is_replaced_and_what_depends_on_it_runs(lab):
    origin = lab.start(Sum, 1)
    origin.result(timeout=200)
    first = ids(origin)[0]
    assert first == "activity-forks.increment-1"
    fork = origin.fork(replace={"increment-1": 5})
    assert fork.result(timeout=200) == [5, 6, 7]
    assert calls == {"increment 1": 1, "increment 2": 1, "increment 3": 1, "increment 5": 1, "increment 6": 1}


def test_a_failed_run_forks_from_its_first_failure(lab):
    broken.add("b")
    origin = lab.start(Fetches, list("abcd"))
    with pytest.raises(WorkflowExecutionFailed):
        origin.result(timeout=200)
    broken.clear()
    before = Counter(calls)
    fork = origin.fork()
    assert fork.result(timeout=200) == [1, 1, 1, 1]
    ran = calls - before
    assert ran["fetch b"] == 1
    assert ran["store B"] == 1
    assert not any(ran[f"fetch {name}"] for name in "acd")


def test_reused_tasks_are_in_tables_and_in_the_chart(lab):
    broken.add("b")
    origin = lab.start(Fetches, ["a", "b", "c"])
    origin.wait(timeout=200)
    broken.clear()
    fork = origin.fork()
    fork.result(timeout=200)
    table = fork.tasks()
    reused = table[table.state == "reused"]
    assert [id.rpartition(".")[2] for id in reused.id] == [
        id.rpartition(".")[2]
        for id, state in zip(origin.tasks().id, origin.tasks().state, strict=True)
        if state == "completed"
    ]
    assert set(reused.reason) == {f"of {origin.workflow_id}, run {origin.run_id}"}
    assert set(reused.running) == {0.0}
    assert set(table.state) == {"reused", "completed"}
    assert "reused from another run" in str(fork.gantt())
    ran = len(table) - len(reused)
    assert f"{ran} tasks: ✓ {ran} completed, {len(reused)} reused" in fork._repr_html_()
    assert all(id.rpartition(".")[2] in str(fork.gantt()) for id in reused.id)
    bars = overview(fork.replay())["bars"]
    assert [bar[3] for bar in bars] == list(table.state)
    assert [bar[4:] for bar in bars if bar[3] == "reused"] == [[0.0, 0.0, 0.0]] * len(reused)
    again = fork.fork(at="fetch-1")
    again.result(timeout=200)
    runs = [reason.partition(",")[0] for reason in again.tasks().reason if isinstance(reason, str)]
    assert {f"of {origin.workflow_id}", f"of {fork.workflow_id}"} == set(runs)


def test_a_fork_of_a_fork(lab):
    origin = lab.start(Sum, 1)
    origin.result(timeout=200)
    fork = origin.fork(at=2)
    assert fork.result(timeout=200) == [2, 3, 4]
    second = ids(fork)[0]
    again = fork.fork(at=second)
    assert again.result(timeout=200) == [2, 3, 4]
    assert calls == {"increment 1": 1, "increment 2": 3, "increment 3": 3}
    first = ids(origin)[0]
    edited = again.fork(replace={first: 5})
    assert edited.result(timeout=200) == [5, 6, 7]
    assert calls["increment 1"] == 1


def test_unknown_points_and_tasks_are_one_line(lab):
    origin = lab.start(Sum, 1)
    origin.result(timeout=200)
    known = ids(origin)[0]
    for bad, words in (
        (lambda: origin.fork(), "it completed|this execution completed"),
        (lambda: origin.fork(at=[]), "at names no task"),
        (lambda: origin.fork(at=9), "no decision 9: this execution has 4"),
        (lambda: origin.fork(at=known[:-1] + "7"), known),
        (lambda: origin.fork(replace={"nothing-1": 1}), "no task 'nothing-1'"),
        (lambda: origin.fork(replace={known: object()}), f"result given for {known}"),
        (lambda: origin.fork(replace={"increment-1": 1, known: 2}), f"two results for {known}"),
        (lambda: origin.fork(replace={1: 2}), "replace gives results by the ids"),
        (lambda: origin.fork(anew="("), "no regular expression"),
        (lambda: origin.fork(2, anew="increment"), "leave out anew, or the number 2"),
    ):
        with pytest.raises(UsageError, match=words) as caught:
            bad()
        assert "\n" not in str(caught.value)
    assert len(lab.execution_infos()) == 1


def test_children_signals_timers_and_chance_before_the_point_are_as_they_were(lab):
    listener = lab.start(Listener, workflow_id="listener")
    origin = lab.start(Parent)
    first, second, early, told, drawn = origin.result(timeout=200)
    assert [first, second] == [2, 3]
    before = Counter(calls)
    decisions = len(origin.replay())
    for at in range(1, decisions + 1):
        calls.clear()
        fork = origin.fork(at=at)
        result = fork.result(timeout=200)
        assert result[0:2] == [2, 3], at
        if at > 1:  # the first decision draws and looks at the clock
            assert result[2:] == [early, told, drawn], at
            assert sum(calls[call] for call in calls if "store" in call) == (ids(origin)[0] not in done_by(origin, at))
        assert all(calls[call] <= before[call] for call in calls if "store" not in call), (at, calls)
        steps = fork.replay()
        assert steps[-1].close is not None
        assert len(steps) == steps[-1].number
        assert [
            record.started_event_id
            for record in watch(
                Parent, fork.history(), workflow_id=fork.workflow_id, run_id=fork.run_id, fields=lab.fields
            )
        ] == [step.started_event_id for step in steps]
    assert calls == Counter(), "the last decision only closes"
    signaled = [event for event in listener.history() if event.type == "WorkflowExecutionSignaled"]
    sending = [
        event
        for info in lab.execution_infos()
        for event in lab.execution(info["execution"]["workflowId"], info["execution"]["runId"]).history()
        if event.type == "SignalExternalWorkflowExecutionInitiated"
    ]
    assert len(signaled) == len(sending) < decisions
    listener.terminate()


def test_failed_attempts_and_their_retries_are_inherited(lab):
    origin = lab.start(Flaky)
    for _ in origin.watch(timeout=200):
        if calls["sometimes x"] == calls["sometimes y"] == 3 and origin.replay()[-1].suspended:
            break
    origin.signal("approve", "yes")
    result = origin.result(timeout=200)
    for at in range(1, len(origin.replay()) + 1):
        fork = origin.fork(at=at)
        if not any(step.signals for step in origin.replay()[: at + 1]):
            fork.signal("approve", "yes")
        found = fork.result(timeout=200)
        assert found[1:] == result[1:], at
    assert found == result
    last = origin.fork(at=ids(origin)[-1])
    assert last.result(timeout=200) == result, "the signal came before it"


def test_a_run_that_ends_early_now_ends_in_a_decision_of_its_own(lab, capfd):
    origin = lab.start(Ends, 1)
    assert origin.result(timeout=200) == 11
    fork = origin.fork(replace={ids(origin)[0]: 5})
    assert fork.result(timeout=200) == "early"
    assert calls == {"increment 1": 1, "increment 10": 1, "completed": 2}
    assert capfd.readouterr().out.count("it ends early") == 1


def test_a_result_is_given_to_a_task_that_has_none(lab):
    broken.add("b")
    origin = lab.start(Fetches, list("abcd"))
    with pytest.raises(WorkflowExecutionFailed):
        origin.result(timeout=200)
    before = Counter(calls)
    fork = origin.fork(replace={ids(origin)[1]: "longer"})
    assert fork.result(timeout=200) == [1, 6, 1, 1]
    assert not any(call.startswith("fetch") for call in calls - before)


def test_further_tasks_run_again_by_their_names(lab):
    origin = lab.start(Fetches, list("ab"))
    origin.result(timeout=200)
    fork = origin.fork(anew=r"forks\.store")
    assert fork.result(timeout=200) == [1, 1]
    assert calls == {"fetch a": 1, "fetch b": 1, "store A": 2, "store B": 2}


def test_a_fork_that_continues_as_new_starts_a_plain_run(lab):
    origin = lab.start(GoesOn, 1)
    assert origin.result(timeout=200) == [3, ["mine"]]
    fork = origin.fork(at=2)
    assert fork.result(timeout=200) == [3, ["mine"]]
    infos = lab.execution_infos(workflow_id=fork.workflow_id)
    assert [info.get("tagList") for info in infos] == [["mine"], ["mine", f"forked-from:{origin.run_id}"]]
    inputs = [
        lab.execution(fork.workflow_id, info["execution"]["runId"]).history()[0].attributes["input"] for info in infos
    ]
    assert ["forked" in text or "fork" in text for text in inputs] == [False, True]
    assert calls == {"increment 1": 1, "increment 2": 2}


def test_a_workflow_that_blocks_and_runs_from_its_start_is_forked(lab):
    origin = lab.start(Blocks, 1)
    assert origin.result(timeout=200) == [2, 2, 5]
    before = Counter(calls)
    decisions = len(origin.replay())
    for at in range(2, decisions + 1):
        assert origin.fork(at=at).result(timeout=200) == [2, 2, 5], at
    assert calls["increment 1"] <= before["increment 1"] + 2 * (decisions - 2)
    last = Counter(calls)
    assert origin.fork(at=decisions).result(timeout=200) == [2, 2, 5]
    assert calls == last


def test_large_values_are_reused(lab_for_large, tmp_path):
    lab = lab_for_large
    names = ["a" * 20_000, "b" * 40_000]
    origin = lab.start(Fetches, names)
    assert origin.result(timeout=200) == [20_000, 40_000]
    fork = origin.fork(at=len(origin.replay()))
    assert fork.result(timeout=200) == [20_000, 40_000]
    assert sum(calls.values()) == 4
    assert fork.replay().first_divergence() is None
    with pytest.raises(UsageError, match="has large values, which a test without a store can't read"):
        recorded_test(Fetches, fork.history(), workflow_id=fork.workflow_id, run_id=fork.run_id, folder=tmp_path)


def test_many_results_are_reused(lab_for_large):
    lab = lab_for_large
    names = [f"n{number}" for number in range(150)]
    origin = lab.start(Fetches, names)
    origin.result(timeout=60)
    before = Counter(calls)
    last = ids(origin)[-1]
    fork = origin.fork(at=last)
    fork.result(timeout=60)
    assert sum((calls - before).values()) == 1
    assert "…" not in fork.history()[0].attributes["input"]


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_what_a_limit_deferred_is_reused_too(lab, at_once):
    broken.update("ab")
    execution = lab.start(Limited, list("abcdef"), at_once)
    with pytest.raises(WorkflowExecutionFailed):
        execution.result(timeout=200)
    broken.discard("a")
    calls.clear()
    fork = execution.fork()
    with pytest.raises(WorkflowExecutionFailed):
        fork.result(timeout=200)
    broken.clear()
    again = fork.fork()
    assert again.result(timeout=200) == list("ABCDEF")
    assert set(calls) <= {"fetch a", "fetch b"}
    assert again.replay()[-1].divergence is None


def test_a_step_of_another_execution_and_an_inherited_task_are_told(lab):
    one, other = lab.start(Sum, 1), lab.start(Sum, 1)
    one.result(timeout=200), other.result(timeout=200)
    with pytest.raises(UsageError, match=f"this is a step of {other.workflow_id}, not of {one.workflow_id}"):
        one.fork(at=other.replay()[2])
    fork = one.fork(at=one.replay()[2])
    assert fork.result(timeout=200) == [2, 3, 4]
    of_task, of_id = (one.fork(at=at) for at in (one.task("increment-2"), "increment-2"))
    assert of_task.result(timeout=200) == of_id.result(timeout=200)
    assert repr(of_task).partition("forked")[2] == repr(of_id).partition("forked")[2]
    with pytest.raises(
        UsageError, match=f"increment-1 did not run in this execution: it was inherited from {one.workflow_id}"
    ):
        fork.task("increment-1")
    with pytest.raises(UsageError, match=f"was inherited from {one.workflow_id}, whose task"):
        attempts_of_task(fork.history(), "increment-1")
    with pytest.raises(UsageError, match="no task 'nosuch'"):
        fork.task("nosuch")


def test_what_an_execution_says_of_itself_has_no_control_characters(lab):
    execution = lab.start(Listener)
    execution.terminate(reason="\x1b[31mred")
    assert "\\x1b[31mred" in repr(execution)


@pytest.mark.parametrize(
    ("given", "said"),
    [({"replace": ["increment-1"]}, "replace gives results"), ({"anew": 5}, "anew is"), ({"anew": [5]}, "anew is")],
)
def test_what_can_not_be_meant_is_one_line(lab, given, said):
    execution = lab.start(Sum, 1)
    execution.result(timeout=200)
    with pytest.raises(UsageError, match=said):
        execution.fork(**given)

"""A history as steps: what each shows, that going to and fro is going straight, and that looking runs nothing."""

from __future__ import annotations

import functools
import gc
import random
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simpleflow_lab import History, Lab, Workflow, activity, futures, open_history
from simpleflow_lab.canvas import Chain, Group
from simpleflow_lab.debugger.steps import ReplaySteps
from simpleflow_lab.debugger.value_snapshots import Shown, ShownFuture
from simpleflow_lab.exceptions import DecisionTooLongError, NoSuchStepError, UsageError
from simpleflow_lab.execution import Execution
from simpleflow_lab.recorded_execution import RecordedExecution
from simpleflow_lab.settings import override
from tests.debugger.step_facts import facts
from tests.examples_count import examples
from tests.replay.recorded_by_upstream import (
    HISTORIES,
    RECORDED,
    forget_others,
    use_run_hash,
)

VERSION = {"version": "steps", "task_list": "steps"}
counted: Counter[str] = Counter()


@activity.with_attributes(**VERSION)
def steps_fetch(number: int) -> int:
    counted["activity"] += 1
    return number * 10


@activity.with_attributes(**VERSION, raises_on_failure=True)
def steps_break(number: int) -> int:
    raise ValueError(f"no {number}")


class Held:
    """A value that no step may keep, or ask for its text."""

    def __init__(self) -> None:
        self.inside = 5

    def __repr__(self) -> str:
        counted["repr"] += 1
        return "held"


class Sums(Workflow):
    name = "steps.sums"
    version, task_list = "steps", "steps"

    def run(self, many: int) -> int:
        total, seen, held = 0, [], Held()
        for number in range(many):
            print(f"fetching {number}")
            future = self.submit(steps_fetch, number)
            total += self.taken(future)
            seen.append(total)
        return total + held.inside

    def taken(self, future: futures.Future) -> int:
        scale = 2
        return int(future.result) * scale

    def on_completed(self, history: Any) -> None:
        counted["on_completed"] += 1

    def after_closed(self, history: Any) -> None:
        counted["after_closed"] += 1


class Breaks(Workflow):
    name = "steps.breaks"
    version, task_list = "steps", "steps"

    def run(self) -> str:
        self.submit(steps_fetch, 1).wait()
        try:
            return str(self.submit(steps_break, 7).result)
        except Exception as error:
            return type(error).__name__


@pytest.fixture(autouse=True)
def nobody_elses_definitions(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_others(monkeypatch)


@pytest.fixture
def run_hash(monkeypatch: pytest.MonkeyPatch) -> Any:
    return functools.partial(use_run_hash, monkeypatch)


@pytest.fixture
def lab() -> Iterator[Lab]:
    counted.clear()
    with Lab(":memory:") as lab:
        yield lab


@pytest.fixture
def sums(lab: Lab) -> Execution:
    execution = lab.start(Sums, 4, workflow_id="sums-1")
    assert execution.result(200) == 125
    return execution


def line_of(text: str) -> int:
    with open(__file__) as file:
        return next(number for number, line in enumerate(file, 1) if line.strip() == text)


def test_a_step_says_what_woke_it_what_ran_what_was_asked_and_where_the_code_waits(sums: Execution) -> None:
    with sums.replay() as steps:
        step = steps[2]
        assert step.trigger.endswith("steps_fetch-1 completed")
        assert [line.lineno for line in step.new_lines] == [
            line_of("return int(future.result) * scale"),
            line_of("seen.append(total)"),
            line_of("for number in range(many):"),
            line_of('print(f"fetching {number}")'),
            line_of("future = self.submit(steps_fetch, number)"),
            line_of("total += self.taken(future)"),
            line_of("scale = 2"),
        ]
        assert [command.kind for command in step.commands] == ["activity"]
        assert step.commands[0].line is not None
        assert step.commands[0].line.lineno == line_of("future = self.submit(steps_fetch, number)")
        assert [future.state for future in step.futures] == ["FINISHED", "PENDING"]
        assert step.output == "fetching 1\n"
        assert step.budgets.decisions == 1
        assert step.budgets.events == step.recorded[-1].id
        assert [frame.line.function for frame in step.stack()] == ["Sums.run", "Sums.taken"]


def test_locals_are_those_of_that_moment_and_plain_ones_are_live(sums: Execution) -> None:
    steps = sums.replay()
    totals = [step.frame(depth=1).locals["total"] for step in steps[1:5]]
    assert totals == [0, 0, 20, 60]
    assert steps[4].frame(depth=1).locals["seen"] == [0, 20, 60]
    assert steps[3].frame(depth=1).locals["seen"] == [0, 20]
    assert steps[3].locals["scale"] + 1 == 3
    future = steps[3].locals["future"]
    assert isinstance(future, ShownFuture)
    assert not future.done
    with pytest.raises(UsageError, match="no result then"):
        future.result
    held = steps[3].frame(depth=1).locals["held"]
    assert isinstance(held, Shown)
    assert "inside=5" in repr(held)
    assert counted["repr"] == 0
    assert steps[-1].locals == {}


def test_looking_runs_no_activity_no_hook_of_a_close_and_prints_nothing(
    sums: Execution, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    before = dict(counted)
    assert before["activity"] == 4
    assert before["on_completed"] == 1
    steps = sums.replay()
    for step in [*steps, *reversed(steps)]:
        repr(step), step._repr_html_(), step.locals, step.new_lines
    steps.quiet_failures(), steps.to_frame(), steps.at_line(1), steps.diff(1, 2), steps.parting(sums.replay())
    assert dict(counted) == before
    assert capsys.readouterr() == ("", "")


def test_steps_are_numbered_from_1_and_another_number_is_one_line(sums: Execution) -> None:
    steps = sums.replay()
    assert len(steps) == steps.expected == 5
    assert [step.number for step in steps] == [1, 2, 3, 4, 5]
    assert steps[-1].number == 5
    assert [step.number for step in steps[2:4]] == [2, 3]
    assert [step.number for step in steps[-2:]] == [4, 5]
    assert [step.number for step in steps[::-1]] == [5, 4, 3, 2, 1]
    for wrong in (0, 6, -6):
        with pytest.raises(NoSuchStepError, match=f"no step {wrong}: they are numbered from 1 to 5") as raised:
            steps[wrong]
        assert isinstance(raised.value, IndexError)
        assert isinstance(raised.value, UsageError)
    with pytest.raises(UsageError, match=r"steps.at\(event"):
        steps["a"]  # type: ignore[call-overload]


def test_every_event_is_of_the_step_that_saw_it_or_recorded_it(sums: Execution) -> None:
    steps = sums.replay()
    history = sums.history()
    for event in history:
        step = steps.at(event=event.id)
        assert event in [*step.events, *step.recorded] or event.id == step.completed_event_id
    with pytest.raises(UsageError, match=f"has events 1 to {len(history)}"):
        steps.at(event=len(history) + 1)


def test_an_event_that_no_decision_saw_is_told_as_such(lab: Lab) -> None:
    class Waits(Workflow):
        name = "steps.waits"
        version, task_list = "steps", "steps"

        def run(self) -> None:
            self.submit(self.wait_signal("never")).wait()

    execution = lab.start(Waits)
    next(iter(execution.watch(timeout=200)))
    while not any(event.type == "DecisionTaskCompleted" for event in execution.history()):
        next(iter(execution.watch(timeout=200)))
    execution.terminate()
    steps = execution.replay()
    with pytest.raises(UsageError, match="WorkflowExecutionTerminated: the last one saw the events up to 3"):
        steps.at(event=len(execution.history()))


def test_steps_are_found_by_line_condition_and_failure(lab: Lab, sums: Execution) -> None:
    steps = sums.replay()
    line = line_of("return total + held.inside")
    assert steps.at_line(line).number == 5  # type: ignore[union-attr]
    assert steps.at_line(f"test_steps.py:{line}").number == 5  # type: ignore[union-attr]
    assert steps.at_line(f"other.py:{line}") is None
    with pytest.raises(UsageError, match=r"as 'flows.py:12'"):
        steps.at_line("flows.py")
    assert steps.find(lambda step: "fetching 2" in (step.output or "")).number == 3  # type: ignore[union-attr]
    assert steps.find(lambda step: step.commands, after=2).number == 3  # type: ignore[union-attr]
    assert steps.find(lambda step: step.commands, after=3, backwards=True).number == 2  # type: ignore[union-attr]
    assert steps.find(lambda step: step.close, backwards=True).number == 5  # type: ignore[union-attr]
    assert steps.first_failure() is None
    assert steps.first_divergence() is None
    broken = lab.start(Breaks)
    assert broken.result(200) == "TaskFailed"
    failed = broken.replay().first_failure()
    assert failed is not None
    assert failed.trigger.endswith("steps_break-1 failed")
    assert failed.trigger_event is not None
    assert failed.trigger_event.type == "ActivityTaskFailed"


def test_a_history_that_the_code_cant_replay_ends_with_the_reason(sums: Execution) -> None:
    class Other(Sums):
        name = "steps.sums"

        def run(self, many: int) -> int:
            for number in range(many):
                self.submit(steps_fetch, number if number < 2 else 99).wait()
            return 0

    try:
        steps = RecordedExecution(sums.history()).replay(Other)
        assert len(steps) == 3
        assert steps.expected == 5
        last = steps[-1]
        assert last.divergence is not None
        assert sums.history()[last.divergence.event_id - 1].type == "ActivityTaskScheduled"  # type: ignore[operator]
        assert "the code now asks for" in str(last.error)
        assert "ends here" in repr(last)
        assert steps.first_divergence() == last
    finally:
        from simpleflow_lab import workflow

        workflow.forget(Other)
        workflow.registry[("steps.sums", "steps")] = Sums


def test_the_open_decision_is_the_last_step(lab: Lab, sums: Execution) -> None:
    history = sums.history()
    started = [event.id for event in history if event.type == "DecisionTaskStarted"]
    with ReplaySteps(History(history[: started[2]]), Sums) as steps:
        assert len(steps) == steps.expected == 3
        assert not steps[-1].is_replayed
        assert steps[-1].frame(depth=1).locals["total"] == 20
        assert [decision["decisionType"] for decision in steps[-1].decisions] == ["ScheduleActivityTask"]
        assert "the open decision" in repr(steps[-1])


def test_two_steps_are_compared(sums: Execution) -> None:
    found = sums.replay().diff(2, 3)
    assert {each.kind for each in found} == {"future", "local", "waits", "command"}
    changed = {each.name: (each.before, each.after) for each in found.of("local")}
    assert changed["total of Sums.run"] == ("0", "20")
    assert "fetching" not in repr(found)
    frame = found.to_pandas()
    assert list(frame.columns) == ["about", "name", "step 2", "step 3"]
    assert len(frame) == len(found)
    assert repr(sums.replay().diff(2, 2)) == "steps 2 and 2 are the same"


def test_two_executions_part_where_one_saw_something_else(lab: Lab) -> None:
    class Parts(Workflow):
        name = "steps.parts"
        version, task_list = "steps", "steps"

        def run(self, far: int = 3) -> list[int]:
            found = [self.submit(steps_fetch, number).result for number in range(2)]
            return [*found, self.submit(self.wait_signal("go")).result, self.submit(steps_fetch, 9).result]

    one, same, other = (lab.start(Parts, workflow_id=f"parts-{name}") for name in ("one", "same", "other"))
    for execution, value in ((one, "1"), (same, "1"), (other, "2")):
        execution.signal("go", value)
        execution.result(200)
    steps = one.replay()
    assert steps.parting(same.history()) is None or steps.parting(same.history())[0].signals  # type: ignore[index]
    parted = steps.parting(other.replay())
    assert parted is not None
    of_execution = steps.parting(other)
    assert of_execution is not None
    assert of_execution[0].number == parted[0].number
    mine, theirs = parted
    assert theirs is not None
    assert mine.number == theirs.number
    whole, cut = one.history(), [event.id for event in one.history() if event.type == "DecisionTaskStarted"][1]
    shorter = steps.parting(History(whole[: cut - 1]))
    assert shorter is not None
    assert (shorter[0].number, shorter[1]) == (2, None)


def test_tables_have_one_row_a_step_and_a_future(sums: Execution) -> None:
    steps = sums.replay()
    frame = steps.to_frame()
    assert list(frame["step"]) == [1, 2, 3, 4, 5]
    assert frame["output"][1] == "fetching 1\n"
    of_futures = steps.futures_frame(3)
    assert list(of_futures["state"]) == ["FINISHED", "FINISHED", "PENDING"]
    assert list(steps[3].futures_frame()["line"]) == list(of_futures["line"])


def test_what_is_shown_of_hostile_values_is_escaped(lab: Lab) -> None:
    @activity.with_attributes(**VERSION, name="steps.<b>&")
    def hostile(text: str) -> str:
        return text

    class Hostile(Workflow):
        name = "steps.hostile"
        version, task_list = "steps", "steps"

        def run(self) -> str:
            print("\x1b[31m<script>alert(1)</script>")
            return str(self.submit(hostile, "<img src=x onerror=alert(1)>\x1b[2J").result)

    execution = lab.start(Hostile)
    execution.result(200)
    steps = execution.replay()
    for step in steps:
        text, html = repr(step), step._repr_html_()
        assert "\x1b" not in text
        assert "\x1b" not in html
        assert "<script" not in html
        assert "<img" not in html
        assert "<b>" not in html
    difference = steps.diff(1, 2)
    assert "<img" not in difference._repr_html_()


def test_steps_may_be_asked_for_from_any_thread(sums: Execution) -> None:
    steps = sums.replay()
    found: list[Any] = []
    threads = [
        threading.Thread(target=lambda n=n: found.append(steps[n].frame(depth=1).locals["total"])) for n in (3, 2, 4, 1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(200)
    assert sorted(found) == [0, 0, 20, 60]


def threads_of_steps() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "replay steps"]


def test_closed_or_forgotten_steps_leave_no_thread(sums: Execution) -> None:
    steps = sums.replay()
    first = steps[1]
    assert threads_of_steps()
    steps.close()
    steps.close()
    assert repr(first) == repr(steps[1])
    with pytest.raises(UsageError, match="closed"):
        steps[4]
    before = set(threads_of_steps())
    forgotten = sums.replay()
    forgotten[1].locals
    (thread,) = set(threads_of_steps()) - before
    del forgotten
    gc.collect()
    thread.join(200)
    assert not thread.is_alive()


def test_pdb_stands_in_no_other_fiber_than_the_one_that_was_asked_for(lab: Lab) -> None:
    class Chained(Workflow):
        name, version, task_list = "steps.chained", "1", "steps"

        def run(self) -> Any:
            return self.submit(Group(Chain((steps_fetch, 1), (steps_fetch, 2)), Chain((steps_fetch, 3)))).result

    execution = lab.start(Chained)
    execution.result(200)
    with pytest.raises(UsageError, match="fiber 2 waits in no line of yours at the end of step 1"):
        execution.replay()[1].pdb(fiber=2)


def test_code_that_does_not_end_is_interrupted_and_the_steps_before_are_there(lab: Lab) -> None:
    spins: list[bool] = []

    class Spins(Workflow):
        name, version, task_list = "steps.spins", "1", "steps"

        def run(self) -> int:
            total = 0
            for _ in range(4):
                total += self.submit(steps_fetch, 1).result
                while spins and total > 10:
                    pass
            return total

    execution = lab.start(Spins)
    execution.result(200)
    spins.append(True)
    before = set(threads_of_steps())
    with override(SIMPLEFLOW_LAB_STEP_SECONDS=0.3):
        steps = execution.replay()
        assert steps[1].locals["total"] == 0  # a window of variables reaches further
        assert steps[2].locals["total"] == 10
        for _ in range(2):
            with pytest.raises(DecisionTooLongError, match=r"ran for 0\.3 s .* test_steps\.py:"):
                len(steps)
    (thread,) = set(threads_of_steps()) - before
    del steps
    gc.collect()
    thread.join(200)
    assert not thread.is_alive()


def test_a_file_a_history_and_an_execution_are_replayed_by_a_lab(lab: Lab, sums: Execution, tmp_path: Any) -> None:
    path = tmp_path / "sums.json"
    path.write_text(sums.history().to_json())
    for given_, workflow in ((path, None), (str(path), "Sums"), (sums.history(), Sums), (sums, None)):
        assert [step.number for step in lab.replay(given_, workflow)] == [1, 2, 3, 4, 5]
    with pytest.raises(UsageError, match="a history or an execution is replayed, not 3"):
        lab.replay(3)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="is no workflow"):
        lab.replay(sums, int)


def test_the_history_of_an_execution_with_children_is_replayed_by_a_lab(lab: Lab) -> None:
    class Parent(Workflow):
        name, version, task_list = "steps.parent", "steps", "steps"

        def run(self) -> Any:
            return self.submit(Sums, 2).result

    execution = lab.start(Parent)
    execution.result(200)
    with lab.replay(execution.history(), Parent) as steps:
        assert steps[-1].error is None
        assert steps[-1].close


def test_a_workflow_that_is_not_defined_here_is_told_in_one_line() -> None:
    history = History.from_json((HISTORIES / "chain_send_result.json").read_text().replace("chaintest", "nowhere"))
    with pytest.raises(UsageError, match=r"nowhere in version .*, which is not defined here") as raised:
        RecordedExecution(history).replay()
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("name", "workflow"), RECORDED, ids=[name for name, _ in RECORDED])
def test_recorded_histories_have_the_recorded_decisions_at_every_prefix(
    name: str,
    workflow: type[Workflow],
    run_hash: Any,
) -> None:
    history = History.from_file(HISTORIES / f"{name}.json")
    run_hash(history)
    options = {"workflow_id": "test-simpleflow-workflow", "run_id": "r"}
    with ReplaySteps(history, workflow, **options) as steps:
        assert len(steps) == steps.expected
        assert all(step.error is None for step in steps)
        for step in steps:
            matched = {match.event_id for match in step.matches}
            # Upstream's timer that brings the next decision task has no command.
            assert all(event.id in matched or event.type == "TimerStarted" for event in step.recorded)
            assert [decision["decisionType"] for decision in step.decisions] == [
                event.decision for event in step.recorded if event.id in matched
            ]
        straight = [facts(step) for step in steps]
        with ReplaySteps(history, workflow, **options) as again:
            walk = random.Random(name).choices(range(1, len(straight) + 1), k=2 * len(straight))
            assert [facts(again[number]) for number in walk] == [straight[number - 1] for number in walk]
        whole = [(step.commands, step.suspended) for step in steps]
        for cut in [event.id for event in history if event.type == "DecisionTaskCompleted"]:
            with ReplaySteps(History(history[:cut]), workflow, **options) as part:
                assert [(step.commands, step.suspended) for step in part[:-1]] == whole[: len(part) - 1]


class Wide(Workflow):
    name = "steps.wide"
    version, task_list = "steps", "steps"

    def run(self, many: int) -> int:
        group = self.submit(Group(*((steps_fetch, number) for number in range(many))))
        found = 0
        for future in futures.as_completed([self.submit(steps_fetch, 100 + number) for number in range(many)]):
            found += future.result
        return found + sum(group.result)


@pytest.fixture(scope="module")
def straight() -> dict[str, tuple[History, type[Workflow], list[Any]]]:
    """Histories with what each of their steps says, asked for one after the other."""
    found = {}
    with Lab(":memory:") as lab:
        for workflow, many in ((Sums, 70), (Wide, 12)):
            execution = lab.start(workflow, many)
            execution.result(60)
            history = History(execution.history())
            with ReplaySteps(history, workflow) as steps:
                found[workflow.__name__] = history, workflow, [facts(step) for step in steps]
    return found


@examples(25, 250)
@given(name=st.sampled_from(["Sums", "Wide"]), data=st.data())
def test_going_to_and_fro_gives_the_steps_of_going_straight(name: str, data: st.DataObject, straight: Any) -> None:
    history, workflow, expected = straight[name]
    walk = data.draw(st.lists(st.integers(1, len(expected)), min_size=1, max_size=12))
    with ReplaySteps(history, workflow) as steps:
        for number in walk:
            assert facts(steps[number]) == expected[number - 1]


class Sends(Workflow):
    name, version, task_list = "steps.sends", "1", "steps"

    def run(self, to_child: bool) -> None:
        if to_child:
            self.submit(Sums, 1).wait()
        me = self.get_run_context()["workflow_id"]
        self.submit(self.signal("note", workflow_id=me)).wait()


@pytest.mark.parametrize("to_child", [True, False])
def test_without_the_ids_of_the_execution_it_is_told_that_they_are_lacking(
    lab: Lab, tmp_path: Any, to_child: bool
) -> None:
    execution = lab.start(Sends, to_child)
    execution.wait(timeout=200)
    path = tmp_path / "history.json"
    path.write_text(execution.history().to_json())
    recorded = open_history(path)
    error = recorded.replay(Sends)[-1].error
    assert error is not None
    assert "give workflow_id and run_id" in error
    assert "restore the code" not in error
    assert recorded.replay(Sends, workflow_id=execution.workflow_id, run_id=execution.run_id)[-1].error is None

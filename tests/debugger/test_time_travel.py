"""A place in a replay, and the moves to others; as text, without widgets."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simpleflow_lab import Lab, Workflow, activity
from simpleflow_lab.debugger import view_data
from simpleflow_lab.debugger.time_travel import Debugger
from simpleflow_lab.debugger.walk import MAX_THREADS
from simpleflow_lab.exceptions import UsageError

ROOT = Path(__file__).parents[2]
EVIL = "<b>\x1b[31m\u2028</b>"


def sums() -> type[Workflow]:
    """A chain of sums, of which the third fails; defined anew, for tests forget definitions."""

    @activity.with_attributes(name="travel.add", task_list="travel", version="1", raises_on_failure=False)
    def add(number):
        if number == 2:
            raise ValueError(EVIL)
        return number + 1

    class Sums(Workflow):
        name, version, task_list = "travel.sums", "1", "travel"

        def run(self, count):
            total, text = 0, EVIL
            for number in range(count):
                total += self.submit(add, number).result or 0
                print(text, total)
            return total

    return Sums


@pytest.fixture
def workflow() -> type[Workflow]:
    return sums()


@pytest.fixture
def execution(lab: Lab, workflow: type[Workflow]) -> Any:
    started = lab.start(workflow, 6, workflow_id="nightly")
    started.wait()
    return started


@pytest.fixture
def debugger(execution: Any) -> Debugger:
    found: Debugger = execution.debug()
    return found


def test_it_stands_where_the_code_waited_last_and_moves_to_and_fro(debugger: Debugger) -> None:
    assert (debugger.number, len(debugger)) == (6, 7)
    assert debugger.opened == "opened at the last step in which the code waits"
    assert debugger.opened in repr(debugger)
    assert debugger.last().number == 7
    assert debugger.opened == ""
    assert debugger.back().number == 6
    assert debugger.back(2).locals["total"] == 3
    assert debugger.forward().number == 5
    assert debugger.first().number == 1
    assert debugger.back().number == 1
    assert debugger.last().number == 7
    assert debugger.forward(3).number == 7
    debugger.step = 3
    assert debugger.step.locals["number"] + 1 == 3
    debugger.step = -1
    assert debugger.number == 7
    with pytest.raises(UsageError, match="no step 9: they are numbered from 1 to 7"):
        debugger.step = 9


def test_the_variables_of_where_it_opens_are_there_with_its_first_step(debugger: Debugger) -> None:
    assert debugger.step.is_detailed
    assert debugger.step.locals["total"] == 12
    assert [line.lineno for line in debugger.step.new_lines]
    assert debugger.reload().is_detailed


def test_it_finds_events_lines_failures_and_conditions(debugger: Debugger) -> None:
    debugger.last()
    assert debugger.to_event(5).number == 1
    line = sums().run.__code__.co_firstlineno + 4  # the one that prints
    assert debugger.to_line(f"test_time_travel.py:{line}").number == 2
    assert debugger.to_failure().number == 4
    with pytest.raises(UsageError, match="nothing failed after step 4 in these 7 steps"):
        debugger.to_failure(after=4)
    assert debugger.to_condition("total > 7").number == 6
    assert debugger.to_condition("total < 5 and step.number > 2", backwards=True).number == 4
    assert debugger.to_condition(lambda step: step.close is not None).number == 7
    assert debugger.to_condition("any(each > total for each in [2])", backwards=True).number == 2
    assert debugger.first().number == 1
    with pytest.raises(UsageError, match="the code makes all 7 decisions as they were recorded"):
        debugger.to_divergence()


def test_a_condition_sees_the_variables_of_run_where_it_waits_in_another_function(lab: Lab) -> None:
    @activity.with_attributes(name="travel.give", task_list="travel", version="1")
    def give(number):
        return number

    class Asks(Workflow):
        name, version, task_list = "travel.asks", "1", "travel"

        def ask(self, number):
            inner = -number
            return self.submit(give, number).result if inner else 0

        def run(self):
            total = 0
            for number in range(1, 5):
                total += self.ask(number)
            return total

    execution = lab.start(Asks)
    execution.result(200)
    debugger = execution.debug()
    assert debugger.first().number == 1
    assert debugger.to_condition("total >= 3 and inner == -3").number == 3
    assert debugger.to_condition("total == 1", backwards=True).number == 2


def test_a_search_backwards_replays_the_history_a_few_times_and_not_for_each_part_of_it(lab: Lab) -> None:
    seen: list[int] = []

    class Counts(Workflow):
        name, version, task_list = "travel.counts", "1", "travel"

        def run(self, count):
            for number in range(count):
                self.submit(self.start_timer(f"t{number}", 0)).wait()
                seen.append(number)

    execution = lab.start(Counts, 600)
    execution.wait(60)
    debugger = execution.debug()
    debugger.last()
    seen.clear()
    assert debugger.to_condition("number == 3", backwards=True).number == 4
    assert len(seen) < 5 * 600
    debugger.last()
    with pytest.raises(ZeroDivisionError):
        debugger.to_condition(lambda step: 1 / (step.number - 300) < 0, backwards=True)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("total >", "'total >' is no Python expression"),
        ("total > 100", "no step after 1 has total > 100$"),
        ("1 / (total - total)", "it raises ZeroDivisionError"),
        ("exit()", "it raises SystemExit"),
        ("missing > 1", "no step after 1 has missing > 1: no variable of run in any .* is called 'missing'"),
        ("import os", "is no Python expression"),
    ],
)
def test_a_condition_that_leads_nowhere_says_why_and_moves_nothing(
    debugger: Debugger, condition: str, message: str
) -> None:
    debugger.first()
    with pytest.raises(UsageError, match=message):
        debugger.to_condition(condition)
    assert debugger.number == 1


def test_what_is_found_only_in_the_other_direction_is_said(debugger: Debugger) -> None:
    line = debugger.first().suspended[0].stack[-1].line.lineno
    count = debugger.last().number
    held = debugger.to_condition("total > 0", backwards=True).number
    debugger.last()
    with pytest.raises(UsageError, match=f"no step after {count} has total > 0, but step {held} does: look backwards"):
        debugger.to_condition("total > 0")
    with pytest.raises(UsageError, match=rf"no step after {count} comes to line {line}, but step \d+.* does"):
        debugger.to_line(line)
    assert debugger.number == count
    debugger.go_to(held)
    with pytest.raises(UsageError, match=f"no step after {held} has .*, but step {held}, which is shown, does"):
        debugger.to_condition(f"step.number == {held}")
    debugger.first()
    with pytest.raises(UsageError, match=f"no step before 1 has .*, but step {held} does: look onwards"):
        debugger.to_condition(f"step.number >= {held}", backwards=True)


def test_of_a_run_that_failed_it_stands_where_the_error_was_raised(lab: Lab) -> None:
    @activity.with_attributes(name="travel.rate", task_list="travel", version="1", raises_on_failure=False)
    def rate(number):
        if number == 1:
            raise ValueError("handled")
        return number

    class Rates(Workflow):
        name, version, task_list = "travel.rates", "1", "travel"

        def run(self, count):
            for number in range(count):
                self.one(number)

        def one(self, number):
            rate_of = self.submit(rate, number).result
            if number == 3:
                raise KeyError(number)
            return rate_of

    raised = lab.start(Rates, 5)
    raised.wait()
    debugger = raised.debug()
    assert debugger.steps.first_failure().number == 3
    assert (debugger.opened, debugger.step.raised is not None) == (
        "opened where run raised the error that ended it",
        True,
    )
    assert debugger.step.locals["number"] == 3
    shown, details = view_data.shown(debugger.step), view_data.details(debugger.step)
    assert shown["raised"]["text"].startswith("KeyError: 3")
    assert [line[2].partition(", ")[2] for line in shown["raised"]["lines"]] == [
        "self.one(number)",
        "raise KeyError(number)",
    ]
    assert details["fibers"][0]["label"] == "run, where it raised"
    assert ["number", "3"] in details["fibers"][0]["frames"][0]["locals"]
    assert (raised.debug(at=1).number, raised.debug(at=1).opened) == (1, "")


def test_code_that_differs_stops_the_steps(debugger: Debugger, execution: Any) -> None:
    class Other(Workflow):
        name, version, task_list = "travel.sums", "1", "travel"

        def run(self, count):
            self.submit(activity.registry[("travel.add", "1")], 0).wait()
            self.start_timer("pause", 3)

    edited = execution.debug(Other)
    assert edited.number == edited.to_divergence().number == 2
    assert edited.step.error is not None


def test_it_finds_where_two_executions_part(debugger: Debugger, lab: Lab, workflow: type[Workflow]) -> None:
    shorter = lab.start(workflow, 4, workflow_id="short")
    shorter.wait()
    same = lab.start(workflow, 6, workflow_id="same")
    same.wait()
    assert debugger.to_parting(shorter).number == debugger.to_parting(shorter.debug()).number
    with pytest.raises(UsageError, match="they part nowhere"):
        debugger.to_parting(same)
    with pytest.raises(UsageError, match="an execution or a history is compared with, not 7"):
        debugger.to_parting(7)


def test_another_execution_of_the_same_lab_is_compared_by_its_id(debugger: Debugger, lab: Lab) -> None:
    lab.start("travel.sums", 2, workflow_id="short").wait()
    assert debugger.to_parting("short").number == 1
    with pytest.raises(UsageError, match="no execution 'nosuch' where this one is"):
        debugger.to_parting("nosuch")


def test_without_widgets_it_is_its_step_as_text(debugger: Debugger) -> None:
    debugger.step = 3
    assert repr(debugger).startswith("step 3 of nightly: decided after event")
    assert "debugger.forward()" in repr(debugger)
    assert EVIL not in repr(debugger)
    assert "&lt;b&gt;" in debugger._repr_html_()
    assert "<b>" not in debugger._repr_html_()


def test_an_open_history_that_has_grown_says_so_and_is_replayed_again_when_it_is_asked_for(lab: Lab) -> None:
    class Waits(Workflow):
        name, version, task_list = "travel.waits", "1", "travel"

        def run(self):
            self.submit(self.wait_signal("go")).wait()
            self.submit(self.wait_signal("end")).wait()

    execution = lab.start(Waits)
    while execution.history()[-1].type != "DecisionTaskCompleted":
        execution.wait(0.01)
    debugger = execution.debug()
    assert (debugger.number, len(debugger)) == (1, 1)
    assert (debugger.opened, debugger.new_decisions()) == ("opened where it waits now", 0)
    execution.signal("go")
    while sum(event.type == "DecisionTaskCompleted" for event in execution.history()) < 2:
        execution.wait(0.01)
    assert (debugger.new_decisions(), len(debugger)) == (1, 1)
    assert debugger.reload().number == 1
    assert debugger.new_decisions() == 0
    assert debugger.forward().number == 2
    execution.terminate()


def test_a_debugger_that_rests_has_no_thread_and_goes_on(execution: Any) -> None:
    before = set(threading.enumerate())
    debugger = execution.debug()
    debugger.to_condition("total > 3", backwards=True)
    at = debugger.number
    ours = set(threading.enumerate()) - before
    assert [thread.name for thread in ours] == ["replay steps"]
    debugger.rest()
    gc.collect()
    for thread in ours:
        thread.join(200)
        assert not thread.is_alive()
    assert debugger.number == at
    assert debugger.step.locals["total"] > 3


def test_many_debuggers_have_few_threads_and_all_go_on(execution: Any) -> None:
    def replaying() -> int:
        return sum(thread.name == "replay steps" for thread in threading.enumerate())

    def until(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 200
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    before = replaying()
    many = [execution.debug() for _ in range(3 * MAX_THREADS)]
    for _ in range(2):
        for debugger in many:
            debugger.last()
            assert debugger.to_condition("total == 3", backwards=True).locals["number"] == 3
        until(lambda: replaying() <= before + MAX_THREADS)  # those that were let go end at once
    assert {len(debugger) for debugger in many} == {7}
    for debugger in many:
        debugger.rest()
    gc.collect()
    until(lambda: replaying() <= before)


def test_a_program_that_ends_ends_its_replays_before_the_interpreter_goes() -> None:
    program = """
import atexit, inspect, threading
def told():
    print([each.name for each in threading.enumerate() if "replay" in each.name], inspect.getgeneratorstate(watched))
atexit.register(told)
from benchmarks.debugging import Debugged, chain
from simpleflow_lab.debugger.steps import ReplaySteps
from simpleflow_lab.replay.trace import watch
steps = ReplaySteps(chain(20), Debugged)
steps[3].locals
watched = watch(Debugged, chain(20))
next(watched)
told()
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=200, check=True
    )
    assert ended.stdout.split("\n")[:2] == ["['replay steps'] GEN_SUSPENDED", "[] GEN_CLOSED"]


def test_what_the_view_is_sent_is_bounded(lab: Lab) -> None:
    @activity.with_attributes(name="travel.one", task_list="travel", version="1")
    def one(number):
        return "x" * 10_000

    class Wide(Workflow):
        name, version, task_list = "travel.wide", "1", "travel"

        def run(self):
            every = [self.submit(one, number) for number in range(520)]
            return len([each.result for each in every])

    execution = lab.start(Wide)
    execution.wait()
    debugger = execution.debug()
    shown = view_data.shown(debugger.first())
    debugger.step.locals  # a view shows the step at once: its lines, of so many commands, come from one replay more
    debugger.step.new_lines
    assert debugger.step.is_detailed
    assert (len(shown["commands"]), shown["all_commands"]) == (view_data.MAX_LISTED, 520)
    page = view_data.futures_page(debugger.last(), which="all", first=470)
    assert (page["first"], page["found"], len(page["rows"])) == (470, 520, 50)
    assert [row["number"] for row in page["rows"]] == list(range(471, 521))
    assert max(len(row["value"]) for row in page["rows"]) < 400
    found = view_data.futures_page(debugger.step, which="all", words="FINISHED one-44")
    assert {row["id"] for row in found["rows"]} >= {"activity-travel.one-44", "activity-travel.one-449"}
    assert {row["label"] for row in found["rows"]} >= {"one-44", "one-449"}
    assert view_data.futures_page(debugger.step, which="all", words="nothing")["rows"] == []


def test_a_child_is_called_and_found_as_in_charts(lab: Lab) -> None:
    class Inner(Workflow):
        name, version, task_list = "travel.inner", "1", "travel"

        def run(self):
            return 3

    class Outer(Workflow):
        name, version, task_list = "travel.outer", "1", "travel"

        def run(self):
            return self.submit(Inner).result

    execution = lab.start(Outer)
    assert execution.result(200) == 3
    page = view_data.futures_page(execution.debug().last(), which="all", words="inner-1")
    assert [(row["label"], row["id"].startswith("workflow-travel.inner-")) for row in page["rows"]] == [
        ("inner-1", True)
    ]


def test_the_source_of_a_step_is_there(debugger: Debugger) -> None:
    debugger.step = 3
    shown = view_data.shown(debugger.step)
    (file,) = view_data.files_of(shown)
    source = view_data.source_of(file)
    assert (source["name"], Path(file).name) == ("test_time_travel.py", "test_time_travel.py")
    waits = shown["waits"][0]["lines"][0]
    assert "self.submit(add, number).result" in source["lines"][waits[1] - 1]
    details = view_data.details(debugger.step)
    assert ["total", "3"] in details["fibers"][0]["frames"][0]["locals"]
    assert waits[1] in [line[1] for line in details["lines"]]

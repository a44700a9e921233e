"""What Amazon refuses because an account asks for too much at once: it is asked for again, later and later."""

from __future__ import annotations

import math
import time
from collections import Counter
from typing import Any

import pytest

from simpleflow_lab import Lab, Workflow, activity
from simpleflow_lab.exceptions import CloseNotPermittedError, ThrottlingException
from tests.amazon.conftest import ADDRESS
from tests.amazon.simulated import SimulatedAmazon
from tests.examples_count import repeats

TASKS: dict[str, Any] = {"task_list": "limits", "version": "1"}


@activity.with_attributes(name="limits.double", **TASKS)
def double(x: int) -> int:
    return 2 * x


class Child(Workflow):
    name = "limits.child"
    task_list = "limits"

    def run(self, x):
        return -x


class Everything(Workflow):
    """Activities, children and timers."""

    name = "limits.everything"
    task_list = "limits"

    def run(self, count):
        doubled = self.map(double, range(count))
        children = [self.submit(Child, n) for n in range(count)]
        timers = [self.submit(self.start_timer(f"t{n}", 0)) for n in range(count)]
        for timer in timers:
            timer.wait()
        return [each.result for each in doubled], [each.result for each in children]


def quiet(notice: str) -> None:
    """Where the notices go that no test is about."""


def events(execution: Any) -> Counter[str]:
    """How many events of each type its history has."""
    return Counter(event.type for event in execution.history())


@pytest.mark.parametrize("times", [1, *repeats([4])])
def test_what_is_refused_for_its_rate_is_done_a_little_later(simulated: SimulatedAmazon, times: int) -> None:
    refused: Counter[str] = Counter()

    def refuses(decision_type: str) -> bool:
        if decision_type == "CompleteWorkflowExecution":
            return False
        refused[decision_type] += 1
        return refused[decision_type] <= 2 * times

    simulated.engine.simulate_refusals(refuses)
    with Lab(ADDRESS, notice=quiet) as lab:
        execution = lab.start(Everything, 2)
        assert execution.result(100) == [[0, 2], [0, -1]]
    found = events(execution)
    assert found["ScheduleActivityTaskFailed"] == found["StartChildWorkflowExecutionFailed"] == 2 * times
    assert found["StartTimerFailed"] == 2 * times
    assert found["ActivityTaskScheduled"] == found["StartChildWorkflowExecutionInitiated"] == 2


def test_what_is_always_refused_is_no_tight_loop(simulated: SimulatedAmazon) -> None:
    """L1: upstream made thirteen decisions a second, up to 25,000 events in eight minutes."""
    simulated.engine.simulate_refusals(lambda decision_type: True)
    with Lab(ADDRESS, notice=quiet) as lab:
        began = time.monotonic()
        execution = lab.start(Everything, 3)
        time.sleep(1.0)
        made = events(execution)["DecisionTaskCompleted"]
        # It is refused at 0, 0.25, 0.75, 1.75, 3.75 s, … for not even the timer that would be a wait is started.
        assert made <= 2 + math.log2(1 + (time.monotonic() - began) / 0.25)
        simulated.engine.simulate_refusals(lambda decision_type: False)
        assert execution.result(100) == [[0, 2, 4], [0, -1, -2]]


def test_a_close_that_is_not_allowed_is_told_and_is_no_tight_loop(simulated: SimulatedAmazon) -> None:
    """SWF wakes the decider at once, and would terminate the execution at 25,000 events, though its work is done."""
    simulated.engine.simulate_refusals(lambda decision_type: decision_type == "CompleteWorkflowExecution")
    with Lab(ADDRESS, notice=quiet) as lab:
        began = time.monotonic()
        execution = lab.start(Child, 3)
        with pytest.raises(CloseNotPermittedError, match="Allow swf:CompleteWorkflowExecution in the IAM policy"):
            execution.result(60)
        time.sleep(0.3)
        tried = events(execution)["CompleteWorkflowExecutionFailed"]
        assert 1 <= tried <= 1 + (time.monotonic() - began)  # after a pause of a second
        simulated.engine.simulate_refusals(lambda decision_type: False)
        deadline = time.monotonic() + 200
        while execution.status == "OPEN":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert execution.result(60) == -3
        assert execution.decision_error is None


@activity.with_attributes(name="limits.text", **TASKS)
def text(length: int) -> str:
    return "x" * length


class Texts(Workflow):
    name = "limits.texts"
    task_list = "limits"

    def run(self, lengths):
        return [len(each.result) for each in self.map(text, lengths)]


def test_a_result_that_almost_does_not_fit_is_a_warning(simulated: SimulatedAmazon) -> None:
    with Lab(ADDRESS, notice=quiet) as lab:
        execution = lab.start(Texts, [10, 30_000])
        assert execution.result(60) == [10, 30_000]
        [warning] = execution.warnings
    assert warning.startswith("a result of activity limits.text has more than 26,214 characters; SWF takes 32,768")


def test_a_list_shows_an_execution_only_after_a_while(simulated: SimulatedAmazon) -> None:
    """Nothing that runs depends on lists."""
    simulated.visible_after = 3600
    with Lab(ADDRESS, notice=quiet) as lab:
        execution = lab.start(Child, 3)
        assert execution.result(60) == -3
        assert len(lab.executions()) == 0
        simulated.visible_after = 0
        assert len(lab.executions()) == 1


def test_a_throttled_call_says_so(simulated: SimulatedAmazon, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SWF_CONNECTION_RETRIES", "0")
    with Lab(ADDRESS, notice=quiet, serve="nothing") as lab:
        simulated.accepts = lambda headers: ("com.amazon.coral.availability#ThrottlingException", "Rate exceeded")
        with pytest.raises(ThrottlingException, match="Rate exceeded"):
            lab.domains()

"""Amazon SWF with faults: every decision and every result arrives, once, whatever becomes of single requests."""

from __future__ import annotations

import contextlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from simpleflow_lab import Lab, Workflow, activity, futures
from simpleflow_lab.exceptions import CredentialsError, SimpleflowLabError, UnknownResourceFault, UsageError
from tests.amazon.conftest import ADDRESS
from tests.amazon.simulated import Faults, SimulatedAmazon
from tests.examples_count import repeats, trials
from tests.waiting import until

TASKS: dict[str, Any] = {"task_list": "faults", "version": "1"}
POLLS = ("PollForDecisionTask", "PollForActivityTask")
ran: Counter[str] = Counter()


@activity.with_attributes(name="faults.double", retry=3, heartbeat_timeout=2, **TASKS)
def double(x: int) -> int:
    ran[activity.current_context()["activity_id"]] += 1
    return 2 * x


@activity.with_attributes(name="faults.odd", retry=3, heartbeat_timeout=2, **TASKS)
def odd(x: int) -> int:
    if x % 2 == 0:
        raise ValueError(f"{x} is even")
    return x


class Doubling(Workflow):
    name = "faults.doubling"
    task_list = "faults"
    decision_tasks_timeout = 3

    def run(self, x):
        return self.submit(double, self.submit(double, x)).result


class Story(Workflow):
    """Activities that complete and fail, a child, a timer, a signal and a marker."""

    name = "faults.story"
    task_list = "faults"
    decision_tasks_timeout = 3

    def run(self, x):
        child = self.submit(Doubling, x)
        even = self.submit(odd, x)
        doubled = self.map(double, range(4))
        self.submit(self.record_marker("started", x))
        self.submit(self.start_timer("none", 0)).wait()
        go = self.submit(self.wait_signal("go"))
        futures.wait([even, child])
        return [child.result, even.exception is not None, [each.result for each in doubled], go.result["args"]]


STORY = [16, True, [0, 2, 4, 6], ["on"]]


def quiet(notice: str) -> None:
    """Where the notices go that no test is about."""


def story(lab: Lab) -> Any:
    """Run the story to its end."""
    execution = lab.start(Story, 4)
    execution.signal("go", '{"args": ["on"], "kwargs": {}}')
    assert execution.result(100) == STORY
    return execution


def recorded(execution: Any, event_type: str) -> int:
    """How often its history has this type of event."""
    return sum(event.type == event_type for event in execution.history())


@pytest.mark.parametrize("fault", ["throttle", "lose", *trials(("error", "unavailable", "refuse", "reset", "repeat"))])
def test_f8_the_first_request_of_each_operation_fails_and_nothing_is_lost(
    simulated: SimulatedAmazon, fault: str
) -> None:
    # A poll whose response is lost takes its task along until that has timed out.
    takes_along = fault in ("lose", "repeat")
    simulated.faults = Faults({poll: [] for poll in POLLS} if takes_along else None, each=[fault])
    with Lab(ADDRESS, domain="new", registers_domain=True, notice=quiet, activity_threads=4) as lab:
        execution = story(lab)
    assert recorded(execution, "ActivityTaskCompleted") == 4
    assert recorded(execution, "WorkflowExecutionCompleted") == 1
    assert simulated.made[fault] == sum(not takes_along or operation not in POLLS for operation in simulated.calls)
    assert {
        "RegisterDomain",
        "RegisterWorkflowType",
        "RegisterActivityType",
        "StartWorkflowExecution",
        "SignalWorkflowExecution",
        "PollForDecisionTask",
        "PollForActivityTask",
        "RespondDecisionTaskCompleted",
        "RespondActivityTaskCompleted",
        "RespondActivityTaskFailed",
        "DescribeWorkflowExecution",
        "GetWorkflowExecutionHistory",
    } <= set(simulated.calls)


class WaitsForEver(Workflow):
    name, version, task_list = "faults.waits_for_ever", "1", "faults"

    def run(self) -> None:
        self.submit(self.wait_signal("never")).wait()


@pytest.mark.parametrize(
    ("operation", "act"),
    [
        ("SignalWorkflowExecution", lambda execution: execution.signal("go", "on")),
        ("RequestCancelWorkflowExecution", lambda execution: execution.request_cancel()),
        ("TerminateWorkflowExecution", lambda execution: execution.terminate("enough")),
    ],
    ids=["signal", "cancel", "terminate"],
)
def test_f8_what_was_carried_out_without_a_response_is_done_though_the_execution_closes_before_the_second_try(
    simulated: SimulatedAmazon, operation: str, act: Callable[[Any], None]
) -> None:
    tries: Counter[str] = Counter()

    def close_before_the_second(headers: Mapping[str, str]) -> None:
        name = headers["X-Amz-Target"].rpartition(".")[2]
        tries[name] += 1
        if name == operation and tries[name] == 2:
            with contextlib.suppress(UnknownResourceFault):  # it is closed already
                simulated.engine.terminate_workflow_execution(domain=lab.domain, workflowId=execution.workflow_id)

    with Lab(ADDRESS, notice=quiet) as lab:
        execution = lab.start(WaitsForEver)
        simulated.faults = Faults({operation: ["lose"]})
        simulated.accepts = close_before_the_second
        act(execution)
        assert tries[operation] == 2
        assert execution.status != "OPEN"
        with pytest.raises(UsageError, match="is closed already"):
            act(execution)


def test_f8_a_lost_response_is_no_lost_answer_and_no_failure(simulated: SimulatedAmazon) -> None:
    simulated.faults = Faults({"RespondActivityTaskCompleted": ["lose"], "RespondDecisionTaskCompleted": ["lose"] * 3})
    ran.clear()
    with Lab(ADDRESS, notice=quiet) as lab:
        execution = lab.start(Doubling, 4)
        assert execution.result(60) == 16
        counts = [(worker.done, worker.failed, worker.last_error) for worker in lab.workers]
        assert counts == [(3, 0, None), (2, 0, None)]
        assert execution.decision_error is None
    assert simulated.made["lose"] == 4
    assert sorted(ran.values()) == [1, 1]
    assert recorded(execution, "DecisionTaskCompleted") == 3


@activity.with_attributes(name="faults.late", start_to_close_timeout=1, heartbeat_timeout=60, **TASKS)
def late(marker: str) -> str:
    time.sleep(1.3)
    return marker


class Late(Workflow):
    name = "faults.late"
    task_list = "faults"

    def run(self, marker):
        return str(self.submit(late, marker).exception)


def test_a_result_that_comes_after_the_timeout_of_its_task_is_told(
    simulated: SimulatedAmazon, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), Lab(ADDRESS, notice=quiet) as lab:
        assert lab.start(Late, "late").result(60) == "START_TO_CLOSE timeout of 1 s"
        until(lambda: "came too late" in caplog.text)
    assert "the task was closed by its START_TO_CLOSE timeout. It counts as not run" in caplog.text


@pytest.mark.parametrize("times", [4, *repeats([9])])
def test_more_throttles_than_botocore_bears_lose_no_answer(
    simulated: SimulatedAmazon, environment: pytest.MonkeyPatch, times: int
) -> None:
    """P1: nine of them lost a result of upstream's, and the workflow completed without it."""
    environment.setenv("SWF_CONNECTION_RETRIES", "0")
    answers = ("RespondDecisionTaskCompleted", "RespondActivityTaskCompleted", "RespondActivityTaskFailed")
    simulated.faults = Faults({operation: ["throttle"] * times for operation in answers})
    with Lab(ADDRESS, notice=quiet, activity_threads=8) as lab:
        execution = lab.start(Patient, 4)
        assert execution.result(100) == 4
    assert recorded(execution, "ActivityTaskScheduled") == 1
    assert recorded(execution, "DecisionTaskTimedOut") == 0


@activity.with_attributes(name="faults.slow", heartbeat_timeout=300, **TASKS)
def slow(x: int) -> int:
    ran[activity.current_context()["activity_id"]] += 1
    time.sleep(0.5)
    return x


class Patient(Workflow):
    name = "faults.patient"
    task_list = "faults"

    def run(self, x):
        return self.submit(slow, x).result


class Slow(Workflow):
    name = "faults.slow"
    task_list = "faults"

    def run(self, x):
        return sum(each.result for each in self.map(slow, range(x)))


@pytest.mark.parametrize("seconds", [2, *repeats([30])])
def test_f9_an_outage_ends_no_poller_and_loses_and_repeats_nothing(
    simulated: SimulatedAmazon, environment: pytest.MonkeyPatch, seconds: int
) -> None:
    environment.setenv("SWF_CONNECTION_RETRIES", "0")
    ran.clear()
    with Lab(ADDRESS, notice=quiet, activity_threads=3) as lab:
        execution = lab.start(Slow, 6)
        until(lambda: ran)
        simulated.is_down = True
        time.sleep(seconds)
        simulated.is_down = False
        assert execution.result(200) == sum(range(6))
    assert sorted(ran.values()) == [1] * 6
    assert recorded(execution, "ActivityTaskTimedOut") == recorded(execution, "DecisionTaskTimedOut") == 0


def test_f9_credentials_that_expire_and_come_back_lose_nothing(
    simulated: SimulatedAmazon, environment: pytest.MonkeyPatch
) -> None:
    valid = ["first"]
    expired = ("com.amazon.coral.service#ExpiredTokenException", "The security token included is expired")
    simulated.accepts = lambda headers: None if headers.get("X-Amz-Security-Token") in valid else expired
    environment.setenv("AWS_SESSION_TOKEN", "first")
    ran.clear()
    with Lab(ADDRESS, notice=quiet, activity_threads=3) as lab:
        execution = lab.start(Slow, 3)
        until(lambda: ran)
        valid[:] = ["second"]
        with pytest.raises(CredentialsError, match="the AWS credentials have expired: get new ones"):
            lab.domains()
        until(lambda: simulated.calls["RespondActivityTaskCompleted"])
        environment.setenv("AWS_SESSION_TOKEN", "second")
        ended: dict[str, Any] = {"domain": "etl", "startTimeFilter": {"oldestDate": 0}}
        until(lambda: simulated.engine.list_closed_workflow_executions(**ended)["executionInfos"])
        assert execution.result(60) == 3
    assert sorted(ran.values()) == [1] * 3


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "stories"), [(0.1, 1), *trials([(0.1, 5), (0.3, 5)])])
def test_f8_any_request_may_fail_in_any_way(simulated: SimulatedAmazon, rate: float, stories: int) -> None:
    """A tenth of all requests, or almost a third of them."""
    simulated.faults = Faults(rate=rate, seed=int(rate * 100))
    with Lab(ADDRESS, notice=quiet, activity_threads=4) as lab:
        for _ in range(stories):
            execution = story(lab)
            assert recorded(execution, "ActivityTaskCompleted") == 4
            assert recorded(execution, "WorkflowExecutionCompleted") == 1
    assert sum(simulated.made.values()) >= stories


@pytest.mark.trial
@pytest.mark.timeout(500)
@pytest.mark.parametrize("fault", ["throttle", "error", "unavailable", "refuse", "reset"])
def test_f8_fifty_requests_after_another_fail_and_nothing_is_lost(simulated: SimulatedAmazon, fault: str) -> None:
    with Lab(ADDRESS, notice=quiet, activity_threads=4) as lab:
        execution = lab.start(Story, 4)
        until(lambda: simulated.calls["PollForActivityTask"])
        simulated.faults = Faults(rate=1.0, kinds=[fault])
        while simulated.made[fault] < 50:  # pollers alone ask after ever longer pauses
            with pytest.raises(SimpleflowLabError):
                execution.describe()
        simulated.faults = Faults()
        execution.signal("go", '{"args": ["on"], "kwargs": {}}')
        assert execution.result(200) == STORY
    assert recorded(execution, "ActivityTaskCompleted") == 4


@pytest.mark.trial
@pytest.mark.timeout(400)
@pytest.mark.parametrize("operation", ["RespondActivityTaskCompleted", "RespondDecisionTaskCompleted"])
def test_f8_an_answer_whose_response_never_comes_is_recorded_once(simulated: SimulatedAmazon, operation: str) -> None:
    simulated.faults = Faults({operation: ["stall"]})
    ran.clear()
    with Lab(ADDRESS, notice=quiet) as lab:
        execution = lab.start(Patient, 4)
        assert execution.result(300) == 4
    assert simulated.made["stall"] == 1
    assert sorted(ran.values()) == [1]
    assert recorded(execution, "ActivityTaskCompleted") == 1


class Noisy(Workflow):
    """The input of one signal of very many."""

    name = "faults.noisy"
    task_list = "faults"

    def run(self):
        return self.submit(self.wait_signal("go")).result["args"]


def test_a_page_of_a_history_that_does_not_come_is_asked_for_again(simulated: SimulatedAmazon) -> None:
    """P11: upstream's decider died of the first page, and lost the decision task of another one until its timeout."""
    with Lab(ADDRESS, notice=quiet, serve="nothing") as lab:
        execution = lab.start(Noisy)
        ids = {"domain": lab.domain, "workflowId": execution.workflow_id, "runId": execution.run_id}
        for _ in range(1_000):
            simulated.engine.signal_workflow_execution(signalName="noise", **ids)
        simulated.engine.signal_workflow_execution(signalName="go", input='{"args": ["on"], "kwargs": {}}', **ids)
        # The first poll is refused, the second one brings the first page; the second page takes three requests.
        simulated.faults = Faults({"PollForDecisionTask": ["throttle", "", "throttle", "reset"]})
        lab.start_deciders(task_list="faults")
        assert execution.result(100) == ["on"]
    assert simulated.made["reset"] == 1
    assert recorded(execution, "DecisionTaskStarted") == 1
    assert recorded(execution, "DecisionTaskTimedOut") == 0

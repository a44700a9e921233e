"""`decider.start` and `worker.start` on Amazon SWF, which is an engine of this process behind its endpoint."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from simpleflow_lab import Lab
from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.http.server import Endpoint
from simpleflow_lab.swf.conventions import is_given_back
from tests.cli import supervised_flows as flows
from tests.cli.supervised import LONG, Command, kill_one_at_work, running, starting, suspended
from tests.examples_count import repeats, trials
from tests.waiting import until

ADDRESS = "aws://eu-west-1/etl"
MODULE = ("--module", "supervised_flows")
Start = Callable[..., Command]


@contextmanager
def amazon(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, poll_seconds: float
) -> Iterator[tuple[EmbeddedSWF, Start]]:
    """An engine of this process that is Amazon SWF for commands, and what starts them."""
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    with EmbeddedSWF(poll_seconds=poll_seconds) as engine, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        engine.register_domain(name="etl", workflowExecutionRetentionPeriodInDays="30")
        endpoint = Endpoint(engine)
        for name, value in {
            **endpoint.environment,
            "AWS_ENDPOINT_URL_STS": f"http://127.0.0.1:{closed.getsockname()[1]}",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1",
            "SIMPLEFLOW_LAB_STORE": ADDRESS,
        }.items():
            monkeypatch.setenv(name, str(value))
        with starting(folder) as begin:
            yield engine, begin
        engine.release_polls()
        endpoint.close()


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """What starts commands, for which an engine of this process is Amazon SWF."""
    with amazon(tmp_path, monkeypatch, poll_seconds=0.3) as (_, begin):
        yield begin


def test_they_serve_are_listed_on_this_machine_and_give_back_what_is_canceled(start: Start, tmp_path: Path) -> None:
    with Lab(ADDRESS, serve="nothing", notice=lambda text: None) as lab:
        execution = lab.start(flows.Gate, str(tmp_path))
        decides = start("decider.start", "-N", "2", *MODULE)
        works = start("worker.start", "-N", "1", *MODULE)
        (began,) = until(lambda: list(tmp_path.glob("began-*")))
        # Amazon SWF does not tell who polls: the supervisors of this machine do.
        (worker,) = until(lambda: [each for each in lab.pollers() if each.tasks and each.kind == "activity worker"])
        assert worker.task_list == "supervised-activities"
        assert worker.tasks[0].workflow_id == execution.workflow_id
        assert began.name == f"began-{worker.pid}"
        # Nor how many polls of theirs wait: none of one that starts.
        until(lambda: {each.waiting_polls for each in lab.pollers() if each.supervisor} == {None})
        listed = start("--format", "json", "--columns", "kind,waiting polls", "worker.list")
        assert listed.wait() == 0
        assert {row["waiting polls"] for row in json.loads(listed.out)} == {None}
        works.send(signal.SIGTERM)
        until(lambda: "finish what they have" in works.said)
        assert works.stop(signal.SIGINT) == 130
        (tmp_path / "open").touch()
        again = start("worker.start", "-N", "1", *MODULE)
        assert execution.result(LONG) != worker.pid
        failed = [event.attributes for event in execution.history() if event.type == "ActivityTaskFailed"]
        assert [is_given_back(attributes["details"]) for attributes in failed] == [True]
        # A poll that waits is in progress, too: they end when it has ended.
        assert again.stop() == 0
        until(lambda: len(decides.children()) == 2)
        assert decides.stop() == 0
        assert not lab.pollers()
        # Account, region and domain are told once for all processes of a command, and are no warning.
        assert decides.said.count("Amazon SWF: account") == 1
        assert "WARNING" not in decides.said


@pytest.mark.trial
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("processes", "kills"), [(2, 2), *repeats([(2, 2)] * 49)])
def test_f3_activities_whose_processes_are_killed_run_again_after_their_heartbeats_and_complete_once(
    start: Start, tmp_path: Path, processes: int, kills: int
) -> None:
    with Lab(ADDRESS, serve="nothing", notice=lambda text: None) as lab:
        execution = lab.start(flows.Killed, str(tmp_path), kills)
        start("decider.start", "-N", "1", *MODULE)
        works = start("worker.start", "-N", str(processes), *MODULE)
        for _ in range(kills):
            kill_one_at_work(tmp_path, works)
        assert execution.result(20 * LONG) == list(range(kills))
        events = Counter(event.type for event in execution.history())
        assert events["ActivityTaskCompleted"] == kills
        timed_out = [event.attributes for event in execution.history() if event.type == "ActivityTaskTimedOut"]
        # More than that if a busy machine stops a worker for as long as a heartbeat takes.
        assert len(timed_out) >= kills
        assert {attributes["timeoutType"] for attributes in timed_out} == {"HEARTBEAT"}
        assert events["ActivityTaskScheduled"] == kills + len(timed_out)
        until(lambda: works.said.count("was killed by SIGKILL; it starts again in") == kills)


@pytest.mark.trial
@pytest.mark.slow
def test_f5_a_worker_that_is_suspended_for_longer_than_its_heartbeat_timeout_answers_too_late_and_goes_on(
    start: Start, tmp_path: Path
) -> None:
    with Lab(ADDRESS, serve="nothing", notice=lambda text: None) as lab:
        execution = lab.start(flows.Killed, str(tmp_path), 1)
        start("decider.start", "-N", "1", *MODULE)
        works = start("worker.start", "-N", "1", *MODULE)
        number, pid = until(lambda: next(running(tmp_path, works), None))
        process = suspended(pid)
        (tmp_path / f"killed-{number}").touch()  # so its next attempt returns, and this one when it is resumed
        start("worker.start", "-N", "1", *MODULE)
        assert execution.result(LONG) == [number]
        process.resume()
        # It returns its result too late, or is canceled by a heartbeat that comes first.
        until(lambda: not [each for each in lab.pollers() if each.pid == pid and each.tasks])
        types = [event.type for event in execution.history()]
        assert types.count("ActivityTaskCompleted") == types.count("ActivityTaskTimedOut") == 1
        assert types[-1] == "WorkflowExecutionCompleted"
        # It is the same process, and works on.
        assert [each.pid for each in works.children()] == [pid]
        assert works.stop() == 0


def test_a_service_that_is_not_there_yet_is_waited_for(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EmbeddedSWF(poll_seconds=0.3) as engine:
        engine.register_domain(name="etl", workflowExecutionRetentionPeriodInDays="30")
        first = Endpoint(engine)
        port = first.environment["AWS_ENDPOINT_URL_SWF"].rpartition(":")[2]
        first.close()
        for name, value in first.environment.items():
            monkeypatch.setenv(name, str(value))
        monkeypatch.setenv("SWF_CONNECTION_RETRIES", "0")
        works = start("worker.start", "-N", "1", *MODULE)
        until(lambda: "can't be reached" in works.said and "it starts again in" in works.said)
        later = Endpoint(engine, port=int(port), keys=first.keys)
        monkeypatch.setenv("AWS_ENDPOINT_URL_SWF", later.url)
        try:
            with Lab(ADDRESS, serve="decisions", notice=lambda text: None) as lab:
                (tmp_path / "open").touch()
                assert lab.start(flows.Gate, str(tmp_path)).result(LONG)
            assert works.stop() == 0
        finally:
            later.close()


LINGERS = "Amazon SWF can't take back a poll that waits"


def test_a_start_that_has_its_result_does_what_its_last_polls_still_get(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        amazon(tmp_path, monkeypatch, poll_seconds=60) as (engine, start),
        Lab(ADDRESS, serve="nothing", notice=lambda text: None) as lab,
    ):
        command = start("workflow.start", "supervised_flows.Pids", "-i", "[1]")
        until(lambda: LINGERS in command.said)
        other = lab.start(flows.Pids, 1)
        until(lambda: "ActivityTaskCompleted" in [event.type for event in other.history()])
        assert other.history()[-1].type == "DecisionTaskScheduled"  # it polls no more
        engine.release_polls()
        assert command.wait() == 0
        assert json.loads(command.out) == [command.pid]


def test_a_lab_that_is_closed_does_what_its_last_polls_still_get(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    with (
        amazon(tmp_path, monkeypatch, poll_seconds=60) as (engine, _),
        Lab(ADDRESS, serve="nothing", notice=told.append) as starts,
    ):
        with Lab(ADDRESS, notice=told.append) as lab:
            assert lab.start(flows.Pids, 1).result(LONG) == [os.getpid()]
            closing = threading.Thread(target=lab.close)
            closing.start()
            until(lambda: LINGERS in told[-1])
            other = starts.start(flows.Pids, 1)
            until(lambda: "ActivityTaskCompleted" in [event.type for event in other.history()])
            engine.release_polls()
            closing.join(LONG)
            assert lab.closed
        assert other.history()[-1].type == "DecisionTaskScheduled"  # it polls no more
        with Lab(ADDRESS, notice=told.append) as lab:
            lab.start_workers(1, task_list="supervised-activities")
            lab.close(waits_for_polls=False)
        assert LINGERS not in told[-1]


def test_the_second_signal_waits_for_no_poll(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with amazon(tmp_path, monkeypatch, poll_seconds=10 * LONG) as (engine, start):
        works = start("worker.start", "-N", "1", *MODULE)
        until(lambda: [each["waitingPolls"] for each in engine.pollers(domain="etl")["pollers"]] == [1])
        works.send(signal.SIGTERM)
        until(lambda: "finish what they have" in works.said)
        assert works.stop(signal.SIGINT) == 130
        assert LINGERS not in works.said


def test_an_interrupt_does_not_wait_for_the_last_polls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with amazon(tmp_path, monkeypatch, poll_seconds=10 * LONG) as (_, start):
        done = start("workflow.start", "supervised_flows.Pids", "-i", "[1]")
        until(lambda: LINGERS in done.said)
        assert done.stop(signal.SIGINT) == 0
        assert json.loads(done.out) == [done.pid]
        words = ("workflow.start", "supervised_flows.Gate", "-i", json.dumps([str(tmp_path)]))
        interrupted = start(*words)
        until(lambda: list(tmp_path.glob("began-*")))
        interrupted.send(signal.SIGINT)
        until(lambda: LINGERS in interrupted.said)
        assert interrupted.stop(signal.SIGINT) == 130
        assert interrupted.said.count("the execution goes on where it stood: simpleflow resume") == 1
        assert "Traceback" not in interrupted.said


def test_a_start_for_others_has_no_poll_to_wait_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with amazon(tmp_path, monkeypatch, poll_seconds=10 * LONG) as (_, start):
        command = start("workflow.start", "supervised_flows.Pids", "-i", "[1]", "--detach")
        assert command.wait() == 0
        assert LINGERS not in command.said


@pytest.mark.parametrize("workflow", ["Parent", *trials(["Pids"])])
def test_a_start_runs_its_activities_when_another_process_decides_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workflow: str
) -> None:
    with amazon(tmp_path, monkeypatch, poll_seconds=60) as (engine, start):
        decides = start("decider.start", "-N", "1", *MODULE)
        # Whose poll waits first gets the decision.
        until(lambda: [each["waitingPolls"] for each in engine.pollers(domain="etl")["pollers"]] == [1])
        arguments = ["-i", "[1]"] if workflow == "Pids" else []
        command = start("workflow.start", f"supervised_flows.{workflow}", *arguments, "--workflow-id", "decided-there")
        until(lambda: LINGERS in command.said)
        (done,) = engine.list_closed_workflow_executions(
            domain="etl", startTimeFilter={"oldestDate": 0}, executionFilter={"workflowId": "decided-there"}
        )["executionInfos"]
        events = engine.get_workflow_execution_history(domain="etl", execution=done["execution"])["events"]
        deciders = [
            event["decisionTaskStartedEventAttributes"]["identity"]
            for event in events
            if event["eventType"] == "DecisionTaskStarted"
        ]
        assert str(decides.children()[0].pid) in deciders[0]
        engine.release_polls()
        assert command.wait() == 0
        assert json.loads(command.out) == [command.pid]

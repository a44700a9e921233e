"""Every command on Amazon SWF: over boto3 and the wire, to an engine that is reached as Amazon is."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from simpleflow_lab.commands.command_table import MODULES
from tests.amazon.simulated import SimulatedAmazon
from tests.examples_count import trials

pytestmark = pytest.mark.slow

Command = Callable[..., Any]
ROOT = Path(__file__).resolve().parents[2]
ADDRESS = "aws://eu-west-1/etl"

WORDS: dict[str, list[str]] = {
    "activity.rerun": ["b1", "double", "--yes"],
    "doctor": [],
    "domain.deprecate": ["other"],
    "domain.info": ["etl"],
    "domain.list": [],
    "domain.register": ["other"],
    "domain.undeprecate": ["other"],
    "resume": ["b1"],
    "task.info": ["b1", "double"],
    "task_list.list": [],
    "workflow.cancel": ["b2"],
    "workflow.compare": ["b1", "b1"],
    "workflow.explain": ["b1"],
    "workflow.filter": ["--workflow-id", "b1", "-c", "COMPLETED"],
    "workflow.fork": ["b1", "--at", "2", "--detach"],
    "workflow.history": ["b1"],
    "workflow.info": ["b1"],
    "workflow.list": [],
    "workflow.profile": ["b1"],
    "workflow.replay": ["b1"],
    "workflow.restart": ["b2"],
    "workflow.signal": ["b2", "go"],
    "workflow.statistics": [],
    "workflow.tasks": ["etl", "b1"],
    "workflow.terminate": ["b2"],
}
"""The commands of the service, with their words."""
OTHERS = {
    *("completion", "gantt", "info", "open"),  # without a service, or with a history only
    *("decider.start", "engine.start", "standalone", "worker.list", "worker.start", "worker.stop"),  # processes
    "workflow.logs",  # which Amazon does not keep
    "workflow.retry_decision",  # a test of its own: it answers an execution that waits with an error
    "workflow.start",  # every test makes one
    "debug",  # its answer is a text
    "workflow.to_test",  # it writes files: tests/cli/test_recorded_tests.py
}


@pytest.fixture(scope="module")
def amazon() -> Iterator[SimulatedAmazon]:
    """What the environment says is Amazon SWF."""
    with pytest.MonkeyPatch.context() as environment, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            environment.delenv(name)
        with SimulatedAmazon() as simulated:
            simulated.engine.register_domain(name="etl", workflowExecutionRetentionPeriodInDays="30")
            settings = {
                **simulated.environment,
                "AWS_CONFIG_FILE": "/dev/null",
                "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
                "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_ENDPOINT_URL_STS": f"http://127.0.0.1:{closed.getsockname()[1]}",
            }
            for name, value in settings.items():
                environment.setenv(name, value)
            yield simulated


@pytest.fixture
def on_amazon(simpleflow: Command, amazon: SimulatedAmazon) -> Command:
    """A command on Amazon SWF, where `b1` has completed; `b2` has, too, or was terminated."""

    def run(*words: str) -> Any:
        return simpleflow("--store", ADDRESS, *words)

    if "b1" not in run("workflow.list").out:
        for id in ("b1", "b2"):
            started = run("workflow.start", "examples.basic.BasicWorkflow", "--workflow-id", id, "-i", "[1, 0]")
            assert (started.code, started.out) == (0, "(1 + 1) * 2 = 4\n4\n"), started.err
    return run


def test_no_command_is_forgotten() -> None:
    assert set(WORDS) | OTHERS == set(MODULES)


@pytest.mark.parametrize("command", [name for name in WORDS if not name.startswith("domain.")])
def test_a_command_does_on_amazon_what_it_does_on_a_store(on_amazon: Command, command: str) -> None:
    if command in ("workflow.cancel", "workflow.terminate", "workflow.signal"):
        assert on_amazon("workflow.restart", "b2").code == 0
    ended = on_amazon("--format", "json", command, *WORDS[command])
    assert ended.code == 0, ended.err
    assert "Traceback" not in ended.err
    if command in ("workflow.cancel", "workflow.signal", "workflow.restart"):
        assert on_amazon("workflow.terminate", "b2").code == 0
    if command not in ("workflow.cancel", "workflow.signal", "workflow.terminate"):
        assert json.loads(ended.out) is not None


def polls(amazon: SimulatedAmazon) -> int:
    """How many polls came."""
    return amazon.calls["PollForDecisionTask"] + amazon.calls["PollForActivityTask"]


def test_what_starts_an_execution_for_others_takes_no_task_along(on_amazon: Command, amazon: SimulatedAmazon) -> None:
    before = polls(amazon)
    words = ("workflow.start", "examples.basic.BasicWorkflow", "--workflow-id", "for-others", "-i", "[1, 0]")
    assert on_amazon(*words, "--detach").code == 0
    events = json.loads(on_amazon("--format", "json", "workflow.history", "for-others").out)
    assert [event["type"] for event in events] == ["WorkflowExecutionStarted", "DecisionTaskScheduled"]
    assert polls(amazon) == before
    assert on_amazon("workflow.terminate", "for-others").code == 0


NEVER_CLOSED = """
from examples.basic import BasicWorkflow
from simpleflow_lab import Lab
lab = Lab("aws://eu-west-1/etl")
print(lab.start(BasicWorkflow, 1, 0).result(timeout=60))
"""


@pytest.mark.usefixtures("amazon")
def test_a_program_that_ends_without_closing_its_lab_is_told_what_becomes_of_its_last_polls() -> None:
    ended = subprocess.run([sys.executable, "-c", NEVER_CLOSED], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stdout.splitlines()[-1]) == (0, "4"), ended.stderr
    assert "aws://eu-west-1/etl was not closed: a task that one of its last polls" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_execution_of_a_list_is_asked_for_once(on_amazon: Command, amazon: SimulatedAmazon) -> None:
    """The list says that it is there: only what it waits for, or its history, is asked for."""
    words = ("workflow.start", "examples.basic.BasicWorkflow", "--workflow-id", "listed", "-i", "[1, 0]")
    assert on_amazon(*words, "--detach").code == 0
    before = amazon.calls.copy()
    assert "a decision" in on_amazon("workflow.list").out
    assert on_amazon("workflow.statistics", "--workflow-id", "listed").code == 0
    asked = amazon.calls - before
    assert asked["DescribeWorkflowExecution"] == 1
    assert asked["GetWorkflowExecutionHistory"] == 1
    assert on_amazon("workflow.terminate", "listed").code == 0


@pytest.mark.parametrize("command", ["workflow.list", "workflow.start"])
def test_a_log_at_debug_has_no_credentials(
    on_amazon: Command, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, command: str
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "canary-session-token")
    monkeypatch.setenv("LOG_LEVEL", "debug")
    words = {"workflow.start": ["examples.basic.BasicWorkflow", "--workflow-id", "debugged", "-i", "[1, 0]"]}
    ended = on_amazon(command, *words.get(command, []))
    assert ended.code == 0, ended.err
    said = ended.err + caplog.text
    assert "DEBUG" in said
    for secret in ("canary-session-token", os.environ["AWS_SECRET_ACCESS_KEY"], "Signature="):
        assert secret not in said


def test_task_lists_are_listed_by_one_request_for_each_execution_that_runs_no_activity(
    on_amazon: Command, amazon: SimulatedAmazon
) -> None:
    for number in range(3):
        words = ("workflow.start", "examples.basic.BasicWorkflow", "--workflow-id", f"many-{number}", "-i", "[1, 0]")
        assert on_amazon(*words, "--detach").code == 0
    before = amazon.calls.copy()
    (row,) = json.loads(on_amazon("--format", "json", "task_list.list").out)
    asked = amazon.calls - before
    assert row["decision tasks"] == 3
    assert (asked["DescribeWorkflowExecution"], asked["GetWorkflowExecutionHistory"]) == (3, 0)
    for number in range(3):
        assert on_amazon("workflow.terminate", f"many-{number}").code == 0


def test_info_shows_the_domain_that_is_used(simpleflow: Command) -> None:
    for store, domain in ((ADDRESS, "etl"), ("aws://eu-west-1", ""), (":memory:", "lab")):
        shown = json.loads(simpleflow("--store", store, "--format", "json", "info", "settings").out)
        assert {row["name"]: row["value"] for row in shown}["domain"] == domain


LISTS = [
    "domain.list", "task.info", "task_list.list", "workflow.filter", "workflow.info", "workflow.list",
    "workflow.profile", "workflow.statistics", "workflow.tasks",
]  # fmt: skip
EVERY_TIME = ("task.info", "workflow.list")
"""Of an execution, and of the service. Each command opens a Lab, which takes longest on Amazon SWF."""


@pytest.mark.parametrize(
    ("place", "command"),
    [
        *(("a store", command) for command in LISTS),
        *(("Amazon", command) for command in EVERY_TIME),
        *trials(("Amazon", command) for command in LISTS if command not in EVERY_TIME),
    ],
)
def test_a_list_takes_the_options_of_the_output_wherever_it_comes_from(
    simpleflow: Command, request: pytest.FixtureRequest, place: str, command: str
) -> None:
    run: Command = simpleflow if place == "a store" else request.getfixturevalue("on_amazon")
    if place == "a store":
        run("workflow.start", "examples.basic.BasicWorkflow", "--workflow-id", "b1", "-i", "[1, 0]")
    words = [word if word != "etl" or place == "Amazon" else "lab" for word in WORDS[command]]

    def rows(*options: str) -> list[dict[str, Any]]:
        ended = run("--format", "json", command, *words, *options)
        assert ended.code == 0, ended.err
        found: list[dict[str, Any]] = json.loads(ended.out)
        return found

    everything = rows()
    if not everything:  # no task list of Amazon SWF has a backlog that a decider of ours has seen
        assert command == "task_list.list"
        return
    name, value = next((name, value) for name, value in everything[0].items() if isinstance(value, str) and value)
    column = name.replace(" ", "_")
    assert rows("--limit", "1") == everything[:1]
    assert rows("--limit", "0") == rows("--filter", f"{column}=no such value") == []
    filtered = rows("--filter", f"{column}={value}")
    assert [row[name] for row in filtered] == [row[name] for row in everything if row[name] == value]
    assert rows("--columns", column) == [{name: row[name]} for row in everything]
    texts = [row[name] for row in rows(f"--sort=-{column}")]
    assert texts == sorted(texts, reverse=True)
    for format, separator in (("csv", ","), ("tsv", "\t")):
        ended = run("--format", format, command, *words)
        assert (ended.code, ended.out.splitlines()[0].split(separator)) == (0, list(everything[0]))
    for wrong in (("--columns", "nosuch"), ("--sort", "nosuch"), ("--filter", "nosuch=1"), ("--watch", "0")):
        ended = run(command, *words, *wrong)
        told = [line for line in ended.err.splitlines() if "Amazon SWF: account" not in line]
        assert (ended.code, ended.out, len(told)) == (2, "", 1), wrong


def test_an_execution_on_amazon_none_of_whose_decisions_is_blocked_is_one_line(on_amazon: Command) -> None:
    assert on_amazon("workflow.restart", "b2").code == 0
    ended = on_amazon("workflow.retry_decision", "b2")
    assert on_amazon("workflow.terminate", "b2").code == 0
    assert (ended.code, ended.out) == (2, "")
    assert "simpleflow: no decision of b2 is blocked" in ended.err


def test_domains_on_amazon(on_amazon: Command) -> None:
    for command in ("domain.register", "domain.info", "domain.deprecate", "domain.undeprecate", "domain.list"):
        assert on_amazon(command, *WORDS[command]).code == 0
    listed = json.loads(on_amazon("--format", "json", "domain.list").out)
    assert {row["domain"]: row["retention_days"] for row in listed}["other"] == "30"  # SWF's longest is 90


@pytest.mark.usefixtures("amazon")
def test_the_doctor_says_what_credentials_do_not_allow(simpleflow: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    ended = simpleflow("--format", "json", "--store", ADDRESS, "doctor")
    assert ended.code == 1
    problems = [row for row in json.loads(ended.out) if row["state"] == "problem"]
    assert problems
    assert all(row["what to do"] for row in problems)
    assert "wrong" not in ended.out + ended.err

"""The command table: words in, records out, nothing printed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from examples.basic import BasicWorkflow
from simpleflow_lab import Execution, Lab, RecordedExecution, Workflow
from simpleflow_lab.commands.command_specs import describe
from simpleflow_lab.commands.command_table import Help, run, table
from simpleflow_lab.commands.environment import REDACTED, environment
from simpleflow_lab.commands.executions import ListedExecutions
from simpleflow_lab.commands.imports import workflow_named
from simpleflow_lab.commands.inspection import ExecutionTasks, Inspection, OpenedHistory
from simpleflow_lab.commands.output_options import FORMATS
from simpleflow_lab.commands.parameters import Target
from simpleflow_lab.commands.session import Session
from simpleflow_lab.commands.workflow import Outcome, Resumed
from simpleflow_lab.exceptions import UsageError, WorkflowExecutionFailed, WorkflowNotRegisteredError

RECORDED = Path(__file__).resolve().parents[1] / "histories" / "workflow_execution_basic.json"


@pytest.fixture(autouse=True)
def _defined_last() -> None:
    """By a name that several workflows have, the one that was defined last is meant: other tests have such."""
    super(BasicWorkflow, BasicWorkflow).__init_subclass__()


@pytest.fixture
def session(lab: Lab) -> Session:
    """A session on a Lab that somebody else opened, as in a notebook."""
    return Session(lambda *_: lab)


@pytest.fixture(autouse=True)
def _nothing_is_printed(request: pytest.FixtureRequest) -> Iterator[None]:
    """What is printed is the workflow's own."""
    capsys: pytest.CaptureFixture[str] = request.getfixturevalue("capsys")
    yield
    out, err = capsys.readouterr()
    assert not {line for line in out.splitlines() if line != "(1 + 1) * 2 = 4" and not line.startswith("caught: ")}
    assert err == ""


def test_start_gives_the_execution_and_its_result(session: Session) -> None:
    started = run(["workflow.start", "BasicWorkflow", "-i", "[1, 0]", "--workflow-id", "b1"], session)
    assert isinstance(started, Outcome)
    assert (started.execution.workflow_id, started.finished, started.result, started.error) == ("b1", True, 4, None)
    assert session.last is started.execution


def test_a_failed_execution_is_a_record_with_its_error(session: Session) -> None:
    started = run(["workflow.start", "examples.failing.Failing", "-i", '{"kwargs": {"strict": true}}'], session)
    assert isinstance(started, Outcome)
    assert started.finished
    assert isinstance(started.error, WorkflowExecutionFailed)


def test_options_of_start_are_swfs(session: Session, lab: Lab) -> None:
    words = ["--tags", "a, b", "--task-list", "mine", "--execution-timeout", "60", "--decision-tasks-timeout", "NONE"]
    started = run(["workflow.start", "basic", "-i", "[1, 0]", *words], session)
    assert isinstance(started, Outcome)
    attributes = started.execution.history()[0].attributes
    assert attributes["tagList"] == ["a", "b"]
    assert attributes["taskList"] == {"name": "mine"}
    assert attributes["executionStartToCloseTimeout"] == "60"
    assert attributes["taskStartToCloseTimeout"] == "NONE"


@pytest.mark.parametrize("name", ["BasicWorkflow", "basic", "examples.basic.BasicWorkflow"])
def test_a_workflow_is_named_by_its_class_its_type_or_its_module(name: str) -> None:
    assert workflow_named(name) is BasicWorkflow


def test_the_session_watches_the_execution_that_a_command_waits_for(lab: Lab) -> None:
    watched = []

    def watch(execution: Execution) -> None:
        watched.append(execution.workflow_id)
        execution.wait()

    run(
        ["workflow.start", "BasicWorkflow", "-i", "[1, 0]", "--workflow-id", "b1"], Session(lambda *_: lab, watch=watch)
    )
    assert watched == ["b1"]


def test_an_interrupt_while_waiting_leaves_the_execution_known_and_running(lab: Lab) -> None:
    def watch(execution: Execution) -> None:
        raise KeyboardInterrupt

    session = Session(lambda *_: lab, watch=watch)
    with pytest.raises(KeyboardInterrupt):
        run(["workflow.start", "BasicWorkflow", "-i", "[1, 0]", "--workflow-id", "b1"], session)
    assert session.last is not None
    resumed = lab.execution(session.last.workflow_id)
    assert resumed.result(timeout=200) == 4


def test_commands_are_about_the_last_execution_unless_one_is_named(session: Session) -> None:
    for workflow_id in ("b1", "b2"):
        run(["workflow.start", "BasicWorkflow", "-i", "[1, 0]", "--workflow-id", workflow_id], session)
    for command in ("workflow.info", "workflow.tasks", "workflow.profile", "workflow.history", "gantt"):
        for words, expected in (([], "b2"), (["b1"], "b1"), (["lab", "b1"], "b1")):
            record = run([command, *words], session)
            assert isinstance(record, Inspection)
            assert record.execution.workflow_id == expected


def test_of_two_words_the_first_is_a_domain_if_there_is_one_of_that_name(session: Session) -> None:
    run(["workflow.start", "BasicWorkflow", "-i", "[1, 0]", "--workflow-id", "lab"], session)
    assert isinstance(session.last, Execution)
    run_id = session.last.run_id
    assert session.execution(Target(words=("lab", "lab"))).run_id == run_id
    assert session.execution(Target(words=("lab", run_id), domain="lab")).run_id == run_id
    assert session.execution(Target(words=("lab", "lab", run_id))).run_id == run_id
    with pytest.raises(UsageError, match="no execution"):
        session.execution(Target(words=("lab", run_id)))


def test_a_history_in_a_file_becomes_the_last_execution(session: Session) -> None:
    opened = run(["open", str(RECORDED)], session)
    assert isinstance(opened, OpenedHistory)
    assert isinstance(opened.execution, RecordedExecution)
    tasks = run(["workflow.tasks", "-n", "3"], session)
    assert isinstance(tasks, ExecutionTasks)
    assert (tasks.execution, tasks.nb_tasks) == (opened.execution, 3)
    with pytest.raises(UsageError, match="opened from a file"):
        run(["workflow.terminate"], session)


def test_nothing_named_and_nothing_started_says_how_to_name_one(session: Session) -> None:
    with pytest.raises(UsageError, match="WORKFLOW_ID"):
        run(["workflow.tasks"], session)


class WaitingForever(Workflow):
    name = "waiting"

    def run(self) -> object:
        return self.submit(self.wait_signal("go")).result


def test_list_filters_by_status_and_age(session: Session) -> None:
    run(["workflow.start", "BasicWorkflow", "-i", "[1, 0]", "--workflow-id", "b1"], session)
    run(["workflow.start", "WaitingForever", "--detach", "--workflow-id", "s1"], session)

    def listed(*words: str) -> list[str]:
        record = run(["workflow.list", *words], session)
        assert isinstance(record, ListedExecutions)
        return [info["execution"]["workflowId"] for info in record.infos]

    assert sorted(listed()) == ["b1", "s1"]
    assert listed("-s", "closed") == ["b1"]
    assert listed("lab", "-s", "open") == ["s1"]
    assert listed("-d", "0") == []
    run(["workflow.terminate", "s1"], session)
    assert listed("-s", "open") == []


def test_resume_goes_on_with_all_that_is_open_and_says_what_is_not_defined(lab: Lab) -> None:
    # Started by somebody who served nothing: as after a crash.
    timeouts = {"executionStartToCloseTimeout": "600", "taskStartToCloseTimeout": "60", "childPolicy": "TERMINATE"}
    for workflow_id, version in (("known", "example"), ("unknown", "2")):
        lab.service.register_workflow_type(domain="lab", name="basic", version=version)
        lab.service.start_workflow_execution(
            domain="lab",
            workflowId=workflow_id,
            workflowType={"name": "basic", "version": version},
            taskList={"name": "example"},
            input='{"args": [1, 0]}',
            **timeouts,
        )
    resumed = run(["resume", "--module", "examples.basic"], Session(lambda *_: lab))
    assert isinstance(resumed, Resumed)
    outcomes = {outcome.execution.workflow_id: outcome for outcome in resumed.outcomes}
    assert outcomes["known"].result == 4
    assert not outcomes["unknown"].finished
    assert isinstance(outcomes["unknown"].error, WorkflowNotRegisteredError)


def test_a_lab_in_another_domain_is_not_used_by_mistake(session: Session) -> None:
    with pytest.raises(UsageError, match="works in domain 'lab', not 'other'"):
        run(["workflow.start", "BasicWorkflow", "-i", "[1, 0]", "-d", "other"], session)


def test_help_is_a_record(session: Session) -> None:
    for words in (["--help"], ["workflow.start", "-h"], ["help", "workflow.start"], []):
        assert isinstance(run(words, session, prog_name="%simpleflow"), Help)
    text = run(["workflow.start", "--help"], session, prog_name="%simpleflow")
    assert isinstance(text, Help)
    assert text.text().startswith("Usage: %simpleflow workflow.start [OPTIONS] WORKFLOW\n")


def test_how_to_show_is_left_to_the_face(session: Session) -> None:
    run(["--format", "csv", "--header", "--color", "never", "--raw", "--debug", "info"], session)
    output = session.output
    assert (output.format, output.header, output.color, output.raw, output.debug) == ("csv", True, "never", True, True)
    run(["info"], session)
    assert session.output.format == "tabular"


def test_every_command_is_described_for_completion() -> None:
    described = {command.name: command for command in describe()}
    assert set(described) == {"", *table.all_commands()}
    assert all(command.summary and not command.summary.endswith("...") for command in described.values())
    start = {parameter.names[-1]: parameter for parameter in described["workflow.start"].parameters}
    assert start["WORKFLOW"].kind == "workflow"
    assert start["--tags"].is_option
    assert start["--local"].kind == "flag"
    (format,) = (parameter for parameter in described[""].parameters if "--format" in parameter.names)
    assert format.choices == FORMATS


def test_every_option_says_what_it_is_for() -> None:
    for command in (table, *table.all_commands().values()):
        for parameter in command.params:
            if isinstance(parameter, click.Option) and parameter.name not in ("color", "status"):
                assert parameter.help, (command.name, parameter.name)


def test_secrets_are_redacted() -> None:
    shown = environment(
        {
            "AWS_SESSION_TOKEN": "x",
            "SIMPLEFLOW_API_PASSWORD": "x",
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_REGION": "eu-west-1",
            "SIMPLEFLOW_URL": "https://me:secret@host/path",
            "HOME": "/root",
        }
    )
    assert shown == {
        "AWS_ACCESS_KEY_ID": REDACTED,
        "AWS_REGION": "eu-west-1",
        "AWS_SESSION_TOKEN": REDACTED,
        "SIMPLEFLOW_API_PASSWORD": REDACTED,
        "SIMPLEFLOW_URL": f"https://{REDACTED}@host/path",
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--domain", "x", "workflow.list"],
            "--domain goes behind the command, as in: simpleflow workflow.list",
        ),
        (
            ["--watch", "2", "workflow", "list"],
            "--watch goes behind the command, as in: simpleflow workflow.list",
        ),
        (
            ["--input", "[1]", "info"],
            "--input goes behind a command that takes it, as in: simpleflow activity.rerun",
        ),
        (["--colour", "never", "info"], "unknown option '--colour': did you mean --color"),
    ],
)
def test_an_option_in_front_of_the_command_is_told_where_it_goes(session: Session, words: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        run(words, session)

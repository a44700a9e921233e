"""`explain`, `critical_path` and `slack` of executions that run: what histories alone don't say, and both faces."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from simpleflow_lab import Chain, Execution, Group, Lab, Workflow, activity, open_history
from simpleflow_lab.cli.renderers import show
from simpleflow_lab.commands.command_table import run
from simpleflow_lab.commands.session import Session
from simpleflow_lab.exceptions import DecisionBlockedError, UsageError
from simpleflow_lab.notebook.renderers import cell_value
from simpleflow_lab.retry import Retry
from simpleflow_lab.views.explanation import Explanation
from simpleflow_lab.views.explanation_lines import ExplanationLine

LIMIT = 200.0
"""Seconds after which a test gives up; nothing here takes long."""


@activity.with_attributes(name="explain.double", task_list="explain", version="1")
def double(n: int) -> int:
    return 2 * n


class Base(Workflow):
    version = "1"
    task_list = "explain"


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab(":memory:") as opened:
        yield opened


@pytest.fixture
def virtual() -> Iterator[Lab]:
    """A Lab whose clock jumps."""
    with Lab(":memory:", clock="virtual") as opened:
        yield opened


def until(execution: Execution, condition: Callable[[Explanation], Any]) -> Explanation:
    """Its explanation, once that is so."""
    deadline = time.monotonic() + LIMIT
    while not condition(found := execution.explain()):
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
    return found


def of(explanation: Explanation, kind: str) -> list[ExplanationLine]:
    return [line for line in explanation if line.kind == kind]


class Signaled(Base):
    name = "explain.signaled"

    def run(self) -> Any:
        return self.submit(self.wait_signal("approved")).result


class Broken(Base):
    name = "explain.broken"
    determinism = "raise"

    def run(self) -> Any:
        return time.time()


class Parent(Base):
    name = "explain.parent"

    def run(self) -> Any:
        return self.submit(Broken).result


def test_a_forgotten_signal_is_named_with_the_command_that_sends_it(lab: Lab) -> None:
    execution = lab.start(Signaled, workflow_id="order-7")
    (wait,) = of(until(execution, lambda found: of(found, "waits") and "signal" in of(found, "waits")[0].text), "waits")
    assert wait.text == "waits for signal approved"
    assert wait.to_do == "execution.signal('approved'), or simpleflow workflow.signal order-7 approved"


@pytest.mark.filterwarnings("ignore::simpleflow_lab.exceptions.DeterminismWarning")
def test_a_parent_says_what_blocks_its_child(lab: Lab) -> None:
    execution = lab.start(Parent)
    with pytest.raises(DecisionBlockedError):
        execution.result(LIMIT)
    first = of(execution.explain(), "waits")[0]
    assert "explain.broken" in first.text
    assert first.text.startswith("can't go on: ")
    assert "ImpureWorkflowError" in first.text
    assert first.to_do.startswith("fix the code")


@activity.with_attributes(name="explain.refuse", task_list="explain", version="1")
def refuse() -> None:
    raise OSError("relay refused")


class Quiet(Base):
    name = "explain.quiet"

    def run(self) -> Any:
        return self.submit(refuse).result


class AboveQuiet(Base):
    name = "explain.above_quiet"

    def run(self, depth: int) -> Any:
        return self.submit(AboveQuiet, depth - 1).result if depth else self.submit(Quiet).result


@pytest.mark.parametrize("depth", [0, 1])
def test_a_parent_names_the_failure_that_nobody_handled_in_a_child_that_completed(lab: Lab, depth: int) -> None:
    execution = lab.start(AboveQuiet, depth)
    assert execution.result(LIMIT) is None
    (line,) = of(execution.explain(), "unhandled")
    assert line.text.startswith("1 failure was not handled in its children: refuse-1 (OSError: relay refused) in work")
    assert lab.execution(line.to_do.split("'")[1]).explain()[2].text == (
        "1 failure was not handled: refuse-1 (OSError: relay refused)"
    )


def test_what_no_process_defines_is_said_to_be_so(lab: Lab) -> None:
    lab.service.register_workflow_type(domain=lab.domain, name="explain.elsewhere", version="1")
    ids = lab.service.start_workflow_execution(
        domain=lab.domain,
        workflowId="nobody-1",
        workflowType={"name": "explain.elsewhere", "version": "1"},
        taskList={"name": "explain"},
        executionStartToCloseTimeout="3600",
        taskStartToCloseTimeout="60",
        childPolicy="TERMINATE",
    )
    (wait,) = of(lab.execution("nobody-1", ids["runId"]).explain(), "waits")
    assert "no process defines explain.elsewhere" in wait.text
    assert "start the process that defines the workflow" in wait.to_do


def test_the_pauses_between_attempts_are_where_the_time_went(virtual: Lab) -> None:
    tries = []

    @activity.with_attributes(name="explain.flaky", task_list="explain", version="1", retry=Retry(initial_interval=600))
    def flaky() -> int:
        tries.append(1)
        if len(tries) < 3:
            raise ConnectionError("no answer")
        return len(tries)

    class Again(Base):
        name = "explain.again"

        def run(self) -> Any:
            return self.submit(flaky).result

    execution = virtual.start(Again)
    assert execution.result(LIMIT) == 3
    explanation = execution.explain()
    (retried,) = of(explanation, "retried")
    assert retried.text == "2 failed attempts were tried again: flaky-1 2 times, last ConnectionError: no answer"
    time_line = of(explanation, "time")[0]
    assert "between attempts of flaky-1" in time_line.text
    assert time_line.seconds is not None
    assert time_line.seconds >= 1200


def test_members_that_max_parallel_deferred_say_so_also_inside_chains_and_groups(virtual: Lab) -> None:
    class Few(Base):
        name = "explain.few"

        def run(self) -> Any:
            inner = Chain((double, 3), (double, 4)), Group((double, 5), (double, 6))
            return self.submit(Group((double, 1), (double, 2), *inner, max_parallel=1)).result

    execution = virtual.start(Few)
    execution.result(LIMIT)
    tasks = execution.tasks()
    held = dict(
        zip(tasks["id"].str.removeprefix("activity-explain.double-"), tasks["max_parallel"].fillna(0), strict=True)
    )
    # Of the chain only the first task was deferred: the second one waited for the first.
    assert {id: number for id, number in held.items() if number == 1}.keys() == {"2", "3", "5", "6"}
    assert tasks["max_parallel"].dtype == "Int64"


def test_dependencies_are_followed_to_the_start_and_the_table_tiles_the_time(virtual: Lab) -> None:
    class Diamond(Base):
        name = "explain.diamond"

        def run(self) -> Any:
            top = self.submit(double, 1)
            self.submit(self.start_timer("hour", 3600)).wait()
            return self.submit(double, self.submit(double, top)).result

    execution = virtual.start(Diamond)
    assert execution.result(LIMIT) == 8
    path, slack = execution.critical_path(), execution.slack()
    assert path["kind"].tolist().count("timer") == 1
    assert path["id"].dropna().drop_duplicates().tolist() == [
        "hour",
        "activity-explain.double-2",
        "activity-explain.double-3",
    ]
    assert (path["end"].iloc[:-1].to_numpy() == path["start"].iloc[1:].to_numpy()).all()
    assert path["percentage"].sum() == pytest.approx(100)
    assert slack.loc[slack["on_path"], "slack"].tolist() == [0, 0]
    assert slack.loc[~slack["on_path"], "slack"].item() >= 3599


def test_the_columns_are_the_same_when_nothing_ran(tmp_path: Path, lab: Lab) -> None:
    class Nothing(Base):
        name = "explain.nothing"

        def run(self) -> Any:
            return 1

    execution = lab.start(Nothing)
    execution.result(LIMIT)
    full = lab.start(Signaled)
    full.signal("approved")
    full.result(LIMIT)
    file = tmp_path / "history.json"
    file.write_text(execution.history().to_json())
    recorded = open_history(file)
    for table in ("slack", "critical_path"):
        columns = {str(getattr(each, table)().dtypes) for each in (execution, full, recorded)}
        assert len(columns) == 1
    assert len(recorded.slack()) == 0
    assert recorded.explain().lines()[0].startswith("✓ COMPLETED after")


def test_a_slow_run_is_compared_with_those_before_it(virtual: Lab) -> None:
    class Patient(Base):
        name = "explain.patient"

        def run(self, seconds: int) -> Any:
            return self.submit(self.start_timer("nap", seconds)).result

    for seconds in (60, 70, 60):
        virtual.start(Patient, seconds).result(LIMIT)
    execution = virtual.start(Patient, 3600)
    execution.result(LIMIT)
    (compared,) = of(execution.explain(), "compared")
    assert "59 min slower than the last 3 runs (median 1 min" in compared.text
    assert compared.text.endswith(": timer nap (+59 min)")


# -- the command -------------------------------------------------------------------------------------------------------


def test_the_command_gives_lines_in_a_shell_a_table_as_json_and_the_explanation_in_a_notebook(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    execution = lab.start(Signaled, workflow_id="order-8")
    execution.signal("approved", '"<b>yes</b>"')
    execution.result(LIMIT)
    session = Session(lambda *_: lab)

    show(run(["workflow.explain", "order-8"], session), session)
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("✓ COMPLETED after ")
    assert any(line.startswith("result: ") for line in printed)

    record = run(["--format", "json", "--header", "workflow.explain", "order-8"], session)
    show(record, session)
    rows = json.loads(capsys.readouterr().out)
    assert rows[0]["about"] == "status"

    value = cell_value(record)
    assert isinstance(value, Explanation)
    assert "<b>yes</b>" not in value._repr_html_()
    with pytest.raises(UsageError, match=r"workflow\.list"):
        run(["workflow.explain", "no-such-order"], session)


@activity.with_attributes(name="explain.lose", task_list="explain", version="1")
def lose(n: int) -> int:
    raise ValueError(f"no {n}")


class Nightly(Base):
    """Runs again as a new run until night 3; what it does at night 1 fails, and is handled."""

    name = "explain.nightly"

    def run(self, night: int) -> Any:
        if night == 1:
            self.submit(lose, night).wait()
        self.submit(self.start_timer("day", 60)).wait()
        return self.submit(double, night).result if night == 3 else self.submit(self.continue_as_new(night + 1)).result


def test_the_last_run_of_a_chain_tells_of_the_runs_before(virtual: Lab) -> None:
    first = virtual.start(Nightly, 0, workflow_id="nights")
    assert first.result(timeout=LIMIT) == 6
    last = virtual.execution("nights")
    (line,) = of(last.explain(), "continued")

    told, _, failed = line.text.partition("; ")
    assert told.startswith("goes on from 3 earlier runs: 4 min in all, since ")
    assert failed == "1 task failed in them: lose-1 (ValueError: no 1)"
    assert line.seconds is not None
    assert 240 <= line.seconds < 250
    # The call explains the run in which it failed.
    explained = eval(line.to_do, {"lab": virtual})
    assert "lose-1" in repr(explained)
    assert "goes on from 1 earlier run: " in repr(explained)
    assert not of(first.explain(), "continued")
    assert "goes on from 3 earlier runs" in last._repr_html_()


def next_run_of(execution: Execution) -> Execution:
    """The run that goes on in its place, once there is one."""
    deadline = time.monotonic() + LIMIT
    while (found := execution.next_run) is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def test_an_open_run_of_a_chain_and_a_file_of_it_tell_of_the_runs_before(lab: Lab, tmp_path: Path) -> None:
    class Turns(Base):
        name = "explain.turns"

        def run(self, turn: int) -> Any:
            return (
                self.submit(self.continue_as_new(turn + 1)) if turn < 2 else self.submit(self.wait_signal("go")).wait()
            )

    first = lab.start(Turns, 0, workflow_id="turns")
    second = next_run_of(first)
    last = next_run_of(second)
    found = until(last, lambda found: of(found, "waits"))

    assert [line.kind for line in found][:3] == ["status", "continued", "waits"]
    assert found[1].text.startswith("goes on from 2 earlier runs: ")
    file = tmp_path / "turns.json"
    file.write_text(last.history().to_json())
    (line,) = of(open_history(file).explain(), "continued")
    assert str(line) == f"goes on from run {second.run_id}, which has a history of its own"
